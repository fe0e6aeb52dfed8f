"""Importing torchvision, also where it cannot load its own operators."""

import subprocess
import sys

FRESH = """
import warnings
warnings.simplefilter("error")
from lam_agent.torchvision_import import import_torchvision
import_torchvision()
import_torchvision()
import torch, torchvision
boxes = torch.zeros(2, 4)
print(torchvision.__version__, hasattr(torch.ops.torchvision, "nms"))
"""


def test_a_fresh_process_imports_torchvision_silently() -> None:
    result = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    version, has_operator = result.stdout.split()
    assert version[0].isdigit() and has_operator == "True"
