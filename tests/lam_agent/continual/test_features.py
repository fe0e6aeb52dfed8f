"""Adaptation modes in training: what is frozen stays, features give the same loss, real bytes."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from lam_agent.config import ADAPTATION_MODES
from lam_agent.continual import precision
from lam_agent.continual.batches import Frames
from lam_agent.continual.capture import capture_training
from lam_agent.continual.features import encode_frames
from lam_agent.continual.replay import ReplayBuffer
from lam_agent.policy.policy import VisualActionPolicy

MakeLab = Callable[..., Any]
MakeFrames = Callable[..., Frames]

FROZEN_MODES = [mode for mode in ADAPTATION_MODES if mode != "full"]
STRATEGIES = ("naive", "replay", "packnet", "ewc", "mas", "l2", "agem", "cumulative")


class Watcher:
    """A plugin that notes losses, norms and learning rates of every step."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.rates: list[list[float]] = []
        self.trained: set[int] = set()
        self.named: dict[str, torch.Tensor] = {}

    def after_update(self, strategy: Any, **kwargs: Any) -> None:
        groups = strategy.optimizer.param_groups
        trained = [p for group in groups for p in group["params"]]
        self.losses.append(float(strategy.loss.detach()))
        gradients = [p.grad.norm() for p in trained if p.grad is not None]
        self.norms.append(float(torch.stack(gradients).norm()))
        self.rates.append([group["lr"] for group in groups])
        self.trained = {id(p) for p in trained}
        self.named = capture_training(strategy)[0]


