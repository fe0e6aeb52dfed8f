"""The native engine against Meta-World's own environments: same starts, same float32 actions."""

import pickle
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
import pytest
import torch
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.policies import ENV_POLICY_MAP
from metaworld.sawyer_xyz_env import SawyerMocapBase
from metaworld.types import Task as OriginalTask

from lam_envs.batched import BatchedEnv
from lam_envs.tasks.registry import task_names

NUM_STEPS = 150
NUM_RANDOM_STEPS = 60
OURS = 1
"""World that is compared; its neighbours do something else meanwhile."""

MakeOriginal = Callable[[str, np.ndarray], Any]


@pytest.fixture
def make_original(monkeypatch: pytest.MonkeyPatch) -> MakeOriginal:
    """Return a function that makes Meta-World's environment with its start frozen."""

    def reset_mocap_welds(self: SawyerMocapBase) -> None:
        # The original writes eleven numbers into rows that have twelve since MuJoCo 4.
        welds = self.model.eq_type == mujoco.mjtEq.mjEQ_WELD
        self.model.eq_data[welds] = 0.0
        self.model.eq_data[welds, :11] = (0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 5)

    monkeypatch.setattr(SawyerMocapBase, "reset_mocap_welds", reset_mocap_welds)

    def make(task: str, reset_vector: np.ndarray) -> Any:
        env_cls = ALL_V3_ENVIRONMENTS[f"{task}-v3"]
        env = env_cls()
        data = {"env_cls": env_cls, "rand_vec": reset_vector, "partially_observable": False}
        env.set_task(OriginalTask(env_name=f"{task}-v3", data=pickle.dumps(data)))
        return env

    return make


@pytest.mark.parametrize("actor", ["expert", "random"])
@pytest.mark.parametrize("task", task_names())
def test_every_step_is_the_originals(task: str, actor: str, make_original: MakeOriginal) -> None:
    rng = np.random.default_rng(1)
    noise = torch.Generator().manual_seed(2)
    env = BatchedEnv(task, 3, cameras=(), num_threads=2)
    reset_vector = env.task.sample_reset_vectors([np.random.default_rng(2)])[0]
    original = make_original(task, reset_vector)
    policy = ENV_POLICY_MAP[f"{task}-v3"]()

    # The neighbours are in the middle of other episodes when our world resets.
    env.reset(seeds=[1, 2, 3])
    for _ in range(7):
        env.step(torch.rand(3, 4, generator=noise) * 2 - 1)
    mask = torch.tensor([world == OURS for world in range(3)])
    state = env.reset(mask, reset_vectors=torch.from_numpy(reset_vector[None]))
    expected, _ = original.reset()
    np.testing.assert_allclose(state[OURS].numpy(), expected, rtol=0, atol=1e-9)

    was_success = False
    for step in range(NUM_STEPS if actor == "expert" else NUM_RANDOM_STEPS):
        expert = np.clip(policy.get_action(expected).astype(np.float32), -1, 1)
        np.testing.assert_array_equal(env.expert_actions()[OURS].numpy(), expert)
        action = expert if actor == "expert" else rng.uniform(-1, 1, 4).astype(np.float32)
        actions = torch.rand(3, 4, generator=noise) * 2 - 1
        actions[OURS] = torch.from_numpy(action)

        expected, reward, _, _, info = original.step(action)
        result = env.step(actions)

        where = f"step {step}"
        qpos = env.sim.field("qpos")[OURS].numpy()
        np.testing.assert_array_equal(qpos, original.data.qpos, err_msg=where)
        np.testing.assert_allclose(
            result.state[OURS].numpy(), expected, rtol=0, atol=1e-9, err_msg=where
        )
        assert float(result.reward[OURS]) == pytest.approx(reward, rel=0, abs=1e-6), where
        assert bool(result.is_success[OURS]) == bool(info["success"]), where
        was_success |= bool(info["success"])
    if actor == "expert":
        assert was_success, "the expert must succeed, or equal success says little"
