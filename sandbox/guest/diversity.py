"""Diversity: lines that each add something, rather than the same one in several wordings."""

from __future__ import annotations

from sandbox.guest.design import Query
from sandbox.guest.records import words
from sandbox.guest.retrieve import Retriever
from sandbox.guest.store import Scored, Store


class Diverse(Retriever):
    """Another retriever's finds by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).

    One by one, the find of the largest `balance` * relevance - (1 - `balance`) * likeness to the likest one chosen so
    far, where likeness is the Jaccard index of the words. The relevance told is that value plus 1 - `balance`, so that
    it lies in [0, 1] and falls from find to find.
    """

    def __init__(self, inner: Retriever, limit: int = 20, balance: float = 0.7) -> None:
        super().__init__(limit)
        self.inner = inner
        self.balance = balance

    def retrieve(self, store: Store, query: Query) -> Scored:
        """By marginal relevance; of equal finds, the one that the inner retriever ranks first."""
        found = self.inner.retrieve(store, query)
        said = [set(words(record.text)) for _, record in found]
        likest = [0.0] * len(found)
        left = list(range(len(found)))
        chosen: Scored = []
        while left and len(chosen) < self.limit:
            values = [self.balance * found[at][0] + (1 - self.balance) * (1 - likest[at]) for at in left]
            value = max(values)
            pick = left.pop(values.index(value))
            chosen.append((value, found[pick][1]))
            for at in left:
                common = len(said[at] & said[pick])
                likest[at] = max(likest[at], common / max(1, len(said[at]) + len(said[pick]) - common))
        return chosen
