"""Checkpoints: a policy as a folder of safetensors and json that proves itself whole on load."""

from lam_agent.checkpoint.contract import Contract
from lam_agent.checkpoint.initial import fitted_sizes
from lam_agent.checkpoint.initial_tasks import (
    fitted_pretraining,
    initial_tasks,
    remembered_instructions,
)
from lam_agent.checkpoint.instructions import InstructionMatch, match_instruction
from lam_agent.checkpoint.memory import Memory, has_memory, load_memory
from lam_agent.checkpoint.pretrained import (
    load_initial_weights,
    load_pretrained,
    save_pretrained,
)
from lam_agent.checkpoint.verification import resolve_checkpoint

__all__ = [
    "Contract",
    "InstructionMatch",
    "Memory",
    "fitted_pretraining",
    "fitted_sizes",
    "has_memory",
    "initial_tasks",
    "load_initial_weights",
    "load_memory",
    "load_pretrained",
    "match_instruction",
    "remembered_instructions",
    "resolve_checkpoint",
    "save_pretrained",
]
