"""Live updates: what is committed is told within two seconds, to those whom it concerns."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from archive.dashboard import live
from archive.dashboard.live import CrowdedError, Hub, Watch
from archive.dashboard.reading import Reader

SOON = 2.0


@pytest.fixture
def archive(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(recorded, tmp_path / "live.db"))


def commit(path: Path, run: int) -> None:
    with sqlite3.connect(path) as db:
        given = (run, "1-abc", "smoke", "", time.time())
        db.execute("INSERT INTO event (run_id, design_id, state, reason, created) VALUES (?, ?, ?, ?, ?)", given)


async def message(stream: AsyncIterator[str], within: float = SOON) -> Any:
    """The data of the next message."""
    async with asyncio.timeout(within):
        async for text in stream:
            if text.startswith("event: changed\ndata: "):
                return json.loads(text.removeprefix("event: changed\ndata: "))
    return None


def test_a_commit_is_told_to_those_whom_it_concerns(archive: Path) -> None:
    async def listen() -> None:
        hub = Hub(Reader(archive))
        of_one, of_two, of_all = (hub.listen(run) for run in (1, 2, None))
        for stream in (of_one, of_two, of_all):
            assert (await anext(stream)).startswith("retry:")
        await asyncio.sleep(2 * live.INTERVAL)
        commit(archive, 1)
        for stream in (of_one, of_all):
            told = await message(stream)
            assert told["runs"] == [1]
            assert told["counts"] == {"event": 1}
            assert [(each["run"], each["design"], each["state"]) for each in told["events"]] == [(1, "1-abc", "smoke")]
        with pytest.raises(TimeoutError):
            await message(of_two, 2 * live.INTERVAL)
        hub.close()
        assert await message(of_all) is None  # the stream has ended

    asyncio.run(listen())


def test_nobody_listens_so_nobody_looks(archive: Path) -> None:
    async def listen() -> Hub:
        hub = Hub(Reader(archive))
        stream = hub.listen(None)
        await anext(stream)
        assert hub._poller is not None
        await stream.aclose()
        return hub

    hub = asyncio.run(listen())
    assert hub._poller is None
    assert not hub._listeners


def test_who_reads_slowly_gets_the_newest(archive: Path) -> None:
    async def listen() -> None:
        hub = Hub(Reader(archive))
        stream = hub.listen(1)
        await anext(stream)
        for number in range(20):
            hub._tell({"runs": [1], "number": number})
        seen = [(await message(stream))["number"] for _ in range(8)]
        assert seen == list(range(12, 20))
        await stream.aclose()

    asyncio.run(listen())


def test_there_is_room_for_so_many(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_LISTENERS", 1)

    async def listen() -> None:
        hub = Hub(Reader(archive))
        hub.admit()
        stream = hub.listen(None)
        await anext(stream)
        with pytest.raises(CrowdedError):
            hub.admit()
        await stream.aclose()

    asyncio.run(listen())


def test_an_archive_that_goes_and_comes_back(archive: Path, tmp_path: Path) -> None:
    """The poller outlives it; the pages say what is wrong meanwhile."""

    async def listen() -> None:
        kept = archive.rename(tmp_path / "kept.db")
        hub = Hub(Reader(archive))
        stream = hub.listen(None)
        await anext(stream)
        await asyncio.sleep(2 * live.INTERVAL)
        kept.rename(archive)
        await asyncio.sleep(3 * live.INTERVAL)
        commit(archive, 2)
        assert (await message(stream))["runs"] == [2]
        await stream.aclose()

    asyncio.run(listen())


def test_watching_takes_no_lock(archive: Path) -> None:
    watch = Watch(Reader(archive))
    with Reader(archive).snapshot() as db:
        db.execute("SELECT COUNT(*) FROM event").fetchone()
        writer = sqlite3.connect(archive, timeout=0)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE run SET status = 'running' WHERE id = 2")
        writer.commit()
        (before,) = db.execute("SELECT status FROM run WHERE id = 2").fetchone()
        assert before == "done"  # a request sees one moment
        writer.close()
    seen = watch.look()
    assert seen is not None
    assert seen["runs"] == [2]
    assert watch.look() is None
    watch.close()


def test_a_reader_cannot_write(archive: Path) -> None:
    with Reader(archive).snapshot() as db, pytest.raises(sqlite3.OperationalError):
        db.execute("DELETE FROM run")
