"""`report.md`: the results of a run as text that a page or a terminal can show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lam_agent.metrics.cells import FloatArray
from lam_agent.report.bounds import bounds
from lam_agent.report.heat import HeatTable, factor_table, matrix_table, perturbed_table
from lam_agent.report.words import (
    INTERVAL,
    NOT_EVALUATED,
    adaptation_mode,
    cell_words,
    column_labels,
    cost_rows,
    interval_sentence,
    interval_words,
    metric_names,
    metric_value_words,
    metric_words,
    perturbation_words,
    protocol_words,
    value_words,
)
from lam_agent.results import Results


def render_markdown(results: Results) -> str:
    """Return the report of a run as Markdown."""
    sections = [
        _title(results),
        "## Success matrix\n\n"
        "Rows: when it was measured. Columns: tasks. Success rate, successes of episodes, "
        f"{INTERVAL}; {NOT_EVALUATED} is not evaluated.\n\n"
        + _matrix(results, results.matrix.success),
        "### Success at the last step\n\n" + _matrix(results, results.matrix.success_at_end),
        "## Metrics\n\n" + _metrics(results) + "\n\n" + interval_sentence(results),
        *_bounds(results),
        *_pretraining(results),
        *_perturbed(results),
        "## Protocol\n\n" + protocol_words(results) + "\n\n" + _protocol(results),
        "## Cost\n\n" + _table(("what", "amount"), cost_rows(results)),
    ]
    if results.per_task:
        sections.append("## Tasks\n\n" + _per_task(results))
    if results.versions:
        sections.append(
            "## Versions\n\n" + _table(("package", "version"), results.versions.items())
        )
    return "\n\n".join(sections) + "\n"


def _title(results: Results) -> str:
    """Return the heading, what was run and, if so, that it is not finished."""
    num_tasks = len(results.tasks)
    lines = [
        f"# {' → '.join(_escape(label) for label in column_labels(results.tasks))}",
        f"Strategy `{results.strategy}`, adaptation `{adaptation_mode(results)}`, seed "
        f"{results.seed}, {num_tasks} task{'s' if num_tasks > 1 else ''}.",
    ]
    if not results.finished:
        lines.append(
            f"**Not finished:** {results.experiences_done} of {num_tasks} experiences are done."
        )
    return "\n\n".join(lines)


def _matrix(results: Results, rates: FloatArray) -> str:
    """Return one matrix of success rates, shape (T+1, T), as a table."""
    return _heat(matrix_table(results, rates), "")


def _metrics(results: Results) -> str:
    """Return the metrics with interval, formula in words and source as a table."""
    rows = []
    for name in metric_names(results):
        words = metric_words(name)
        interval = results.intervals.get(name)
        rows.append(
            (
                words.title,
                metric_value_words(results, name),
                interval_words(interval),
                words.formula,
                words.source,
            )
        )
    return _table(("metric", "value", INTERVAL, "formula", "source"), rows)


def _bounds(results: Results) -> list[str]:
    """Return what can be reached and what must be beaten, where it is measured."""
    found = bounds(results)
    if not found.is_measured:
        return []
    table = _heat(found.table)
    naive = _table(("metric", "naive strategy", "this run"), found.naive)
    solved = ", ".join(found.solved)
    left_out = (
        f"\n\nSolved from the start when learned alone, and so left out of forward transfer by "
        f"learning speed: {solved}."
        if solved
        else ""
    )
    return [f"## Bounds\n\n{table}\n\n{naive}{left_out}"]


def _pretraining(results: Results) -> list[str]:
    """Return the success on tasks that the initial weights learned, where it is measured."""
    found = results.pretraining
    if not found.tasks:
        return []
    rows = []
    for place, task in enumerate(found.tasks):
        pairs = zip(found.success[:, place], found.episodes[:, place], strict=True)
        cells = (" ".join(filter(None, cell_words(rate, count))) for rate, count in pairs)
        rows.append((task, *cells))
    table = _table(("task", "before the stream", "after it"), rows)
    return [f"## Pretraining\n\nTasks that the initial weights learned.\n\n{table}"]


def _perturbed(results: Results) -> list[str]:
    """Return the success in randomised scenes, where it is measured."""
    perturbed = results.perturbed
    if perturbed is None:
        return []
    settings = perturbation_words(perturbed)
    table = _heat(perturbed_table(results, perturbed))
    sections = [f"## Under perturbations\n\nScenes that differ by {settings}.\n\n{table}"]
    alone = factor_table(results)
    if alone is not None:
        by_factor = _heat(alone, "what varies")
        sections.append(f"### By factor, after the last experience\n\n{by_factor}")
    return sections


def _heat(table: HeatTable, corner: str = "task") -> str:
    """Return a table of success rates."""
    rows = [
        (
            label,
            *(" ".join(filter(None, (cell.rate, cell.counts, cell.interval))) for cell in cells),
        )
        for label, cells in table.rows
    ]
    return _table((corner, *table.columns), rows)


def _protocol(results: Results) -> str:
    """Return every entry of the protocol as a table."""
    rows = [
        (name.replace("_", " "), value_words(value)) for name, value in results.protocol.items()
    ]
    return _table(("protocol", "value"), rows)


def _per_task(results: Results) -> str:
    """Return what else is known of each task as a table with a column for each key."""
    keys = list(dict.fromkeys(key for entry in results.per_task for key in entry))
    rows = [[value_words(entry.get(key)) for key in keys] for entry in results.per_task]
    return _table([key.replace("_", " ") for key in keys], rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_escape(cell) for cell in line) + " |" for line in lines)


def _escape(text: str) -> str:
    """Keep a text inside its cell."""
    return " ".join(text.replace("|", "\\|").split())
