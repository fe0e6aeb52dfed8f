"""The weights that pretraining makes: a checkpoint whose card tells how they were made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from lam_agent.checkpoint import Memory, resolve_checkpoint, save_pretrained
from lam_agent.checkpoint.contract import CARD_FILE, MODEL_FILE
from lam_agent.config import to_plain
from lam_agent.evaluation.acting import first_looks
from lam_agent.evaluation.evaluate import Evaluation
from lam_agent.files import file_digest
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.pretrain.config import PretrainConfig
from lam_agent.pretrain.corpus import Corpus
from lam_envs.names import STREAMS
from lam_envs.tasks.registry import make_task
from lam_envs.tasks.scenes import shared_scenes

_MADE = "## How they were made"

_NO_SETTINGS = ("output", "resume", "device", "threads", "cache_dir")
"""Options of the command that do not decide the weights."""


def save_weights(
    folder: Path,
    policy: VisualActionPolicy,
    config: PretrainConfig,
    evaluations: Sequence[Evaluation],
    seconds: Mapping[str, float],
    corpus: Corpus,
    memory: Memory,
) -> None:
    """Write the checkpoint.

    Args:
        folder: Where to write.
        policy: The policy.
        config: The settings of the run.
        evaluations: Success on validation starts.
        seconds: Seconds by phase.
        corpus: What it learned from.
        memory: Frames of its tasks.
    """
    first = config.tasks[0]
    save_pretrained(
        folder,
        policy,
        tasks={task: make_task(task).instruction for task in config.tasks},
        success_row={
            "task": [item.task for item in evaluations],
            "success": [item.success_rate for item in evaluations],
            "success_at_end": [
                float(item.is_success_at_end.float().mean()) for item in evaluations
            ],
            "episodes": [len(item.is_success) for item in evaluations],
        },
        protocol={
            "split": "validation",
            "horizon": config.demonstrations().eval.horizon,
            "episodes": config.cloning.validation_episodes,
        },
        seeds={"seed": config.seed, "split": "validation"},
        parity_observations=first_looks(first, config.policy.image_size),
        parity_task=first,
        story=_story(config, seconds, corpus),
        memory=memory,
    )


def _story(config: PretrainConfig, seconds: Mapping[str, float], corpus: Corpus) -> str:
    """Return how the weights were made, as Markdown."""
    plain: dict[str, Any] = to_plain(config)
    del plain["collect"]["cache_dir"]
    stages = ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items())
    seen = _shared_scenes(config.tasks)
    lines = [
        _MADE,
        "",
        f"`lam-agent pretrain` from {corpus.num_looks} looks in {config.episodes} episodes a task "
        f"of {len(config.tasks)} tasks, seed {config.seed}, on {torch.get_num_threads()} threads: "
        f"{stages}. The command:",
        "",
        "```bash",
        command(config),
        "```",
        "",
        "All settings of it:",
        "",
        *(f"- {name}: {plain[name]}" for name in ("self_supervised", "cloning", "optimiser")),
        *(f"- {name}: {plain[name]}" for name in ("collect", "randomise", "policy", "memory")),
        "",
        *(_beginning(config.policy.init) if config.policy.init != "none" else ()),
        "## What they have seen of test tasks",
        "",
        "No task of the streams below, unless it is named above. These tasks of the streams are "
        "played in a scene that a task above is played in, too:",
        "",
        *(f"- `{task}`: the scene of {', '.join(others)}" for task, others in seen.items()),
    ]
    return "\n".join(lines) + "\n"


def _beginning(init: str) -> list[str]:
    """Return which weights these began with, and how those were made, as lines of Markdown."""
    folder = resolve_checkpoint(init)
    digest = file_digest(folder / MODEL_FILE)
    card = (folder / CARD_FILE).read_text(encoding="utf-8")
    _, found, rest = card.partition(f"\n{_MADE}\n")
    told = rest.partition("\n## ")[0].strip() if found else "Their card does not tell how."
    words = f"They began with `{folder.name}`, whose {MODEL_FILE} has the SHA-256 `{digest}`."
    return ["## What they began with", "", words, "", told, ""]


def command(config: PretrainConfig) -> str:
    """Return the command that makes these weights: what differs from the defaults as flags."""
    flags = _flags(to_plain(config), to_plain(PretrainConfig()))
    return " ".join(["lam-agent pretrain", *flags])


def _flags(ours: Mapping[str, Any], usual: Mapping[str, Any], prefix: str = "--") -> Iterator[str]:
    for name, value in ours.items():
        flag = prefix + name.replace("_", "-")
        if isinstance(value, dict):
            yield from _flags(value, usual[name], f"{flag}.")
        elif value != usual[name] and name not in _NO_SETTINGS:
            yield f"{flag} {','.join(value) if isinstance(value, list) else value}"


def _shared_scenes(tasks: Sequence[str]) -> dict[str, list[str]]:
    """Return the tasks of `cw10` and `mt10` that share a scene with some of `tasks`, and those."""
    tested = set((*STREAMS["cw10"], *STREAMS["mt10"])) - set(tasks)
    shared = shared_scenes((*tasks, *sorted(tested)))
    seen = {task: [t for t in shared.get(task, ()) if t in tasks] for task in sorted(tested)}
    return {task: others for task, others in seen.items() if others}
