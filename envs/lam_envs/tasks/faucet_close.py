"""faucet-close: turn a faucet's handle shut (metaworld 3.0.0, `sawyer_faucet_close_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.faucet import FaucetTask
from lam_envs.tasks.sawyer import SawyerWorlds


class FaucetClose(FaucetTask):
    """Turn the faucet's red handle by a quarter, to the left.

    Reset vector: faucet xyz. Success: handle's end within 7 cm of its closed position.
    """

    name = "faucet-close"
    instruction = "close the faucet"
    reset_low = (-0.1, 0.8, 0.0)
    reset_high = (0.1, 0.85, 0.0)
    handle_site = "handleStartClose"
    direction = -1.0

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        super().place_objects(worlds, mask, vectors)
        worlds.sim.forward(mask)  # Not in faucet-open, as in the original.
