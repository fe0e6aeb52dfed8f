"""The Gymnasium interface: registration, spaces, seeding, autoreset, render, and the checkers."""

import copy
import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.env_checker import check_env as check_env_sb3

import lam_envs
from lam_envs.batched import BatchedEnv
from lam_envs.errors import InvalidActionError, InvalidResetError, InvalidSettingError
from lam_envs.gymnasium_api import LamEnv
from lam_envs.gymnasium_vector import LamVectorEnv
from lam_envs.names import BUILT_IN
from lam_envs.randomisation.ranges import MODERATE, Randomisation
from lam_envs.registration import gymnasium_id
from lam_envs.tasks.reach import Reach
from lam_envs.tasks.registry import make_task, task_names

SOME = ("reach", "hammer", "drawer-open", "handle-press-side", "stick-push")
"""Tasks for what depends on no task: a free goal, two objects, a joint, a draw that settles,
sensors."""

IDS = [f"lam_envs:{gymnasium_id(task)}" for task in SOME]
PUSH = "lam_envs:lam/Push-v0"
VECTOR = np.array([0.05, 0.65, 0.02, -0.05, 0.85, 0.01])


@pytest.fixture
def envs() -> Iterator[LamVectorEnv]:
    """Three worlds of push without cameras, four steps long."""
    made = LamVectorEnv(
        "push", 3, max_episode_steps=4, cameras=(), observe_state=True, num_threads=1
    )
    yield made
    made.close()


def random_actions(num_steps: int, num_envs: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.uniform(-1, 1, (num_steps, num_envs, 4)).astype(np.float32)


# Registration ----------------------------------------------------------------------------------


def test_importing_registers_every_id_without_heavy_imports() -> None:
    code = (
        "import sys, gymnasium, lam_envs\n"
        "print([id for id in gymnasium.registry if id.startswith('lam/')])\n"
        "print([name for name in ('torch', 'mujoco', 'warp') if name in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert output == [str([gymnasium_id(name) for name in task_names()]), "[]"]
    assert "lam/ButtonPressTopdown-v0" in output[0]


def test_the_spec_sheets_say_where_the_tasks_are_described() -> None:
    for sheet in (LamEnv.__doc__ or "", LamVectorEnv.__doc__ or ""):
        assert "docs/environments.md" in sheet
        assert sheet.count("\n") < 130
    assert "There are fifty, from `lam/Reach-v0` to `lam/SweepInto-v0`" in (LamEnv.__doc__ or "")
    assert len(BUILT_IN) == 50
    ends = BUILT_IN[0], BUILT_IN[-1]
    assert [gymnasium_id(name) for name in ends] == ["lam/Reach-v0", "lam/SweepInto-v0"]


def test_registering_again_is_silent() -> None:
    before = dict(gymnasium.registry)
    lam_envs.register_envs()
    assert dict(gymnasium.registry) == before


# Checkers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        *((env_id, {}) for env_id in IDS),
        (PUSH, {"observe_state": True, "render_mode": "rgb_array"}),
    ],
)
def test_the_checkers_are_silent(env_id: str, settings: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(env_id, **settings).unwrapped)
        check_env_sb3(gymnasium.make(env_id, **settings), skip_render_check=False)


@pytest.mark.parametrize("task", task_names())
def test_observations_stay_in_their_space(task: str) -> None:
    envs = LamVectorEnv(task, 4, cameras=(), observe_state=True, max_episode_steps=40)
    observation, _ = envs.reset(seed=0)
    corners = np.random.default_rng(0).choice([-1.0, 1.0], (4, 4)).astype(np.float32)
    for _ in range(120):  # To the corners of what the hand can reach.
        assert observation in envs.observation_space
        observation, *_ = envs.step(corners)


# One world -------------------------------------------------------------------------------------


def test_spaces_are_those_of_the_settings() -> None:
    env = gymnasium.make(PUSH, cameras=("wrist",), image_size=48, observe_state=True)
    observation, _ = env.reset(seed=0)
    assert {key: (array.shape, array.dtype.name) for key, array in observation.items()} == {
        "proprioception": ((4,), "float32"),
        "state": ((39,), "float64"),
        "wrist": ((48, 48, 3), "uint8"),
    }
    assert env.action_space == gymnasium.spaces.Box(-1, 1, (4,), np.float32)


