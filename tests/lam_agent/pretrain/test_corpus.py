"""The corpus: batches of all tasks, and pairs of looks that follow each other."""

import torch

from lam_agent.demonstrations.load import load_demonstrations
from lam_agent.pretrain.config import PretrainConfig
from lam_agent.pretrain.corpus import Corpus


def test_a_batch_is_of_all_tasks_and_labelled(corpus: Corpus) -> None:
    observation, target, labels = corpus.batch(64, torch.Generator().manual_seed(0))
    assert len(observation) == len(labels) == 64
    assert target.actions.shape == (64, 4, 4)
    counts = torch.bincount(labels, minlength=2)
    assert int(counts.min()) > 16
    bags = observation.bags
    assert not torch.equal(bags[labels == 0][0], bags[labels == 1][0])


def test_the_same_generator_draws_the_same(corpus: Corpus) -> None:
    first, again = (corpus.batch(8, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first[0].images["front"], again[0].images["front"])
    assert torch.equal(first[2], again[2])


def test_pairs_are_successive_looks_of_one_episode(
    corpus: Corpus, pretrain_config: PretrainConfig
) -> None:
    pairs = corpus.pairs(200, torch.Generator().manual_seed(1))
    demonstrations = pretrain_config.demonstrations()
    successors: dict[bytes, set[bytes]] = {}
    for task in pretrain_config.tasks:
        episodes, _ = load_demonstrations(task, demonstrations)
        ends = episodes.episode_start[1:].tolist()
        for look in range(len(episodes.look_step) - 1):
            steps = episodes.look_step[look : look + 2].tolist()
            if not any(steps[0] < end <= steps[1] for end in ends):
                front = episodes.images["front"]
                key = front[look].numpy().tobytes()
                successors.setdefault(key, set()).add(front[look + 1].numpy().tobytes())
    for first, second in zip(pairs.first["front"], pairs.second["front"], strict=True):
        assert second.numpy().tobytes() in successors[first.numpy().tobytes()]
    assert float(pairs.moved.abs().max()) > 0.005
    assert float(pairs.moved[:, :3].abs().max()) < 0.2
