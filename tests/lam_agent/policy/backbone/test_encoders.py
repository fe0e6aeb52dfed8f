"""Backbones as camera encoders: features, what is shared, what moves while they are trained."""

import sys
from collections.abc import Callable

import pytest
import torch
from torch import nn

from lam_agent.continual.importance import diagonal_fisher
from lam_agent.errors import ConfigError, MissingExtraError
from lam_agent.policy.backbone.encoders import BackboneEncoders
from lam_agent.policy.backbone.trunk import picture_side
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.modes import freeze
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.scene import CAMERAS

MakePolicy = Callable[..., VisualActionPolicy]
MakeObservations = Callable[..., dict[str, torch.Tensor]]

CONVOLUTIONAL = "torchvision:shufflenet_v2_x0_5"
NETWORKS = (CONVOLUTIONAL, "timm:test_vit", "timm:test_resnet")

BAG = bag_of_words("push the puck to the green marker")


def backbone(policy: VisualActionPolicy) -> BackboneEncoders:
    assert isinstance(policy.encoders, BackboneEncoders)
    return policy.encoders


@pytest.mark.parametrize("encoder", NETWORKS)
def test_features_are_points_and_means_of_at_least_eight_by_eight_cells(
    make_backbone: MakePolicy, make_observations: MakeObservations, encoder: str
) -> None:
    policy, observation = make_backbone(encoder), make_observations()
    with torch.no_grad():
        features = policy.encode(observation)
    encoders = backbone(policy)
    assert features.shape == (3, len(CAMERAS) * encoders.size)
    assert encoders.size == 3 * policy.config.keypoints + policy.config.channels
    assert all(p.points.grid.shape[1] >= 64 for p in encoders.projections.values())  # type: ignore[arg-type, union-attr]
    assert bool(features.isfinite().all()) and float(features.std(0).min()) > 0
    assert policy.act(observation, BAG).shape == (3, 4, 4)


@pytest.mark.parametrize("encoder", NETWORKS)
def test_all_of_a_backbone_is_trained_and_its_buffers_stay(
    make_backbone: MakePolicy, make_observations: MakeObservations, encoder: str
) -> None:
    policy, observation = make_backbone(encoder, "kept.safetensors"), make_observations()
    before = {name: value.clone() for name, value in policy.named_buffers()}
    expected = policy.eval().encode(observation)
    policy.train()
    found = policy.encode(observation)
    assert torch.equal(found, expected)
    found.square().sum().backward()
    assert [name for name, p in policy.encoders.named_parameters() if p.grad is None] == []
    assert all(torch.equal(value, before[name]) for name, value in policy.named_buffers())


@pytest.mark.parametrize("encoder", [CONVOLUTIONAL, "timm:test_resnet"])
def test_random_backbones_have_group_norms(make_backbone: MakePolicy, encoder: str) -> None:
    random, kept = (make_backbone(encoder, w).encoders for w in ("none", "kept.safetensors"))
    for encoders, has_batch_norms in ((random, False), (kept, True)):
        found = any(isinstance(m, nn.BatchNorm2d) for m in encoders.modules())
        assert found == has_batch_norms
    sizes = [sum(p.numel() for p in encoders.parameters()) for encoders in (random, kept)]
    assert sizes[0] == sizes[1]


def test_cameras_share_the_backbone_and_have_their_own_projection(
    make_backbone: MakePolicy, make_observations: MakeObservations
) -> None:
    policy, observation = make_backbone(CONVOLUTIONAL), make_observations()
    picture = {camera: observation["front"] for camera in CAMERAS}
    front, wrist = policy.encode(picture).chunk(2, 1)
    assert not torch.equal(front, wrist)
    with torch.no_grad():
        backbone(policy).projections["wrist"].load_state_dict(
            backbone(policy).projections["front"].state_dict()
        )
    front, wrist = policy.encode(picture).chunk(2, 1)
    assert torch.equal(front, wrist)


def test_points_follow_what_moves(make_backbone: MakePolicy) -> None:
    pictures = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
    pictures[0, 24:40, 4:20], pictures[1, 24:40, 44:60] = 255, 255
    policy = make_backbone("timm:test_resnet", image_size=64)
    with torch.no_grad():
        features = policy.encode({camera: pictures for camera in CAMERAS}).chunk(2, 1)[0]
    count = policy.config.keypoints
    moved = (features[1] - features[0])[: 2 * count].view(count, 2).abs().mean(0)
    assert float(moved[0]) > 3 * float(moved[1]), "the square moved sideways"
    assert float(moved[0]) > 0.05


def test_frozen_backbones_stay_as_they_are(
    make_backbone: MakePolicy, make_observations: MakeObservations
) -> None:
    policy, observation = make_backbone(CONVOLUTIONAL), make_observations()
    freeze(policy, "trunk", rank=2, seed=1)
    policy.train()
    assert policy.is_encoder_frozen and not policy.encoders.training
    policy(observation, observation["proprioception"], BAG.expand(3, -1)).actions.sum().backward()
    assert all(p.grad is None for p in policy.encoders.parameters())
    assert policy.views["front"].weight.grad is not None


def test_importances_of_a_backbone_are_computed(
    make_backbone: MakePolicy, make_frames: Callable[..., object]
) -> None:
    policy = make_backbone(CONVOLUTIONAL)
    generator = torch.Generator().manual_seed(2)
    fisher = diagonal_fisher(policy, make_frames(2), generator, 2)  # type: ignore[arg-type]
    inside = [float(value.sum()) for name, value in fisher.items() if ".trunk.network." in name]
    assert inside and min(inside) > 0


def test_sides_of_pictures() -> None:
    assert picture_side(64, 8, 8) == 64
    assert picture_side(32, 8, 8) == 64
    assert picture_side(64, 16, 32) == 128
    assert picture_side(200, 14, 14) == 210


@pytest.mark.parametrize(
    ("encoder", "near"),
    [
        ("torchvision:resnet19", "resnet18"),
        ("timm:vit_smal_patch16_224", "vit_small_patch16_224"),
        ("timm:resnet18.a1_in2k", "resnet18.a1_in1k"),
    ],
)
def test_unknown_networks_are_refused_with_the_nearest(
    make_backbone: MakePolicy, check_sentence: Callable[[object], str], encoder: str, near: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make_backbone(encoder)
    assert near in check_sentence(caught.value)


def test_a_missing_extra_is_told_with_the_command(
    make_policy: MakePolicy,
    monkeypatch: pytest.MonkeyPatch,
    check_sentence: Callable[[object], str],
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError) as caught:
        make_policy(encoder="timm:resnet18")
    assert 'pip install "lam-agent[timm]"' in check_sentence(caught.value)
