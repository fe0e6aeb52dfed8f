"""Tasks of other packages: the example of docs/tasks.md, and every way in which one fails."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium
import mujoco
import numpy as np
import pytest
import torch

from lam_envs.batched import BatchedEnv
from lam_envs.errors import (
    InvalidSettingError,
    LamEnvsError,
    SceneError,
    StreamFitError,
    TaskLoadError,
)
from lam_envs.mjcf import scene_path
from lam_envs.names import BUILT_IN
from lam_envs.scene import load_model, model_digest
from lam_envs.streams.fit import check_stream_fit
from lam_envs.tasks.base import Outcome, Task
from lam_envs.tasks.importing import import_tasks
from lam_envs.tasks.loading import source_files
from lam_envs.tasks.push import Push
from lam_envs.tasks.reach import Reach
from lam_envs.tasks.registry import _REGISTERED, make_task, register_task, task_names

DOCUMENT = Path(__file__).parents[2] / "docs" / "tasks.md"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write files into a folder from which modules can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lam_envs.tasks.registry._REGISTERED", registered := dict(_REGISTERED))

    def files(**contents: str) -> Path:
        for name, content in contents.items():
            (tmp_path / f"{name}.py").write_text(content)
        return tmp_path

    before = set(gymnasium.registry)
    yield files
    for name in set(gymnasium.registry) - before:
        del gymnasium.registry[name]
    assert registered.keys() >= _REGISTERED.keys()


def example(folder: Path) -> None:
    """Write the files of the document's example."""
    found = re.findall(r"<!-- file (\S+) -->\n```\w+\n(.*?)```", DOCUMENT.read_text(), re.S)
    assert len(found) == 3
    for name, content in found:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)


def test_the_documents_example_is_a_task_that_its_expert_solves(write: Write) -> None:
    example(folder := write())
    import_tasks(["my_tasks"])
    assert "slide-block" in task_names()
    task = make_task("slide-block")
    assert source_files(task) == sorted((folder / "my_tasks").glob("*.py"))

    env = BatchedEnv("slide-block", 32, cameras=(), num_threads=1)
    env.reset(seeds=range(32))
    was_success = torch.zeros(32, dtype=torch.bool)
    for _ in range(150):
        result = env.step(env.expert_actions())
        was_success |= result.is_success
        assert bool(((result.reward >= 0) & (result.reward <= 10)).all())
    assert float(was_success.float().mean()) >= 0.9

    made = gymnasium.make("lam/SlideBlock-v0", image_size=16)
    assert sorted(made.reset(seed=0)[0]) == ["front", "proprioception", "wrist"]
    made.close()
    check_stream_fit(["slide-block", "push"])


def test_a_copy_of_a_metaworld_scene_compiles_to_the_same_model(tmp_path: Path) -> None:
    copy = tmp_path / "copy.xml"
    copy.write_text(scene_path(Push.model_file).read_text())
    assert model_digest(str(copy)) == model_digest(Push.model_file)
    copy.write_text(copy.read_text().replace('size="0.02 0.02"', 'size="0.03 0.02"'))
    load_model.cache_clear()
    assert model_digest(str(copy)) != model_digest(Push.model_file)


