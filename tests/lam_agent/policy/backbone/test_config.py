"""Settings of encoders: what is refused before anything is built."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lam_agent.checkpoint.contract import Contract, _digest
from lam_agent.config import PolicyConfig
from lam_agent.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"encoder": "point"}, "did you mean 'points'?"),
        ({"encoder": "timm:"}, "timm:NAME"),
        ({"encoder": "keras:resnet18"}, "torchvision:NAME"),
        ({"encoder_weights": "default"}, "--policy.encoder points"),
        ({"encoder": "vit-small", "encoder_weights": "default"}, "--policy.encoder vit-small"),
        ({"encoder": "timm:resnet18", "encoder_weights": "a.pth"}, "a.safetensors"),
        ({"encoder": "timm:resnet18", "encoder_weights": "imagenet"}, "none, default or"),
    ],
)
def test_wrong_settings_are_refused(
    settings: dict[str, str], words: str, check_sentence: Callable[[object], str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        PolicyConfig(**settings)  # type: ignore[arg-type]
    assert words in check_sentence(caught.value)


def test_checkpoints_of_earlier_versions_have_encoders_of_points(saved_checkpoint: Path) -> None:
    data = json.loads((saved_checkpoint / "config.json").read_text(encoding="utf-8"))
    for name in ("encoder", "encoder_weights"):
        assert data["policy"].pop(name)
    del data["config_sha256"]
    text = json.dumps({**data, "config_sha256": _digest(data)})
    contract = Contract.from_text(text)
    assert (contract.policy.encoder, contract.policy.encoder_weights) == ("points", "none")
