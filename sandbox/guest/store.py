"""Stores: where records live, and the two questions they answer: which lines match, and which are near in meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sandbox.guest.design import Toolkit
from sandbox.guest.index import Index
from sandbox.guest.records import Record, words
from sandbox.guest.vectors import Vectors

if TYPE_CHECKING:
    import sqlite3

Scored = list[tuple[float, Record]]
"""Records with a relevance in [0, 1], best first."""


class Store:
    """Records by name; adding a known line adds its evidence. Ties in relevance keep the order of arrival.

    The questions are about what lines say, so a record with a key of its own is found by `under` alone.
    """

    def __init__(self) -> None:
        self.by_text: dict[str, Record] = {}
        self._words = Index(lambda record: () if record.key else set(words(record.text)))
        self._trigrams = Index(lambda record: () if record.key else trigrams(record.text))
        self._keys = Index(lambda record: (record.key,) if record.key else ())
        self._indices = [self._words, self._trigrams, self._keys]
        """Those that are worth making before they are asked."""

    def __len__(self) -> int:
        return len(self.by_text)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.by_text.values())

    def extend(self, records: Iterable[Record]) -> None:
        """Add records, each merged with the one of equal name."""
        for record in records:
            name = record.name
            if (known := self.by_text.get(name)) is None:
                self.by_text[name] = record
            else:
                known.absorb(record)

    def remove(self, name: str) -> None:
        """Forget one record."""
        del self.by_text[name]
        for index in self._indices:
            index.drop(name)

    def replace(self, records: Iterable[Record], merged: Mapping[str, str] | None = None) -> None:
        """Keep these records and no others; `merged` says, name by name, which record took in one that goes."""
        kept = list(records)
        self.by_text.clear()  # not a new one: a wrapper looks at the same
        self.extend(kept)

    def settle(self) -> None:
        """Do now what every later question would have to do: called once the records are in."""
        for index in self._indices:
            index.follow(self.by_text)

    def unkeyed(self) -> list[Record]:
        """The records that are found by what they say."""
        return [record for record in self if not record.key]

    def under(self, keys: Sequence[str]) -> list[list[Record]]:
        """The records that each of some keys looks up."""
        found: dict[str, list[Record]] = {key: [] for key in keys}
        for _, _, record in self._keys.sharing(self.by_text, found):
            found[record.key].append(record)
        return [found[key] for key in keys]

    def match(self, text: str, limit: int) -> Scored:
        """Records that share words with the text, by the share (Jaccard index)."""
        asked = set(words(text))
        shared = self._words.sharing(self.by_text, asked)
        return best(((common / (len(asked) + size - common), record) for common, size, record in shared), limit)

    def nearest(self, text: str, limit: int) -> Scored:
        """Records near in meaning; here by shared letter trigrams, which needs no embedding."""
        asked = trigrams(text)
        shared = self._trigrams.sharing(self.by_text, asked)
        found = best(((common / min(len(asked), size), record) for common, size, record in shared), limit)
        names = {record.name for _, record in found}
        rest = (record for record in self if not record.key and record.name not in names)
        return [*found, *((0.0, record) for record in islice(rest, max(0, limit - len(found))))]

    def dump(self) -> Any:
        """All that it holds, as JSON types."""
        return [record.dump() for record in self]

    def load(self, state: Any) -> None:
        """The inverse of `dump`; what can be made of the records anew is not in it."""
        self.replace(Record(*row) for row in state)
        self.settle()


class ListStore(Store):
    """A plain list in order of arrival."""


class FullTextStore(Store):
    """Matches by BM25 in an in-memory SQLite FTS5 index, which follows the records when it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self._indices.remove(self._words)
        self._rows: list[str] = []
        self._table: sqlite3.Connection | None = None

    def settle(self) -> None:
        """Bring the table and the other indices up to date."""
        super().settle()
        self._connection()

    def match(self, text: str, limit: int) -> Scored:
        """Records by BM25, scaled so that the best is 1."""
        terms = " OR ".join(f'"{word}"' for word in sorted(set(words(text))))
        if not terms or not self.by_text:
            return []
        rows = self._connection().execute(
            "SELECT -bm25(line) AS relevance, rowid FROM line WHERE line MATCH ?"
            " ORDER BY relevance DESC, rowid LIMIT ?",
            (terms, limit),
        )
        found = [(max(0.0, relevance), self.by_text[self._rows[number]]) for relevance, number in rows]
        top = max((relevance for relevance, _ in found), default=0.0) or 1.0
        return [(relevance / top, record) for relevance, record in found]

    def _connection(self) -> sqlite3.Connection:
        """The table of the lines as they are now: new ones at the end are added, any other change makes it anew."""
        lines = [record.text for record in self.unkeyed()]
        if self._table is None or lines[: len(self._rows)] != self._rows:
            import sqlite3

            self._table = sqlite3.connect(":memory:")
            self._table.execute("CREATE VIRTUAL TABLE line USING fts5(text, content='')")
            self._rows = []
        new = ((number, lines[number]) for number in range(len(self._rows), len(lines)))
        self._table.executemany("INSERT INTO line(rowid, text) VALUES (?, ?)", new)
        self._rows = lines
        return self._table


