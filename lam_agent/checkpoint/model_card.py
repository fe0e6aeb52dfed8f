"""The model card: `README.md` of a checkpoint, for people."""

from __future__ import annotations

import json
from collections.abc import Mapping

from lam_agent.checkpoint.contract import (
    CONFIG_FILE,
    INSTRUCTIONS_FILE,
    MEMORY_FILE,
    MODEL_FILE,
    PARITY_FILE,
    Contract,
)
from lam_agent.checkpoint.success_row import SuccessRow
from lam_agent.metrics.intervals import wilson_interval

_TEMPLATE = """\
---
library_name: lam_agent
pipeline_tag: robotics
tags:
- robotics
- continual-learning
- imitation-learning
- visual-action-policy
- meta-world
---

# Visual-action policy for {names}

A policy that looks through {cameras} at {size}x{size} pixels, feels its gripper, reads which
task it is on, and outputs chunks of {chunk} actions, of which {execute} are executed before it
looks again. It learned these tasks {order} with lam_agent {version}, from {source}
demonstrations in Meta-World v3's simulated Sawyer scenes.

## Tasks

{tasks}

## Success

{success}

Protocol: {protocol}. Seeds: {seeds}.

{story}## Use

```python
from lam_agent.controller import Controller

controller = Controller.load("path/to/this/folder", task="{task}")
action = controller.act(observation)
```

`observation` holds {observation}. An action is {actions}, each in [-1, 1], to be executed for
{dt:g} s ({rate:g} actions a second). `{config}` has the units, limits, scales and camera poses.

## Files

- `{model}`: the weights, normaliser included.{packs}
- `{config}`: the controller contract, with the SHA-256 of every other file.
- `{parity}`: observations and the actions they must give, replayed on load; an action may
  differ by {cpu:g} on a CPU in float32 and by {cuda:g} on a CUDA device.
- `{instructions}`: the vector of each task's instruction, as the text encoder gives it.{memory}

Nothing is pickled. A file that was changed, this one included, is refused on load.

## Limits

- Trained and measured in simulation only; no real robot has run it.
- Cameras, lights, objects and start positions are those of the simulated scenes; nothing is known
  of others.
- It knows the tasks that are named above. Any other instruction is taken
  (`Controller.load(…, instruction="…")`), with a warning that names the nearest of them; nothing
  was measured of it.
- It does not know whether it has succeeded, sees no forces and avoids no obstacle: the robot's own
  safety limits must stay on.
"""

_PACKS = """ Tasks have weights of their own (`--strategy packnet`):
  the policy is another one on each task, which lam_agent sees to; who reads the file otherwise
  puts `before:…` in the place of weights that tasks after it own (`owner:…`, in the order of
  `bags`)."""


_MEMORY = """
- `{file}`: frames, as its camera encoders see them, of tasks that it can do, by which `--strategy
  replay` keeps these when the policy learns others: {tasks}."""

_STORY_ENDS = "## Use\n"


def card_story(card: str) -> str:
    """Return from a card how the weights were made; nothing where that is not told."""
    body, _, _ = card.partition(f"\n{_STORY_ENDS}")
    _, _, told = body.partition("\nProtocol: ")
    return told.partition("\n\n")[2].rstrip("\n") + "\n" if "\n\n" in told.rstrip() else ""


def render_card(contract: Contract, story: str = "") -> str:
    """Return the model card of a checkpoint as Markdown, with how it was made, if that is told."""
    observation = ", ".join(
        f"`{key}` ({entry.dtype}, shape {'x'.join(map(str, entry.shape))})"
        for key, entry in contract.observation.items()
    )
    cameras = [key for key, entry in contract.observation.items() if entry.camera]
    is_joint = contract.protocol.get("strategy") == "joint"
    source = contract.protocol.get("demonstration_source")
    is_own = isinstance(source, Mapping) and source.get("source") == "own"
    return _TEMPLATE.format(
        names=", ".join(contract.tasks),
        cameras=f"{len(cameras)} cameras ({', '.join(cameras)})",
        size=contract.policy.image_size,
        chunk=contract.chunk_length,
        execute=contract.execute_length,
        version=contract.lam_agent_version,
        tasks="\n".join(f"- `{name}`: {_one_line(text)}" for name, text in contract.tasks.items()),
        success=_success_table(contract.success_row, str(contract.protocol.get("split", "test"))),
        protocol=_one_line(json.dumps(contract.protocol)),
        seeds=_one_line(json.dumps(contract.seeds)),
        task=next(iter(contract.tasks)),
        observation=observation,
        actions=", ".join(f"`{entry.name}`" for entry in contract.actions),
        dt=contract.control_dt,
        rate=1 / contract.control_dt,
        config=CONFIG_FILE,
        model=MODEL_FILE,
        packs=_PACKS if contract.policy.packed != "none" else "",
        parity=PARITY_FILE,
        instructions=INSTRUCTIONS_FILE,
        memory=_memory_words(contract),
        order="all at once" if story or is_joint else "one after the other",
        source="its maker's own" if is_own else "scripted",
        story=f"{story}\n" if story else "",
        cpu=contract.parity.tolerance_cpu,
        cuda=contract.parity.tolerance_cuda,
    )


def _memory_words(contract: Contract) -> str:
    """Return what the memory holds; nothing where there is none."""
    if not contract.remembered:
        return ""
    return _MEMORY.format(file=MEMORY_FILE, tasks=", ".join(contract.remembered))


def _success_table(row: SuccessRow, split: str) -> str:
    """Return the success row as a table with a line for each measured column.

    Args:
        row: The row.
        split: Which start states it was measured on.
    """
    lines = []
    for task, rate, at_end, count in zip(
        row.task, row.success, row.success_at_end, row.episodes, strict=True
    ):
        if rate is None or at_end is None or count is None:
            continue
        low, high = wilson_interval(round(rate * count), count)
        cells = (task, f"{rate:.2f}", f"{low:.2f} to {high:.2f}", f"{at_end:.2f}", str(count))
        lines.append(f"| {' | '.join(cells)} |")
    if not lines:
        return "Not measured."
    header = (
        "| task | success at any step | 95 % interval (Wilson) | success at the last step "
        f"| {_one_line(split)} episodes |\n|---|---|---|---|---|"
    )
    return "\n".join((header, *lines))


def _one_line(text: str) -> str:
    """Return a text without line breaks."""
    return " ".join(text.split())