def test_files_of_ones_own_lie_beside_the_scene(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    text = scene_path(Push.model_file).read_text()
    body = re.search(r"<body name=\"obj\" pos=\"0 0.6 0.02\">\s+<joint.*?</body>", text, re.S)
    assert body
    (tmp_path / "parts" / "puck.xml").write_text(f"<mujocoinclude>{body[0]}</mujocoinclude>")
    scene = tmp_path / "scene.xml"
    scene.write_text(text.replace(body[0], '<include file="parts/puck.xml"/>'))
    assert model_digest(str(scene)) == model_digest(Push.model_file)


SOLID = "v 0 0 0\nv .1 0 0\nv 0 .1 0\nv 0 0 .1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"


@pytest.mark.parametrize(
    ("include", "mesh"),
    [
        ("parts/cone.xml", "parts/cone.obj"),
        ("parts/cone.xml", "cone.obj"),
        ("more.xml", "parts/cone.obj"),
        ("more.xml", "cone.obj"),
    ],
)
def test_an_included_file_names_files_by_the_scene_or_by_itself(
    tmp_path: Path, include: str, mesh: str
) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "cone.obj").write_text(SOLID)
    asset = f'<asset><mesh name="cone" file="{mesh}"/></asset>'
    (tmp_path / "parts" / "cone.xml").write_text(f"<mujocoinclude>{asset}</mujocoinclude>")
    nested = '<mujocoinclude><include file="parts/cone.xml"/></mujocoinclude>'
    (tmp_path / "more.xml").write_text(nested)
    geom = '<geom type="mesh" mesh="cone" contype="0" conaffinity="0"/>'
    plain = tmp_path / "plain.xml"
    plain.write_text(f'<mujoco><include file="{include}"/><worldbody>{geom}</worldbody></mujoco>')
    mujoco.MjModel.from_xml_path(str(plain))
    text = scene_path(Push.model_file).read_text().replace("<worldbody>", f"<worldbody>{geom}")
    scene = tmp_path / "scene.xml"
    scene.write_text(text.replace("<mujoco>", f'<mujoco><include file="{include}"/>'))
    assert load_model(str(scene)).nmesh == load_model(Push.model_file).nmesh + 1


def test_a_file_that_includes_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "parts.xml").write_text(
        '<mujocoinclude><include file="parts.xml"/></mujocoinclude>'
    )
    text = scene_path(Push.model_file).read_text()
    scene = tmp_path / "scene.xml"
    scene.write_text(text.replace("<mujoco>", '<mujoco><include file="parts.xml"/>'))
    with pytest.raises(SceneError, match="cannot compile the scene") as caught:
        load_model(str(scene))
    assert_sentence(caught.value)


def test_comments_and_the_root_may_say_what_they_like(tmp_path: Path) -> None:
    text = scene_path(Push.model_file).read_text()
    scene = tmp_path / "scene.xml"
    scene.write_text(f"<!-- my <mujoco> scene\n<mujoco> -->\n{text}")
    assert model_digest(str(scene)) == model_digest(Push.model_file)
    scene.write_text(text.replace("<mujoco>", "<mujoco model='a > b'>"))
    load_model.cache_clear()
    assert load_model(str(scene)).nq == load_model(Push.model_file).nq


def test_a_weld_of_ones_own_keeps_its_data(tmp_path: Path) -> None:
    own = '<weld body1="post" body2="floater" relpose="0 0 0.15 1 0 0 0"/>'
    things = "".join(
        f'<body name="{name}" pos="0.3 0.6 {height}">{free}<geom type="sphere" size="0.02" '
        'contype="0" conaffinity="0"/><inertial pos="0 0 0" mass="0.1" diaginertia="1 1 1"/></body>'
        for name, height, free in (("post", 0, ""), ("floater", 0.1, "<freejoint/>"))
    )
    text = scene_path(Push.model_file).read_text().replace("</worldbody>", f"{things}</worldbody>")
    (scene := tmp_path / "scene.xml").write_text(text.replace("<equality>", f"<equality>{own}"))
    model = load_model(str(scene))
    assert model.eq_data[0, 3:10].tolist() == [0, 0, 0.15, 1, 0, 0, 0]
    assert model.eq_data[1].tolist() == load_model(Push.model_file).eq_data[0].tolist()

    task = type("Floating", (Push,), {"name": "floating", "model_file": str(scene)})()
    env = BatchedEnv(task, 1, cameras=(), num_threads=1)
    env.reset(seeds=[0])
    for _ in range(40):
        env.step(torch.zeros(1, 4))
    assert float(env.worlds.body_pos("floater")[0, 2]) == pytest.approx(0.15, abs=0.01)


