"""What just happened, as server-sent events: one poller watches the archive while anybody listens."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from archive.dashboard.reading import Reader
from archive.database import ArchiveError

INTERVAL = 0.5
"""Seconds between two looks; `PRAGMA data_version` reads no page where nothing was committed."""
BEAT = 15.0
"""Seconds of silence after which a comment is sent, so that a connection that is gone is noticed."""
MOST_LISTENERS = 64
NEWEST = 20
"""Events that a message tells of."""
COUNTED = ("event", "evaluation", "call", "operation", "look", "hint")
"""Tables with numbered rows of runs, which are only added to."""


class CrowdedError(RuntimeError):
    """Too many are listening already."""


@dataclass(slots=True, eq=False)
class _Listener:
    run: int | None
    messages: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(8))


class Watch:
    """One look after another at what was added to an archive."""

    def __init__(self, reader: Reader) -> None:
        self._db = reader.connect()
        self._version = -1
        self._last: dict[str, int] = {}
        self._runs: dict[int, tuple[Any, ...]] = {}
        try:
            self.look()
        except sqlite3.Error:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def look(self) -> dict[str, Any] | None:
        """What was committed since the last look: `runs`, `counts` by table, the newest `events`; or none."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return None
        self._version = version
        before, counts, runs = dict(self._last), {}, set[int]()
        for table in COUNTED:
            since = before.get(table, 0)
            (last,) = self._db.execute(f"SELECT COALESCE(MAX(id), 0) FROM {table}").fetchone()
            if table in before and last > since:
                changed = self._db.execute(f"SELECT run_id, COUNT(*) FROM {table} WHERE id > ? GROUP BY 1", (since,))
                found = {run: count for run, count in changed if run is not None}
                counts[table] = sum(found.values())
                runs |= found.keys()
            self._last[table] = last
        runs |= self._changed_runs()
        return {"runs": sorted(runs), "counts": counts, "events": self._newest(before.get("event", 0))}

    def _changed_runs(self) -> set[int]:
        before = self._runs
        self._runs = {row[0]: tuple(row) for row in self._db.execute("SELECT id, status, elapsed, config FROM run")}
        return {run for run, row in self._runs.items() if before.get(run) != row}

    def _newest(self, since: int) -> list[dict[str, Any]]:
        kept = "SELECT id, run_id AS run, design_id AS design, state, created FROM event WHERE id > ?"
        return [dict(row) for row in self._db.execute(f"{kept} ORDER BY id DESC LIMIT {NEWEST}", (since,))]


class Hub:
    """Passes on what the poller sees to whoever listens; it runs while anybody does."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._listeners: set[_Listener] = set()
        self._poller: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def admit(self) -> None:
        """Raise `CrowdedError` where there is no room for one more."""
        if len(self._listeners) >= MOST_LISTENERS:
            raise CrowdedError(f"{MOST_LISTENERS} pages are listening already")

    async def listen(self, run: int | None) -> AsyncGenerator[str, None]:
        """Messages about one run, or about all, until the server ends or the listener goes."""
        listener = _Listener(run)
        self._listeners.add(listener)
        self._loop = asyncio.get_running_loop()
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())
        try:
            yield "retry: 1000\n\n"
            while True:
                try:
                    message = await asyncio.wait_for(listener.messages.get(), BEAT)
                except TimeoutError:
                    message = ": still here\n\n"
                if message is None:
                    return
                yield message
        finally:
            self._listeners.discard(listener)
            if not self._listeners and self._poller is not None:
                self._poller.cancel()
                self._poller = None

    def close(self) -> None:
        """End all streams; may be called from a signal's handler."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        for listener in self._listeners:
            _put(listener, None)

    async def _poll(self) -> None:
        watch: Watch | None = None
        try:
            while True:
                try:
                    if watch is None:
                        watch = await asyncio.to_thread(Watch, self._reader)
                    if (seen := await asyncio.to_thread(watch.look)) is not None:
                        self._tell(seen)
                except (ArchiveError, sqlite3.Error):  # gone or damaged, which the pages say; it may come back
                    if watch is not None:
                        watch.close()
                    watch = None
                await asyncio.sleep(INTERVAL)
        finally:
            if watch is not None:
                watch.close()

    def _tell(self, seen: dict[str, Any]) -> None:
        for listener in self._listeners:
            if listener.run is None or listener.run in seen["runs"]:
                _put(listener, f"event: changed\ndata: {json.dumps(seen)}\n\n")


def _put(listener: _Listener, message: str | None) -> None:
    if listener.messages.full():  # it reads slowly: the newest message is what it needs
        with suppress(asyncio.QueueEmpty):
            listener.messages.get_nowait()
    listener.messages.put_nowait(message)
