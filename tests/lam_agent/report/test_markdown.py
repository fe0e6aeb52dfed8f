"""The Markdown report shows every number of the results."""

import dataclasses
from collections.abc import Callable

import markdown_it
import numpy as np
import pytest

from lam_agent.metrics import compute_metrics
from lam_agent.metrics.intervals import wilson_interval
from lam_agent.metrics.perturbed import ROBUST_METRICS
from lam_agent.metrics.pretraining_success import PretrainingSuccess
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.report.heat import learned_row
from lam_agent.report.markdown import render_markdown
from lam_agent.report.words import METRIC_WORDS, column_labels, metric_value_words, row_labels
from lam_agent.results import Results

MakeResults = Callable[..., Results]


def row_of(report: str, label: str) -> list[str]:
    """Return the cells of the first table row that starts with a label."""
    lines = [line for line in report.splitlines() if line.startswith(f"| {label} |")]
    return [cell.strip() for cell in lines[0].strip("|").split(" | ")][1:]


def test_every_cell_stands_with_its_counts_and_its_interval(results: Results) -> None:
    report = render_markdown(results)
    matrix = results.matrix
    for rates in (matrix.success, matrix.success_at_end):
        for row, column in np.argwhere(matrix.evaluated):
            rate, count = rates[row, column], int(matrix.episodes[row, column])
            successes = round(rate * count)
            low, high = (100 * bound for bound in wilson_interval(successes, count))
            cell = f"| {100 * rate:.1f} % {successes}/{count} [{low:.1f}, {high:.1f}] |"
            assert cell in report
    assert row_of(report, "after reach (visit 1)")[2] == "–"


def test_every_metric_stands_with_its_interval_formula_and_source(results: Results) -> None:
    report = render_markdown(results)
    words = METRIC_WORDS["average_success"]
    assert row_of(report, words.title) == ["0.893", "[0.841, 0.936]", words.formula, words.source]
    assert row_of(report, "forgetting")[:2] == ["0.053", "[-0.012, 0.118]"]
    assert row_of(report, METRIC_WORDS["nbt"].title)[0] == "0.000"
    assert row_of(report, "retention")[:2] == ["0.932", "–"]
    assert row_of(report, METRIC_WORDS["auc"].title)[:2] == ["not measured", "–"]
    assert row_of(report, "robust retention")[0] == "0.811"


def test_protocol_cost_tasks_and_versions_are_all_there(results: Results) -> None:
    report = render_markdown(results)
    assert "Strategy `replay`, adaptation `full`, seed 7, 3 tasks." in report
    assert "share of 50 test episodes of 200 steps" in report
    assert row_of(report, "validation") == ["episodes: 20"]
    assert row_of(report, "starts") == ["11, 12"]
    amounts = {
        "collecting": "61.5 s",
        "adapting": "302.8 s",
        "evaluating": "40.2 s",
        "total wall time": "410.5 s",
        "peak memory": "2,345.6 MB of 10^6 bytes",
        "replay buffer": "63,998,976 bytes",
        "demonstrations": "120,456,789 bytes",
        "adaptation mode": "full",
        "trainable parameters": "412,345",
        "all parameters": "501,234",
    }
    for name, amount in amounts.items():
        assert row_of(report, name) == [amount]
    assert "| task | gradient steps | loss | stopped early | note |" in report
    assert "| reach | 750 | 0.0125 | yes | – |" in report
    assert "| push | 1250 | – | – | – |" in report
    assert row_of(report, "torch") == ["2.13.0"]
    assert row_of(report, "mujoco") == ["4.0.0"]


def test_a_run_that_is_not_finished_says_so(results: Results) -> None:
    assert "Not finished" not in render_markdown(results)
    partial = dataclasses.replace(results, finished=False, experiences_done=2)
    assert "**Not finished:** 2 of 3 experiences are done." in render_markdown(partial)


@pytest.mark.parametrize("name", ["my|task", "my\ntask"])
def test_any_task_name_stays_in_its_cell(results: Results, name: str) -> None:
    report = render_markdown(dataclasses.replace(results, tasks=("reach", name, "push")))
    tables = markdown_it.MarkdownIt("commonmark").enable("table").parse(report)
    texts = [token.content for token in tables if token.type == "inline"]
    assert name.replace("\n", " ") in texts
    header = next(line for line in report.splitlines() if line.startswith("|  | reach |"))
    assert header.replace("\\|", "").count("|") == 5


def test_every_metric_that_is_computed_has_words() -> None:
    computed = {
        **compute_metrics(SuccessMatrix.empty(2)),
        **PretrainingSuccess.empty("a").metrics(),
        **ROBUST_METRICS,
    }
    assert set(METRIC_WORDS) == set(computed)


def test_what_is_undefined_is_not_called_not_measured(make_results: MakeResults) -> None:
    matrix = SuccessMatrix.empty(2)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)):
        matrix = matrix.with_cell(row, column, successes=0, successes_at_end=0, episodes=5)
    failed = make_results(("reach", "push"), matrix=matrix, metrics=compute_metrics(matrix))
    assert failed.metrics["retention"] is None
    for name in ("normalised_forgetting", "retention"):
        assert metric_value_words(failed, name) == "undefined"
    assert metric_value_words(failed, "forgetting") == "0.000"
    for name in ("learning_speed_transfer", "auc"):
        assert metric_value_words(failed, name) == "not measured"
    alone = make_results(("reach",))
    assert metric_value_words(alone, "forgetting") == "undefined"
    solved = {"single_task": {"success": [1.0, 1.0], "episodes": 5, "area": [1.0, 1.0]}}
    metrics = {**failed.metrics, "auc": 0.5}
    known = make_results(("reach", "push"), metrics=metrics, references=solved)
    assert metric_value_words(known, "learning_speed_transfer") == "undefined"


def test_tasks_that_are_learned_at_once_are_learned_in_the_last_row(
    make_results: MakeResults,
) -> None:
    matrix = SuccessMatrix.empty(3)
    for row in (0, 3):
        for column in range(3):
            matrix = matrix.with_cell(row, column, successes=row, successes_at_end=0, episodes=5)
    assert [learned_row(matrix.success, column) for column in range(3)] == [3, 3, 3]
    in_turn = make_results(("a", "b", "c")).matrix.success
    assert [learned_row(in_turn, column) for column in range(3)] == [1, 2, 3]
    begun = SuccessMatrix.empty(3).success
    assert [learned_row(begun, column) for column in range(3)] == [1, 2, 3]


def test_labels_tell_visits_apart_only_where_a_task_comes_again() -> None:
    assert column_labels(("reach", "push")) == ["reach", "push"]
    assert row_labels(("push", "reach", "push")) == [
        "before",
        "after push (visit 1)",
        "after reach",
        "after push (visit 2)",
    ]


def test_bounds_stand_as_they_do_on_the_page(results: Results) -> None:
    assert "## Bounds" not in render_markdown(dataclasses.replace(results, references={}))
    rates = [1.0, 0.5, 1.0]
    references = {
        "single_task": {"success": rates, "episodes": 20},
        "joint": None,
        "naive": {"average_success": 0.25, "forgetting": 0.5},
    }
    report = render_markdown(dataclasses.replace(results, references=references))
    section = report.partition("## Bounds")[2].partition("\n## ")[0]
    assert row_of(section, "push")[1:] == ["not measured", "50.0 % 10/20 [29.9, 70.1]"]
    assert row_of(section, "mean")[2] == "83.3 %"
    assert row_of(section, "forgetting") == ["0.500", "0.053"]
