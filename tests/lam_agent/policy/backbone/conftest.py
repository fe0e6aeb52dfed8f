"""Fixtures for tests of image backbones."""

import importlib.util
import socket
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lam_agent.policy.policy import VisualActionPolicy

MakePolicy = Callable[..., VisualActionPolicy]

FILE = "weights.safetensors"
"""Weights that are named, so that the network is built for them, and never read."""


@pytest.fixture
def make_backbone(make_policy: MakePolicy) -> MakePolicy:
    """Make a small policy with a backbone; a network of timm skips the test where it is missing."""

    def make(encoder: str, weights: str = "none", **changes: Any) -> VisualActionPolicy:
        if encoder.startswith("timm:") and importlib.util.find_spec("timm") is None:
            pytest.skip("the extra timm is not installed")
        return make_policy(encoder=encoder, encoder_weights=weights, **changes)

    return make


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """No name of the internet is found, and nothing was downloaded before."""

    def fail(*arguments: object, **keywords: object) -> None:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
