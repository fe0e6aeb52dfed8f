"""Names of the tasks that this package brings, and of task streams: data alone.

`cw10` and `cw20` are Continual World's (Wołczyk et al. 2021, https://arxiv.org/abs/2105.10919),
`mt10` and `mt50` are the order of Meta-World's MT10 and MT50 (Yu et al. 2019,
https://arxiv.org/abs/1910.10897). `pretrain32` holds what neither `cw10` nor `mt10` holds: tasks to
pretrain on before a stream is learned; docs/environments.md says which scenes they share with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

BUILT_IN = (
    "reach",
    "push",
    "drawer-open",
    "window-close",
    "pick-place",
    "door-open",
    "drawer-close",
    "button-press-topdown",
    "peg-insert-side",
    "window-open",
    "peg-unplug-side",
    "hammer",
    "push-wall",
    "faucet-close",
    "push-back",
    "stick-pull",
    "handle-press-side",
    "shelf-place",
    "assembly",
    "basketball",
    "bin-picking",
    "box-close",
    "button-press",
    "button-press-topdown-wall",
    "button-press-wall",
    "coffee-button",
    "coffee-pull",
    "coffee-push",
    "dial-turn",
    "disassemble",
    "door-close",
    "door-lock",
    "door-unlock",
    "faucet-open",
    "hand-insert",
    "handle-press",
    "handle-pull",
    "handle-pull-side",
    "lever-pull",
    "pick-out-of-hole",
    "pick-place-wall",
    "plate-slide",
    "plate-slide-back",
    "plate-slide-back-side",
    "plate-slide-side",
    "reach-wall",
    "soccer",
    "stick-push",
    "sweep",
    "sweep-into",
)
"""Names of Meta-World's tasks: those of `mt10` and `cw10`, then the others by name."""

_CW10 = (
    "hammer",
    "push-wall",
    "faucet-close",
    "push-back",
    "stick-pull",
    "handle-press-side",
    "push",
    "shelf-place",
    "window-close",
    "peg-unplug-side",
)

_MT10 = (
    "reach",
    "push",
    "pick-place",
    "door-open",
    "drawer-open",
    "drawer-close",
    "button-press-topdown",
    "peg-insert-side",
    "window-open",
    "window-close",
)

_MT50 = (
    "assembly",
    "basketball",
    "bin-picking",
    "box-close",
    "button-press-topdown",
    "button-press-topdown-wall",
    "button-press",
    "button-press-wall",
    "coffee-button",
    "coffee-pull",
    "coffee-push",
    "dial-turn",
    "disassemble",
    "door-close",
    "door-lock",
    "door-open",
    "door-unlock",
    "hand-insert",
    "drawer-close",
    "drawer-open",
    "faucet-open",
    "faucet-close",
    "hammer",
    "handle-press-side",
    "handle-press",
    "handle-pull-side",
    "handle-pull",
    "lever-pull",
    "pick-place-wall",
    "pick-out-of-hole",
    "pick-place",
    "plate-slide",
    "plate-slide-side",
    "plate-slide-back",
    "plate-slide-back-side",
    "peg-insert-side",
    "peg-unplug-side",
    "soccer",
    "stick-push",
    "stick-pull",
    "push",
    "push-wall",
    "push-back",
    "reach",
    "reach-wall",
    "shelf-place",
    "sweep-into",
    "sweep",
    "window-open",
    "window-close",
)

_PRETRAIN32 = tuple(name for name in BUILT_IN if name not in {*_CW10, *_MT10})

STREAMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cw10": _CW10,
        "cw20": _CW10 * 2,
        "mt10": _MT10,
        "mt50": _MT50,
        "pretrain32": _PRETRAIN32,
    }
)
"""Name of a stream -> its tasks in order."""


def has_repeats(name: str) -> bool:
    """Say whether a name is that of a stream in which a task comes more than once."""
    tasks = STREAMS.get(name, ())
    return len(set(tasks)) < len(tasks)
