"""What a policy can do, as frames: demonstrated by the teacher, or by the policy itself.

task --its episodes--> frames --its encoders and its actions--> memory of a checkpoint
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lam_agent.checkpoint import Memory
from lam_agent.config import RunConfig
from lam_agent.continual.batches import Frames
from lam_agent.continual.remembered import to_memory
from lam_agent.demonstrations.load import collect_configured, load_demonstrations
from lam_agent.evaluation.acting import ActingPolicy
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.seeding import torch_generator
from lam_agent.types import Progress, no_progress
from lam_envs.tasks.registry import make_task


def demonstrated_frames(
    tasks: Sequence[str], config: RunConfig, demonstrations: int, progress: Progress = no_progress
) -> Iterator[tuple[str, Frames]]:
    """Yield each task with the frames of its demonstrations by the scripted teacher.

    Args:
        tasks: Names of the tasks.
        config: How they are collected; demonstrations of one's own are left alone.
        demonstrations: Demonstrations of each task.
        progress: Told how many tasks are done.
    """
    own = replace(config, demonstrations=demonstrations, demonstrations_path=None)
    for number, task in enumerate(tasks):
        progress(number / len(tasks), f"collecting what the policy can do: {task}")
        episodes, _ = load_demonstrations(task, own)
        instruction = make_task(task).instruction
        yield task, Frames.from_episodes(episodes, instruction, config.policy.chunk_length)


def make_memory(
    policy: VisualActionPolicy,
    tasks: Sequence[str],
    config: RunConfig,
    progress: Progress = no_progress,
) -> Memory:
    """Return the memory of a policy: frames of its tasks, with what it does on them.

    Half of them are of episodes of its own, since it comes to other places than a teacher does; the
    rest show the whole of a task that it does not finish.

    Args:
        policy: The policy, on any device.
        tasks: Names of the tasks.
        config: How episodes are collected, and how many of each kind; how many frames are kept.
        progress: Told how many tasks are done.

    Raises:
        UnstableSimulationError: The physics of an episode broke, or with `drop` that of all.
    """
    asked, memory = config.memory, {}
    for task, taught in demonstrated_frames(tasks, config, asked.episodes, progress):
        generator = torch_generator(config.seed, "memory", task)
        own = _own_frames(policy, task, config).sample(-(-asked.frames // 2), generator)
        rest = taught.sample(asked.frames - len(own), generator)
        frames = Frames.concatenate([own, rest])
        memory[task] = to_memory(policy, frames, asked.frames, generator)
    return memory


def _own_frames(policy: VisualActionPolicy, task: str, config: RunConfig) -> Frames:
    """Return frames of episodes that a policy runs itself, from starts of demonstrations."""
    look_every = policy.config.execute_length
    own = replace(
        config,
        demonstrations=config.memory.episodes,
        demonstrations_path=None,
        collect=replace(config.collect, keep_failures=True, look_every=look_every),
        eval=replace(config.eval, horizon=max(1, config.eval.horizon // look_every) * look_every),
    )
    instruction = make_task(task).instruction
    episodes = collect_configured(task, ActingPolicy(policy, instruction), own)
    return Frames.from_episodes(episodes, instruction, policy.config.chunk_length)
