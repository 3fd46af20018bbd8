"""What happened in a run, in the order in which it was committed: to be read whole, and then on and on as it grows."""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from archive.database import ArchiveError, damaged, is_damage, unpack

OF_DESIGN = "LEFT JOIN member ON member.run_id = source.run_id AND member.design_id = source.design_id"
COLUMNS = {
    "event": f"source.design_id, number, change, state, reason FROM event source {OF_DESIGN}",
    "score": "source.design_id, number, change, source.role, score, low, high, n, tokens"
    f" FROM evaluation source {OF_DESIGN}",
    "calls": "role, hit_of, tokens_in, tokens_out, dollars, problem FROM call source",
    "insight": "kind, targets, author, reason, told, insight FROM operation source",
    "hint": "text, asked FROM hint source",
    "look": f"source.design_id, number, change, result FROM look source {OF_DESIGN}",
}
"""By kind: what is read of it beside its number and time, and where from."""


class Happening(NamedTuple):
    """Something that happened, with its `facts` by kind. What is of a design has `design`, `number` (0: a baseline),
    `change` (of a baseline its name); and

    event     `state`, `reason`
    score     `role`, `score`, `interval`, `n`, `tokens`
    calls     of models, those in a row as one: `calls` (paid), `hits`, `roles` (how many of each), `tokens_in`,
              `tokens_out`, `dollars` (none where a price is unknown), `unusable`
    insight   `operation`, `what` (add, modify, merge, delete), `targets`, `about`, `author`, `reason`, `told`
    hint      `hint`, `text`, `asked`
    look      at the test tasks: `look` (1 for the first), `score`, `gain` (an estimate)
    request   one that came to no design: `request`, `reason`
    """

    time: float | None
    """None where it was not kept."""
    kind: str
    facts: dict[str, Any]


class Log:
    """One run's happenings. Each call of `new` gives those that were committed since the one before."""

    def __init__(self, connection: sqlite3.Connection, path: Path, run_id: int) -> None:
        self._connection = connection
        self._path = path
        self._run_id = run_id
        self._read = dict.fromkeys(COLUMNS, 0)
        """Number of the last row that was read, by kind."""
        self._asked = -1
        """Number of the last request that was seen."""
        self._open: list[int] = []
        """Those that were under way then."""
        self._version: int | None = None

    def has_changed(self) -> bool:
        """Whether another connection has committed something since this was last asked."""
        with self._explained():
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        before, self._version = self._version, int(version)
        return before != self._version

    def status(self) -> str:
        """The run's, as its row has it."""
        with self._explained():
            row = self._connection.execute("SELECT status FROM run WHERE id = ?", (self._run_id,)).fetchone()
        return str(row[0]) if row is not None else ""

    def new(self) -> Iterator[Happening]:
        """What happened since, all of one moment of the archive; to be read to its end at once."""
        with self._explained():
            self._connection.execute("BEGIN")  # one snapshot for all that is read
            try:
                streams = [self._stream(kind) for kind in COLUMNS]
                yield from _folded(heapq.merge(*streams, key=lambda each: each.time or 0.0))
                yield from self._unanswered()
            finally:
                self._connection.rollback()

    def _stream(self, kind: str) -> Iterator[Happening]:
        """The rows of one kind, in the order of their numbers: the index of runs would have them sorted anew."""
        query = f"SELECT source.id, source.created, {COLUMNS[kind]} WHERE +source.run_id = ? AND source.id > ?"
        for row in self._connection.execute(f"{query} ORDER BY source.id", (self._run_id, self._read[kind])):
            self._read[kind] = row[0]
            yield Happening(row[1], kind, _READERS[kind](row[0], row[2:]))

    def _unanswered(self) -> Iterator[Happening]:
        """Requests that came to nothing, as far as that was not told yet; of some the time is not kept."""
        marks = ", ".join("?" * len(self._open))
        rows = self._connection.execute(
            "SELECT request.number, result, manifest.created, manifest.reason FROM request LEFT JOIN manifest"
            " ON manifest.run_id = request.run_id AND manifest.number = request.number"
            f" WHERE request.run_id = ? AND (request.number > ? OR request.number IN ({marks})) ORDER BY 1",
            (self._run_id, self._asked, *self._open),
        ).fetchall()
        self._open = [number for number, result, *_ in rows if result is None]
        self._asked = max([self._asked, *(number for number, *_ in rows)])
        for number, result, created, reason in rows:
            if result is not None and not json.loads(result).get("design"):
                yield Happening(created, "request", {"request": number, "reason": reason or ""})

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if is_damage(error):
                raise ArchiveError(damaged(self._path, error)) from error
            raise ArchiveError(f"{self._path} cannot be read: {error}") from error


def _of_design(design: str, number: int | None, change: str | None) -> dict[str, Any]:
    return {"design": design, "number": number, "change": change or ""}


def _event(_: int, row: Sequence[Any]) -> dict[str, Any]:
    return {**_of_design(*row[:3]), "state": row[3], "reason": row[4]}


def _score(_: int, row: Sequence[Any]) -> dict[str, Any]:
    role, score, low, high, n, tokens = row[3:]
    interval = [low, high] if isfinite(low) and isfinite(high) else None
    return {**_of_design(*row[:3]), "role": role, "score": score, "interval": interval, "n": n, "tokens": tokens}


def _call(_: int, row: Sequence[Any]) -> dict[str, Any]:
    """One call as the sum of itself; one that an earlier call answered took nothing."""
    role, hit_of, tokens_in, tokens_out, dollars, problem = row
    if hit_of is not None:
        tokens_in, tokens_out, dollars, problem = 0, 0, 0.0, ""
    tokens = {"tokens_in": tokens_in, "tokens_out": tokens_out, "dollars": dollars}
    hits = int(hit_of is not None)
    return {"calls": 1 - hits, "hits": hits, "roles": Counter([role]), **tokens, "unusable": int(bool(problem))}


def _insight(number: int, row: Sequence[Any]) -> dict[str, Any]:
    what, targets, author, reason, told, packed = row
    numbers = [int(each) for each in targets.split(",") if each]
    known = unpack(packed) if packed else {}
    about = " ".join(str(known[name]) for name in ("kind", "subject") if name in known)
    by = {"author": author, "reason": reason, "told": told}
    return {"operation": number, "what": what, "targets": numbers, "about": about, **by}


def _hint(number: int, row: Sequence[Any]) -> dict[str, Any]:
    return {"hint": number, "text": row[0], "asked": row[1]}


def _look(number: int, row: Sequence[Any]) -> dict[str, Any]:
    result = json.loads(row[3])
    return {
        **_of_design(*row[:3]),
        "look": result.get("look"),
        "score": result.get("score"),
        "gain": result.get("gain"),
    }


_READERS = {"event": _event, "score": _score, "calls": _call, "insight": _insight, "hint": _hint, "look": _look}


def _folded(happenings: Iterable[Happening]) -> Iterator[Happening]:
    """Calls with nothing between them as one."""
    held: Happening | None = None
    for each in happenings:
        if held is not None and each.kind == "calls":
            held = Happening(
                each.time, "calls", {name: _sum(held.facts[name], each.facts[name]) for name in each.facts}
            )
            continue
        if held is not None:
            yield held
        held = each if each.kind == "calls" else None
        if held is None:
            yield each
    if held is not None:
        yield held


def _sum(one: Any, other: Any) -> Any:
    """Of dollars none, where one price is unknown."""
    return None if one is None or other is None else one + other
