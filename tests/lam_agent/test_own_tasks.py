"""Tasks of another package: on the real command line, in config.yaml, in the cache's key."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium
import pytest
import yaml

from lam_agent.__main__ import _COMMANDS, main
from lam_agent.config import RunConfig
from lam_agent.config.options import merge_imports
from lam_agent.demonstrations.load import content_key
from lam_agent.episodes import EpisodeSet
from lam_agent.results import read_results
from lam_agent.run import parse
from lam_agent.running.folder import dump_config
from lam_envs.tasks.registry import _REGISTERED

DOCUMENT = Path(__file__).parents[2] / "docs" / "tasks.md"

Command = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Go to a folder with the example of docs/tasks.md, which is forgotten afterwards."""
    found = re.findall(r"<!-- file (\S+) -->\n```\w+\n(.*?)```", DOCUMENT.read_text(), re.S)
    for name, content in found:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("lam_envs.tasks.registry._REGISTERED", dict(_REGISTERED))
    for name in [name for name in sys.modules if name.startswith("my_tasks")]:
        monkeypatch.delitem(sys.modules, name)  # Of another test's folder.
    ids, modules = set(gymnasium.registry), set(sys.modules)
    yield tmp_path
    for name in set(gymnasium.registry) - ids:
        del gymnasium.registry[name]
    for name in {name for name in set(sys.modules) - modules if name.startswith("my_tasks")}:
        del sys.modules[name]


@pytest.fixture
def command(folder: Path) -> Command:
    """Return a function that runs a command in a process of its own and returns what it prints."""
    # The current folder is not searched for modules, as with the installed script.
    script = "import sys; from lam_agent.__main__ import main; sys.exit(main(sys.argv[1:]))"

    def run(*arguments: str) -> str:
        words = [sys.executable, "-P", "-c", script, *arguments]
        done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def documented() -> list[list[str]]:
    """Return the document's commands without the program's name."""
    block = re.search(r"<!-- commands -->\n```bash\n(.*?)```", DOCUMENT.read_text(), re.S)
    assert block
    return [line.split()[1:] for line in block[1].splitlines()]


def test_the_documents_task_is_listed_and_demonstrated(
    command: Command, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listing, collecting, _ = documented()
    assert main(listing) == 0
    words = r"^slide-block +slide the blue block to the green marker$"
    assert re.search(words, capsys.readouterr().out, re.MULTILINE)
    tiny = ["--demonstrations", "3", "--horizon", "30", "--image-size", "32", "--threads", "1"]
    places = ["--output", "mine", "--collect.keep-failures", "--collect.cache-dir", "cache"]
    assert "Collected 3 demonstrations of slide-block" in command(*collecting, *tiny, *places)
    episodes = EpisodeSet.load(folder / "mine" / "slide-block.safetensors")
    assert (episodes.num_episodes, episodes.num_unstable) == (3, 0)


@pytest.mark.parametrize("command", _COMMANDS)
def test_the_document_names_the_commands_that_import(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (item,) = re.findall(r"^- `--import MODULE`(.*?) imports", DOCUMENT.read_text(), re.S | re.M)
    with pytest.raises(SystemExit):
        main([command, "--help"])
    # The benchmark hands options on to its runs.
    has_option = command == "benchmark" or " --import MODULE" in capsys.readouterr().out
    assert (f"`{command}`" in item) == has_option


@pytest.mark.slow
@pytest.mark.usefixtures("kept_threads")
def test_the_documents_run_keeps_its_imports(
    command: Command, folder: Path, tiny_arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command(*documented()[2], *tiny_arguments[2:], "--output-dir", "run")
    results = read_results(folder / "run" / "results.json")
    assert results.tasks == ("reach", "slide-block")
    unstable = {"rule": "the run stops", "demonstrations": 0, "test": 0}
    assert results.protocol["unstable_episodes"] == unstable
    assert yaml.safe_load((folder / "run" / "config.yaml").read_text())["imports"] == ["my_tasks"]

    evaluate = ["eval", "run", "--tasks", "slide-block", "--episodes", "2", "--horizon", "8"]
    assert main(evaluate) == 2  # This process knows nothing of the run's imports yet.
    assert "there is no task 'slide-block'" in capsys.readouterr().err
    assert main([*evaluate, "--json", "--import", "my_tasks"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["unstable_episodes"] == 0
    assert "Going on with run after 2 of 2 experiences" in command("run", "--resume", "run")


def test_a_saved_configuration_imports_before_it_names_tasks(folder: Path) -> None:
    (folder / "more.py").write_text("")
    run = folder / "run"
    run.mkdir()
    config = RunConfig(("reach", "slide-block"), imports=("my_tasks",))
    (run / "config.yaml").write_text(dump_config(config))
    for name in [name for name in sys.modules if name.startswith("my_tasks")]:
        del sys.modules[name]
    _REGISTERED.pop("slide-block", None)
    assert parse(["--resume", str(run)]).settings == config
    longer = ["--task-stream", "reach,slide-block,push", "--sim.on-unstable", "drop"]
    settings = parse(["--resume", str(run), "--import", "more", *longer]).settings
    assert (settings.imports, settings.sim.on_unstable) == (("my_tasks", "more"), "drop")


def test_demonstrations_of_another_code_or_scene_are_others(folder: Path) -> None:
    config = RunConfig(("slide-block",), imports=("my_tasks",))
    key = content_key("slide-block", config)
    assert content_key("slide-block", config) == key
    helper = folder / "my_tasks" / "helper.py"
    helper.write_text("x = 1\n")
    assert content_key("slide-block", config) != key
    helper.unlink()
    assert content_key("slide-block", config) == key


def test_what_fails_is_one_sentence_with_status_2(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["collect", "--tasks", "reach"], ["list-tasks"], ["eval", "."], ["run"]):
        assert main([*words, "--import", "my_task"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("lam-agent: error: --import my_task cannot be loaded: there is no")
    (folder / "my_tasks" / "slide_block.xml").write_text("<mujoco><worldbody/></mujoco>")
    stream = ["--task-stream", "reach,slide-block", "--output-dir", "run"]
    assert main(["run", "--import", "my_tasks", *stream]) == 2
    words = capsys.readouterr().err
    assert re.fullmatch(
        r"lam-agent: error: the scene \S+slide_block\.xml has no body .*\.\n", words
    )
    assert not (folder / "run").exists()


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
