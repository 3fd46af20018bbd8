"""The ledger of calls of language models: what was paid, what an equal call may be given again, and what it comes to.

It has a connection of its own, for it is written from the gateway's thread, and it keeps off the object layer, so that
a call costs little and `evolve costs` starts at once. The tables are `Call`, `Exchange` and `Refusal`.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

PATIENCE = 30.0
"""Seconds to wait for another transaction of the driver."""


class LedgerError(RuntimeError):
    """The ledger could not be read or written; the message says why."""


class Entry(NamedTuple):
    """A row of `Call` without its number, in the order of its columns."""

    run_id: int
    key: bytes
    role: str
    model: str
    design: str
    sample: int
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    reasoning: int = 0
    written: int = 0
    dollars: float | None = 0.0
    seconds: float | None = None
    finish: str = "stop"
    problem: str = ""
    hit_of: int | None = None
    created: float = 0.0


class Numbered(NamedTuple):
    """A row of `Call`."""

    number: int
    entry: Entry


class Recorded(NamedTuple):
    """What an earlier call was answered."""

    number: int
    reply: Any
    dollars: float | None
    problem: str


class Spent(NamedTuple):
    """What a run has paid so far."""

    calls: int
    tokens: int
    dollars: float
    unpriced: int
    """Calls whose price is unknown."""


class Cost(NamedTuple):
    """What the calls of one group come to."""

    group: tuple[str, ...]
    """Role and model; or the design."""
    calls: int
    hits: int
    tokens_in: int
    tokens_out: int
    cached: int
    reasoning: int
    written: int
    dollars: float | None
    """None where the price of any is unknown."""
    unpriced: int
    unusable: int
    """Calls that were paid and had no usable answer."""
    seconds: float | None
    """Median latency of the calls that were paid; none by design."""


class Past(NamedTuple):
    """What calls of one role and model took on average, in all runs of the archive."""

    calls: int
    designs: int
    """That the runs with such calls proposed."""
    tokens_in: float
    tokens_out: float


class Ledger:
    """The calls of one archive. Each method is one transaction; used by one thread at a time."""

    def __init__(self, path: Path, *, write: bool = False) -> None:
        uri = f"file:{quote(str(path.resolve()))}?mode={'rw' if write else 'ro'}"
        self._path = path
        with self._explained():
            self._connection = sqlite3.connect(
                uri, uri=True, check_same_thread=False, timeout=PATIENCE, isolation_level="IMMEDIATE"
            )
            if write:
                self._connection.execute("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerError(
                f"{self._path}: {error}. What was committed is intact; mend the cause and run the same command"
            ) from error

    # Written by the gateway

    def record(self, entry: Entry, request: Any, reply: Any) -> int:
        """Commit a call that was paid for, with what was said in it."""
        with self._explained(), self._connection as connection:
            number = _insert(connection, entry)
            said = (number, _pack(request), _pack(reply))
            connection.execute("INSERT INTO exchange (call_id, request, reply) VALUES (?, ?, ?)", said)
        return number

    def note_hit(self, entry: Entry) -> None:
        """Commit that a call was answered by an earlier one."""
        with self._explained(), self._connection as connection:
            _insert(connection, entry)

    def note_refusal(self, key: bytes, kind: str, message: str) -> None:
        """Commit that a provider would not answer, in place of what it said before."""
        with self._explained(), self._connection as connection:
            connection.execute(
                "INSERT OR REPLACE INTO refusal (key, kind, message) VALUES (?, ?, ?)", (key, kind, message)
            )

    # Read

    def find(self, key: bytes) -> Recorded | None:
        """The newest paid call of a key, if there is one."""
        row = self._one(
            "SELECT id, reply, dollars, problem FROM call JOIN exchange ON call_id = id"
            " WHERE key = ? AND hit_of IS NULL ORDER BY id DESC LIMIT 1",
            key,
        )
        return Recorded(row[0], self._unpack(row[1]), *row[2:]) if row is not None else None

    def refusal(self, key: bytes) -> tuple[str, str] | None:
        """Kind and message of a refusal, if there was one."""
        row = self._one("SELECT kind, message FROM refusal WHERE key = ?", key)
        return (row[0], row[1]) if row is not None else None

    def spent(self, run_id: int, design: str | None = None) -> Spent:
        """What a run has paid in all its sittings, for one of its designs if one is given."""
        row = self._one(
            "SELECT COUNT(*), COALESCE(SUM(tokens_in + tokens_out), 0), COALESCE(SUM(dollars), 0.0), "
            "COALESCE(SUM(dollars IS NULL), 0) FROM call NOT INDEXED"
            " WHERE run_id = ? AND hit_of IS NULL AND COALESCE(design = ?, TRUE)",
            run_id,
            design,
        )
        assert row is not None
        return Spent(*row)

    def unpriced(self, run_id: int) -> Sequence[tuple[str, int, int, int, int, int]]:
        """The paid calls of a run that have no price: model, and tokens in, out, cached, of reasoning, written."""
        return self._all(
            "SELECT model, tokens_in, tokens_out, cached, reasoning, written FROM call"
            " WHERE run_id = ? AND dollars IS NULL AND hit_of IS NULL",
            run_id,
        )

    def costs(self, run_id: int, by: Sequence[str] = ("role", "model")) -> list[Cost]:
        """What a run's calls come to, by columns; the median latency where those are role and model.

        All calls are read in their order: by the index of runs, SQLite would fetch each from another page.
        """
        names = ", ".join(by)
        rows = self._all(
            f"SELECT {names}, COUNT(*) - COUNT(hit_of), COUNT(hit_of), SUM(tokens_in), SUM(tokens_out), SUM(cached),"
            f" SUM(reasoning), SUM(written), SUM(dollars), SUM(dollars IS NULL), SUM(problem != '')"
            f" FROM call NOT INDEXED WHERE run_id = ? GROUP BY {names} ORDER BY MIN(id)",
            run_id,
        )
        with_latency = tuple(by) == ("role", "model")
        found = []
        for row in rows:
            group = tuple(row[: len(by)])
            calls, hits, tokens_in, tokens_out, cached, reasoning, written, dollars, *rest = row[len(by) :]
            tokens = (tokens_in, tokens_out, cached, reasoning, written)
            unpriced, unusable = rest
            seconds = self._median(run_id, group, calls) if with_latency else None
            known = None if unpriced else dollars
            found.append(Cost(group, calls, hits, *tokens, known, unpriced, unusable, seconds))
        return found

    def _median(self, run_id: int, group: tuple[str, ...], calls: int) -> float | None:
        row = self._one(
            "SELECT seconds FROM call WHERE run_id = ? AND role = ? AND model = ? AND seconds IS NOT NULL"
            " ORDER BY seconds LIMIT 1 OFFSET ?",
            run_id,
            *group,
            calls // 2,
        )
        return row[0] if row is not None else None

    def calls(self, run_id: int, most: int) -> list[Numbered]:
        """The newest calls of a run, hits too, oldest first."""
        columns = ", ".join(Entry._fields)
        rows = self._all(f"SELECT id, {columns} FROM call WHERE run_id = ? ORDER BY id DESC LIMIT ?", run_id, most)
        return [Numbered(number, Entry(*entry)) for number, *entry in reversed(rows)]

    def call(self, number: int) -> Numbered | None:
        """One call by its number."""
        row = self._one(f"SELECT id, {', '.join(Entry._fields)} FROM call WHERE id = ?", number)
        return Numbered(row[0], Entry(*row[1:])) if row is not None else None

    def exchange(self, number: int) -> tuple[Any, Any] | None:
        """Request and reply of a paid call, as JSON values."""
        row = self._one("SELECT request, reply FROM exchange WHERE call_id = ?", number)
        return (self._unpack(row[0]), self._unpack(row[1])) if row is not None else None

    def past(self, role: str, model: str) -> Past | None:
        """What such calls took so far, in any run; none where there were none."""
        row = self._one(
            "SELECT COUNT(*), (SELECT COUNT(*) FROM member WHERE number > 0 AND run_id IN"
            " (SELECT run_id FROM call WHERE role = ?1 AND model = ?2)), AVG(tokens_in), AVG(tokens_out)"
            " FROM call WHERE role = ?1 AND model = ?2 AND hit_of IS NULL",
            role,
            model,
        )
        return Past(*row) if row is not None and row[0] else None

    def newest_run(self) -> int | None:
        """Number of the newest run that has calls, else of the newest."""
        row = self._one("SELECT COALESCE((SELECT MAX(run_id) FROM call), (SELECT MAX(id) FROM run))")
        return row[0] if row is not None else None

    def has_run(self, run_id: int) -> bool:
        """Whether there is a run of that number."""
        return self._one("SELECT 1 FROM run WHERE id = ?", run_id) is not None

    def _one(self, query: str, *values: object) -> Any:
        with self._explained():
            return self._connection.execute(query, values).fetchone()

    def _all(self, query: str, *values: object) -> list[Any]:
        with self._explained():
            return self._connection.execute(query, values).fetchall()

    def _unpack(self, data: bytes) -> Any:
        try:
            return json.loads(zlib.decompress(data))
        except (zlib.error, ValueError, TypeError) as error:
            raise LedgerError(
                f"{self._path} holds a garbled call ({error}); `evolve doctor {self._path}` takes it out"
            ) from error


_COLUMNS = ", ".join(Entry._fields)
_INSERT = f"INSERT INTO call ({_COLUMNS}) VALUES ({', '.join('?' * len(Entry._fields))})"


def _insert(connection: sqlite3.Connection, entry: Entry) -> int:
    number = connection.execute(_INSERT, entry._replace(created=time.time())).lastrowid
    assert number is not None
    return number


def _pack(value: Any) -> bytes:
    """A JSON value, compressed fast rather than small."""
    return zlib.compress(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"), 3)
