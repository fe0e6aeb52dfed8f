"""Strategies of others: the document's, by a flag, on the command line, after a stop."""

import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lam_agent.__main__ import main
from lam_agent.config import RunConfig
from lam_agent.continual.make_plugins import make_plugins
from lam_agent.continual.plugin import StrategyPlugin
from lam_agent.continual.snapshot import Snapshot, load_snapshot
from lam_agent.continual.training_state import plugin_tensors
from lam_agent.errors import ConfigError, StrategyLoadError
from lam_agent.results import read_results
from lam_agent.running import adaptation
from lam_agent.strategies import _REGISTERED, BUILT_IN, register_strategy, strategy_names

DOCUMENT = Path(__file__).parents[2] / "docs" / "strategies.md"
MODULE = "my_strategies"


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a test registers."""
    monkeypatch.setattr("lam_agent.strategies._REGISTERED", dict(_REGISTERED))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Go to a folder with the document's example, which is forgotten afterwards."""
    ((name, content),) = re.findall(
        r"<!-- file (\S+) -->\n```\w+\n(.*?)```", DOCUMENT.read_text(), re.S
    )
    (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop(MODULE, None)  # Of another test's folder.
    yield tmp_path
    sys.modules.pop(MODULE, None)


def documented() -> list[list[str]]:
    """Return the document's commands without the program's name."""
    block = re.search(r"<!-- commands -->\n```bash\n(.*?)```", DOCUMENT.read_text(), re.S)
    assert block
    return [line.split()[1:] for line in block[1].splitlines()]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # Of Avalanche's plugin.
@pytest.mark.usefixtures("kept_threads")
@pytest.mark.parametrize("place", [0, 1])
def test_the_documents_commands_run_and_go_on(
    folder: Path,
    tiny_arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
    place: int,
) -> None:
    command = documented()[place]
    strategy = command[command.index("--strategy") + 1]
    output = str(folder / "run")
    assert main([*command, *tiny_arguments[2:], "--output-dir", output]) == 0
    results = read_results(folder / "run" / "results.json")
    assert results.strategy == strategy and results.finished
    saved = yaml.safe_load((folder / "run" / "config.yaml").read_text())
    assert saved["imports"] == [MODULE] and saved["strategy"] == strategy
    assert strategy in (folder / "run" / "report.md").read_text()
    capsys.readouterr()
    longer = ["run", "--resume", output, "--task-stream", "reach,push,drawer-open"]
    code, streams = main(longer), capsys.readouterr()
    if strategy == "si":  # Avalanche's plugin does not tell what it carries on.
        assert code == 2 and "SynapticIntelligencePlugin" in check_sentence(streams.err.strip())
    else:
        assert code == 0, streams.err


class PathLength(StrategyPlugin):
    """Adds up the losses of all gradient steps, and pulls the weights by their sum."""

    def __init__(self) -> None:
        super().__init__()
        self.length = torch.zeros(())

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        self.length = self.length + strategy.loss.detach()
        first = next(p for p in strategy.model.parameters() if p.requires_grad)
        strategy.loss = strategy.loss + 0.1 * self.length * first.square().mean()

    def state(self) -> dict[str, torch.Tensor]:
        return {"length": self.length}

    def load_state(self, state: Mapping[str, torch.Tensor], device: torch.device) -> None:
        self.length = state["length"].to(device)


@pytest.mark.usefixtures("kept_threads")
@pytest.mark.parametrize("position", [0, 1])
def test_what_a_plugin_gathers_in_training_survives_a_stop(
    tmp_path: Path, tiny_arguments: list[str], monkeypatch: pytest.MonkeyPatch, position: int
) -> None:
    register_strategy("path-length")(lambda config: [PathLength()])
    command = ["run", "--strategy", "path-length", *tiny_arguments, "--output-dir"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main([*command, str(whole)]) == 0
    save = adaptation.save_snapshot

    def stop(checkpoint: Path, snapshot: Snapshot) -> None:
        save(checkpoint, snapshot)
        if snapshot.position == position and not snapshot.is_trained:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(adaptation, "save_snapshot", stop)
        assert main([*command, str(broken)]) == 128 + signal.SIGTERM
    assert main(["run", "--resume", str(broken)]) == 0
    found, expected = (
        load_snapshot(folder / "checkpoints" / "001_push") for folder in (broken, whole)
    )
    assert found is not None and expected is not None
    for name, value in expected.tensors.items():
        assert torch.equal(found.tensors[name], value), name


@pytest.mark.parametrize(
    ("state", "words"),
    [({"count": 3}, "gives int"), (3, "gives int"), ({1: torch.ones(1)}, "no wo")],
)
def test_a_state_that_is_none_is_refused(
    check_sentence: Callable[[object], str], state: object, words: str
) -> None:
    plugin = StrategyPlugin()
    plugin.state = lambda: state  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(StrategyLoadError) as caught:
        plugin_tensors([plugin])
    assert words in check_sentence(caught.value)


@pytest.mark.parametrize("kind", ["EWCPlugin", "LwFPlugin", "ReplayPlugin", "EarlyStoppingPlugin"])
def test_plugins_of_classification_are_refused(
    check_sentence: Callable[[object], str], kind: str
) -> None:
    import avalanche.training.plugins as theirs

    settings: dict[str, tuple[Any, ...]] = {"EWCPlugin": (1.0,), "EarlyStoppingPlugin": (1, "x")}
    plugin = getattr(theirs, kind)(*settings.get(kind, ()))
    register_strategy("theirs")(lambda config: [plugin])
    with pytest.raises(StrategyLoadError) as caught:
        make_plugins(RunConfig(strategy="theirs"))
    assert f"Avalanche's {kind}" in check_sentence(caught.value)


def test_the_documents_average_is_one_and_survives_a_file(
    folder: Path,
) -> None:
    config = RunConfig(imports=(MODULE,), strategy="average-of-tasks")
    (plugin,) = make_plugins(config)
    assert isinstance(plugin, StrategyPlugin)

    class Strategy:
        model = torch.nn.Linear(2, 1)

    seen = []
    for value in (1.0, 5.0, 6.0):
        torch.nn.init.constant_(Strategy.model.weight, value)
        plugin.after_training_exp(Strategy())
        seen.append(float(Strategy.model.weight.detach()[0, 0]))
        (again,) = make_plugins(config)
        again.load_state(plugin.state(), torch.device("cpu"))
        plugin = again
    assert seen == pytest.approx([1.0, 3.0, 4.0])


def test_every_built_in_strategy_is_documented() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text(), re.M)
    table = [name for name in rows if name in BUILT_IN]
    assert sorted(table) == sorted(BUILT_IN)


# Names -----------------------------------------------------------------------------------------


def test_names_that_cannot_be_are_refused(check_sentence: Callable[[object], str]) -> None:
    for name in ("My_Strategy", "", "a b", "-a", "a-"):
        with pytest.raises(StrategyLoadError) as caught:
            register_strategy(name)
        assert repr(name) in check_sentence(caught.value)


def test_a_name_belongs_to_one_strategy(check_sentence: Callable[[object], str]) -> None:
    def first(config: RunConfig) -> list[Any]:
        return []

    register_strategy("mine")(first)
    register_strategy("mine")(first)  # A module that is loaded again.
    assert strategy_names()[-1] == "mine"
    for name, owner in (("mine", "another one"), ("replay", "a built-in one")):
        with pytest.raises(StrategyLoadError) as caught:
            register_strategy(name)(lambda config: [])
        assert owner in check_sentence(caught.value)


def test_a_name_that_is_near_is_proposed(check_sentence: Callable[[object], str]) -> None:
    register_strategy("my-strategy")(lambda config: [])
    with pytest.raises(ConfigError) as caught:
        RunConfig(strategy="my-stategy")
    words = check_sentence(caught.value)
    assert "did you mean 'my-strategy'" in words and "packnet" in words
    assert RunConfig(strategy="my-strategy").strategy == "my-strategy"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda config: 1 / 0, "ZeroDivisionError (division by zero)"),
        (lambda config: None, "gives a NoneType"),
        (lambda config: ["x"], "gives 'x'; each entry of its list must be an instance"),
        (lambda config: [StrategyPlugin], "gives the class StrategyPlugin; each entry"),
        (lambda config: [StrategyPlugin(), StrategyPlugin()], "under the name 'StrategyPlugin'"),
    ],
)
def test_a_strategy_that_fails_is_refused_by_name(
    check_sentence: Callable[[object], str], made: Callable[[RunConfig], Any], words: str
) -> None:
    register_strategy("broken")(made)
    with pytest.raises(StrategyLoadError) as caught:
        make_plugins(RunConfig(strategy="broken"))
    sentence = check_sentence(caught.value)
    assert words in sentence and "'broken'" in sentence


def test_an_installed_package_brings_strategies(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's metadata lies on the path, as pip would write it."""
    metadata = folder / "mine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    group = "[lam_agent.strategies]\ninstalled = my_strategies:average_of_tasks\n"
    (metadata / "entry_points.txt").write_text(group)
    monkeypatch.syspath_prepend(folder)
    assert "installed" in strategy_names()
    (plugin,) = make_plugins(RunConfig(strategy="installed"))
    assert plugin.state_name == "average-of-tasks"
