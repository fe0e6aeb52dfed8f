"""Comparisons: which runs may stand beside each other, and how seeds are put together."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lam_agent.errors import ResultsError
from lam_agent.metrics.intervals import aggregate_over_seeds, wilson_interval
from lam_agent.metrics.perturbed import ROBUST_METRICS, Perturbed
from lam_agent.metrics.pretraining_success import AFTER, BEFORE, PretrainingSuccess
from lam_agent.report import comparison, curves
from lam_agent.report import reference_rows as reference_rows_module
from lam_agent.report.benchmark import write_benchmark
from lam_agent.report.bounds import bound_rates
from lam_agent.report.comparison import Run, load_runs, make_series
from lam_agent.report.comparison_html import render_comparison
from lam_agent.report.reference_rows import reference_rows
from lam_agent.results import Results, write_results

MakeResults = Callable[..., Results]
Save = Callable[..., Path]
TASKS = ("reach", "push")


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw fewer samples than a page needs: these tests do not look at the third digit."""
    for module in (comparison, curves):
        monkeypatch.setattr(module, "SAMPLES", 400)


@pytest.fixture
def save(tmp_path: Path, make_results: MakeResults) -> Save:
    """Write the results of a run and return their path."""

    def write(name: str, seed: int = 0, strategy: str = "replay", **changes: Any) -> Path:
        path = tmp_path / name / "results.json"
        path.parent.mkdir()
        tasks = changes.pop("tasks", TASKS)
        write_results(path, make_results(tasks, seed, strategy=strategy, **changes))
        return path

    return write


def page_of(runs: list[Run]) -> str:
    """Return the page that compares runs."""
    return render_comparison(runs, make_series(runs), reference_rows(runs))


def test_three_seeds_of_a_strategy_are_one_row(save: Save, take_apart: Any) -> None:
    paths = [save(f"run{seed}", seed) for seed in (2, 0, 1)] + [save("alone", 0, "naive")]
    runs = load_runs(paths)
    seeds, alone = make_series(runs)
    assert (seeds.title, seeds.note) == ("replay", "3 seeds: 0, 1, 2")
    assert (alone.title, alone.note) == ("naive", "seed 0")
    matrices = [run.results.matrix for run in sorted(runs[:3], key=lambda run: run.results.seed)]
    wanted = aggregate_over_seeds(matrices, samples=400, tasks=TASKS)["average_success"]
    assert wanted is not None and wanted.interval is not None
    mean, interval = seeds.metrics["average_success"]
    assert mean == pytest.approx(wanted.mean)
    assert interval == pytest.approx(wanted.interval, abs=0.04)
    means = np.mean([matrix.success for matrix in matrices], axis=0)
    assert [value for value, _ in seeds.finals] == pytest.approx(means[-1].tolist())
    assert seeds.seen["1"][0] == pytest.approx(means[1, 0])
    page = take_apart(page_of(runs))
    assert page.row("replay 3 seeds: 0, 1, 2")[0].startswith(f"{mean:.3f} [")
    assert page.row("replay (3 seeds: 0, 1, 2)")[1].startswith(f"{100 * means[-1, 1]:.1f} %")
    assert page.row("alone") == [
        *("naive", "0", "yes"),
        f"{runs[3].results.metrics['average_success']:.3f}",
        f"{runs[3].results.metrics['forgetting']:z.3f}",
        *("410.5", "63,998,976", "412,345"),
    ]
    assert "hierarchical bootstrap" in page.text


def test_two_seeds_and_two_runs_of_one_seed_stay_apart(save: Save) -> None:
    two = make_series(load_runs([save("a", 0), save("b", 1)]))
    assert [item.note for item in two] == ["seed 0", "seed 1"]
    twice = [save("c", 0, "ewc"), save("d", 0, "ewc"), save("e", 1, "ewc"), save("f", 2, "ewc")]
    notes = ["seed 0 · c", "seed 0 · d", "seed 1", "seed 2"]
    assert [item.note for item in make_series(load_runs(twice))] == notes


def test_a_run_that_is_not_finished_may_stand_beside_others(save: Save, take_apart: Any) -> None:
    paths = [save("a", 0), save("b", 1, finished=False, experiences_done=1)]
    page = take_apart(page_of(load_runs(paths)))
    assert page.row("b")[2] == "no, 1 of 2 experiences"


