"""Nothing is lost: drivers, workers, Ray's node and guests are killed, disks fill up, files tear, and runs go on."""

from __future__ import annotations

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
from tests import THOROUGH
from tests.end_to_end.conftest import SCRIPT, Done, Shell

TINY = ("--domain", "recall", "--collection", "8", "--deployment", "8", "--repeats", "1", "--sandbox", "process")
FINALS = ("--finalists", "2", "--confirmation", "8")
RUN = ("run", *TINY, *FINALS, "--designs", "8", "--json")

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

    def __init__(self, folder: Path, *arguments: str, elsewhere: Path | None = None) -> None:
        self.archive = folder / "palimpsest.db"
        self._out, self._said = ((elsewhere or folder) / name for name in ("out", "said"))
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


KILLS = [(0, 9, 0), (0, 9, 1), (0, 8, 2), (2, 4, 0)] if THOROUGH else [(0, 7, 0), (2, 1, 0)]
"""All thirty take four minutes of two cores; the suite makes eight of them."""


@pytest.mark.parametrize(("workers", "kills", "seed"), KILLS)
def test_a_killed_driver_ends_with_the_undisturbed_runs_designs_and_scores(
    tmp_path: Path, workers: int, kills: int, seed: int
) -> None:
    """Each at a moment that the seed draws; the next sitting begins at once."""
    rng = np.random.default_rng([workers, seed])
    command = (*RUN, *reproducible(seed), "--workers", str(workers))
    for _ in range(kills):
        sitting = Sitting(tmp_path, *command)
        assert sitting.kill_after(*moment(rng)), "it ended before it was killed"
        assert "Traceback" not in sitting.said
    sitting = Sitting(tmp_path, *command)
    assert done_well(sitting.end())["status"] == "done"
    assert content(sitting.archive) == undisturbed(seed)


def moment(rng: np.random.Generator) -> tuple[int, float]:
    """After how many writes, and how many seconds later, a driver is killed; it makes some 100 writes in all."""
    return int(rng.integers(2, 13)), float(rng.uniform(0, 0.05))


