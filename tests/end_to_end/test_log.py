"""`evolve log`: all that happened in a run, and what happens next within two seconds of its commit."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from archive.ledger import Entry, Ledger
from archive.log import Log
from archive.opening import open_archive
from archive.store import Archive, connect
from archive.tables import Hint, Look, State
from tests.end_to_end.conftest import SCRIPT, Shell

WITHIN = 2.0


@pytest.fixture
def copied(finished: Shell, shell: Shell) -> Shell:
    """A folder of its own with the finished run in it."""
    shutil.copy(finished.folder / "palimpsest.db", shell.folder)
    return shell


@contextmanager
def written(shell: Shell, status: str = "running") -> Iterator[Archive]:
    """The archive as a driver holds it, its run in a state."""
    archive = open_archive(shell.folder / "palimpsest.db", write=True)
    try:
        archive.save(archive.run(1).model_copy(update={"status": status}))
        yield archive
    finally:
        archive.close()


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def query(shell: Shell, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(shell.folder / "palimpsest.db")) as connection:
        return connection.execute(sql).fetchall()


def test_all_that_happened_is_told_in_order(finished: Shell) -> None:
    told = lines(finished.here("log", "1", "--json").out)
    events = [(each["design"], each["state"], each["reason"]) for each in told if each["kind"] == "event"]
    assert events == query(finished, "SELECT design_id, state, reason FROM event ORDER BY id")
    scores = [(each["design"], each["role"], each["score"]) for each in told if each["kind"] == "score"]
    assert scores == query(finished, "SELECT design_id, role, score FROM evaluation ORDER BY id")
    assert told[-1] == {"time": None, "kind": "status", "status": "done"}
    times = [each["time"] for each in told[:-1]]
    assert times == sorted(times)


def test_it_is_read_as_lines_of_the_past_or_the_last_of_them(finished: Shell) -> None:
    whole = finished.here("log")
    assert whole.code == 0, whole.err
    first, *rest, last = whole.out.splitlines()
    assert first.startswith("run 1: alma on recall, seed 0")
    assert last == "run 1: done"
    assert any("no_memory 1-" in line and "proposed" in line for line in rest)
    assert any("confirmation:blank: " in line for line in rest)
    assert finished.here("log", "-n", "3").out.splitlines()[1:-1] == rest[-3:]
    assert finished.here("log", "--follow", "-n", "0").out.splitlines() == [first, last]


def test_calls_in_a_row_are_one_line_and_nothing_steers_the_terminal(copied: Shell) -> None:
    path = copied.folder / "palimpsest.db"
    hostile = "\x1b[2J\u202eevil\nrun 1: done"
    with closing(Ledger(path, write=True)) as ledger:
        one = Entry(1, b"k", "reflect", "m", "", 0, tokens_in=70, tokens_out=5, dollars=0.25)
        number = ledger.record(one, {}, {})
        ledger.record(one._replace(role="implement", problem="cut"), {}, {})
        ledger.note_hit(one._replace(hit_of=number))
    with written(copied, "done") as archive:
        archive.save(Hint(run_id=1, text=hostile, asked=3, created=time.time()))
        look = {"look": 1, "score": 0.5, "gain": {"mean": 0.25, "interval": None, "n": 1}}
        design = query(copied, "SELECT design_id FROM member WHERE number = 1")[0][0]
        archive.save(Look(run_id=1, design_id=design, result=json.dumps(look), created=time.time()))
    found = lines(copied.here("log", "--json", "-n", "3").out)
    calls, hint, _, _ = found
    assert {name: calls[name] for name in ("calls", "hits", "tokens_in", "dollars", "unusable")} == {
        "calls": 2,
        "hits": 1,
        "tokens_in": 140,
        "dollars": 0.5,
        "unusable": 1,
    }
    assert hint["text"] == hostile
    shown = copied.here("log", "-n", "3").out.splitlines()
    assert len(shown) == 5
    assert "2 paid and 1 known (implement 1, reflect 2); 140 tokens in, 10 out, $0.5000; 1 of no use" in shown[1]
    assert shown[2].endswith("1: [2Jevil run 1: done")
    assert "number 1 at the test tasks: 0.500, gain +0.250" in shown[3]


def test_requests_that_come_to_nothing_are_told_once_they_do(copied: Shell) -> None:
    path = copied.folder / "palimpsest.db"
    with closing(sqlite3.connect(path)) as writer, closing(connect(path, "ro")) as reader:
        writer.execute("INSERT INTO request VALUES (1, 90, 'propose', '{}', 0, NULL)")
        writer.commit()
        log = Log(reader, path, 1)
        assert not [each for each in log.new() if each.kind == "request"]
        assert not log.has_changed() or not list(log.new())
        writer.execute("""UPDATE request SET result = '{"design": null}' WHERE number = 90""")
        writer.commit()
        assert log.has_changed()
        assert [each.facts["request"] for each in log.new()] == [90]
        assert not list(log.new())


def following(shell: Shell) -> subprocess.Popen[str]:
    """`evolve log --follow` that has told what is there."""
    process = subprocess.Popen(
        [str(SCRIPT), "log", "--follow", "-n", "1"], cwd=shell.folder, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("run 1: ")
    assert process.stdout.readline()
    return process


def test_what_is_committed_is_seen_within_two_seconds_until_the_run_ends(copied: Shell) -> None:
    with written(copied) as archive, following(copied) as process:
        assert process.stdout is not None
        design = query(copied, "SELECT design_id FROM member WHERE number = 1")[0][0]
        for reason in ("first", "second"):
            archive.add_event(1, design, State.FAILED, reason)
            began = time.monotonic()
            assert reason in process.stdout.readline()
            assert time.monotonic() - began < WITHIN
        archive.add_event(1, design, State.EVALUATED, "the last one")
        archive.save(archive.run(1).model_copy(update={"status": "done"}))
        assert "the last one" in process.stdout.readline()
        assert process.stdout.read() == "run 1: done\n"
        assert process.wait(10) == 0


def test_ctrl_c_ends_it_as_elsewhere(copied: Shell) -> None:
    with written(copied), following(copied) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


def test_a_killed_run_is_not_waited_for(copied: Shell) -> None:
    with written(copied):
        pass  # its driver is gone, and its row says running
    done = copied.here("log", "1", "--follow", "-n", "0")
    assert (done.code, done.out.splitlines()[-1]) == (0, "run 1: interrupted")


@pytest.mark.parametrize("arguments", [("log", "77"), ("log", "--archive", "none.db")])
def test_what_is_not_there_is_a_sentence(finished: Shell, arguments: tuple[str, ...]) -> None:
    done = finished.here(*arguments)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert not (finished.folder / "none.db").exists()
