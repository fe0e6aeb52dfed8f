"""The task stream as an Avalanche benchmark, and what other Avalanche code reads from it."""

from collections.abc import Callable

import torch

from lam_agent.continual.batches import FrameLoader, Frames
from lam_agent.continual.stream import make_benchmark

MakeFrames = Callable[..., Frames]


def test_experiences_come_in_order_with_their_position_as_label(make_frames: MakeFrames) -> None:
    visits = [make_frames(count, seed=count) for count in (3, 5, 4)]
    stream = make_benchmark(visits).train_stream
    assert [experience.current_experience for experience in stream] == [0, 1, 2]
    assert [experience.task_label for experience in stream] == [0, 1, 2]
    assert [len(experience.dataset) for experience in stream] == [3, 5, 4]


def test_an_item_of_the_dataset_is_one_frame(make_frames: MakeFrames) -> None:
    visits = [make_frames(3, seed=count, mark=float(count)) for count in (0, 1)]
    experience = list(make_benchmark(visits).train_stream)[1]
    observation, target, label, *more = experience.dataset[2]
    assert torch.equal(observation.images["front"], visits[1].images["front"][2:])
    assert torch.equal(observation.proprioception, visits[1].proprioception[2:])
    assert torch.equal(observation.bags[0], visits[1].bag)
    assert torch.equal(target.actions, visits[1].actions[2:])
    assert label.tolist() == [1] and more == [1]


def test_a_loader_draws_from_all_frames_of_each_source(make_frames: MakeFrames) -> None:
    sources = [(make_frames(6, mark=0.0), 0, 4), (make_frames(3, seed=1, mark=1.0), 1, 2)]
    loader = FrameLoader(sources, 40, torch.Generator().manual_seed(0))
    assert len(loader) == 40
    seen: set[tuple[float, ...]] = set()
    for observation, target, labels in loader:
        assert labels.tolist() == [0, 0, 0, 0, 1, 1]
        assert observation.proprioception[:, 0].tolist() == labels.tolist()
        assert len(target.tracked) == 6
        seen |= {tuple(row) for row in observation.proprioception.tolist()}
    assert len(seen) == 9


def test_a_loader_draws_the_same_from_the_same_generator(make_frames: MakeFrames) -> None:
    def draws(seed: int) -> torch.Tensor:
        loader = FrameLoader([(make_frames(9), 0, 3)], 2, torch.Generator().manual_seed(seed))
        return torch.cat([observation.proprioception for observation, _, _ in loader])

    assert torch.equal(draws(1), draws(1))
    assert not torch.equal(draws(1), draws(2))


def test_batches_move_to_a_device(make_frames: MakeFrames) -> None:
    loader = FrameLoader([(make_frames(4), 0, 2)], 1, torch.Generator())
    ((observation, target, _),) = list(loader)
    moved, aims = observation.to("meta"), target.to("meta")
    tensors = [*moved.images.values(), moved.proprioception, moved.bags]
    tensors += [aims.actions, aims.is_inside, aims.tracked]
    assert {str(tensor.device) for tensor in tensors} == {"meta"}
