"""`report.html` shows every number of a run, as text, and loads nothing."""

import dataclasses
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lam_agent.errors import ResultsError
from lam_agent.metrics.intervals import wilson_interval
from lam_agent.metrics.pretraining_success import AFTER, BEFORE, PretrainingSuccess
from lam_agent.report.events import CurvePoint, Events
from lam_agent.report.html import render_html
from lam_agent.report.markdown import render_markdown
from lam_agent.report.words import METRIC_WORDS, protocol_words
from lam_agent.results import Results

TakeApart = Callable[[str], Any]
MakeResults = Callable[..., Results]

CW10 = (
    *("hammer", "push-wall", "faucet-close", "push-back", "stick-pull"),
    *("handle-press-side", "push", "shelf-place", "window-close", "peg-unplug-side"),
)


def test_every_cell_stands_with_its_counts_and_its_interval(
    results: Results, take_apart: TakeApart
) -> None:
    page = take_apart(render_html(results))
    matrix = results.matrix
    rows = [row for row in page.rows if row[0] in ("before", "after push")]
    for index, rates in enumerate((matrix.success, matrix.success_at_end)):
        for row, shown in ((0, rows[2 * index]), (2, rows[2 * index + 1])):
            for column in range(3):
                if np.isnan(rates[row, column]):
                    assert shown[column + 1] == "–"
                    continue
                count = round(float(matrix.episodes[row, column]))
                successes = round(float(rates[row, column]) * count)
                low, high = (100 * bound for bound in wilson_interval(successes, count))
                rate = 100 * rates[row, column]
                words = f"{rate:.1f} % {successes}/{count} [{low:.1f}, {high:.1f}]"
                assert shown[column + 1] == words


def test_every_metric_stands_with_its_interval_formula_and_source(
    results: Results, take_apart: TakeApart
) -> None:
    page = take_apart(render_html(results))
    words = METRIC_WORDS["average_success"]
    assert page.row(words.title) == ["0.893", "[0.841, 0.936]", words.formula, words.source]
    assert page.row("forgetting")[:2] == ["0.053", "[-0.012, 0.118]"]
    assert page.row(METRIC_WORDS["nbt"].title)[0] == "0.000"
    assert page.row(METRIC_WORDS["auc"].title)[:2] == ["not measured", "–"]
    assert page.row("robust retention")[0] == "0.811"
    assert "succeeds in 89.3 % [84.1, 93.6] of the test episodes on average over 3" in page.text
    assert "5.3 percentage points less" in page.text


def test_tasks_of_pretraining_have_a_section_where_they_were_measured(
    results: Results, take_apart: TakeApart
) -> None:
    assert "pretraining" not in render_html(results)
    measured = PretrainingSuccess.empty(("sweep", "soccer"))
    for row, counts in ((BEFORE, (45, 10)), (AFTER, (5, 10))):
        for task, count in zip(measured.tasks, counts, strict=True):
            measured = measured.with_task(
                row, task, successes=count, successes_at_end=0, episodes=50
            )
    metrics = {**results.metrics, **measured.metrics()}
    with_it = dataclasses.replace(results, pretraining=measured, metrics=metrics)
    page = take_apart(render_html(with_it))
    low, high = (100 * bound for bound in wilson_interval(45, 50))
    assert page.row("sweep") == [
        f"90.0 % 45/50 [{low:.1f}, {high:.1f}]",
        "10.0 % 5/50 [4.3, 21.4]",
    ]
    assert page.row("mean") == ["55.0 %", "15.0 %"]
    assert page.row("forgetting of pretraining")[0] == "0.400"
    text = render_markdown(with_it)
    assert "| soccer | 20.0 % 10/50 [11.2, 33.0] | 20.0 % 10/50 [11.2, 33.0] |" in text
    assert "## Pretraining" in text and "## Pretraining" not in render_markdown(results)


def test_protocol_cost_tasks_versions_and_seed_are_all_there(
    results: Results, take_apart: TakeApart
) -> None:
    page = take_apart(render_html(results))
    for part in (
        "strategy replay",
        "adaptation full",
        "seed 7",
        "Seed of the run: 7",
        protocol_words(results),
    ):
        assert part in page.text
    assert page.row("validation") == ["episodes: 20"]
    assert page.row("starts") == ["11, 12"]
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
        assert page.row(name) == [amount]
    assert page.row("reach", "750") == ["0.0125", "yes", "–"]
    assert page.row("torch") == ["2.13.0"] and page.row("mujoco") == ["4.0.0"]
    shares = [
        float(item["style"].split(":")[1])
        for item in page.all_of("span")
        if "flex-grow" in (item.get("style") or "")
    ]
    assert sum(shares) == pytest.approx(100, abs=0.05)
    assert shares[1] == pytest.approx(100 * 302.75 / 410.5, abs=0.01)


