"""faucet-open: turn a faucet's handle open (metaworld 3.0.0, `sawyer_faucet_open_v3.py`)."""

from __future__ import annotations

from lam_envs.tasks.faucet import FaucetTask


class FaucetOpen(FaucetTask):
    """Turn the faucet's red handle by a quarter, to the right.

    Reset vector: faucet xyz. Success: a point 5 cm beside the handle's end within 7 cm of the
    end's open position.
    """

    name = "faucet-open"
    instruction = "open the faucet"
    reset_low = (-0.05, 0.8, 0.0)
    reset_high = (0.05, 0.85, 0.0)
    handle_site = "handleStartOpen"
    direction = 1.0
    aim_in_handle = (-0.04, 0.0, 0.03)
