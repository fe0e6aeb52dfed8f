"""A task of another package on the real command line: list, collect, run, resume, evaluate."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lam_agent.episodes import EpisodeSet
from lam_agent.options import merge_imports
from lam_agent.results import read_results

DOCUMENT = Path(__file__).parents[2] / "docs" / "tasks.md"


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Write the example of docs/tasks.md; return what a command beside it prints."""
    found = re.findall(r"<!-- file (\S+) -->\n```\w+\n(.*?)```", DOCUMENT.read_text(), re.S)
    for name, content in found:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)

    def run(*arguments: str) -> tuple[int, str, str]:
        # The current folder is not searched for modules, as with the installed script.
        script = "import sys; from lam_agent.__main__ import main; sys.exit(main(sys.argv[1:]))"
        done = subprocess.run(
            [sys.executable, "-P", "-c", script, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_the_documents_commands(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path, tiny_arguments: list[str]
) -> None:
    block = re.search(r"<!-- commands -->\n```bash\n(.*?)```", DOCUMENT.read_text(), re.S)
    assert block
    listing, collecting, running = (line.split()[1:] for line in block[1].splitlines())

    status, output, error = command(*listing)
    assert (status, error) == (0, "")
    assert "slide-block           slide the blue block to the green marker" in output

    tiny = ["--demonstrations", "3", "--horizon", "30", "--image-size", "32", "--threads", "1"]
    places = ["--output", "mine", "--collect.cache-dir", "cache"]
    status, output, error = command(*collecting, *tiny, *places)
    assert (status, error) == (0, "")
    assert "Collected 3 demonstrations of slide-block" in output
    episodes = EpisodeSet.load(tmp_path / "mine" / "slide-block.safetensors")
    assert (episodes.num_episodes, episodes.num_unstable) == (3, 0)

    # Demonstrations are collected anew when the task's own code has changed.
    again = [*collecting, *tiny, "--collect.cache-dir", "cache"]
    assert "Found 3 demonstrations" in command(*again)[1]
    task_file = tmp_path / "my_tasks" / "slide_block.py"
    task_file.write_text(task_file.read_text().replace("0.0, 0.0, 0.2))", "0.0, 0.0, 0.21))"))
    assert "Collected 3 demonstrations" in command(*again)[1]

    status, output, error = command(*running, *tiny_arguments[2:], "--output-dir", "run")
    assert (status, error) == (0, "")
    results = read_results(tmp_path / "run" / "results.json")
    assert results.tasks == ("reach", "slide-block")
    unstable = {"rule": "the run stops", "demonstrations": 0, "test": 0}
    assert results.protocol["unstable_episodes"] == unstable
    saved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert saved["imports"] == ["my_tasks"]

    # The run knows its imports; a checkpoint does not.
    longer = "reach,slide-block,push"
    status, output, error = command("run", "--resume", "run", "--task-stream", longer)
    assert (status, error) == (0, "")
    assert "Going on with run after 2 of 3 experiences" in output
    evaluate = ["eval", "run", "--tasks", "slide-block", "--episodes", "2", "--horizon", "8"]
    status, output, error = command(*evaluate, "--json", "--import", "my_tasks")
    assert status == 0, error
    assert json.loads(output)[0]["unstable_episodes"] == 0
    status, output, error = command(*evaluate)
    assert status == 2 and "there is no task 'slide-block'" in error


def test_what_fails_is_one_sentence_with_status_2(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    stream = ["--task-stream", "reach,slide-block", "--output-dir", "run"]
    (tmp_path / "my_tasks" / "slide_block.xml").write_text("<mujoco><worldbody/></mujoco>")
    status, _, error = command("run", "--import", "my_tasks", *stream)
    assert status == 2 and "Traceback" not in error, error
    assert re.fullmatch(
        r"lam-agent: error: the scene \S+slide_block\.xml has no body .*\.\n", error
    )
    assert not (tmp_path / "run").exists()
    for words in (["collect", "--tasks", "reach"], ["list-tasks"], ["eval", "."], ["run"]):
        status, _, error = command(*words, "--import", "my_task")
        assert status == 2
        assert error.startswith("lam-agent: error: --import my_task cannot be loaded: there is no")


@pytest.mark.parametrize(
    ("arguments", "given", "merged"),
    [
        ("--seed 1", (), "--seed 1"),
        ("--import a --seed 1 --import=b,c --import a", (), "--seed 1 --import a,b,c"),
        ("--seed 1", ("a", "b"), "--seed 1 --import a,b"),
        ("--import c", ("a",), "--import a,c"),
        ("--import --seed 1", (), "--import --seed 1"),
        ("--import", (), "--import"),
    ],
)
def test_imports_come_together(arguments: str, given: tuple[str, ...], merged: str) -> None:
    assert merge_imports(arguments.split(), given) == merged.split()
