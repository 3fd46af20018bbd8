"""Decay at several rates: what was last seen long ago fades, at first fast and then slowly."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sandbox.guest.design import Query
from sandbox.guest.manage import Manager
from sandbox.guest.records import Record
from sandbox.guest.retrieve import Retriever
from sandbox.guest.store import Scored, Store, best

HALF_LIVES = (1.0, 8.0, 64.0)
"""Episodes after which a fast, a middling and a slow trace are half gone."""


def strength(age: float, half_lives: Sequence[float] = HALF_LIVES) -> float:
    """What is left of a memory after `age` episodes: the mean of traces that fade exponentially, each at its own rate.

    Such a mixture falls like the power law of forgetting (Anderson and Tweney, Memory & Cognition 25, 1997).

    >>> [round(strength(age), 2) for age in (0, 1, 8, 64)]
    [1.0, 0.8, 0.47, 0.17]
    """
    return sum(math.exp2(-age / half_life) for half_life in half_lives) / len(half_lives)


def newest(store: Store) -> int:
    """The latest episode that any record was seen in."""
    return max((record.last for record in store), default=0)


class Decay(Retriever):
    """Another retriever's finds, their relevance faded by the episodes since each was last seen."""

    def __init__(self, inner: Retriever, limit: int = 20, half_lives: Sequence[float] = HALF_LIVES) -> None:
        super().__init__(limit)
        self.inner = inner
        self.half_lives = half_lives

    def retrieve(self, store: Store, query: Query) -> Scored:
        """By relevance * strength."""
        now = newest(store)

        def faded(relevance: float, record: Record) -> float:
            return relevance * strength(now - record.last, self.half_lives)

        return best(((faded(*find), find[1]) for find in self.inner.retrieve(store, query)), self.limit)


class ForgetFaded(Manager):
    """Forget what has faded: the episodes that held a record, times its strength now, are fewer than `minimum`."""

    def __init__(self, minimum: float = 0.2, half_lives: Sequence[float] = HALF_LIVES) -> None:
        self.minimum = minimum
        self.half_lives = half_lives

    def manage(self, store: Store) -> None:
        """What was seen in the latest episode stays, as does what was seen often."""
        now = newest(store)
        store.replace([r for r in store if r.count * strength(now - r.last, self.half_lives) >= self.minimum])