def test_a_seed_starts_as_in_the_batched_env() -> None:
    env = LamEnv("push", observe_state=True)
    batched = BatchedEnv("push", 1)
    for seed in (3, 4):
        observation, _ = env.reset(seed=seed)
        state = batched.reset(seeds=[seed])
        assert np.array_equal(observation["state"], state[0].numpy())
        assert np.array_equal(observation["front"], batched.images()["front"][0].numpy())
        assert np.array_equal(observation["proprioception"], state[0, :4].float().numpy())


def test_starts_differ_and_the_reset_vector_repeats_one() -> None:
    env = LamEnv("push", cameras=(), observe_state=True)
    _, first = env.reset(seed=0)
    second_observation, second = env.reset()
    assert not np.array_equal(first["reset_vector"], second["reset_vector"])
    env.step(np.ones(4, dtype=np.float32))
    observation, info = env.reset(options={"reset_vector": second["reset_vector"]})
    assert data_equivalence(observation, second_observation, exact=True)
    assert np.array_equal(info["reset_vector"], second["reset_vector"])


@pytest.mark.parametrize("task", SOME)
def test_the_expert_comes_to_is_success(task: str) -> None:
    env = gymnasium.make(f"lam_envs:{gymnasium_id(task)}", cameras=(), observe_state=True)
    expert = make_task(task).expert
    observation, _ = env.reset(seed=2)
    successes, truncated = [], False
    while not truncated:
        state = torch.from_numpy(observation["state"])[None]
        action = expert(state)[0].clamp(-1, 1).numpy().astype(np.float32)
        observation, reward, terminated, truncated, info = env.step(action)
        successes.append(info["is_success"])
        assert not terminated
        assert 0 <= reward <= 10
    assert len(successes) == 200
    assert not successes[0]
    assert any(successes)


def test_render_is_the_front_view_in_its_own_size() -> None:
    env = LamEnv("push", render_mode="rgb_array", render_size=96)
    observation, _ = env.reset(seed=0)
    frame = env.render()
    assert frame is not None
    assert frame.shape == (96, 96, 3)
    small = frame.reshape(32, 3, 32, 3, 3).mean((1, 3))
    front = observation["front"].reshape(32, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(small - front).mean() < 8  # The same view: the camera does not depend on size.
    env.step(np.array([1, 0, 0, 0], dtype=np.float32))
    assert not np.array_equal(env.render(), frame)


def test_render_without_a_mode_warns() -> None:
    env = LamEnv("push", cameras=())
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
        assert env.render() is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"render_mode": "human"}, "no render mode 'human'; it must be rgb_array, or None"),
        ({"render_size": 0}, "render_size is 0; it must be at least 1"),
        ({"image_size": 0}, "image_size is 0; it must be at least 1"),
        ({"cameras": ("top",)}, "no camera 'top'; the cameras are front, wrist"),
        ({"randomisation": 0.5}, "0.5; it must be a Randomisation, a mapping of its settings, or"),
        ({"randomisation": {"colors": 0.5}}, r"no setting 'colors' .*mean 'colours'.*colours, tex"),
        ({"randomisation": {"colours": "red"}}, "colours is 'red'; it must be between 0 and 1"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    for make in (LamEnv, LamVectorEnv):
        with pytest.raises(InvalidSettingError, match=message):
            make("push", **settings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reset_vektor": VECTOR}, r"'reset_vektor' .did you mean 'reset_vector'.*reset_vector\."),
        ({"reset_vector": VECTOR[:5]}, r"shape \(5,\); push needs \(6,\)"),
        ({"reset_vector": "left"}, r"'left'; it must be an array of numbers of shape \(6,\)"),
        ({"reset_vector": VECTOR * np.nan}, "its numbers must be between -100 and 100"),
    ],
)
def test_bad_reset_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidResetError, match=message):
        LamEnv("push", cameras=()).reset(options=options)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros(3, dtype=np.float32), r"shape \(3,\); it must have shape \(4,\)"),
        ("forward", r"'forward'; it must be an array of numbers of shape \(4,\)"),
        (np.full(4, np.nan, dtype=np.float32), "must be finite"),
    ],
)
def test_bad_actions(action: Any, message: str) -> None:
    env = LamEnv("push", cameras=())
    env.reset(seed=0)
    with pytest.raises(InvalidActionError, match=message):
        env.step(action)