def test_what_was_not_measured_is_said_in_words(results: Results, take_apart: TakeApart) -> None:
    text = take_apart(render_html(dataclasses.replace(results, versions={}, per_task=()))).text
    for words in (
        "No first frames of the tasks were recorded.",
        "No videos were recorded.",
        "No learning curves were recorded.",
        "No versions were recorded.",
        "Learned jointly (upper bound): not measured.",
        "Each task learned alone: not measured.",
        "Naive strategy (lower bound): not measured.",
    ):
        assert words in text


def test_bounds_stand_beside_the_run(results: Results, take_apart: TakeApart) -> None:
    references = {
        "single_task": {"success": [1.0, 0.5, None], "episodes": 20, "area": [0.5, 0.25, None]},
        "joint": None,
        "naive": {"average_success": 0.312, "forgetting": 0.613},
    }
    page = take_apart(render_html(dataclasses.replace(results, references=references)))
    assert page.row("reach (visit 1)")[:2] == ["98.0 % 49/50 [89.5, 99.6]", "not measured"]
    assert page.row("reach (visit 1)")[2].startswith("100.0 % 20/20 [83.9, 100.0]")
    assert page.row("reach (visit 2)")[2] == "–"
    assert page.row("mean") == ["89.3 %", "not measured", "–"]
    assert ["average success", "0.312", "0.893"] in page.rows
    assert ["forgetting", "0.613", "0.053"] in page.rows


def test_tasks_that_are_solved_from_the_start_are_named(
    results: Results, take_apart: TakeApart
) -> None:
    words = "Solved from the start when learned alone"
    for areas, expected in (([0.5, 1.0, None], f"{words}, and so left out"), ([0.5, 0.9, 0.5], "")):
        single = {"success": [1.0, 0.5, 1.0], "episodes": 20, "area": areas}
        shown = dataclasses.replace(results, references={"single_task": single})
        text = take_apart(render_html(shown)).text
        assert (words in text) == bool(expected) and expected in text
        if expected:
            assert f"by learning speed: {results.tasks[1]}." in text


@pytest.mark.parametrize(
    "bound",
    [
        {"joint": {"success": [1.0, 0.5]}},
        {"single_task": {"success": [1.0, 0.5, 1.0], "area": [1.0, 0.5]}},
        {"single_task": {"success": [1.0, 0.5, 1.0], "area": [1.0, 0.5, 1.5]}},
        {"joint": {"success": [1.0, 0.5, "high"]}},
        {"joint": {"success": [1.0, 0.5, 1.5]}},
        {"single_task": {"success": [1.0, 0.5, 1.0], "episodes": 0}},
        {"naive": {"average_success": "low"}},
    ],
)
def test_bounds_that_cannot_be_are_refused(
    results: Results, bound: dict[str, Any], check_sentence: Callable[[object], str]
) -> None:
    with pytest.raises(ResultsError, match="references") as caught:
        render_html(dataclasses.replace(results, references=bound))
    check_sentence(caught.value)


def test_pictures_of_both_cameras_and_videos_stand_with_their_task(
    results: Results, png: str, take_apart: TakeApart
) -> None:
    videos = (
        {"task": "push", "outcome": "failure", "episode": 4, "path": "videos/push 4.mp4"},
        {"task": "push", "outcome": "success", "episode": 5, "path": "javascript:alert(1)"},
        {"task": "push", "outcome": "success", "episode": 6, "path": "../../secret.mp4"},
        {"task": "push", "outcome": "success", "episode": 7, "path": "/etc/passwd"},
        {"task": "push", "outcome": "success", "episode": 8},
    )
    events = Events(first_frames={"push": {"front": png, "wrist": png}, "unknown": {"front": png}})
    shown = dataclasses.replace(results, videos=videos)
    page = take_apart(render_html(shown, events))
    assert [image["alt"] for image in page.all_of("img")] == [
        "First frame of push, front camera",
        "First frame of push, wrist camera",
    ]
    links = [link["href"] or "" for link in page.all_of("a")]
    assert [link for link in links if not link.startswith("#")] == ["videos/push%204.mp4"]
    assert page.text.count("its path leads out of the run folder") == 4
    assert 'href="runs/a/videos/push%204.mp4"' in render_html(shown, events, base="runs/a")


def test_pictures_that_are_too_large_together_are_left_out(results: Results, png: str) -> None:
    events = Events(first_frames={"reach": {"front": png, "wrist": png + "A" * 2_000_000}})
    page = render_html(results, events)
    assert "1 pictures are left out" in page
    assert len(page) < 3_000_000


