"""Checkpoints: a policy as a folder of safetensors and json that proves itself whole on load."""

from lam_agent.checkpoint.contract import Contract
from lam_agent.checkpoint.initial import check_rate, fitted_sizes
from lam_agent.checkpoint.initial_tasks import (
    check_measured,
    collected_tasks,
    fitted_pretraining,
    remembered_instructions,
)
from lam_agent.checkpoint.instructions import InstructionMatch, match_instruction
from lam_agent.checkpoint.memory import Memory, has_memory, load_memory
from lam_agent.checkpoint.pretrained import (
    load_initial_weights,
    load_pretrained,
    save_pretrained,
)
from lam_agent.checkpoint.verification import resolve_checkpoint, weights_digest

__all__ = [
    "Contract",
    "InstructionMatch",
    "Memory",
    "check_measured",
    "check_rate",
    "collected_tasks",
    "fitted_pretraining",
    "fitted_sizes",
    "has_memory",
    "load_initial_weights",
    "load_memory",
    "load_pretrained",
    "match_instruction",
    "remembered_instructions",
    "resolve_checkpoint",
    "save_pretrained",
    "weights_digest",
]
