"""How well a line through frozen features tells where object and goal are, on unseen tasks.

    python -m benchmarks.linear_probe [--init lam-tiny] [--tasks cw10,mt10] [--episodes 200]

For each task, ridge regression from the features of both cameras with proprioception to the
positions of object and goal (Alain and Bengio 2016, "Understanding intermediate layers using linear
classifier probes"). Of the episodes, the first 60 % fit the line, the next 15 % choose the ridge,
and the error is that of the last 25 %, whose starts no line has seen. The same with random encoders
of the same sizes stands beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import write_report
from lam_agent.checkpoint import load_pretrained
from lam_agent.config import CollectConfig, RunConfig
from lam_agent.continual.batches import Frames
from lam_agent.continual.features import encode_frames
from lam_agent.demonstrations.load import load_demonstrations
from lam_agent.episodes import EpisodeSet
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.streams.resolve import resolve_stream
from lam_envs.tasks.registry import make_task

RIDGES = (1.0, 10.0, 100.0, 1e3, 1e4)
FIT, CHOOSE = 0.6, 0.75
LIMIT = 8.0
"""Standardised features are cut off here: one that hardly varied may be far out elsewhere."""


def errors_cm(inputs: torch.Tensor, positions: torch.Tensor, episode: torch.Tensor) -> list[float]:
    """Return the mean distance of object and of goal from where the line puts them, centimetres.

    Args:
        inputs: Features of each look, float64 (F, S).
        positions: Object and goal xyz, metres, float64 (F, 6).
        episode: Share of the episodes that come before each look's, (F,).
    """
    fit, choose, test = episode < FIT, (episode >= FIT) & (episode < CHOOSE), episode >= CHOOSE
    scale = inputs[fit].std(0).clamp_min(1e-6)
    normal = ((inputs - inputs[fit].mean(0)) / scale).clamp(-LIMIT, LIMIT)
    centre = positions[fit].mean(0)
    gram = normal[fit].T @ normal[fit]
    moment = normal[fit].T @ (positions[fit] - centre)
    eye = torch.eye(len(gram), dtype=gram.dtype)
    lines = [torch.linalg.solve(gram + ridge * eye, moment) for ridge in RIDGES]

    def distances(line: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        error = normal[rows] @ line + centre - positions[rows]
        return error.view(-1, 2, 3).norm(dim=2).mean(0)

    best = min(lines, key=lambda line: float(distances(line, choose).sum()))
    return [100 * float(value) for value in distances(best, test)]


def probe(policy: VisualActionPolicy, frames: Frames, episodes: EpisodeSet) -> list[float]:
    """Return the errors of the line through a policy's features."""
    features = encode_frames(policy, frames)
    inputs = torch.cat((features, policy.normaliser.proprioception(frames.proprioception)), 1)
    number = torch.searchsorted(episodes.episode_start, episodes.look_step, right=True) - 1
    share = number / episodes.num_episodes
    return errors_cm(inputs.double(), frames.tracked.double(), share)


def main() -> None:
    """Measure all tasks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--init", default="lam-tiny", help="weights, as --policy.init names them")
    parser.add_argument("--tasks", default="cw10,mt10")
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="keep demonstrations here between calls")
    default = Path(__file__).parent / "results" / "linear_probe.json"
    parser.add_argument("--json", type=Path, default=default)
    asked = parser.parse_args()
    pretrained, _ = load_pretrained(asked.init)
    torch.manual_seed(asked.seed)
    random = VisualActionPolicy(pretrained.config).eval()
    rows: list[dict[str, Any]] = []
    for task in dict.fromkeys(resolve_stream(asked.tasks.split(","))):
        config = RunConfig(
            task_stream=(task,),
            seed=asked.seed,
            demonstrations=asked.episodes,
            # Failures are looks like others.
            collect=CollectConfig(keep_failures=True, cache_dir=asked.cache),
            policy=pretrained.config,
        )
        episodes, _ = load_demonstrations(task, config)
        length = pretrained.config.chunk_length
        frames = Frames.from_episodes(episodes, make_task(task).instruction, length)
        moved = (frames.tracked - frames.tracked.mean(0)).view(-1, 2, 3).norm(dim=2).mean(0) * 100
        row: dict[str, Any] = {"task": task, "looks": len(frames)}
        for start, policy in (("pretrained", pretrained), ("random", random)):
            found = probe(policy, frames, episodes)
            row |= {f"{start}_object_cm": found[0], f"{start}_goal_cm": found[1]}
        row |= {"mean_object_cm": float(moved[0]), "mean_goal_cm": float(moved[1])}
        rows.append(row)
        print({k: v if isinstance(v, (int, str)) else round(v, 2) for k, v in row.items()})
    means = {
        name: sum(row[name] for row in rows) / len(rows) for name in rows[0] if name.endswith("_cm")
    }
    print({name: round(value, 2) for name, value in means.items()})
    write_report(
        asked.json,
        {"init": asked.init, "seed": asked.seed, "episodes": asked.episodes, "means": means}
        | {"tasks": rows},
    )


if __name__ == "__main__":
    main()