def test_learning_curves_come_from_the_log_and_else_from_the_results(
    make_results: MakeResults, take_apart: TakeApart
) -> None:
    curve = [{"step": 250, "loss": 0.2015, "success": 0.8667}]
    results = make_results(("reach",), per_task=({"position": 0, "learning": curve},))
    page = take_apart(render_html(results))
    assert page.row("reach", "250") == ["0.2015", "86.7%"]
    assert "step 250: loss 0.2015" in page.text
    events = Events(
        training={0: {step: CurvePoint(step, 1.0 / step) for step in range(1, 2000)}},
        validation={0: {500: CurvePoint(500, 0.0625, 0.75), 250: CurvePoint(250, float("nan"))}},
    )
    page = take_apart(render_html(results, events))
    assert page.row("reach", "500") == ["0.0625", "75.0%"]
    assert page.row("reach", "250") == ["not measured", "not measured"]
    assert "nan" not in render_html(results, events).lower().replace("finance", "")
    broken = dataclasses.replace(results, per_task=({"position": 0, "learning": [{"loss": 1}]},))
    with pytest.raises(ResultsError, match="learning curve of task 0"):
        render_html(broken)


HOSTILE = (
    '</title><script>alert("1")</script><img src="http://example.org/x" onerror=a>{{ 7*7 }}$x$'
)


def test_no_name_is_ever_markup(make_results: MakeResults, png: str, take_apart: TakeApart) -> None:
    results = make_results(
        (HOSTILE, "push"),
        strategy=HOSTILE,
        protocol={"episodes": HOSTILE, "horizon": HOSTILE, HOSTILE: HOSTILE},
        per_task=({"task": HOSTILE, "instruction": HOSTILE, HOSTILE: HOSTILE},),
        versions={HOSTILE: HOSTILE},
        videos=({"task": HOSTILE, "outcome": HOSTILE, "path": HOSTILE},),
    )
    page = take_apart(render_html(results, Events(first_frames={HOSTILE: {HOSTILE: png}})))
    assert not page.all_of("script")
    assert all(
        (image["src"] or "").startswith("data:image/png;base64,") for image in page.all_of("img")
    )
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert page.text.count("{{ 7*7 }}") > 10
    assert results.tasks == (HOSTILE, "push") and HOSTILE in page.text


def test_nothing_is_loaded_from_elsewhere(make_results: MakeResults, png: str) -> None:
    events = Events(first_frames={"push": {"front": png}})
    text = render_html(make_results(("reach", "push")), events)
    assert re.findall(r"https?:|//\w|@import|url\(|<link|<script|<iframe|<object", text) == []
    assert "default-src 'none'" in text
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]*)', text))


def test_a_run_that_is_not_finished_says_so(results: Results, take_apart: TakeApart) -> None:
    partial = dataclasses.replace(results, finished=False, experiences_done=2)
    assert "Not finished: 2 of 3 experiences are done." in take_apart(render_html(partial)).text
    assert "Not finished" not in render_html(results)


def test_a_run_of_which_nothing_is_evaluated_yet_has_a_page(
    make_results: MakeResults, take_apart: TakeApart
) -> None:
    matrix = make_results(("reach", "push")).matrix.empty(2)
    results = make_results(
        ("reach", "push"), matrix=matrix, metrics={}, finished=False, experiences_done=0
    )
    assert take_apart(render_html(results)).row("after push") == ["–", "–"]


@pytest.mark.parametrize("tasks", [("reach",), CW10 + CW10])
def test_short_and_long_streams_have_a_small_page_soon(
    make_results: MakeResults, take_apart: TakeApart, png: str, tasks: tuple[str, ...]
) -> None:
    results = make_results(tasks)
    curve = {step: CurvePoint(step, 1.0 / step) for step in range(1, 4000)}
    picture = png + "A" * 40_000
    events = Events(
        training=dict.fromkeys(range(len(tasks)), curve),
        first_frames={task: {"front": picture, "wrist": picture} for task in tasks},
    )
    start = time.process_time()
    text = render_html(results, events)
    assert time.process_time() - start < 5
    assert len(text.encode()) < 3_000_000
    page = take_apart(text)
    assert len(page.all_of("svg")) >= 2 * len(tasks)
    if len(tasks) > 1:
        assert page.row("measured")[:2] == ["hammer (visit 1)", "push-wall (visit 1)"]
    else:
        assert page.row("forgetting")[0] == "undefined"


def test_the_same_results_give_the_same_page(results: Results, png: str) -> None:
    events = Events(first_frames={"push": {"front": png}})
    assert render_html(results, events) == render_html(results, events)