@pytest.fixture
def full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in float32 also where bf16 is faster: features are float32 always."""
    monkeypatch.setattr(precision, "has_fast_bf16", lambda device: False)


# Frozen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["replay", "ewc"])
@pytest.mark.parametrize("adapt", FROZEN_MODES)
def test_what_is_frozen_stays_bit_for_bit(make_lab: MakeLab, strategy: str, adapt: str) -> None:
    watcher = Watcher()
    lab = make_lab(strategy, adapt=adapt, watchers=[watcher], max_steps=2, average_decay=0.9)
    model = lab.strategy.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    lab.train(0, 1)
    for name, value in model.state_dict().items():
        if name not in trained:
            assert torch.equal(value, before[name]), name
    assert any(not torch.equal(model.state_dict()[name], before[name]) for name in trained)
    assert watcher.trained == {id(p) for p in model.parameters() if p.requires_grad}

    def names(prefix: str, named: Mapping[str, Any]) -> set[str]:
        return {name.removeprefix(prefix) for name in named if name.startswith(prefix)}

    assert names("optimizer.exp_avg.", watcher.named) <= trained
    assert names("validation.average.", watcher.named) == trained
    if strategy == "ewc":
        (plugin,) = lab.plugins
        assert set(plugin.importance) == set(plugin.anchor) == trained


# Features --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("full_precision")
@pytest.mark.parametrize(
    ("adapt", "strategy"),
    [*(("trunk", strategy) for strategy in STRATEGIES), *((m, "replay") for m in FROZEN_MODES[1:])],
)
def test_features_give_the_loss_that_pictures_give(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch, strategy: str, adapt: str
) -> None:
    losses = []
    for is_cached in (True, False):
        if not is_cached:
            monkeypatch.setattr(VisualActionPolicy, "is_encoder_frozen", False)
        watcher = Watcher()
        lab = make_lab(strategy, adapt=adapt, store="images", watchers=[watcher])
        lab.train(0, 1)
        assert (lab.visits[0].features is not None) is is_cached
        losses.append(watcher.losses)
    # What moved farthest is chosen by packnet, which makes rounding larger.
    assert losses[0] == pytest.approx(losses[1], abs=2e-4 if strategy == "packnet" else 1e-5)


@pytest.mark.usefixtures("full_precision")
def test_replayed_features_of_half_precision_are_near(make_lab: MakeLab) -> None:
    losses = []
    for store in ("images", "features"):
        watcher = Watcher()
        lab = make_lab("replay", adapt="trunk", store=store, watchers=[watcher], max_steps=1)
        lab.train(0, 1)
        losses.append(watcher.losses)
    assert losses[0][0] == losses[1][0]
    assert losses[0][1] == pytest.approx(losses[1][1], abs=1e-3)


@pytest.mark.parametrize("strategy", ["naive", "cumulative"])
def test_each_frame_is_encoded_once(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    encoded: list[int] = []
    encode = VisualActionPolicy.encode

    def counted(policy: VisualActionPolicy, images: Mapping[str, torch.Tensor]) -> torch.Tensor:
        encoded.append(len(images["front"]))
        return encode(policy, images)

    monkeypatch.setattr(VisualActionPolicy, "encode", counted)
    lab = make_lab(strategy, adapt="trunk")
    shares: list[float] = []
    lab.strategy.prepare(0, lambda share, words: shares.append(share))
    assert encoded == [20] and shares == [1.0]
    lab.train(0, 1, 2)
    assert encoded == [20, 20, 20]


def test_features_are_computed_in_batches(make_lab: MakeLab, make_frames: MakeFrames) -> None:
    lab, frames = make_lab(adapt="trunk"), make_frames(300)
    features = encode_frames(lab.strategy.model, frames)
    assert features.dtype == torch.float32 and not features.requires_grad
    torch.testing.assert_close(
        features, lab.strategy.model.encode(frames.images).detach(), rtol=1e-4, atol=1e-5
    )


def test_frames_with_features_survive_a_file_and_a_choice(make_frames: MakeFrames) -> None:
    frames = make_frames(6)
    frames.features = torch.rand(6, 5)
    again = Frames.from_tensors(frames.tensors())
    assert again.features is not None and torch.equal(again.features, frames.features)
    chosen = frames.without_images().select(torch.tensor([4, 1]))
    assert chosen.images == {} and chosen.features is not None
    assert torch.equal(chosen.features, frames.features[[4, 1]])
    assert "features" not in frames.without_features().tensors()


@pytest.mark.parametrize("store", ["images", "features"])
def test_the_budget_counts_what_is_stored(make_lab: MakeLab, store: str) -> None:
    lab = make_lab("replay", adapt="trunk", store=store, max_steps=1)
    (plugin,) = lab.plugins
    size = lab.visits[0].num_bytes // len(lab.visits[0])
    plugin.buffer = ReplayBuffer(8 * size)
    lab.train(0, 1)
    rows = 4 * (4 + 6 + 4 * 4) + 4
    feature_bytes = 2 * 3 * 8 * 2  # Two cameras, 8 points, float16.
    output_bytes = 2 * 4 * 4  # A chunk of four actions, float16.
    expected = output_bytes + (size if store == "images" else rows + feature_bytes)
    count = min(20, 8 * size // 2 // expected)
    assert [len(frames) for frames in plugin.buffer.tasks] == [count, count]
    assert plugin.buffer.num_bytes == 2 * count * expected <= plugin.buffer.max_bytes
    kinds = {(bool(frames.images), frames.features is None) for frames in plugin.buffer.tasks}
    assert kinds == {(store == "images", store == "images")}


# Training --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("full_precision")
def test_accumulated_batches_are_one_large_one(make_lab: MakeLab, make_frames: MakeFrames) -> None:
    frames = make_frames(20)
    frames.is_inside[:] = True
    found = []
    for batch_size, accumulate in ((12, 1), (4, 3)):
        watcher = Watcher()
        settings = {"batch_size": batch_size, "accumulate": accumulate, "clip_norm": 1e6}
        lab = make_lab(visits={0: frames}, watchers=[watcher], max_steps=1, **settings)
        lab.train(0)
        found.append((watcher.losses[0], watcher.norms[0]))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_the_encoders_have_a_rate_of_their_own(make_lab: MakeLab) -> None:
    watcher = Watcher()
    make_lab(watchers=[watcher], encoder_rate=0.1, warmup_steps=0).train(0)
    assert watcher.rates[0] == pytest.approx([3e-3, 3e-4])
    for rate, encoder_rate in watcher.rates:
        assert encoder_rate == pytest.approx(0.1 * rate)


def test_dropout_trains_otherwise_and_the_fisher_has_none(make_lab: MakeLab) -> None:
    watchers = []
    for dropout in (0.0, 0.5):
        watchers.append(Watcher())
        lab = make_lab("ewc", watchers=[watchers[-1]], dropout=dropout, max_steps=1)
        lab.train(0)
        assert {m.p for m in lab.strategy.model.trunk.modules() if hasattr(m, "p")} == {dropout}
    assert watchers[0].losses != watchers[1].losses


# Altered copies --------------------------------------------------------------------------------


@pytest.mark.parametrize("store", ["features", "images"])
def test_training_and_the_buffer_have_altered_copies(make_lab: MakeLab, store: str) -> None:
    lab = make_lab("replay", adapt="trunk", copies=2, store=store)
    lab.strategy.prepare(0)
    frames, seen = lab.visits[0], lab.strategy.seen
    count = len(frames)
    assert len(seen) == 3 * count and not seen.images and seen.features is not None
    plain = encode_frames(lab.strategy.model, frames)
    assert torch.equal(seen.features[:count], plain)
    first, second = seen.features[count : 2 * count], seen.features[2 * count :]
    for copy, other in ((first, plain), (second, plain), (first, second)):
        assert bool((copy != other).any(1).all())  # Each frame by itself.
    for name in ("actions", "proprioception", "tracked", "is_inside"):
        rows = getattr(frames, name)
        assert torch.equal(getattr(seen, name), torch.cat((rows, rows, rows)))
    lab.train(0)
    (plugin,) = lab.plugins
    kept = plugin.buffer.tasks[0]
    assert len(kept) == (count if store == "images" else 3 * count)
    lab.strategy.prepare(1)  # Kept pictures are altered anew, kept features are not.
    assert len(plugin._seen[0]) == 3 * count


def test_trained_encoders_see_altered_pictures(make_lab: MakeLab) -> None:
    watchers = [Watcher(), Watcher(), Watcher()]
    for watcher, copies in zip(watchers, (0, 1, 1), strict=True):
        make_lab(copies=copies, watchers=[watcher]).train(0)
    plain, altered, again = (watcher.losses for watcher in watchers)
    assert plain[0] != altered[0] and altered == again
