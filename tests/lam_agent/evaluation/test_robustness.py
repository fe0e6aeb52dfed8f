"""`lam-agent robustness`: a run's tasks in randomised scenes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lam_agent.__main__ import main
from lam_agent.errors import ResultsError
from lam_agent.evaluation import robustness
from lam_agent.evaluation.evaluate import Evaluation, evaluate
from lam_agent.metrics.perturbed import Perturbed
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.results import read_results, write_results
from lam_envs.randomisation.ranges import Randomisation

Check = Callable[[object], str]

NOTHING = [[None, None]] * 3
PART = {"randomisation": {}, "success": NOTHING, "success_at_end": NOTHING, "episodes": NOTHING}
"""What `results.json` holds of a stream of two tasks of which nothing is measured."""
RATES = {"success": [[1.0, 0.5]], "success_at_end": [[1.0, 0.5]], "episodes": [[2, 2]]}
ALONE = {"factors": ["light"], "tasks": ["reach", "push"], **RATES}


def test_a_run_is_measured_when_learned_and_at_last(
    copy: Path, capsys: pytest.CaptureFixture[str], kept_threads: None
) -> None:
    before = read_results(copy / "results.json")
    command = ["robustness", str(copy), "--threads", "1", "--device", "cpu"]
    assert main(command) == 0
    assert "under perturbations" in capsys.readouterr().out
    results = read_results(copy / "results.json")
    assert results.perturbed is not None and results.matrix == before.matrix
    assert results.perturbed.randomisation["table_height_m"] == 0.02  # As MODERATE has it.
    evaluated = results.perturbed.matrix.evaluated.tolist()
    assert evaluated == [[False, False], [True, False], [True, True]]
    assert set(before.metrics) < set(results.metrics) >= {"robust_retention"}
    for name in ("report.html", "report.md"):
        assert "Under perturbations" in (copy / name).read_text()
    content = json.loads((copy / "results.json").read_text())["perturbed"]
    assert content["episodes"][2] == [2, 2] and content["success"][1][1] is None

    # The same again, and a resume of the finished run, change nothing; a longer run has none.
    assert main(command) == 0
    assert main(["run", "--resume", str(copy)]) == 0
    again = read_results(copy / "results.json")
    assert again.perturbed == results.perturbed and again.metrics == results.metrics
    assert main(["run", "--resume", str(copy), "--task-stream", "reach,push,reach"]) == 2


@pytest.mark.usefixtures("kept_threads")
def test_what_each_factor_does_alone(
    copy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, Randomisation]] = []

    def remembering(policy: object, task: str, **settings: Any) -> Evaluation:
        seen.append((task, settings["randomisation"]))
        return evaluate(policy, task, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(robustness, "evaluate", remembering)
    ranges = ["--randomise.light", "0.5", "--randomise.mass", "0.1", "--randomise.colours", "0"]
    none = [f"--randomise.{name}" for name in ("textures", "friction", "camera-position-m")]
    none += ["--randomise.camera-angle-deg", "--randomise.table-height-m"]
    zeros = [word for name in none for word in (name, "0")]
    command = ["robustness", str(copy), "--threads", "1", "--device", "cpu", *ranges, *zeros]
    assert main([*command, "--by-factor"]) == 0
    assert "light 0.5" in capsys.readouterr().out
    both = Randomisation(light=0.5, mass=0.1)
    tasks = ["reach", "push"]
    alone = [Randomisation(light=0.5), Randomisation(mass=0.1)]
    assert seen == [
        *((task, both) for task in ["reach", *tasks]),
        *((task, ranges) for ranges in alone for task in tasks),
    ]
    results = read_results(copy / "results.json")
    assert results.perturbed is not None and results.perturbed.by_factor is not None
    by_factor = results.perturbed.by_factor
    assert by_factor.factors == ("light", "mass") and by_factor.tasks == ("reach", "push")
    assert by_factor.episodes.tolist() == [[2, 2], [2, 2]]
    for name in ("report.html", "report.md"):
        text = (copy / name).read_text()
        assert "By factor" in text and "mass 0.1" in text and "light 0.5, mass 0.1" in text


def test_what_is_left_in_randomised_scenes() -> None:
    matrix = SuccessMatrix.empty(2)
    for row, column, successes in ((1, 0, 40), (2, 0, 10), (2, 1, 30)):
        matrix = matrix.with_cell(row, column, successes=successes, successes_at_end=0, episodes=50)
    perturbed = Perturbed({"light": 0.5}, matrix)
    metrics = perturbed.metrics()
    assert metrics["robust_retention"] == pytest.approx((10 / 40 + 1) / 2)
    assert metrics["robust_average_success"] == pytest.approx((0.2 + 0.6) / 2)
    low, high = perturbed.intervals(("reach", "push"))["robust_retention"] or (1, 0)
    assert 0.4 < low < 0.625 < high < 0.8


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"randomisation": {"light": "much"}}, "perturbed.randomisation.light is"),
        ({"randomisation": {}, "success": [[1.0], [1.0]]}, "perturbed.success_at_end is missing"),
        ({**PART, "by_factor": {"factors": ["light"]}}, "perturbed.by_factor.tasks is missing"),
        ({**PART, "by_factor": {**ALONE, "factors": []}}, "must be (0, 2): a row for each factor"),
        ({**PART, "by_factor": {**ALONE, "tasks": ["push", "reach"]}}, "must be the tasks of the"),
    ],
)
def test_a_perturbed_part_that_cannot_be_is_refused(
    copy: Path, check_sentence: Check, content: dict[str, object], words: str
) -> None:
    path = copy / "results.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "perturbed": content}))
    with pytest.raises(ResultsError) as caught:
        read_results(path)
    assert words in check_sentence(caught.value)


def test_a_run_that_is_not_finished_is_refused(
    copy: Path, capsys: pytest.CaptureFixture[str], check_sentence: Check
) -> None:
    assert main(["robustness", str(copy), "--randomise.light", "2"]) == 2
    assert "between 0 and 1" in check_sentence(capsys.readouterr().err.strip())
    results = read_results(copy / "results.json")
    write_results(copy / "results.json", replace(results, finished=False))
    assert main(["robustness", str(copy)]) == 2
    assert "is not finished" in check_sentence(capsys.readouterr().err.strip())