def test_seeds_and_accidents_may_differ_in_the_protocol(save: Save, results: Results) -> None:
    paths = [
        save(
            f"run{seed}",
            seed,
            protocol={
                **results.protocol,
                "demonstration_seed": seed,
                "unstable_episodes": {"test": seed},
            },
        )
        for seed in (0, 1)
    ]
    assert len(load_runs(paths)) == 2


def test_adaptation_modes_are_compared_and_not_put_together(save: Save, results: Results) -> None:
    lora = {"protocol": {**results.protocol, "adapt": "lora"}}
    paths = [save("a", 0), save("b", 1), save("c", 2, **lora), save("d", 3, **lora)]
    series = make_series(load_runs(paths))
    assert [item.title for item in series] == ["replay", "replay", "replay, lora", "replay, lora"]
    assert [item.title for item in make_series(load_runs(paths[2:]))] == ["replay", "replay"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tasks": ("push", "reach")}, "tasks is reach, push in .* but push, reach in "),
        ({"horizon": 100}, "protocol.horizon is 200 in .* but 100 in "),
        ({"splits": ["test"]}, "protocol.splits is missing in .* but test in "),
        ({"starts": None}, "protocol.starts is 11, 12 in .* but – in "),
    ],
)
def test_runs_that_measured_different_things_are_refused(
    save: Save,
    results: Results,
    changes: dict[str, Any],
    words: str,
    check_sentence: Callable[[object], str],
) -> None:
    fields = changes if "tasks" in changes else {"protocol": {**results.protocol, **changes}}
    paths = [save("one"), save("same", 1), save("other", 2, **fields)]
    with pytest.raises(ResultsError, match=words) as caught:
        load_runs(paths)
    sentence = check_sentence(caught.value)
    assert str(paths[0]) in sentence and str(paths[2]) in sentence and str(paths[1]) not in sentence


def test_a_run_that_is_named_twice_is_refused(save: Save) -> None:
    path = save("one")
    with pytest.raises(ResultsError, match="named twice"):
        load_runs([path, path.parent / ".." / "one" / "results.json"])


def test_no_name_is_markup_and_the_page_is_the_same_again(save: Save, take_apart: Any) -> None:
    name = "<script>alert(1)</script>"
    paths = [save("a", 0, name, tasks=(name, "push")), save("b", 1, name, tasks=(name, "push"))]
    text = page_of(load_runs(paths))
    assert not take_apart(text).all_of("script")
    assert "http" not in text.replace("http-equiv", "")
    assert page_of(load_runs(paths)) == text


def test_more_runs_than_colours_still_have_lines_of_their_own(save: Save) -> None:
    runs = load_runs([save(f"run{index}", 0, f"strategy{index}") for index in range(8)])
    text = page_of(runs)
    assert "series-6" in text and "series-0 dashed" in text


