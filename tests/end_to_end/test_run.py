"""Runs that are started, extended, interrupted and killed, through the console script."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from archive.opening import open_archive
from archive.tables import SCORED, State
from tests.end_to_end.conftest import QUICK, SMALL, Shell


def count(path: Path, table: str, where: str = "1") -> int:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        found: int = connection.execute(f"SELECT COUNT(*) FROM {table} WHERE {where}").fetchone()[0]
        return found
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def wait_for(path: Path, table: str, least: int, process: subprocess.Popen[str], where: str = "1") -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or count(path, table, where) < least:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_ends_with_a_table_and_says_what_next(shell: Shell) -> None:
    done = shell.evolve("run", *QUICK, "--designs", "3")
    assert done.code == 0, done.err
    assert "alma on recall, seed 0; done: 3 evaluated, 0 failed of 3" in done.out
    assert "no memory" in done.out
    assert "evolve show 1-" in done.out
    assert "evolve test 1" in done.out
    assert "does not isolate: " in done.err
    assert "warning: what runs on `process` has your rights" in done.err


def test_the_same_command_goes_on_and_pays_nothing_twice(shell: Shell) -> None:
    first = shell.evolve("run", *QUICK, "--designs", "3", "--json").json
    assert first["played"] == count(shell.folder / "palimpsest.db", "episode")
    again = shell.here("run", *QUICK, "--designs", "3", "--json").json
    assert again == {**first, "played": 0, "reused": 0}
    more = shell.here("run", *QUICK, "--designs", "5", "--json").json
    assert (more["run"], more["evaluated"] + more["failed"]) == (1, 5)
    fewer = shell.here("run", *QUICK, "--designs", "2", "--json").json
    assert (fewer["played"], fewer["designs"], fewer["evaluated"]) == (0, 5, more["evaluated"])
    assert fewer["status"] == "done"


def test_one_process_and_one_seed_give_the_same_designs(shell: Shell) -> None:
    first = shell.evolve("run", *QUICK, "--designs", "6", "--json").json
    again = shell.here("run", *QUICK, "--designs", "6", "--fresh", "--json").json
    assert again["run"] == 2
    assert again["top"] == first["top"]
    assert again["played"] == 0


def test_fresh_starts_another_run_and_other_flags_do_too(shell: Shell) -> None:
    first = shell.evolve("run", *QUICK, "--designs", "2", "--json").json
    fresh = shell.here("run", *QUICK, "--designs", "2", "--fresh", "--json").json
    other = shell.here("run", *QUICK, "--designs", "2", "--strategy", "best-of-n", "--json").json
    assert [first["run"], fresh["run"], other["run"]] == [1, 2, 3]
    assert [row["design"] for row in fresh["top"]] == [row["design"] for row in first["top"]]
    assert fresh["played"] == 0


def test_a_file_is_the_same_as_flags(shell: Shell) -> None:
    lines = ('domain = "recall"', "collection = 8", "deployment = 8", "repeats = 1", "designs = 2")
    shell.write("run.toml", "\n".join((*lines, 'sandbox = "process"', "workers = 0")))
    assert shell.evolve("run", "--config", "run.toml", "--json").json["run"] == 1
    assert shell.here("run", *QUICK, "--designs", "2", "--json").json["run"] == 1


def test_a_killed_run_goes_on_where_it_stood(shell: Shell) -> None:
    path = shell.folder / "palimpsest.db"
    command = ("run", *QUICK, "--designs", "12", "--json")
    process = shell.start(*command)
    wait_for(path, "event", 4, process, "state = 'evaluated'")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    episodes, evaluations = count(path, "episode"), count(path, "evaluation")
    assert shell.here("runs", "--json").json[0]["status"] == "interrupted"
    done = shell.evolve(*command)
    assert done.code == 0, done.err
    result = done.json
    assert (result["run"], result["status"], result["evaluated"] + result["failed"]) == (1, "done", 12)
    assert result["played"] == count(path, "episode") - episodes
    assert count(path, "evaluation", "role = 'deployment'") == result["evaluated"] + 3
    assert evaluations < result["evaluated"] + 3
    archive = open_archive(path)
    members, states = archive.members(1), archive.states(1)
    archive.close()
    assert len({member.number for member in members if member.role == "candidate"}) == 12 + result["rejected"]
    assert {state for state, _ in states.values()} <= SCORED | {State.FAILED, State.REJECTED}


def test_an_interrupted_run_says_how_to_go_on(shell: Shell) -> None:
    path = shell.folder / "my archive.db"
    command = ("run", *SMALL, "--sandbox", "process", "--workers", "2", "--designs", "40", "--archive", path.name)
    process = shell.start(*command, "--fresh")
    wait_for(path, "event", 3, process, "state = 'evaluated'")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    said, _, advice = err.splitlines()[-1].partition("go on with: ")
    assert said == "evolve: Interrupted. What is done is kept; "
    program, *arguments = shlex.split(advice)
    assert shutil.which(program) is not None, "the advice must run as it stands"
    assert arguments == list(command)
    assert shell.here("runs", "--archive", path.name, "--json").json[0]["status"] == "interrupted"
    result = shell.here("run", *QUICK, "--designs", "8", "--archive", path.name, "--json").json
    assert (result["run"], result["status"], result["designs"]) == (1, "interrupted", 40)
    assert 8 <= result["evaluated"] + result["failed"] < 40


def test_a_second_writer_is_refused_and_readers_are_not(shell: Shell) -> None:
    archive = open_archive(shell.folder / "palimpsest.db", write=True)
    done = shell.here("run", *QUICK)
    assert (done.code, done.out) == (2, "")
    assert "another `evolve` is writing palimpsest.db" in done.err
    assert shell.here("runs", "--json").json == []
    archive.close()


@pytest.mark.parametrize("blocks", [60, 400])
def test_a_full_disk_is_a_sentence_and_what_is_committed_stays(shell: Shell, blocks: int) -> None:
    """A limit on the size of files stands in for the disk; SQLite meets it at the same place."""
    limit = ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh"]
    done = shell.evolve("run", *QUICK, "--designs", "60", prefix=limit)
    assert done.code == 2, done.err
    assert "Traceback" not in done.err
    assert "palimpsest.db: " in done.err.splitlines()[-1]
    known = count(shell.folder / "palimpsest.db", "episode")
    if not known:
        return
    more = shell.here("run", *QUICK, "--designs", "3", "--json")
    assert more.code == 0, more.err
    assert more.json["played"] == count(shell.folder / "palimpsest.db", "episode") - known
