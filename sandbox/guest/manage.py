"""Managers: what is done to a store between episodes: merge, forget, stay within bounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from sandbox.guest.records import Record, words
from sandbox.guest.store import Store
from sandbox.guest.vectors import Vectors


class Manager(ABC):
    """Changes a store in place. Those that compare what lines say leave records with a key of their own alone."""

    @abstractmethod
    def manage(self, store: Store) -> None:
        """Do it once."""


class DropDuplicates(Manager):
    """Merge lines that are the same words in the same order, whatever their case and punctuation."""

    def manage(self, store: Store) -> None:
        """The first form of a line stays."""
        kept: dict[tuple[str, ...], Record] = {}
        merged = {}
        for record in store:
            key = ("key", record.name) if record.key else ("line", *words(record.text))
            if key in kept:
                kept[key].absorb(record)
                merged[record.name] = kept[key].name
            else:
                kept[key] = record
        store.replace(kept.values(), merged)


class MergeSimilar(Manager):
    """Merge lines whose word sets have a Jaccard index of at least `threshold`; the more frequent form stays."""

    def __init__(self, threshold: float = 0.7) -> None:
        self.threshold = threshold

    def manage(self, store: Store) -> None:
        """Greedy, from the most frequent line down, each into the first kept line that is similar."""
        said = {record.name: set[str]() if record.key else set(words(record.text)) for record in store}
        frequency = Counter(word for mine in said.values() for word in mine)
        kept: list[Record] = []
        holders: dict[str, int] = {}
        sizes: dict[int, int] = {}
        merged = {}
        for record in sorted(store, key=lambda record: -record.count):
            mine = said[record.name]
            similar = self._similar(mine, holders, sizes)
            if similar:
                first = kept[(similar & -similar).bit_length() - 1]
                first.absorb(record)
                merged[record.name] = first.name
            else:
                bit = 1 << len(kept)
                kept.append(record)
                sizes[len(mine)] = sizes.get(len(mine), 0) | bit
                for word in mine:
                    if frequency[word] > 1:
                        holders[word] = holders.get(word, 0) | bit
        store.replace(kept, merged)

    def _similar(self, mine: set[str], holders: dict[str, int], sizes: dict[int, int]) -> int:
        """The kept lines that are similar to a set of words. Sets of lines are bits of an integer, here and below.

        `holders` are the lines with a word, `sizes` those with so many words; all lines are compared at once, word by
        word, because one by one the time would grow with the square of their number.
        """
        shared = [-1]  # the lines that share at least 0, 1, 2, ... words
        for word in mine:
            with_word = holders.get(word, 0)
            shared.append(0)
            for at in range(len(shared) - 1, 0, -1):
                shared[at] |= shared[at - 1] & with_word
            if not shared[-1]:
                shared.pop()
        similar = 0
        for size, lines in sizes.items():
            enough = _enough(len(mine), size, self.threshold)
            if enough < len(shared):
                similar |= shared[enough] & lines
        return similar


@lru_cache(maxsize=4096)
def _enough(size: int, other: int, threshold: float) -> int:
    """How many words sets of two sizes must share for a Jaccard index of `threshold`; too many if none will do."""
    most = min(size, other)
    return next((n for n in range(1, most + 1) if n / (size + other - n) >= threshold), most + 1)


class MergeNear(Manager):
    """Merge lines whose embeddings have a cosine of at least `threshold` (as Cerebra: MemEvolve, arXiv 2512.18746).

    It needs the vectors of the lines: those of a store that has them, or `Vectors(toolkit)`.
    """

    def __init__(self, vectors: Vectors, threshold: float = 0.9) -> None:
        self.vectors = vectors
        self.threshold = threshold

    def manage(self, store: Store) -> None:
        """Greedy, from the most frequent line down, each into the nearest kept line."""
        records = sorted(store.unkeyed(), key=lambda record: -record.count)
        if not records:
            return
        kept: list[Record] = []
        merged = {}
        for record, into in zip(records, self._leaders([record.text for record in records]), strict=True):
            if into is None:
                kept.append(record)
            else:
                kept[into].absorb(record)
                merged[record.name] = kept[into].name
        store.replace([*kept, *(record for record in store if record.key)], merged)

    def _leaders(self, texts: list[str]) -> Iterator[int | None]:
        """For each text the number of the kept one that takes it in, or nothing where it is kept itself."""
        import numpy as np

        matrix = self.vectors.matrix(texts)
        leaders = np.empty_like(matrix)
        kept = 0
        for start in range(0, len(texts), _BLOCK):
            block = matrix[start : start + _BLOCK]
            cosines = np.empty((len(block), kept + len(block)))
            cosines[:, :kept] = block @ leaders[:kept].T  # many at once, which is much faster
            for row, vector in enumerate(block):
                nearest = int(cosines[row, :kept].argmax()) if kept else 0
                if kept and cosines[row, nearest] >= self.threshold:
                    yield nearest
                else:
                    leaders[kept] = vector
                    cosines[:, kept] = block @ vector
                    kept += 1
                    yield None


_BLOCK = 128
"""Lines that are compared at once."""


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
            chosen = {record.name for record in best}
            store.replace([record for record in store if record.name in chosen])
