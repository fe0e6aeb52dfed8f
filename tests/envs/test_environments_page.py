"""docs/environments.md says of every task what the task itself says, and who shares a scene."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import mujoco
import pytest

from lam_envs.looks import drawn_ids
from lam_envs.names import BUILT_IN, STREAMS
from lam_envs.registration import gymnasium_id
from lam_envs.scene import load_model
from lam_envs.tasks.base import Task
from lam_envs.tasks.registry import make_task
from lam_envs.tasks.scenes import scene_name, shared_scenes

PAGE = Path(__file__).parents[2] / "docs" / "environments.md"
NONE = "–"

Pair = frozenset[str]
Shape = tuple[int, bytes]


# What the page says ------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def tables() -> dict[str, list[list[str]]]:
    """Return title of each section -> the rows of its table, without the head."""
    found: dict[str, list[list[str]]] = {}
    title = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            title = line.lstrip("# ")
        elif line.startswith("|"):
            found.setdefault(title, []).append([cell.strip() for cell in line[1:-1].split("|")])
    return {name: rows[2:] for name, rows in found.items()}


def pairs_in(title: str) -> set[Pair]:
    """Return the pairs of tasks that stand in one row of a table, in its last cell."""
    return {pair for row in tables()[title] for pair in pairs(names_in(row[-1]))}


def names_in(cell: str) -> tuple[str, ...]:
    return () if cell == NONE else tuple(cell.split(", "))


def pairs(names: Iterable[str]) -> set[Pair]:
    return {frozenset(pair) for pair in combinations(names, 2)}


# What the tasks say ------------------------------------------------------------------------------


def paragraphs(task: Task) -> tuple[str, str, str]:
    """Return what a task's docstring says of what to do, the reset vector and success."""
    purpose, facts = inspect.cleandoc(type(task).__doc__ or "").split("\n\n")[:2]
    vector, success = " ".join(facts.split()).split(" Success: ")
    vector = vector.removeprefix("Reset vector: ").removesuffix(".")
    return " ".join(purpose.split()), vector, success.removesuffix(".")


def ranges(task: Task) -> str:
    """Return the bounds of the reset vector: xyz, and of a second thing after a semicolon."""
    words = []
    for low, high in zip(task.reset_low, task.reset_high, strict=True):
        first, last = f"{low:.4g}", f"{high:.4g}"
        words.append(first if first == last else f"{first} to {last}")
    return "; ".join(", ".join(words[start : start + 3]) for start in range(0, len(words), 3))


@lru_cache(maxsize=1)
def things() -> dict[str, Counter[Shape]]:
    """Return name of each task -> the shapes that its cameras can see, in any colour.

    The robot, the table and the goal's marker are left out: most scenes have them.
    """
    scenes = {make_task(name).model_file for name in BUILT_IN}
    shapes = {file: shapes_of(load_model(file)) for file in scenes}
    frequency = Counter(shape for counts in shapes.values() for shape in counts)
    for counts in shapes.values():
        for shape in [shape for shape in counts if frequency[shape] > len(scenes) / 2]:
            del counts[shape]
    return {name: shapes[make_task(name).model_file] for name in BUILT_IN}


def shapes_of(model: mujoco.MjModel) -> Counter[Shape]:
    counts: Counter[Shape] = Counter()
    for geom in drawn_ids(model):
        kind, content = int(model.geom_type[geom]), model.geom_size[geom]
        if kind == int(mujoco.mjtGeom.mjGEOM_MESH):
            mesh = int(model.geom_dataid[geom])
            first, count = int(model.mesh_vertadr[mesh]), int(model.mesh_vertnum[mesh])
            content = model.mesh_vert[first : first + count]
        counts[kind, content.tobytes()] += 1
    return counts


def same_file() -> set[Pair]:
    others = shared_scenes(BUILT_IN)
    return {frozenset((name, other)) for name in BUILT_IN for other in others[name]}


def same_things() -> set[Pair]:
    seen = things()
    return {
        pair for pair in pairs(BUILT_IN) if len({frozenset(seen[n].items()) for n in pair}) == 1
    }


def some_things() -> set[Pair]:
    seen = things()
    return {
        frozenset((one, other))
        for one, other in combinations(BUILT_IN, 2)
        if seen[one].keys() & seen[other].keys()
    }


# Do they agree? ----------------------------------------------------------------------------------


def test_the_page_has_every_task_once_and_in_order() -> None:
    assert [row[0] for row in tables()["Tasks"]] == [f"`{gymnasium_id(n)}`" for n in BUILT_IN]
    assert [row[0] for row in tables()["Starts"]] == list(BUILT_IN)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_page_says_what_the_task_says(name: str) -> None:
    task = make_task(name)
    purpose, vector, success = paragraphs(task)
    hand = ", ".join(f"{value:.3g}" for value in task.hand_init_pos)
    row = tables()["Tasks"][BUILT_IN.index(name)]
    marker = "yes" if task.shows_goal else "no"
    assert row[1:] == [task.instruction, success, marker, f"`{scene_name(task)}`"]
    row = tables()["Starts"][BUILT_IN.index(name)]
    assert row[1:] == [purpose, f"({hand})", vector, ranges(task)]


def test_the_page_says_how_far_apart_objects_and_goals_start() -> None:
    found = {distance: names_in(names) for distance, names in tables()["Least distances"]}
    distances = {name: make_task(name).min_goal_distance_m for name in BUILT_IN}
    assert found == {
        f"{100 * least:.0f} cm": tuple(name for name in BUILT_IN if distances[name] == least)
        for least in set(distances.values()) - {0.0}
    }


def test_the_page_names_all_tasks_of_one_scene_file() -> None:
    assert pairs_in("Tasks with the same scene file") == same_file()
    for file, names in tables()["Tasks with the same scene file"]:
        assert file == f"`{scene_name(make_task(names_in(names)[0]))}`"


def test_the_page_names_all_scenes_that_look_alike() -> None:
    alike = same_things()
    assert same_file() <= alike
    assert pairs_in("Other scenes with the same things") | same_file() == alike
    assert pairs_in("Scenes with some of the same things") | alike == some_things()


def test_the_page_says_what_pretraining_has_seen_of_the_streams() -> None:
    file, alike, some = same_file(), same_things(), some_things()
    levels = (file, alike - file, some - alike)
    rows = tables()["What pretraining on pretrain32 has seen"]
    expected = []
    for name in dict.fromkeys((*STREAMS["cw10"], *STREAMS["mt10"])):
        streams = [stream for stream in ("cw10", "mt10") if name in STREAMS[stream]]
        seen = [
            [other for other in STREAMS["pretrain32"] if frozenset((name, other)) in level]
            for level in levels
        ]
        expected.append([name, ", ".join(streams), *(", ".join(s) or NONE for s in seen)])
    assert rows == expected
    unseen = [f"`{row[0]}`" for row in rows if row[2:] == [NONE] * 3]
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"Nothing of {', '.join(unseen[:-1])} and {unseen[-1]} is in `pretrain32`." in text