@pytest.mark.parametrize(("workers", "kills"), [(0, 5), (2, 2)][: 1 + THOROUGH])
def test_nothing_committed_is_lost_or_paid_twice(tmp_path: Path, workers: int, kills: int) -> None:
    """Triggers of the archive itself count what is delivered to it, also what it has already."""
    path, rng = tmp_path / "palimpsest.db", np.random.default_rng(workers)
    open_archive(path, write=True).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE delivered (what, key);"
            "CREATE TRIGGER a BEFORE INSERT ON episode BEGIN INSERT INTO delivered VALUES ('episode', NEW.key); END;"
            "CREATE TRIGGER b BEFORE INSERT ON recording"
            " BEGIN INSERT INTO delivered VALUES ('recording', NEW.key); END;"
        )
    command = (*RUN, "--workers", str(workers))
    kept: list[Content] = []
    for _ in range(kills):
        assert Sitting(tmp_path, *command).kill_after(*moment(rng)), "it ended before it was killed"
        kept.append(content(path))
    result = done_well(Sitting(tmp_path, *command).end())
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
        child = left.pop()
        left += children.get(child, ())
        with suppress(OSError):
            found.append((child, Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")))
    return found


@pytest.mark.parametrize("victim", ["ray::Worker", "raylet/raylet"])
def test_a_run_outlives_what_works_for_it(tmp_path: Path, victim: str) -> None:
    sitting = Sitting(tmp_path, *RUN, *reproducible(0), "--workers", "2")
    sitting.until_evaluated(2)
    found = [pid for pid, command in processes_under(sitting.process.pid) if victim in command]
    os.kill(found[0], signal.SIGKILL)
    done = sitting.end()
    assert (done_well(done)["status"], done.json["failed"]) == ("done", 0)
    assert "the machine failed, trying again: " in done.err
    assert content(sitting.archive) == undisturbed(0)


SLOW = """
import os, pathlib, time
from sandbox.guest import Memory, MemoryDesign

class Slow(MemoryDesign):
    def update(self, trajectory): pass

    def manage(self):
        place = pathlib.Path(PLACE)
        if place.exists() == HARMLESS: return
        place.write_text(str(os.getpid()))
        time.sleep(3)
        os.kill(os.getpid(), 9)

    def retrieve(self, query):
        return Memory(["look"])
"""


@pytest.mark.parametrize("fault", ["machine", "design"])
def test_the_log_says_whose_fault_it_was(shell: Shell, fault: str) -> None:
    """A guest that is killed once is the machine's fault, one that ends itself each time the design's."""
    place = shell.folder / "pid"
    source = SLOW.replace("PLACE", repr(str(place))).replace("HARMLESS", str(fault == "machine"))
    if fault == "design":
        source = source.replace("time.sleep(3)", "pass").replace("place.exists() == False", "False")
    name = shell.write("slow.py", source)
    sitting = Sitting(shell.folder, "eval", name, *TINY, "--workers", "0", "--allow-unsafe", "--json")
    if fault == "machine":
        sitting.until(lambda: place.exists() and place.read_text() != "")
        os.kill(int(place.read_text()), signal.SIGKILL)
    done = sitting.end()
    assert "Traceback" not in done.err
    assert (done.code, done.json["status"]) == ((0, "ok") if fault == "machine" else (1, "failed"))
    assert ("the machine failed, not design" in done.err) == (fault == "machine")
    assert ("failed: Exit in manage" in done.err) == (fault == "design")


# The disk


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk; test_run.py has the limit on files in its place")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_ends_in_a_sentence_and_with_space_the_run_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with small_disk(folder, "700k"):
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(500_000))
        command = (*RUN, *reproducible(0), "--workers", "0")
        for taken, elsewhere in ((400_000, tmp_path), (200_000, folder)):
            full = Sitting(folder, *command, elsewhere=elsewhere).end()
            assert full.code == 2, full.err
            assert "Traceback" not in full.err
            assert elsewhere is folder or "is full" in full.err.splitlines()[-1], "here, there is room for what it says"
            ballast.write_bytes(bytes(taken))
        ballast.unlink()
        subprocess.run(["mount", "-o", "remount,size=16m", str(folder)], check=True)
        assert done_well(Sitting(folder, *command).end())["status"] == "done"
        assert content(folder / "palimpsest.db") == undisturbed(0)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the archive of a driver that was killed in mid-run, and its write-ahead log."""
    folder = tmp_path_factory.mktemp("killed")
    sitting = Sitting(folder, *RUN, *reproducible(0), "--workers", "0")
    sitting.until_evaluated(4)
    sitting.process.kill()
    sitting.process.wait()
    (folder / "palimpsest.db-shm").unlink(missing_ok=True)
    return folder


def cut_short(data: bytearray) -> None:
    del data[-3000:]


def garble_middle(data: bytearray) -> None:
    middle = len(data) // 2
    data[middle : middle + 100] = os.urandom(100)


def garble_header(data: bytearray) -> None:
    data[8:24] = bytes(16)


TEARS: dict[Callable[[bytearray], None], str] = {
    cut_short: "its last frame is cut short",
    garble_middle: "it is garbled from frame",
    garble_header: "its header is garbled",
}


@pytest.mark.parametrize("tear", TEARS, ids=lambda tear: tear.__name__)
def test_a_torn_log_is_told_and_what_it_held_is_done_again(
    tmp_path: Path, killed: Path, tear: Callable[[bytearray], None]
) -> None:
    folder, path = tmp_path / "torn", tmp_path / "torn" / "palimpsest.db"
    shutil.copytree(killed, folder)
    log = path.with_name(path.name + "-wal")
    data = bytearray(log.read_bytes())
    tear(data)
    log.write_bytes(data)
    doctored = shutil.copytree(folder, tmp_path / "doctored")
    found = Shell(doctored).here("doctor", path.name, "--json")
    first = found.json["findings"][0]
    assert first["detail"].startswith(TEARS[tear])
    if tear is garble_header:  # all of the archive was in it
        assert (found.code, found.json["findings"][1]["remedy"] != "") == (1, True)
        return
    assert (found.code, first["ok"], first["mended"] != "") == (0, True, True)
    assert (doctored / found.json["copy"]).with_name(f"{found.json['copy']}-wal").read_bytes() == bytes(data)
    assert Shell(doctored).here("doctor", path.name, "--json").json["copy"] is None
    done = Sitting(folder, *RUN, *reproducible(0), "--workers", "0").end()
    assert done_well(done)["status"] == "done"
    assert f"write-ahead log is lost ({TEARS[tear]}" in done.err
    assert content(path) == undisturbed(0)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 1.0])
def test_a_garbled_page_is_told_and_what_can_be_read_is_saved(tmp_path: Path, killed: Path, part: float) -> None:
    shell = Shell(shutil.copytree(killed, tmp_path / "garbled"))
    path = shell.folder / "palimpsest.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    place = 4096 * int(part * (len(data) // 4096 - 1))
    data[place : place + 4096] = np.random.default_rng(place).bytes(4096)
    path.write_bytes(data)
    for command in (("top",), ("runs",), ("doctor", path.name, "--json"), ("top",)):
        done = shell.here(*command)
        assert done.code in (0, 1, 2), done.err
        assert done.code == 0 or (done.err + done.out), command
        if command[0] == "doctor" and part:
            assert any(finding["mended"] for finding in done.json["findings"])
    if done.code == 0 and part == 1.0:
        assert done_well(Sitting(shell.folder, *RUN, *reproducible(0), "--workers", "0").end())["status"] == "done"
        assert content(path)["evaluation"] == undisturbed(0)["evaluation"]
