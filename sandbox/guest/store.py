"""Stores: where records live, and the two questions they answer: which lines match, and which are near in meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sandbox.guest.design import Toolkit
from sandbox.guest.records import Record, words

if TYPE_CHECKING:
    import sqlite3

    import numpy as np

Scored = list[tuple[float, Record]]
"""Records with a relevance in [0, 1], best first."""


class Store:
    """Records by text; adding a known line adds its evidence. Ties in relevance keep the order of arrival."""

    def __init__(self) -> None:
        self.by_text: dict[str, Record] = {}

    def __len__(self) -> int:
        return len(self.by_text)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.by_text.values())

    def extend(self, records: Iterable[Record]) -> None:
        """Add records, each merged with the one of equal text."""
        for record in records:
            if (known := self.by_text.get(record.text)) is None:
                self.by_text[record.text] = record
            else:
                known.absorb(record)

    def settle(self) -> None:
        """Do now what every later question would have to do: called once the records are in."""

    def replace(self, records: Iterable[Record]) -> None:
        """Keep these records and no others."""
        self.by_text = {}
        self.extend(records)

    def match(self, text: str, limit: int) -> Scored:
        """Records that share words with the text, by the share (Jaccard index)."""
        asked = set(words(text))
        scored = ((len(asked & mine) / max(1, len(asked | mine)), record) for record, mine in self._word_sets())
        return best((pair for pair in scored if pair[0] > 0), limit)

    def nearest(self, text: str, limit: int) -> Scored:
        """Records near in meaning; here by shared letter trigrams, which needs no embedding."""
        asked = trigrams(text)
        mine = ((trigrams(record.text), record) for record in self)
        return best(((len(asked & t) / max(1, min(len(asked), len(t))), record) for t, record in mine), limit)

    def dump(self) -> list[dict[str, Any]]:
        """All records as JSON types."""
        return [record.dump() for record in self]

    def load(self, dumped: Iterable[dict[str, Any]]) -> None:
        """The inverse of `dump`."""
        self.replace(Record(**row) for row in dumped)

    def _word_sets(self) -> Iterator[tuple[Record, set[str]]]:
        return ((record, set(words(record.text))) for record in self)


class ListStore(Store):
    """A plain list in order of arrival."""


class FullTextStore(Store):
    """Matches by BM25 in an in-memory SQLite FTS5 index, built when it is first asked after a change."""

    def __init__(self) -> None:
        super().__init__()
        self._index: sqlite3.Connection | None = None

    def extend(self, records: Iterable[Record]) -> None:
        """Add records; the index is rebuilt at the next question."""
        super().extend(records)
        self._index = None

    def match(self, text: str, limit: int) -> Scored:
        """Records by BM25, scaled so that the best is 1."""
        terms = " OR ".join(f'"{word}"' for word in sorted(set(words(text))))
        if not terms or not self.by_text:
            return []
        rows = self._connection().execute(
            "SELECT -bm25(line) AS relevance, number FROM line WHERE line MATCH ?"
            " ORDER BY relevance DESC, number LIMIT ?",
            (terms, limit),
        )
        records = list(self)
        found = [(max(0.0, relevance), records[number]) for relevance, number in rows]
        top = max((relevance for relevance, _ in found), default=0.0) or 1.0
        return [(relevance / top, record) for relevance, record in found]

    def _connection(self) -> sqlite3.Connection:
        if self._index is None:
            import sqlite3

            self._index = sqlite3.connect(":memory:")
            self._index.execute("CREATE VIRTUAL TABLE line USING fts5(text, number UNINDEXED)")
            rows = [(record.text, number) for number, record in enumerate(self)]
            self._index.executemany("INSERT INTO line VALUES (?, ?)", rows)
        return self._index


class VectorStore(Store):
    """Nearness by cosine of embeddings; lines are embedded once, when they are in."""

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__()
        self.toolkit = toolkit
        self._vectors: dict[str, np.ndarray[Any, Any]] = {}

    def settle(self) -> None:
        """Embed the lines that are new, so that the children of the built memory need not."""
        import numpy as np

        missing = [line for line in self.by_text if line not in self._vectors]
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            self._vectors.update(zip(part, np.asarray(self.toolkit.embed(part)), strict=True))

    def nearest(self, text: str, limit: int) -> Scored:
        """Records by cosine with the text, negative ones as 0."""
        if not self.by_text:
            return []
        import numpy as np

        self.settle()
        asked = np.asarray(self.toolkit.embed([text])[0])
        cosines = np.stack([self._vectors[line] for line in self.by_text]) @ asked
        return best(((max(0.0, float(c)), record) for c, record in zip(cosines, self, strict=True)), limit)


BATCH = 200
"""Lines that are embedded by one call."""


def trigrams(text: str) -> set[str]:
    """Letter trigrams of the words, each word padded."""
    return {padded[i : i + 3] for word in words(text) for padded in [f" {word} "] for i in range(len(padded) - 2)}


def best(scored: Iterable[tuple[float, Record]], limit: int) -> Scored:
    """The `limit` highest, highest first; equal ones keep their order."""
    return sorted(scored, key=lambda pair: -pair[0])[:limit]