def test_copies_begin_anew_with_the_same_arguments() -> None:
    env = gymnasium.make(PUSH, cameras=("wrist",), image_size=16, randomisation=MODERATE)
    expected, _ = env.reset(seed=3)
    for copied in (pickle.loads(pickle.dumps(env)), copy.deepcopy(env)):
        assert copied.observation_space == env.observation_space
        assert copied.spec == env.spec
        with pytest.raises(InvalidResetError, match="step was called before reset"):
            copied.step(np.zeros(4, dtype=np.float32))
        assert data_equivalence(copied.reset(seed=3)[0], expected, exact=True)


def test_a_spec_is_the_same_from_json() -> None:
    first = gymnasium.make(PUSH, cameras=("front",), image_size=16, randomisation=MODERATE)
    assert first.spec is not None
    spec = EnvSpec.from_json(first.spec.to_json())
    expected, _ = first.reset(seed=3)
    assert data_equivalence(gymnasium.make(spec).reset(seed=3)[0], expected, exact=True)
    envs = gymnasium.make_vec(spec, num_envs=1)
    assert isinstance(envs, LamVectorEnv)
    assert np.array_equal(envs.reset(seed=3)[0]["front"][0], expected["front"])


def test_render_fps_is_the_rate_of_the_task() -> None:
    slow = type("Slow", (Reach,), {"name": "slow", "control_dt": 0.025})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lam_envs.batched.check_drivable", lambda task, timestep: None)
        made = [make(slow(), cameras=()) for make in (LamEnv, LamVectorEnv)]
    for env in made:
        assert env.metadata["render_fps"] == 40
        assert type(env).metadata["render_fps"] == LamEnv("push").metadata["render_fps"] == 80


@pytest.mark.parametrize("table_height_m", [0.02, 1.0])
def test_observations_stay_in_their_space_where_tables_differ(table_height_m: float) -> None:
    ranges = Randomisation(table_height_m=table_height_m)
    envs = LamVectorEnv("push", 8, cameras=(), observe_state=True, randomisation=ranges)
    single = LamEnv("push", cameras=(), observe_state=True, randomisation=ranges)
    assert single.observation_space == envs.single_observation_space
    heights = []
    for seed in range(3):
        observation, _ = envs.reset(seed=seed)
        assert observation in envs.observation_space
        heights += observation["proprioception"][:, 2].tolist()
    space = envs.single_observation_space["proprioception"]
    assert space.low[2] == pytest.approx(-0.0525 - table_height_m)
    assert space.high[2] == pytest.approx(0.7 + table_height_m)
    assert (max(heights) > 0.7 or min(heights) < -0.0525) == (table_height_m == 1.0)


# Many worlds -----------------------------------------------------------------------------------


def test_make_vec_takes_the_vector_entry_point() -> None:
    envs = gymnasium.make_vec(PUSH, num_envs=64)
    assert isinstance(envs, LamVectorEnv)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    observation, info = envs.reset(seed=0)
    assert observation in envs.observation_space
    assert observation["front"].shape == (64, 64, 64, 3)
    assert info["reset_vector"].shape == (64, 6)


