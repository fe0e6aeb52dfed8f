"""From demonstrations of tasks that a policy can do to what it remembers of them.

task --demonstrations--> frames --its encoders and its actions--> memory of a checkpoint
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lam_agent.checkpoint import Memory
from lam_agent.config import RunConfig
from lam_agent.continual.batches import Frames
from lam_agent.continual.remembered import to_memory
from lam_agent.demonstrations import load_demonstrations
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

    Args:
        policy: The policy, on any device.
        tasks: Names of the tasks.
        config: How demonstrations are collected, and how many; how many frames are kept.
        progress: Told how many tasks are done.
    """
    asked = config.memory
    memory = {}
    for task, frames in demonstrated_frames(tasks, config, asked.demonstrations, progress):
        generator = torch_generator(config.seed, "memory", task)
        memory[task] = to_memory(policy, frames, asked.frames, generator)
    return memory
