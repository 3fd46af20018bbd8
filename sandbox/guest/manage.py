"""Managers: what is done to a store between episodes: merge, forget, stay within bounds."""

from __future__ import annotations

from abc import ABC, abstractmethod

from sandbox.guest.records import Record, words
from sandbox.guest.store import Store


class Manager(ABC):
    """Changes a store in place."""

    @abstractmethod
    def manage(self, store: Store) -> None:
        """Do it once."""


class DropDuplicates(Manager):
    """Merge lines that are the same words in the same order, whatever their case and punctuation."""

    def manage(self, store: Store) -> None:
        """The first form of a line stays."""
        kept: dict[tuple[str, ...], Record] = {}
        for record in list(store):
            key = tuple(words(record.text))
            if key in kept:
                kept[key].absorb(record)
            else:
                kept[key] = record
        store.replace(kept.values())


class MergeSimilar(Manager):
    """Merge lines whose word sets have a Jaccard index of at least `threshold`; the more frequent form stays."""

    def __init__(self, threshold: float = 0.7) -> None:
        self.threshold = threshold

    def manage(self, store: Store) -> None:
        """Greedy, from the most frequent line down; quadratic in the number of lines."""
        kept: list[tuple[set[str], Record]] = []
        for record in sorted(store, key=lambda record: -record.count):
            mine = set(words(record.text))
            for theirs, other in kept:
                if mine and len(mine & theirs) / len(mine | theirs) >= self.threshold:
                    other.absorb(record)
                    break
            else:
                kept.append((mine, record))
        store.replace(record for _, record in kept)


class Forget(Manager):
    """Forget what has not earned its place: seen in at least `trials` episodes, with a gain each below `minimum`."""

    def __init__(self, minimum: float = 0.01, trials: int = 2) -> None:
        self.minimum = minimum
        self.trials = trials

    def manage(self, store: Store) -> None:
        """Lines with fewer trials get the benefit of the doubt."""
        store.replace([r for r in store if r.count < self.trials or r.mean_gain >= self.minimum])


class Capacity(Manager):
    """Keep at most `limit` lines: those with the largest gain, and of equal gain the newest."""

    def __init__(self, limit: int = 200) -> None:
        self.limit = limit

    def manage(self, store: Store) -> None:
        """The order of the kept lines does not change."""
        if len(store) > self.limit:
            best = sorted(store, key=lambda record: (-record.gain, -record.last))[: self.limit]
            chosen = {record.text for record in best}
            store.replace([record for record in store if record.text in chosen])