@pytest.mark.parametrize("task", ["push", "drawer-open"])
def test_worlds_are_what_gymnasium_makes_of_single_ones(task: str) -> None:
    """Everything that is returned equals SyncVectorEnv's, through truncations and resets."""
    ours, reference = (
        gymnasium.make_vec(
            f"lam_envs:{gymnasium_id(task)}",
            num_envs=3,
            vectorization_mode=mode,
            max_episode_steps=4,
            observe_state=True,
        )
        for mode in ("vector_entry_point", "sync")
    )
    assert isinstance(reference, gymnasium.vector.SyncVectorEnv)
    assert ours.observation_space == reference.observation_space
    assert ours.action_space == reference.action_space
    mask = np.array([True, False, True])
    assert data_equivalence(ours.reset(seed=5), reference.reset(seed=5), exact=True)
    for step, actions in enumerate(random_actions(16, 3)):
        if step == 7:  # From here on, worlds are truncated at different steps.
            results = [e.reset(options={"reset_mask": mask}) for e in (ours, reference)]
            assert data_equivalence(*results, exact=True)
        assert data_equivalence(ours.step(actions), reference.step(actions), exact=True), step
    seeds = [7, None, 8]
    assert data_equivalence(ours.reset(seed=seeds), reference.reset(seed=seeds), exact=True)
    assert ours.np_random_seed == reference.np_random_seed


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_other_autoreset_modes_are_gymnasiums(mode: AutoresetMode) -> None:
    settings = {"num_envs": 3, "max_episode_steps": 4, "observe_state": True}
    ours = gymnasium.make_vec(PUSH, **settings, autoreset_mode=mode)
    reference = gymnasium.make_vec(
        PUSH, **settings, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}
    )
    assert ours.metadata["autoreset_mode"] is reference.metadata["autoreset_mode"] is mode
    assert data_equivalence(ours.reset(seed=5), reference.reset(seed=5), exact=True)
    mask = np.array([True, False, True])
    for step, actions in enumerate(random_actions(14, 3)):
        if step == 6:  # From here on, worlds are truncated at different steps.
            results = [e.reset(options={"reset_mask": mask}) for e in (ours, reference)]
            assert data_equivalence(*results, exact=True)
        found, expected = ours.step(actions), reference.step(actions)
        assert data_equivalence(found, expected, exact=True), step
        ended = expected[3]
        if mode is AutoresetMode.DISABLED and ended.any():
            with pytest.raises(InvalidResetError, match="has ended and autoreset is disabled"):
                ours.step(actions)
            results = [e.reset(options={"reset_mask": ended}) for e in (ours, reference)]
            assert data_equivalence(*results, exact=True)


def test_an_autoreset_mode_may_be_named(envs: LamVectorEnv) -> None:
    named = gymnasium.make_vec(PUSH, num_envs=2, autoreset_mode="SameStep")
    assert named.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    with pytest.raises(InvalidSettingError, match="must be one of NEXT_STEP, SAME_STEP, DISABLED"):
        LamVectorEnv("push", 2, autoreset_mode="never")


def test_autoreset_is_at_the_next_step(envs: LamVectorEnv) -> None:
    envs.reset(seed=0)
    actions = random_actions(10, 3)
    for step in range(10):
        is_reset = step % 5 == 4
        batch = np.full((3, 4), np.nan, dtype=np.float32) if is_reset else actions[step]
        observation, reward, terminated, truncated, info = envs.step(batch)
        assert not terminated.any()
        assert truncated.all() == truncated.any() == (step % 5 == 3)
        assert ("is_success" in info) is not is_reset
        assert ("reset_vector" in info) is is_reset
        assert (reward == 0).all() == is_reset
        if is_reset:
            np.testing.assert_allclose(observation["state"][:, 4:6], info["reset_vector"][:, :2])


def test_attributes_are_those_of_gymnasiums_single_worlds() -> None:
    ours, reference = (
        gymnasium.make_vec(
            PUSH, num_envs=2, vectorization_mode=mode, image_size=16, render_mode="rgb_array"
        )
        for mode in ("vector_entry_point", "sync")
    )
    assert isinstance(ours, LamVectorEnv)
    assert isinstance(reference, gymnasium.vector.SyncVectorEnv)
    for each in (ours, reference):
        each.reset(seed=[3, 4])
    for name in (
        *("task", "instruction", "render_mode", "metadata", "action_space", "observation_space"),
        "np_random_seed",
    ):
        assert ours.get_attr(name) == reference.get_attr(name) == ours.call(name), name
    drawn = [[own.random() for own in each.get_attr("np_random")] for each in (ours, reference)]
    assert drawn[0] == drawn[1]
    assert data_equivalence(ours.call("render"), reference.call("render"), exact=True)
    with pytest.raises(InvalidSettingError, match=r"'tasks' \(did you mean 'task'\?\) of"):
        ours.get_attr("tasks")


