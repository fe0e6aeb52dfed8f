"""Weights that a backbone begins with: files that fit and do not fit, and no internet."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from lam_agent.checkpoint import fitted_sizes, load_initial_weights, load_pretrained
from lam_agent.config import PolicyConfig
from lam_agent.errors import CheckpointError, ConfigError
from lam_agent.policy.backbone.timm_trunk import make_timm
from lam_agent.policy.backbone.weights import check_backbone, load_backbone_weights
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.torchvision_import import import_torchvision

MakePolicy = Callable[..., VisualActionPolicy]
Tensors = dict[str, torch.Tensor]

CONVOLUTIONAL = "torchvision:shufflenet_v2_x0_5"


def tensors_of(encoder: str) -> Tensors:
    """Return all tensors of a whole network with random weights, its classifier's among them."""
    import_torchvision()
    library, _, name = encoder.partition(":")
    if library == "timm":
        network = pytest.importorskip("timm").create_model(name)
    else:
        models: Any = import_module("torchvision.models")
        network = models.get_model(name)
    return {key: value.contiguous() for key, value in network.state_dict().items()}


def write(folder: Path, tensors: Tensors) -> str:
    path = folder / "weights.safetensors"
    save_file(tensors, path)
    return str(path)


@pytest.mark.parametrize("encoder", [CONVOLUTIONAL, "timm:test_resnet", "timm:test_convnext"])
def test_a_file_fills_the_backbone(make_backbone: MakePolicy, tmp_path: Path, encoder: str) -> None:
    tensors = tensors_of(encoder)
    policy = make_backbone(encoder, write(tmp_path, tensors))
    load_backbone_weights(policy.encoders, policy.config)
    found = policy.encoders.get_submodule("trunk.network.layers").state_dict()
    assert found and all(torch.equal(value, tensors[name]) for name, value in found.items())


def test_positions_are_fitted_to_the_pictures(make_backbone: MakePolicy, tmp_path: Path) -> None:
    tensors = tensors_of("timm:test_vit")
    tensors["pos_embed"] = torch.full_like(tensors["pos_embed"], 0.25)
    policy = make_backbone("timm:test_vit", write(tmp_path, tensors))
    load_backbone_weights(policy.encoders, policy.config)
    found = policy.encoders.get_submodule("trunk.network.layers").state_dict()
    assert found["pos_embed"].shape != tensors["pos_embed"].shape
    torch.testing.assert_close(found["pos_embed"], torch.full_like(found["pos_embed"], 0.25))
    assert torch.equal(found["blocks.0.attn.qkv.weight"], tensors["blocks.0.attn.qkv.weight"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("conv1.0.weight"), "has no tensor conv1.0.weight"),
        (lambda t: t.update({"conv1.0.weight": torch.zeros(2, 3, 3, 3)}), "(2, 3, 3, 3)"),
        (lambda t: t["conv1.0.weight"].fill_(float("nan")), "NaN"),
    ],
    ids=["missing", "shape", "nan"],
)
def test_weights_that_do_not_fit_are_told(
    make_backbone: MakePolicy,
    tmp_path: Path,
    check_sentence: Callable[[object], str],
    change: Callable[[Tensors], object],
    words: str,
) -> None:
    tensors = tensors_of(CONVOLUTIONAL)
    change(tensors)
    policy = make_backbone(CONVOLUTIONAL, write(tmp_path, tensors))
    with pytest.raises(CheckpointError) as caught:
        load_backbone_weights(policy.encoders, policy.config)
    assert words in check_sentence(caught.value)


def test_files_that_cannot_be_read_are_told(
    small_sizes: dict[str, int], tmp_path: Path, check_sentence: Callable[[object], str]
) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no tensors")
    for path in (damaged, tmp_path / "missing.safetensors"):
        config = PolicyConfig(
            init="none", **small_sizes, encoder=CONVOLUTIONAL, encoder_weights=str(path)
        )
        with pytest.raises(CheckpointError) as caught:
            check_backbone(config)
        assert path.name in check_sentence(caught.value)


@pytest.mark.usefixtures("offline")
def test_without_the_internet_the_sentence_says_what_to_do(
    make_backbone: MakePolicy, check_sentence: Callable[[object], str]
) -> None:
    policy = make_backbone(CONVOLUTIONAL, "default")
    with pytest.raises(CheckpointError) as caught:
        load_backbone_weights(policy.encoders, policy.config)
    words = check_sentence(caught.value)
    assert "cannot be downloaded" in words and "--policy.encoder-weights" in words


def test_without_the_internet_timm_says_the_same(
    make_backbone: MakePolicy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    check_sentence: Callable[[object], str],
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    policy = make_backbone("timm:test_vit", "default")
    with pytest.raises(CheckpointError) as caught:
        load_backbone_weights(policy.encoders, policy.config)
    assert "timm:test_vit cannot be downloaded" in check_sentence(caught.value)


def test_a_network_that_timm_has_no_weights_for(check_sentence: Callable[[object], str]) -> None:
    timm = pytest.importorskip("timm")
    offered = {name.partition(".")[0] for name in timm.list_models(pretrained=True)}
    name = min(set(timm.list_models()) - offered)
    with pytest.raises(ConfigError) as caught:
        make_timm(f"timm:{name}", 64, is_random=False, is_downloaded=True)
    assert "offers no weights" in check_sentence(caught.value)


def test_a_checkpoint_is_loaded_without_the_internet(
    make_backbone: MakePolicy,
    save_checkpoint: Callable[..., None],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    path = write(tmp_path, tensors_of(CONVOLUTIONAL))
    policy = make_backbone(CONVOLUTIONAL, path)
    load_backbone_weights(policy.encoders, policy.config)
    save_checkpoint(tmp_path / "saved", policy)
    Path(path).unlink()
    request.getfixturevalue("offline")
    loaded, contract = load_pretrained(tmp_path / "saved")
    assert contract.policy.encoder == CONVOLUTIONAL
    assert contract.policy.encoder_weights == "weights.safetensors", "a name, not a place"
    for name, value in policy.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    load_initial_weights(policy, tmp_path / "saved")  # A row of a run, whose config has the path.
    sizes = fitted_sizes(PolicyConfig(init=str(tmp_path / "saved")))
    assert (sizes.encoder, sizes.encoder_weights) == (CONVOLUTIONAL, "weights.safetensors")
    with pytest.raises(CheckpointError, match=r"policy\.encoder is vit-small"):
        fitted_sizes(PolicyConfig(init=str(tmp_path / "saved"), encoder="vit-small"))