# What fails ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, r"^--import broken cannot be loaded: there is no module 'broken'; install its"),
        ("import nowhere\n", r"broken\.py, line 1, raises ModuleNotFoundError \(No module named"),
        ("x = 1\ny = x.z\n", r"broken\.py, line 2, raises AttributeError"),
        ("x = 1\nclass\n", r"broken\.py, line 2, raises SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_imported(write: Write, source: str | None, message: str) -> None:
    write(**({} if source is None else {"broken": source}))
    with pytest.raises(TaskLoadError, match=message) as caught:
        import_tasks(["broken"])
    assert_sentence(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("class Mine:\n    name = 'mine'\n", "Mine'> is no task; it must be a subclass"),
        (
            "class Mine(Task):\n    name = 'mine'\n",
            r"Mine in .*mine\.py is incomplete; add instruction, model_file, reset_low, "
            "reset_high, evaluate, object_poses, place_objects",
        ),
        ("class Mine(Reach):\n    name = 'My Task'\n", r"mine\.py has the name 'My Task'; it must"),
        ("class Mine(Reach):\n    name = '2-blocks'\n", "'2-blocks'; it must .* a letter first"),
        ("class Mine(Reach):\n    name = 'block-'\n", "the name 'block-'; it must"),
        (
            "class Mine(Reach):\n    name = 'mine'\n    instruction = '推杯子'\n",
            "'推杯子'; say what to do in words with at least one letter a to z or digit",
        ),
        ("class Mine(Reach):\n    name = 'mine'\n    instruction = ' '\n", "' '; say what to"),
        ("class Mine(Reach):\n    name = 'push'\n", r"mine:Mine cannot have the name 'push', whi"),
        ("class Mine(Reach):\n    name = 'cw10'\n", "'cw10', which the task stream of that name"),
        (
            "class Mine(Reach):\n    name = 'mine'\n    reset_low = (0, 1)\n"
            "    reset_high = (1,)\n",
            r"mine\.py has reset_low \(0, 1\) and reset_high \(1,\); they must be tuples of as",
        ),
        (
            "class Mine(Reach):\n    name = 'mine'\n    hand_low = (0, 9, 0)\n",
            r"mine\.py has hand_low \(0, 9, 0\) and hand_high",
        ),
        (
            "class Mine(Reach):\n    name = 'mine'\n    min_goal_distance_m = -0.1\n",
            r"mine\.py has min_goal_distance_m -0.1; it must be metres, at least 0",
        ),
        (
            "class Mine(Reach):\n    name = 'mine'\n    model_file = '/no/scene.xml'\n",
            r"mine\.py cannot be loaded: the scene /no/scene.xml is missing; name an MJCF",
        ),
    ],
)
def test_a_class_that_is_no_complete_task(write: Write, body: str, message: str) -> None:
    head = "from lam_envs.tasks.base import Task\nfrom lam_envs.tasks.reach import Reach\n"
    tail = "from lam_envs.tasks.registry import register_task\nregister_task(Mine)\n"
    write(mine=f"{head}{body}{tail}")
    names = task_names()
    with pytest.raises(TaskLoadError, match=message) as caught:
        import_tasks(["mine"])
    assert_sentence(caught.value)
    assert task_names() == names


def test_a_class_may_register_again_but_no_other_of_its_name(write: Write) -> None:
    write()

    class Mine(Reach):
        name = "mine"

    assert register_task(register_task(Mine)) is Mine

    class Other(Reach):
        name = "mine"

    with pytest.raises(TaskLoadError, match=r"Other cannot have the name 'mine', which .*:.*Mine"):
        register_task(Other)


def test_names_may_have_numbers_and_ids_differ_as_names_do(write: Write) -> None:
    write()
    ids = {
        "block-2": "lam/Block-2-v0",
        "block2": "lam/Block2-v0",
        "block-2-far": "lam/Block-2Far-v0",
        "a1-b2": "lam/A1B2-v0",
    }
    for name, gymnasium_id in ids.items():
        register_task(type("Mine", (Reach,), {"name": name, "instruction": "WÜRFEL 推"}))
        env = gymnasium.make(gymnasium_id, cameras=())
        assert env.get_wrapper_attr("task") == make_task(name).name == name


