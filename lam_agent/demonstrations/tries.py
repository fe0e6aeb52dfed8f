"""Tries: how many episodes a teacher begins, and which of them become demonstrations.

Episodes are begun in rounds: as many as are wanted, then what should do for those that failed. The
first successes count, in the order of the episodes and not of when they end, so that the
demonstrations do not depend on how many worlds run at a time.
"""

from __future__ import annotations

import math

from lam_agent.demonstrations.recording import RecordedEpisode
from lam_agent.errors import EpisodeError
from lam_envs.errors import UnstableSimulationError

_MARGIN = 1.5
"""More episodes than a teacher that fails now and then should need are begun in a round: another
round takes as long as this one."""


def most_tries(wanted: int) -> int:
    """Return how many episodes are begun at most for a number of successes."""
    return 4 * wanted + 20


class Tries:
    """The episodes of a collection, told apart by their numbers.

    Args:
        task: Name of the task.
        wanted: How many shall count.
        keeps_failures: Whether failures count: then no more episodes than wanted are begun.
    """

    def __init__(self, task: str, wanted: int, *, keeps_failures: bool) -> None:
        self.task = task
        self.wanted = wanted
        self.most = wanted if keeps_failures else most_tries(wanted)
        self.num_counted = 0
        self._keeps_failures = keeps_failures
        self._num_begun = 0
        self._ended: dict[int, RecordedEpisode | None] = {}  # None: it does not count.
        self._unstable: set[int] = set()
        self._num_first = 0  # That many, from the first on, have ended, and
        self._num_counted_first = 0  # that many of them count.

    def begin(self) -> range:
        """Return the numbers of the episodes of the next round; none where no more are begun."""
        if self.are_enough:
            return range(0)
        needed = float(self.wanted - self.num_counted)
        if self._num_begun:
            needed *= _MARGIN * self._num_begun / max(self.num_counted, 1)
        first = self._num_begun
        self._num_begun = min(first + math.ceil(needed), self.most)
        return range(first, self._num_begun)

    def end(self, number: int, episode: RecordedEpisode) -> None:
        """Take an episode that has ended; one that does not count is forgotten."""
        counts = self._keeps_failures or (episode.is_success and not episode.is_unstable)
        self._ended[number] = episode if counts else None
        if episode.is_unstable:
            self._unstable.add(number)
        self.num_counted += counts
        while self._num_first in self._ended and not self.are_enough:
            self._num_counted_first += self._ended[self._num_first] is not None
            self._num_first += 1

    @property
    def are_enough(self) -> bool:
        """Whether the wanted number counts, and no earlier episode still runs."""
        return self._num_counted_first == self.wanted

    def result(self) -> tuple[list[RecordedEpisode], int, int]:
        """Return the demonstrations, how many were unstable before the last, how many failed.

        Raises:
            UnstableSimulationError: The physics of all broke.
            EpisodeError: Too few succeeded.
        """
        first = range(self._num_first)
        num_unstable = len(self._unstable.intersection(first))
        if num_unstable == len(first):
            raise UnstableSimulationError(
                f"all {len(first)} demonstrations of {self.task} became unstable; mend its scene "
                "or its expert."
            )
        if not self.are_enough:
            raise EpisodeError(
                f"the teacher of {self.task} succeeded in {self.num_counted} of {len(first)} "
                f"episodes, too few for {self.wanted} demonstrations; lower --collect.noise-std, "
                "give it a longer horizon, mend it, or keep what fails by --collect.keep-failures."
            )
        ended = [self._ended[number] for number in first if number not in self._unstable]
        chosen = [episode for episode in ended if episode is not None]
        return chosen, num_unstable, len(ended) - len(chosen)
