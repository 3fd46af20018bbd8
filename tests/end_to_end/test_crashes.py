"""Nothing is lost: drivers, workers, Ray's node and guests are killed, disks fill up, files tear, and runs go on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest

from archive.opening import open_archive
from tests.end_to_end.conftest import SCRIPT, Done, Shell

TINY = ("--domain", "recall", "--collection", "8", "--deployment", "8", "--repeats", "1", "--sandbox", "process")
FINALS = ("--finalists", "2", "--confirmation", "8")
RUN = ("run", *TINY, *FINALS, "--designs", "8", "--json")
KILLS = 30

SAME = {
    "member": "SELECT number, design_id, role, change FROM member ORDER BY number, design_id",
    "parent": "SELECT design_id, position, parent_id FROM parent ORDER BY design_id, position",
    "request": "SELECT number, payload, told, result FROM request ORDER BY number",
    "evaluation": "SELECT design_id, role, score, low, high, n, tokens, cut, signature FROM evaluation"
    " ORDER BY design_id, role",
    "outcome": "SELECT design_id, role, task_id, repeat, outcome.score, episode, told FROM outcome"
    " JOIN evaluation ON evaluation.id = evaluation_id ORDER BY design_id, role, task_id, repeat",
    "episode": "SELECT key, score FROM episode ORDER BY key",
    "state": "SELECT design_id, state, reason FROM event WHERE id IN (SELECT MAX(id) FROM event GROUP BY design_id)"
    " ORDER BY design_id",
}
"""What a run has come to; when, and in how many sittings, is left out."""

Content = dict[str, list[tuple[Any, ...]]]


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def content(path: Path) -> Content:
    return {name: rows(path, query) for name, query in SAME.items()}


class Sitting:
    """`evolve` in a process of its own, and what it writes."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.archive = folder / "palimpsest.db"
        self._out, self._said = folder / "out", folder / "said"
        with self._out.open("w") as out, self._said.open("w") as said:
            self.process = subprocess.Popen([str(SCRIPT), *arguments], cwd=folder, stdout=out, stderr=said)

    def kill_after(self, writes: int, seconds: float) -> bool:
        """SIGKILL once the archive was written so often, and a moment has passed; false where the sitting ended."""
        last, seen = self._written(), 0
        while seen < writes:
            if self.process.poll() is not None:
                return False
            time.sleep(0.001)
            now = self._written()
            seen, last = seen + (now != last), now
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
            return False
        self.process.kill()
        self.process.wait()
        return True

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait for something that happens while it sits."""
        deadline = time.monotonic() + 120
        while not happened():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.01)

    def until_evaluated(self, least: int) -> None:
        """Wait until so many designs have a score."""
        self.until(lambda: self._evaluated() >= least)

    def end(self) -> Done:
        """Wait for its end."""
        code = self.process.wait(timeout=120)
        return Done(code, self._out.read_text(), self.said)

    @property
    def said(self) -> str:
        return self._said.read_text()

    def _written(self) -> tuple[int, int] | None:
        try:
            found = self.archive.with_name(self.archive.name + "-wal").stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size

    def _evaluated(self) -> int:
        if not self.archive.exists():
            return 0
        with suppress(sqlite3.OperationalError):
            return len(rows(self.archive, "SELECT 1 FROM event WHERE state = 'evaluated'"))
        return 0


def done_well(done: Done) -> Any:
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    return done.json


@cache
def undisturbed(seed: int) -> Content:
    """What a reproducible run of a seed comes to where nothing happens to it."""
    folder = Path(mkdtemp(prefix="palimpsest-undisturbed-"))
    try:
        assert done_well(Sitting(folder, *RUN, *reproducible(seed), "--workers", "0").end())["status"] == "done"
        return content(folder / "palimpsest.db")
    finally:
        shutil.rmtree(folder)


def reproducible(seed: int) -> tuple[str, ...]:
    return ("--reproducible", "--seed", str(seed))


# The driver


@pytest.mark.parametrize(("workers", "kills"), [(0, KILLS - 4), (2, 4)])
def test_a_killed_driver_ends_with_the_undisturbed_runs_designs_and_scores(
    tmp_path: Path, workers: int, kills: int
) -> None:
    rng, killed = np.random.default_rng(workers), 0
    for seed in range(kills):
        folder = tmp_path / str(seed)
        folder.mkdir()
        command = (*RUN, *reproducible(seed), "--workers", str(workers))
        while (sitting := Sitting(folder, *command)).kill_after(*moment(rng)):
            killed += 1
            assert "Traceback" not in sitting.said
        assert done_well(sitting.end())["status"] == "done"
        assert content(folder / "palimpsest.db") == undisturbed(seed)
        if killed >= kills:
            break
    assert killed >= kills


def moment(rng: np.random.Generator) -> tuple[int, float]:
    """After how many writes, and how many seconds later, a driver is killed."""
    return int(rng.integers(2, 30)), float(rng.uniform(0, 0.1))


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_committed_is_lost_or_paid_twice(tmp_path: Path, workers: int) -> None:
    """Triggers of the archive itself count what is delivered to it, also what it has already."""
    path, rng = tmp_path / "palimpsest.db", np.random.default_rng(workers)
    open_archive(path, write=True).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE delivered (what, key);"
            "CREATE TRIGGER a BEFORE INSERT ON episode BEGIN INSERT INTO delivered VALUES ('episode', NEW.key); END;"
            "CREATE TRIGGER b BEFORE INSERT ON recording BEGIN INSERT INTO delivered VALUES ('recording', NEW.key); END;"
        )
    command = (*RUN, "--workers", str(workers))
    kept: list[Content] = []
    while (sitting := Sitting(tmp_path, *command)).kill_after(*moment(rng)):
        kept.append(content(path))
    result = done_well(sitting.end())
    assert kept
    assert result["status"] == "done"
    assert result["evaluated"] + result["failed"] == 8
    final = content(path)
    for before in kept:
        for table in ("member", "parent", "evaluation", "outcome", "episode"):
            assert set(before[table]) <= set(final[table]), table
    for what in ("episode", "recording"):
        delivered = rows(path, f"SELECT COUNT(*), COUNT(DISTINCT key) FROM delivered WHERE what = '{what}'")
        assert delivered == rows(path, f"SELECT COUNT(*), COUNT(*) FROM {what}"), what
    assert len(final["evaluation"]) == len({row[:2] for row in final["evaluation"]})


def test_a_second_driver_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    first = Sitting(tmp_path, *RUN, *reproducible(0), "--workers", "0")
    first.until_evaluated(1)
    second = Shell(tmp_path).evolve(*RUN, *reproducible(0), "--workers", "0")
    assert (second.code, second.out) == (2, "")
    assert second.err.splitlines()[-1].startswith("evolve: another `evolve`")
    done_well(first.end())
    assert content(first.archive) == undisturbed(0)


# What works for it


def processes_under(pid: int) -> list[tuple[int, str]]:
    """The processes that one has started, and they in turn, with their command lines."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found, left = [], list(children.get(pid, ()))
    while left:
        left += children.get(left[-1], ()) if (child := left.pop()) is None else children.get(child, ())
        with suppress(OSError):
            found.append((child, Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")))
    return found


WORKER, RAYLET, GUEST = "ray::Worker", "raylet/raylet", "sandbox.guest.serve"


@pytest.mark.parametrize(("victim", "workers"), [(WORKER, 2), (RAYLET, 2), (GUEST, 0)])
def test_a_run_outlives_what_works_for_it(tmp_path: Path, victim: str, workers: int) -> None:
    sitting = Sitting(tmp_path, *RUN, *reproducible(0), "--workers", str(workers))
    sitting.until_evaluated(2)
    killed = [pid for pid, command in processes_under(sitting.process.pid) if victim in command]
    for pid in killed if victim == GUEST else killed[:1]:
        os.kill(pid, signal.SIGKILL)
    assert killed
    done = sitting.end()
    result = done_well(done)
    assert "machine failed" in done.err
    assert (result["status"], result["failed"]) == ("done", 0), done.err
    assert content(sitting.archive) == undisturbed(0)