def test_worlds_start_at_reset_vectors(envs: LamVectorEnv) -> None:
    vectors = VECTOR + np.linspace(0, 0.02, 3)[:, None]
    observation, info = envs.reset(options={"reset_vector": vectors})
    assert np.array_equal(info["reset_vector"], vectors)
    np.testing.assert_allclose(observation["state"][:, 4:6], vectors[:, :2])
    mask = np.array([False, True, False])
    again, info = envs.reset(options={"reset_vector": VECTOR, "reset_mask": mask})
    assert info["_reset_vector"].tolist() == mask.tolist()
    np.testing.assert_allclose(again["state"][1, 4:6], VECTOR[:2])
    assert np.array_equal(again["state"][[0, 2]], observation["state"][[0, 2]])


def test_results_are_new_arrays(envs: LamVectorEnv) -> None:
    calls = [envs.reset(seed=0)] + [envs.step(actions) for actions in random_actions(6, 3)]
    arrays = [
        [item for item in (*call[0].values(), *call[1:-1], *call[-1].values())] for call in calls
    ]
    for index, earlier in enumerate(arrays):
        for later in arrays[index + 1 :]:
            assert not any(np.shares_memory(a, b) for a in earlier for b in later)
    state = calls[-1][0]["state"].copy()
    calls[-1][0]["state"][:] = 0.0  # A user's own writing does not reach the worlds.
    assert np.array_equal(envs._batched.state.numpy(), state)


def test_render_shows_every_world() -> None:
    envs = gymnasium.make_vec(PUSH, num_envs=2, render_mode="rgb_array", render_size=80)
    envs.reset(seed=0)
    frames = envs.render()
    assert frames is not None
    assert [frame.shape for frame in frames] == [(80, 80, 3)] * 2
    assert not np.array_equal(*frames)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"options": {"mask": 1}},
            "no reset option 'mask'.*; the options are reset_vector, reset_",
        ),
        ({"options": {"reset_mask": np.ones(2, bool)}}, r"shape \(2,\).* must have shape \(3,\)"),
        ({"options": {"reset_mask": np.ones(3)}}, "type float64.* type bool"),
        ({"options": {"reset_mask": np.zeros(3, bool)}}, "0 worlds.* at least one world"),
        (
            {"options": {"reset_vector": np.ones((2, 6))}},
            r"\(2, 6\); push needs \(6,\) or \(3, 6\)",
        ),
        ({"seed": [1, 2]}, "2 seeds for 3 worlds"),
    ],
)
def test_bad_vector_resets(envs: LamVectorEnv, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidResetError, match=message):
        envs.reset(**arguments)


def test_vector_steps_need_resets_and_shapes(envs: LamVectorEnv) -> None:
    with pytest.raises(InvalidResetError, match="reset every world first"):
        envs.step(np.zeros((3, 4), dtype=np.float32))
    envs.reset(seed=0)
    with pytest.raises(InvalidActionError, match=r"shape \(4,\); it must have shape \(3, 4\)"):
        envs.step(np.zeros(4, dtype=np.float32))


def test_randomised_worlds_draw_from_the_generators_of_gymnasium() -> None:
    ranges = Randomisation(colours=1.0)
    env = gymnasium.make("lam_envs:lam/Push-v0", randomisation=ranges)
    first, _ = env.reset(seed=1)
    second, _ = env.reset()
    again, _ = env.reset(seed=1)
    assert np.array_equal(first["front"], again["front"])
    assert (first["front"] != second["front"]).mean() > 0.5
    envs = gymnasium.make_vec("lam_envs:lam/Push-v0", num_envs=2, randomisation=ranges)
    observations, _ = envs.reset(seed=1)
    assert np.array_equal(observations["front"][0], first["front"])
    assert not np.array_equal(observations["front"][0], observations["front"][1])