@pytest.mark.parametrize(
    ("point", "name", "message"),
    [
        (
            "far = gone:Far",
            "far",
            "'far' of the group lam_envs.tasks cannot be loaded: there is no",
        ),
        ("far = points:Fra", "far", r"names the class 'Fra', which .*points\.py does not have"),
        ("far = points:number", "far", "3 is no task"),
        ("fra = points:Far", "fra", "names a task with the name 'far'; make them the same"),
        ("push = points:Far", "push", "points:Far cannot have the name 'push', which lam_envs"),
    ],
)
def test_an_entry_point_that_cannot_be_loaded(
    write: Write, point: str, name: str, message: str
) -> None:
    reach = "from lam_envs.tasks.reach import Reach\n"
    folder = write(points=f"{reach}number = 3\nclass Far(Reach):\n    name = 'far'\n")
    info = folder / "points-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: points\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[lam_envs.tasks]\n{point}\n")
    with pytest.raises(TaskLoadError, match=message) as caught:
        make_task(name)
    assert_sentence(caught.value)
    assert make_task("reach").name == "reach"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</worldbody>", "", r"cannot compile the scene .*scene\.xml \(XML parse error"),
        ("<site ", "<sight ", r"'sight', line \d+\); mend it"),
        ("basic_scene", "fancy_scene", "fancy_scene.xml"),
        ("../objects/assets/xyz_base.xml", "arm.xml", r"scene\.xml has no body 'mocap'; include M"),
        ('<position ctrllimited="true" ctrlrange="-1 1" joint="r_close"', "<!-- ", "1 actuators"),
    ],
)
def test_a_scene_that_does_not_do(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "arm.xml").write_text(
        '<mujocoinclude><body name="a"><inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/>'
        '<joint name="r_close"/><joint name="l_close" axis="0 1 0"/></body></mujocoinclude>'
    )
    text = scene_path(Push.model_file).read_text()
    assert old in text
    if new == "<!-- ":
        text = re.sub(r'<position [^>]*joint="r_close"[^>]*/>', "", text)
    elif new == "arm.xml":
        text = re.sub(r"<equality>.*</equality>", "", text, flags=re.S).replace(old, new)
    else:
        text = text.replace(old, new, 1)
    scene = tmp_path / "scene.xml"
    scene.write_text(text)
    with pytest.raises(SceneError, match=message) as caught:
        load_model(str(scene))
    assert_sentence(caught.value)
    assert str(scene) in str(caught.value)