class VectorStore(Store):
    """Nearness by cosine of embeddings; lines are embedded once, when they are in."""

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__()
        self._indices.remove(self._trigrams)
        self.vectors = Vectors(toolkit)

    def settle(self) -> None:
        """Embed the lines that are new, so that the children of the built memory need not."""
        super().settle()
        if lines := self.unkeyed():
            self.vectors.matrix([record.text for record in lines])

    def nearest(self, text: str, limit: int) -> Scored:
        """Records by cosine with the text, negative ones as 0."""
        lines = self.unkeyed()
        if not lines:
            return []
        import numpy as np

        matrix = self.vectors.matrix([record.text for record in lines])
        relevance = np.maximum(0.0, matrix @ self.vectors.of_question(text))
        return [(float(relevance[at]), lines[at]) for at in np.argsort(-relevance, kind="stable")[:limit]]


class Wrapper(Store):
    """A store around another one that holds the records; what it does not change, the inner one does."""

    def __init__(self, inner: Store | None = None) -> None:
        super().__init__()
        self.inner = ListStore() if inner is None else inner
        self.by_text = self.inner.by_text

    def extend(self, records: Iterable[Record]) -> None:
        """Add records to the inner store."""
        self.inner.extend(records)

    def remove(self, name: str) -> None:
        """Forget one record of the inner store."""
        self.inner.remove(name)

    def replace(self, records: Iterable[Record], merged: Mapping[str, str] | None = None) -> None:
        """Keep these records in the inner store."""
        self.inner.replace(records, merged)

    def settle(self) -> None:
        """Settle the inner store."""
        self.inner.settle()

    def under(self, keys: Sequence[str]) -> list[list[Record]]:
        """As the inner store looks them up."""
        return self.inner.under(keys)

    def match(self, text: str, limit: int) -> Scored:
        """As the inner store matches."""
        return self.inner.match(text, limit)

    def nearest(self, text: str, limit: int) -> Scored:
        """As the inner store measures."""
        return self.inner.nearest(text, limit)

    def dump(self) -> Any:
        """What the inner store holds."""
        return self.inner.dump()

    def load(self, state: Any) -> None:
        """The inverse of `dump`."""
        self.inner.load(state)


def trigrams(text: str) -> set[str]:
    """Letter trigrams of the words, each word padded."""
    return {padded[i : i + 3] for word in words(text) for padded in [f" {word} "] for i in range(len(padded) - 2)}


def best(scored: Iterable[tuple[float, Record]], limit: int) -> Scored:
    """The `limit` highest, highest first; equal ones keep their order."""
    return nlargest(limit, scored, key=itemgetter(0))
