"""Replay and cumulative learning: real bytes, copies, the composition of batches."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lam_agent.continual.batches import Frames
from lam_agent.continual.remembered import from_memory, to_memory
from lam_agent.continual.replay import ReplayBuffer, ReplayPlugin, even_share, split_evenly
from lam_agent.continual.training_state import load_plugins, plugin_tensors
from lam_agent.errors import ConfigError

MakeFrames = Callable[..., Frames]
MakeLab = Callable[..., Any]


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def frame_bytes(frames: Frames) -> int:
    """Count the bytes of a frame by hand: two pictures, 4 + 6 floats, 4 actions, 4 flags."""
    height, width = frames.images["front"].shape[1:3]
    return 2 * height * width * 3 + 4 * (4 + 6 + 4 * 4) + 4


# Buffer ----------------------------------------------------------------------------------------


def test_the_bytes_of_frames_are_those_of_their_tensors(make_frames: MakeFrames) -> None:
    frames = make_frames(7)
    assert frames.num_bytes == 7 * frame_bytes(frames)


@pytest.mark.parametrize("budget_frames", [5.0, 5.9, 17.3, 1000.0])
def test_the_budget_is_never_exceeded_and_shared_evenly(
    make_frames: MakeFrames, generator: torch.Generator, budget_frames: float
) -> None:
    size = frame_bytes(make_frames(1))
    buffer = ReplayBuffer(int(budget_frames * size))
    before: list[int] = []
    for task in range(5):
        buffer.add(make_frames(12 + task, seed=task, mark=float(task)), generator)
        held = [len(frames) for frames in buffer.tasks]
        assert buffer.num_bytes == sum(held) * size <= buffer.max_bytes
        available = [*before, 12 + task]
        shares = {n for n, there in zip(held, available, strict=True) if n < there}
        assert len(shares) <= 1 and all(
            share >= int(budget_frames) // (task + 1) for share in shares
        )
        assert all(n <= share for n in held for share in shares)
        before = held
        for index, frames in enumerate(buffer.tasks):
            assert torch.equal(frames.proprioception[:, 0], torch.full((held[index],), index))


@pytest.mark.parametrize(
    ("sizes", "budget", "share"),
    [
        ([5, 5, 5], 100, 5),  # All goes in.
        ([5, 5, 5], 9, 3),
        ([2, 9, 9], 12, 5),  # Who needs less leaves the rest to the others.
        ([9, 1, 1, 1], 6, 3),
        ([4], 3, 3),
    ],
)
def test_what_a_task_does_not_need_goes_to_the_others(
    sizes: list[int], budget: int, share: int
) -> None:
    assert even_share(sizes, budget) == share
    assert sum(min(size, share) for size in sizes) <= budget


def test_the_memory_behind_the_buffer_is_its_own(
    make_frames: MakeFrames, generator: torch.Generator
) -> None:
    frames = make_frames(20)
    buffer = ReplayBuffer(8 * frame_bytes(frames))
    buffer.add(frames, generator)
    before = {name: tensor.clone() for name, tensor in buffer.tasks[0].tensors().items()}
    for name, tensor in frames.tensors().items():
        if name != "bag":
            tensor.zero_()
    for name, tensor in buffer.tasks[0].tensors().items():
        assert torch.equal(tensor, before[name]), name
    held = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for name, tensor in buffer.tasks[0].tensors().items()
        if name != "bag"
    }
    assert sum(held.values()) == buffer.num_bytes  # No view on a larger tensor.


def test_frames_are_kept_at_random_and_whole(
    make_frames: MakeFrames, generator: torch.Generator
) -> None:
    frames = make_frames(20)
    buffer = ReplayBuffer(8 * frame_bytes(frames))
    buffer.add(frames, generator)
    kept = buffer.tasks[0]
    rows = [
        int((frames.proprioception == row).all(1).nonzero()[0, 0]) for row in kept.proprioception
    ]
    assert len(set(rows)) == 8 and rows != list(range(8))
    for name, tensor in kept.tensors().items():
        expected = frames.tensors()[name]
        assert torch.equal(tensor, expected if name == "bag" else expected[rows]), name


def test_a_budget_below_one_frame_a_task_is_refused(
    make_frames: MakeFrames, generator: torch.Generator, check_sentence: Callable[[object], str]
) -> None:
    size = frame_bytes(make_frames(1))
    buffer = ReplayBuffer(2 * size)
    buffer.add(make_frames(5), generator)
    buffer.add(make_frames(5), generator)
    with pytest.raises(
        ConfigError, match=r"replay\.memory-mb is .* 3 tasks need at least"
    ) as caught:
        buffer.add(make_frames(5), generator)
    check_sentence(caught.value)
    assert len(buffer.tasks) == 2
    new = ReplayBuffer(2 * size)
    new.check_room([make_frames(1), make_frames(1)])
    with pytest.raises(ConfigError, match=str(caught.value)):
        new.check_room([make_frames(1)] * 3)


def test_a_few_frames_from_before_the_stream_stay_whole(
    make_frames: MakeFrames, generator: torch.Generator
) -> None:
    size = frame_bytes(make_frames(1))
    buffer = ReplayBuffer(30 * size)
    for task in ("sweep", "assembly"):
        buffer.add_before(task, make_frames(4), generator)
    for _ in range(2):
        buffer.add(make_frames(40), generator)
    assert list(buffer.before) == ["assembly", "sweep"]
    assert [len(frames) for frames in buffer.before.values()] == [4, 4]
    assert [len(frames) for frames in buffer.tasks] == [11, 11]  # What is left, evenly.
    assert buffer.num_bytes == 30 * size


@pytest.mark.parametrize(
    ("count", "expected"), [(9, [3, 3, 3]), (11, [4, 4, 3]), (2, [1, 1, 1]), (0, [1, 1, 1])]
)
def test_shares_of_a_batch_differ_by_one_at_most(
    make_frames: MakeFrames, count: int, expected: list[int]
) -> None:
    sources = split_evenly([make_frames(2)] * 3, count)
    assert [share for _, _, share in sources] == expected
    assert [label for _, label, _ in sources] == [0, 1, 2]
    assert split_evenly([], count) == []


# Batches ---------------------------------------------------------------------------------------


class BatchWatcher:
    """A plugin that counts the frames of each task in every batch."""

    def __init__(self) -> None:
        self.batches: list[Counter[int]] = []

    def before_forward(self, strategy: Any, **kwargs: Any) -> None:
        labels = strategy.mb_task_id.tolist()
        marks = strategy.mb_x.proprioception[:, 0].tolist()
        assert marks == labels  # Each frame has the label of the task that it is from.
        assert len(strategy.mb_y.actions) == len(strategy.mb_x) == len(labels)
        self.batches.append(Counter(labels))


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("naive", [{0: 12}, {1: 12}, {2: 12}]),
        ("ewc", [{0: 12}, {1: 12}, {2: 12}]),
        ("packnet", [{0: 12}, {1: 12}, {2: 12}]),
        ("agem", [{0: 12}, {1: 6}, {2: 6}]),  # The memory's batch is a step's of its own.
        ("replay", [{0: 12}, {1: 6, 0: 6}, {2: 6, 0: 3, 1: 3}]),
        ("cumulative", [{0: 12}, {1: 6, 0: 6}, {2: 4, 0: 4, 1: 4}]),
    ],
)
def test_every_batch_has_the_size_asked_for_and_its_shares(
    make_lab: MakeLab, strategy: str, expected: list[dict[int, int]]
) -> None:
    watcher = BatchWatcher()
    lab = make_lab(strategy, watchers=[watcher], max_steps=2)
    lab.train(0, 1, 2)
    assert watcher.batches == [Counter(shares) for shares in expected for _ in range(2)]


def test_odd_numbers_are_shared_without_loss(make_lab: MakeLab) -> None:
    watcher = BatchWatcher()
    lab = make_lab("cumulative", watchers=[watcher], max_steps=1, batch_size=11)
    lab.train(0, 1, 2)
    assert watcher.batches[1:] == [Counter({1: 5, 0: 6}), Counter({2: 3, 0: 4, 1: 4})]


def test_replayed_frames_come_from_the_buffer_alone(make_lab: MakeLab) -> None:
    seen: list[torch.Tensor] = []

    class Watcher:
        def before_forward(self, strategy: Any, **kwargs: Any) -> None:
            seen.append(strategy.mb_x.proprioception[strategy.mb_task_id == 0])

    lab = make_lab("replay", watchers=[Watcher()], max_steps=6)
    (plugin,) = lab.plugins
    plugin.buffer = ReplayBuffer(4 * frame_bytes(lab.visits[0]))
    lab.train(0)
    seen.clear()
    kept = {tuple(row) for row in plugin.buffer.tasks[0].proprioception.tolist()}
    assert len(kept) == 4
    lab.train(1)
    assert {tuple(row) for rows in seen for row in rows.tolist()} == kept


# Outputs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("store", ["features", "images"])
def test_the_buffer_holds_what_the_policy_did_when_it_had_learned_a_task(
    make_lab: MakeLab, store: str
) -> None:
    lab = make_lab("replay", adapt="trunk", store=store)
    (plugin,) = lab.plugins
    lab.train(0)
    (kept,) = plugin.buffer.tasks
    with torch.no_grad():
        learned = lab.strategy.model(
            lab.visits[0].images, lab.visits[0].proprioception, lab.visits[0].bag.expand(20, -1)
        ).actions
    assert kept.outputs is not None and kept.outputs.dtype == torch.float16
    torch.testing.assert_close(kept.outputs.float(), learned, rtol=0, atol=1e-3)
    lab.train(1)
    assert torch.equal(plugin.buffer.tasks[0].outputs, kept.outputs)  # Of then, not of now.
    assert plugin.buffer.num_bytes == sum(frames.num_bytes for frames in plugin.buffer.tasks)


def test_outputs_count_in_the_budget(make_frames: MakeFrames, generator: torch.Generator) -> None:
    frames = make_frames(20)
    frames.outputs = frames.actions.half()
    each = frame_bytes(frames) + 2 * 4 * 4  # Four actions of four entries in two bytes.
    buffer = ReplayBuffer(7 * each)
    buffer.add(frames, generator)
    assert len(buffer.tasks[0]) == 7 and buffer.num_bytes == 7 * each


def test_only_replayed_frames_have_outputs_in_a_batch(make_lab: MakeLab) -> None:
    targets: list[Any] = []

    class Watcher:
        def before_forward(self, strategy: Any, **kwargs: Any) -> None:
            targets.append((strategy.mb_task_id.clone(), strategy.mb_y))

    lab = make_lab("replay", adapt="trunk", watchers=[Watcher()], max_steps=2)
    lab.train(0)
    assert all(target.outputs is None and target.has_outputs is None for _, target in targets)
    targets.clear()
    lab.train(1)
    for labels, target in targets:
        assert torch.equal(target.has_outputs, labels == 0) and not target.is_before.any()
        assert bool((target.outputs[labels == 0] != 0).any())
        part = target[::2]
        assert torch.equal(part.outputs, target.outputs[::2]) and len(part.has_outputs) == 6


def test_without_outputs_nothing_is_kept(make_lab: MakeLab) -> None:
    for settings in ({"adapt": "full"}, {"adapt": "trunk", "outputs_weight": 0.0}):
        lab = make_lab("replay", **settings)
        lab.train(0)
        assert lab.plugins[0].buffer.tasks[0].outputs is None


# From before the stream ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "new", "old"), [("replay", [9, 6, 6], [0, 3, 3]), ("agem", [9, 6, 6], [0, 0, 0])]
)
def test_tasks_from_before_the_stream_have_a_share_of_each_batch(
    make_lab: MakeLab, make_frames: MakeFrames, strategy: str, new: list[int], old: list[int]
) -> None:
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    class Watcher:
        def before_forward(self, strategy: Any, **kwargs: Any) -> None:
            seen.append((strategy.mb_task_id, strategy.mb_x.proprioception[:, 0]))

    lab = make_lab(strategy, watchers=[Watcher()], max_steps=20, batch_fraction=0.25)
    (plugin,) = lab.plugins
    for number in range(5):
        frames = make_frames(7, seed=number, mark=100.0 + number)
        plugin.remember(lab.strategy, f"task-{number}", frames, torch.Generator())
    for position in range(3):
        seen.clear()
        lab.train(position)
        for labels, marks in seen:
            counts = Counter(labels.tolist())
            assert counts.pop(position) == new[position]
            assert counts.pop(-1, 0) == (3 if strategy == "replay" else 0)
            assert sum(counts.values()) == old[position]
            assert bool((marks[labels == -1] >= 100).all())
        drawn = {mark for labels, marks in seen for mark in marks[labels == -1].tolist()}
        assert drawn == ({100.0 + n for n in range(5)} if strategy == "replay" else set())


def test_agem_projects_against_tasks_from_before_the_stream(
    make_lab: MakeLab, make_frames: MakeFrames
) -> None:
    def weights(is_remembering: bool) -> dict[str, torch.Tensor]:
        lab = make_lab("agem", max_steps=6, batch_fraction=0.25)
        if is_remembering:
            frames = make_frames(7, seed=9)
            lab.plugins[0].remember(lab.strategy, "sweep", frames, torch.Generator())
        lab.train(0)
        return lab.weights()  # type: ignore[no-any-return]

    with_it, without = weights(True), weights(False)
    assert any(not torch.equal(with_it[name], without[name]) for name in without)


def test_frames_of_a_memory_are_trained_on_as_if_they_had_just_been_seen(
    make_lab: MakeLab, make_frames: MakeFrames
) -> None:
    frames, found = make_frames(9, seed=5), []
    frames.is_inside[:] = True  # A memory has what the policy does, which has no end.
    for is_kept in (False, True):
        lab = make_lab("replay", adapt="trunk", max_steps=3)
        (plugin,) = lab.plugins
        memory = to_memory(lab.strategy.model, frames, 99, torch.Generator())
        kept = from_memory(memory) if is_kept else frames
        plugin.remember(lab.strategy, "sweep", kept, torch.Generator())
        (held,) = plugin.buffer.before.values()
        assert held.outputs is not None and not (is_kept and held.images)
        lab.train(0)
        found.append(lab.weights())
    for name, weight in found[0].items():
        torch.testing.assert_close(found[1][name], weight, rtol=0, atol=2e-3)


# State -----------------------------------------------------------------------------------------


def test_the_buffer_survives_a_file(make_frames: MakeFrames, generator: torch.Generator) -> None:
    plugin = ReplayPlugin(ReplayBuffer(10**6), 0.5)
    for task in range(12):  # More than nine, so that their order is not that of their names.
        frames = make_frames(2, seed=task, mark=float(task))
        frames.outputs = frames.actions.half() if task % 2 else None
        plugin.buffer.add(frames, generator)
        plugin.buffer.add_before(f"task.{task}", make_frames(2, seed=50 + task), generator)
    loaded = ReplayPlugin(ReplayBuffer(10**6), 0.5)
    load_plugins([loaded], plugin_tensors([plugin]), torch.device("cpu"))
    assert loaded.buffer.num_bytes == plugin.buffer.num_bytes
    assert list(loaded.buffer.before) == list(plugin.buffer.before)
    ours = [*loaded.buffer.tasks, *loaded.buffer.before.values()]
    theirs = [*plugin.buffer.tasks, *plugin.buffer.before.values()]
    for found, expected in zip(ours, theirs, strict=True):
        for name, tensor in expected.tensors().items():
            assert torch.equal(found.tensors()[name], tensor), name


def test_two_visits_of_one_task_share_no_memory(
    make_frames: MakeFrames, generator: torch.Generator
) -> None:
    plugin = ReplayPlugin(ReplayBuffer(10**6), 0.5)
    frames = make_frames(4, seed=0, mark=0.0)
    for _ in range(2):
        plugin.buffer.add(frames, generator)
    addresses = [tensor.data_ptr() for tensor in plugin.state().values()]
    assert len(set(addresses)) == len(addresses) > 10