def test_bounds_stand_below_the_strategies_as_means_over_the_seeds(
    save: Save, take_apart: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def references(*alone: float) -> dict[str, Any]:
        return {"single_task": {"success": list(alone), "episodes": 50}}

    paths = [
        save("a", 0, references=references(1.0, 0.4)),
        save("b", 1, "naive", references=references(0.5, 0.6)),
        save("c", 0, "naive", references=references(1.0, 0.4)),
        save("d", 2, "naive"),
    ]
    runs = load_runs(paths)
    (alone,) = reference_rows(runs)
    assert (alone.title, alone.note) == ("each task alone", "seeds 0, 1")
    assert alone.success == pytest.approx([0.75, 0.5])
    assert alone.average_success == pytest.approx(0.625)
    page = take_apart(page_of(runs))
    row = next(row for row in page.rows if row[0].startswith("each task alone (seeds 0, 1)"))
    assert row[1:] == ["75.0 %", "50.0 %"]
    read: list[str] = []

    def count(references: Any, name: str, num_tasks: int) -> Any:
        read.append(name)
        return bound_rates(references, name, num_tasks)

    monkeypatch.setattr(reference_rows_module, "bound_rates", count)
    table, data = paths[0].with_name("benchmark.md"), paths[0].with_name("benchmark.json")
    write_benchmark(paths, paths[0].with_name("page.html"), table, data)
    assert "| each task alone (seeds 0, 1) | 0.625 | – |" in table.read_text()
    assert json.loads(data.read_text())["bounds"][0]["success"] == pytest.approx([0.75, 0.5])
    assert read == ["single_task"] * 4 + ["joint"] * 4  # Once for page, table and JSON.


def test_what_succeeds_in_every_run_has_the_interval_of_all_its_episodes(
    save: Save, make_results: MakeResults
) -> None:
    paths = []
    for seed in range(3):
        matrix = make_results(TASKS, seed).matrix
        for column, successes in enumerate((50, 25 + seed)):
            matrix = matrix.with_cell(
                2, column, successes=successes, successes_at_end=0, episodes=50
            )
        paths.append(save(f"run{seed}", seed, matrix=matrix))
    (row,) = make_series(load_runs(paths))
    assert row.finals[0] == (1.0, wilson_interval(150, 150))
    rate, interval = row.finals[1]
    assert rate == pytest.approx(0.52) and interval is not None and 0.3 < interval[0] < 0.52


def test_other_initial_weights_of_the_same_name_are_no_seeds(save: Save, results: Results) -> None:
    paths = [
        save(name, seed, protocol={**results.protocol, "policy_init_sha256": digest})
        for seed, (name, digest) in enumerate((("a", "0a"), ("b", "0b")))
    ]
    with pytest.raises(ResultsError, match=r"policy_init_sha256 is 0a in .* but 0b in"):
        load_runs(paths)
    load_runs([paths[0], save("of-an-earlier-version", 2)])


def test_other_perturbations_are_not_compared(save: Save, make_results: MakeResults) -> None:
    matrix = make_results(TASKS, 0).matrix
    paths = [
        save(f"light{light}", seed, perturbed=Perturbed({"light": light}, matrix))
        for seed, light in enumerate((0.5, 1.0))
    ]
    plain = save("not-perturbed", 2)
    for order in (paths, [plain, *paths], [paths[0], plain, paths[1]]):
        with pytest.raises(ResultsError, match=r"^perturbation is light: 0.5 in .* but light: 1"):
            load_runs(order)
    runs = load_runs([plain, paths[0]])
    page = render_comparison(runs, make_series(runs), [])
    assert "Under perturbations scenes differ by light 0.5." in page
    assert "last step" not in page


def test_other_tasks_of_pretraining_are_not_compared(save: Save) -> None:
    def measured(*tasks: str) -> PretrainingSuccess:
        found = PretrainingSuccess.empty(tasks)
        for row in (BEFORE, AFTER):
            for task in tasks:
                counts = {"successes": 1, "successes_at_end": 0, "episodes": 2}
                found = found.with_task(row, task, **counts)
        return found

    paths = [
        save("a", 0, pretraining=measured("faucet-open")),
        save("plain", 1),
        save("b", 2, pretraining=measured("door-close")),
    ]
    with pytest.raises(ResultsError, match=r"^pretraining.tasks is faucet-open in .* but door-"):
        load_runs(paths)
    load_runs(paths[:2])


def test_robust_metrics_have_intervals_over_seeds(save: Save, make_results: MakeResults) -> None:
    matrices = [make_results(TASKS, seed + 10).matrix for seed in range(3)]
    paths = []
    for seed, matrix in enumerate(matrices):
        perturbed = Perturbed({"light": 0.5}, matrix)
        metrics = {**make_results(TASKS, seed).metrics, **perturbed.metrics()}
        paths.append(save(f"run{seed}", seed, perturbed=perturbed, metrics=metrics))
    wanted = aggregate_over_seeds(matrices, ROBUST_METRICS, samples=400, tasks=TASKS)
    table, data = (paths[0].with_name(name) for name in ("table.md", "data.json"))
    write_benchmark(paths, paths[0].with_name("page.html"), table, data)
    (method,) = json.loads(data.read_text())["methods"]
    for name, item in wanted.items():
        assert item is not None and item.interval is not None
        low, high = item.interval
        assert 0 < low < item.mean < high <= 1
        assert method["metrics"][name] == {"value": item.mean, "interval": [low, high]}
        assert f"| {item.mean:.3f} [{low:.3f}, {high:.3f}] |" in table.read_text()

    # Where a seed was not measured in such scenes there is no mean of all.
    (row,) = make_series(load_runs([*paths, save("of the stream alone", 3)]))
    assert {row.metrics[name] for name in ROBUST_METRICS} == {(None, None)}
