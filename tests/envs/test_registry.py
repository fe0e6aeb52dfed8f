"""Names of tasks: unknown ones, and tasks of other packages."""

from importlib.metadata import EntryPoints
from pathlib import Path

import gymnasium
import pytest
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

import lam_envs
from lam_envs import installed
from lam_envs.batched import BatchedEnv
from lam_envs.errors import UnknownTaskError
from lam_envs.names import BUILT_IN
from lam_envs.tasks.registry import ENTRY_POINT_GROUP, check_task_name, make_task, task_names
from lam_envs.words import nearest


def test_the_built_in_tasks_are_those_of_metaworld() -> None:
    assert task_names() == BUILT_IN
    assert sorted(f"{name}-v3" for name in BUILT_IN) == sorted(ALL_V3_ENVIRONMENTS)
    assert [make_task(name).name for name in BUILT_IN] == list(BUILT_IN)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("pusch", "push"),
        ("Reach", "reach"),
        ("draweropen", "drawer-open"),
        ("windowclose", "window-close"),
    ],
)
def test_an_unknown_name_gets_the_nearest_and_the_list(wrong: str, right: str) -> None:
    with pytest.raises(UnknownTaskError) as caught:
        check_task_name(wrong)
    message = str(caught.value)
    assert repr(wrong) in message
    assert f"did you mean {right!r}?" in message
    assert all(name in message for name in BUILT_IN)


def test_a_far_name_gets_only_the_list() -> None:
    with pytest.raises(UnknownTaskError, match="there is no task 'xyz'; the tasks are reach, push"):
        make_task("xyz")
    assert nearest("xyz", BUILT_IN) == ""


def test_another_package_brings_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "far_reach.py").write_text(
        "from lam_envs.tasks.reach import Reach\n\n\n"
        "class FarReach(Reach):\n"
        '    name = "far-reach"\n'
        "    reset_low = (-0.1, 0.6, 0.02, -0.1, 0.88, 0.05)\n"
    )
    info = tmp_path / "far_reach-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: far-reach\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lam_envs.tasks]\nfar-reach = far_reach:FarReach\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert task_names() == (*BUILT_IN, "far-reach")
    env = BatchedEnv("far-reach", 4, cameras=())
    goals = env.reset(seeds=range(4))[:, -3:]
    assert bool((goals[:, 1] >= 0.88).all())

    lam_envs.register_envs()
    try:
        observation, _ = gymnasium.make("lam/FarReach-v0", cameras=()).reset(seed=0)
    finally:
        del gymnasium.registry["lam/FarReach-v0"]
    assert list(observation) == ["proprioception"]


def test_packages_are_looked_through_once_for_each_search_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def look(group: str) -> EntryPoints:
        looked.append(group)
        return EntryPoints()

    monkeypatch.setattr(installed, "entry_points", look)
    for number in (1, 2):
        monkeypatch.syspath_prepend(tmp_path / str(number))
        assert task_names() == task_names() == BUILT_IN
        assert looked == [ENTRY_POINT_GROUP] * number