WELD = '<weld body1="mocap" body2="hand" solref="0.02 1"></weld>'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (WELD, "", r"scene\.xml has no weld that holds the body 'hand' to 'mocap'"),
        (WELD, WELD.replace("hand", "obj"), "has no weld"),
        (WELD, WELD.replace("solref", 'active="false" solref'), "has no weld"),
        (
            'joint="r_close"(.*)joint="l_close"',
            r'joint="l_close"\1joint="r_close"',
            r"actuator 0 of the scene .*scene\.xml moves no joint of the body 'rightclaw'; the fir",
        ),
        ('joint="l_close"', 'joint="right_j6"', "actuator 1 of .* of the body 'leftclaw'"),
        ('joint="l_close"', 'site="leftEndEffector"', "actuator 1 of .* of the body 'leftclaw'"),
    ],
)
def test_a_scene_whose_hand_goes_astray(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = scene_path(Push.model_file).read_text()
    scene = tmp_path / "scene.xml"
    scene.write_text(changed := re.sub(old, new, text, flags=re.S))
    assert changed != text
    with pytest.raises(SceneError, match=message) as caught:
        load_model(str(scene))
    assert_sentence(caught.value)


OBJECT = r'<joint name="objjoint" type="free"[^>]*/>'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (OBJECT, "", "writes a free joint .* after the 9 of the arm, but no joint begins there"),
        (OBJECT, '<joint name="turn" axis="0 0 1"/>', "the joint 'turn' stands th"),
        (
            r'(<include file="[./a-z]*/xyz_base.xml"/>).*-->\s*(<body name="obj".*?</body>)',
            r"\2\1",
            "the joint 'right_j2' stands there in the scene; give the object",
        ),
    ],
)
def test_a_scene_whose_object_cannot_be_put(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = scene_path(Push.model_file).read_text()
    scene = tmp_path / "scene.xml"
    scene.write_text(changed := re.sub(old, new, text, flags=re.S))
    assert changed != text
    task = type("Odd", (Push,), {"name": "odd", "model_file": str(scene)})()
    env = BatchedEnv(task, 1, cameras=(), num_threads=1)
    with pytest.raises(SceneError, match=message) as caught:
        env.reset(seeds=[0])
    assert_sentence(caught.value)
    free = BatchedEnv("push", 1, cameras=(), num_threads=1)
    with pytest.raises(SceneError, match="set_object_joint writes a hinge or slide joint"):
        free.worlds.set_object_joint(torch.ones(1, dtype=torch.bool), 0.0)


@pytest.mark.parametrize("task", BUILT_IN)
def test_the_scenes_of_the_built_in_tasks_have_what_a_scene_needs(task: str) -> None:
    model = load_model(make_task(task).model_file)
    assert model.neq == 1 and model.eq_data[0, 6] == -1.0


# Streams that do not fit ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        (
            "action_size",
            7,
            r"mixes action spaces \(reach, push: 4 entries; odd: 7 entries\); give all of its "
            "tasks the same action_size, or run a stream for each",
        ),
        ("control_dt", 0.025, r"control rates \(reach, push: 0.0125 s a step; odd: 0.025 s a step"),
        ("cameras", ("front",), r"cameras \(reach, push: front, wrist; odd: front\)"),
    ],
)
def test_a_stream_that_mixes(write: Write, attribute: str, value: object, message: str) -> None:
    write()
    register_task(type("Odd", (Reach,), {"name": "odd", attribute: value}))
    with pytest.raises(StreamFitError, match=message) as caught:
        check_stream_fit(["reach", "odd", "push", "odd"])
    assert_sentence(caught.value)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("action_size", 7, "odd has action_size 7; the Sawyer arm takes 4"),
        ("control_dt", 0.025, "control_dt 0.025 s, but 5 physics steps of its scene are 0.0125 s"),
        ("cameras", ("side",), "there is no camera 'side'"),
    ],
)
def test_a_task_that_cannot_be_driven(
    write: Write, attribute: str, value: object, message: str
) -> None:
    write()
    cls: type[Task] = type("Odd", (Reach,), {"name": "odd", attribute: value})
    for use in (lambda: BatchedEnv(cls(), 1, cameras=()), lambda: check_stream_fit(["odd"])):
        register_task(cls)
        with pytest.raises(InvalidSettingError, match=message) as caught:
            use()
        assert_sentence(caught.value)


def test_a_slower_task_is_driven_at_its_own_rate(write: Write) -> None:
    folder = write()
    text = scene_path(Reach.model_file).read_text()
    (folder / "slow.xml").write_text(
        text.replace("<actuator>", '<option timestep="0.005"/><actuator>')
    )
    cls = type(
        "Slow",
        (Reach,),
        {"name": "slow", "control_dt": 0.025, "model_file": str(folder / "slow.xml")},
    )
    register_task(cls)
    check_stream_fit(["slow"])
    env = BatchedEnv("slow", 2, cameras=(), num_threads=1)
    env.reset(seeds=[0, 1])
    assert bool(env.step(torch.zeros(2, 4)).state.isfinite().all())


@pytest.mark.parametrize("height", [(), (0.02,)], ids=["xy", "xyz"])
def test_the_least_distance_is_that_of_the_halves_of_the_reset_vector(
    height: tuple[float, ...],
) -> None:
    class Apart(Push):
        name = "apart"
        reset_low = (-0.1, 0.6, *height, -0.1, 0.8, *height)
        reset_high = (0.1, 0.65, *height, 0.1, 0.85, *height)
        min_goal_distance_m = 0.27

    vectors = Apart().sample_reset_vectors([np.random.default_rng(seed) for seed in range(200)])
    half = 2 + len(height)
    distances = np.linalg.norm(vectors[:, :2] - vectors[:, half : half + 2], axis=1)
    assert 0.27 <= distances.min() < 0.28


