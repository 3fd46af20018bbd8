"""Retrievers: which records of a store a query brings up, each with a relevance in [0, 1]."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from sandbox.guest.design import Query
from sandbox.guest.records import Record
from sandbox.guest.store import Scored, Store, best


def asked(query: Query) -> str:
    """The text of a query: its goal and its observation."""
    return f"{query.task.goal}\n{query.observation}"


class Retriever(ABC):
    """Chooses at most `limit` records for a query."""

    def __init__(self, limit: int = 20) -> None:
        self.limit = limit

    @abstractmethod
    def retrieve(self, store: Store, query: Query) -> Scored:
        """Records with their relevance, best first."""


class Recent(Retriever):
    """The latest lines, the newest most relevant."""

    def retrieve(self, store: Store, query: Query) -> Scored:
        """By the episode that a line was last seen in."""
        lines = store.unkeyed()
        newest = max((record.last for record in lines), default=0) or 1
        return best(((record.last / newest, record) for record in lines), self.limit)


class Lexical(Retriever):
    """Lines that share words with the query, as the store matches them."""

    def retrieve(self, store: Store, query: Query) -> Scored:
        """By `Store.match`."""
        return store.match(asked(query), self.limit)


class Semantic(Retriever):
    """Lines near the query in meaning, as the store measures it."""

    def retrieve(self, store: Store, query: Query) -> Scored:
        """By `Store.nearest`."""
        return store.nearest(asked(query), self.limit)


class ByReward(Retriever):
    """Lines that were followed by the largest score gains; `trust` episodes of doubt shrink the rarely seen ones."""

    def __init__(self, limit: int = 20, trust: float = 1.0) -> None:
        super().__init__(limit)
        self.trust = trust

    def retrieve(self, store: Store, query: Query) -> Scored:
        """By gain / (count + trust), scaled so that the best is 1."""
        worth = [(record.gain / (record.count + self.trust), record) for record in store.unkeyed()]
        top = max((value for value, _ in worth), default=0.0)
        return best(((max(0.0, value / top) if top > 0 else 0.0, record) for value, record in worth), self.limit)


class Hybrid(Retriever):
    """Several retrievers joined by reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009)."""

    def __init__(self, parts: Sequence[Retriever], limit: int = 20, smoothing: float = 60.0) -> None:
        super().__init__(limit)
        self.parts = parts
        self.smoothing = smoothing

    def retrieve(self, store: Store, query: Query) -> Scored:
        """By the sum over the parts of 1 / (smoothing + rank), scaled so that first everywhere is 1."""
        fused: dict[str, float] = {}
        found: dict[str, Record] = {}
        for part in self.parts:
            for rank, (_, record) in enumerate(part.retrieve(store, query), start=1):
                fused[record.text] = fused.get(record.text, 0.0) + 1 / (self.smoothing + rank)
                found[record.text] = record
        most = len(self.parts) / (self.smoothing + 1)
        return best(((value / most, found[text]) for text, value in fused.items()), self.limit)
