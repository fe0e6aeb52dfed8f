"""`write_report` and `lam-agent report`: pages where they belong, mistakes in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lam_agent.__main__ import main
from lam_agent.errors import ResultsError
from lam_agent.report.write import write_report
from lam_agent.results import Results, write_results

Capture = pytest.CaptureFixture[str]
MakeResults = Callable[..., Results]


@pytest.fixture
def run(tmp_path: Path, make_results: MakeResults, png: str) -> Path:
    """A run folder with results and a log."""
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    videos = ({"task": "push", "outcome": "success", "episode": 1, "path": "videos/push.mp4"},)
    write_results(folder / "results.json", make_results(("reach", "push"), videos=videos))
    frame = {"kind": "first_frame", "task": "push", "camera": "wrist", "png": png}
    (folder / "metrics.jsonl").write_text(json.dumps(frame) + "\n")
    return folder


def test_both_reports_come_from_results_and_log_alone(run: Path) -> None:
    write_report(run)
    assert sorted(path.name for path in run.iterdir()) == [
        *("metrics.jsonl", "report.html", "report.md", "results.json")
    ]
    page = (run / "report.html").read_text()
    assert "First frame of push, wrist camera" in page and 'href="videos/push.mp4"' in page
    assert "Strategy `replay`" in (run / "report.md").read_text()


def test_a_damaged_log_leaves_the_old_page_whole(run: Path) -> None:
    (run / "report.html").write_text("old")
    (run / "metrics.jsonl").write_text("{}\n{\n{}\n")
    with pytest.raises(ResultsError, match="line 2"):
        write_report(run)
    assert (run / "report.html").read_text() == "old"


def test_the_command_draws_a_run_named_by_folder_or_file(run: Path, capsys: Capture) -> None:
    for name in (run, run / "results.json"):
        assert main(["report", str(name)]) == 0
        assert str(run / "report.html") in capsys.readouterr().out
        (run / "report.html").unlink()
        (run / "report.md").unlink()


def test_a_page_elsewhere_links_videos_where_they_lie(run: Path, tmp_path: Path) -> None:
    output = tmp_path / "pages" / "page.html"
    assert main(["report", str(run), "--output", str(output)]) == 0
    page = output.read_text()
    assert 'href="../runs/first/videos/push.mp4"' in page
    assert "First frame of push" in page
    assert not (run / "report.html").exists()


def test_results_by_another_name_are_drawn_beside_themselves(run: Path, capsys: Capture) -> None:
    other = run / "seed0.json"
    other.write_bytes((run / "results.json").read_bytes())
    assert main(["report", str(other)]) == 0
    assert "First frame" not in (run / "seed0.html").read_text()
    assert str(run / "seed0.html") in capsys.readouterr().out


def test_several_runs_are_compared(
    run: Path, make_results: MakeResults, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    write_results(run.parent / "second.json", make_results(("reach", "push"), 1))
    monkeypatch.chdir(run.parent)
    assert main(["report", "first", "second.json"]) == 0
    assert "Comparison of 2 runs" in (run.parent / "comparison.html").read_text()
    assert "comparison.html" in capsys.readouterr().out
    assert main(["report", "first", "second.json", "--output", "both.html"]) == 0
    assert (run.parent / "both.html").exists()


def test_mistakes_are_told_in_one_sentence(
    run: Path, make_results: MakeResults, capsys: Capture, check_sentence: Callable[[object], str]
) -> None:
    other = run.parent / "other.json"
    write_results(other, make_results(("reach",)))
    damaged = run.parent / "damaged.json"
    damaged.write_text("{")
    for words, message in (
        ([], "no run is named"),
        ([str(run.parent)], "cannot be read"),
        ([str(run.parent / "nothing")], "cannot be read"),
        ([str(damaged)], "is no JSON"),
        ([str(run), str(other)], "tasks is reach, push in"),
        ([str(run), "--output", str(run)], "is a folder"),
    ):
        assert main(["report", *words]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        sentence = check_sentence(printed.err.strip())
        assert sentence.startswith("lam-agent: error: ") and message in sentence