@pytest.mark.parametrize("entries", [3, 5, 7])
def test_a_least_distance_needs_an_object_and_a_goal(write: Write, entries: int) -> None:
    write()
    bounds = {"reset_low": (0.0,) * entries, "reset_high": (0.5,) * entries}
    cls = type("Odd", (Push,), {"name": "odd", "min_goal_distance_m": 0.1, **bounds})
    message = f"odd has min_goal_distance_m 0.1 and reset vectors of {entries} entries; they must"
    for use in (
        lambda: register_task(cls),
        lambda: cls().sample_reset_vectors([np.random.default_rng(0)]),
    ):
        with pytest.raises(TaskLoadError, match=message) as caught:
            use()
        assert_sentence(caught.value)
    cls.is_valid_reset = lambda self, vectors: np.ones(len(vectors), bool)
    assert register_task(cls) is cls


def assert_sentence(error: LamEnvsError) -> None:
    words = str(error)
    assert words.endswith(".") and "\n" not in words and ".." not in words.replace("../", ""), words


def test_a_task_without_an_expert_says_who_else_could_demonstrate_it() -> None:
    class Mute(Reach):
        name = "mute"
        expert, teacher = Task.expert, Task.teacher

    env = BatchedEnv(Mute(), 2, cameras=(), num_threads=1)
    env.reset(seeds=[1, 2])
    env.step(torch.zeros(2, 4))
    for ask in (env.expert_actions, env.teacher_actions):
        with pytest.raises(TaskLoadError, match="no scripted expert; write its method") as caught:
            ask()
        assert_sentence(caught.value)


NAN = torch.tensor([0.0, torch.nan])
"""Numbers of two worlds."""


@pytest.mark.parametrize(
    ("method", "gives", "message"),
    [
        ("evaluate", None, "evaluate of odd returns a NoneType; it must return an Outcome"),
        (
            "evaluate",
            Outcome(torch.zeros(1), torch.zeros(2, dtype=torch.bool)),
            r"the reward of evaluate of odd gives \(1,\); it must be a tensor of shape \(2,\)",
        ),
        (
            "evaluate",
            Outcome(torch.zeros(2), torch.zeros(2)),
            "is_success of evaluate of odd has type torch.float32; it must be torch.bool",
        ),
        ("expert", torch.zeros(2, 3), r"expert of odd gives \(2, 3\)"),
        ("expert", NAN[:, None].expand(2, 4), "expert of odd gives NaN or infinity in world 1; it"),
        ("object_poses", torch.zeros(2, 6), r"object_poses of odd gives \(2, 6\); it must be a"),
        ("object_poses", torch.zeros(2, 21), r"object_poses of odd gives \(2, 21\)"),
        ("object_poses", torch.zeros(1, 7), r"object_poses of odd gives \(1, 7\)"),
        ("object_poses", np.zeros((2, 7)), "object_poses of odd gives ndarray; it must be a tens"),
        ("object_poses", NAN[:, None].expand(2, 7), "object_poses of odd gives NaN or infinity i"),
        (
            "evaluate",
            Outcome(NAN, torch.zeros(2, dtype=torch.bool)),
            "the reward of evaluate of odd gives NaN or infinity in world 1",
        ),
        ("is_valid_reset", [False], "is_valid_reset of odd refuses 10000 reset vectors in a row"),
    ],
)
def test_what_a_task_gives_back_is_checked(method: str, gives: object, message: str) -> None:
    class Odd(Reach):
        name = "odd"

    setattr(Odd, method, lambda self, *arguments: gives)
    env = BatchedEnv(Odd(), 2, cameras=(), num_threads=1)
    with pytest.raises(TaskLoadError, match=message) as caught:
        env.reset(seeds=[1, 2])
        env.step(env.expert_actions())
    assert_sentence(caught.value)
