"""A store that overwrites: of the lines that tell one thing at different times, only the latest is true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sandbox.guest.records import Record
from sandbox.guest.store import Store, Wrapper


class LatestByKey(Wrapper):
    """Keeps one line a key: a later one replaces it, evidence and all. The key is what precedes the changing part.

    That part is what follows the last `separator` or, where a line has none, its last `changing` words. A line that
    comes again counts once more, and is the latest again.

    >>> store = LatestByKey()
    >>> store.extend(map(Record, ["the cue is left", "the cube is at 3,4", "the cue is right"]))
    >>> [record.text for record in store]
    ['the cube is at 3,4', 'the cue is right']
    """

    def __init__(self, inner: Store | None = None, changing: int = 1, separator: str = "") -> None:
        super().__init__(inner)
        self.changing = changing
        self.separator = separator
        self._latest: dict[str, str] = {}

    def key_of(self, record: Record) -> str:
        """What a record tells about, whatever it tells of it."""
        if record.key:
            return record.name
        if self.separator and self.separator in record.text:
            return record.text.rpartition(self.separator)[0]
        stated = record.text.split()
        return " ".join(stated[: -self.changing]) if len(stated) > self.changing else record.text

    def extend(self, records: Iterable[Record]) -> None:
        """Add records, each instead of the one with its key."""
        latest: dict[str, Record] = {}
        for record in records:
            key = self.key_of(record)
            previous = latest.pop(key, None) or self._take(key)
            if previous is not None and previous.name == record.name:
                previous.absorb(record)
                latest[key] = previous
            else:
                latest[key] = record
        self.inner.extend(latest.values())
        self._latest.update((key, record.name) for key, record in latest.items())

    def remove(self, name: str) -> None:
        """Forget one record."""
        self._latest.pop(self.key_of(self.by_text[name]), None)
        super().remove(name)

    def replace(self, records: Iterable[Record], merged: Mapping[str, str] | None = None) -> None:
        """Keep these records and no others."""
        super().replace(records, merged)
        self._latest = {self.key_of(record): record.name for record in self}

    def load(self, state: object) -> None:
        """The inverse of `dump`."""
        super().load(state)
        self._latest = {self.key_of(record): record.name for record in self}

    def _take(self, key: str) -> Record | None:
        """The record of a key, out of the store."""
        name = self._latest.pop(key, None)
        if name is None:
            return None
        record = self.by_text[name]
        self.inner.remove(name)
        return record
