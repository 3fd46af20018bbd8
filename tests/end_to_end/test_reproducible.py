"""The same seed, the same run: on any number of workers, on any sandbox, and once more from the archive."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sandbox.backends import make
from tests import THOROUGH
from tests.end_to_end.conftest import SMALL, Shell

RUN = ("run", *SMALL, "--designs", "12", "--finalists", "0")
WAYS = [("process", 0), ("process", 4), ("bubblewrap", 1), ("docker", 2)]


def result(path: Path) -> list[Any]:
    """Every design of run 1 with its number, its state and its score."""
    query = """SELECT m.number, m.design_id, m.change, e.score, (SELECT state FROM event
        WHERE design_id = m.design_id ORDER BY id DESC LIMIT 1) FROM member m LEFT JOIN evaluation e
        ON e.design_id = m.design_id AND e.role = 'deployment' ORDER BY m.number, m.design_id"""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What one process comes to."""
    shell = Shell(tmp_path_factory.mktemp("first"))
    done = shell.here(*RUN, "--reproducible", "--sandbox", "process", "--workers", "0")
    assert done.code == 0, done.err
    return result(shell.folder / "palimpsest.db")


@pytest.mark.parametrize(("sandbox", "workers"), WAYS[1:], ids=str)
def test_workers_and_sandbox_change_nothing(shell: Shell, first: list[Any], sandbox: str, workers: int) -> None:
    reason = make(sandbox).available()
    if reason is not None:
        pytest.skip(f"{sandbox}: {reason}")
    done = shell.evolve(*RUN, "--reproducible", "--sandbox", sandbox, "--workers", str(workers))
    assert done.code == 0, done.err
    assert result(shell.folder / "palimpsest.db") == first


@pytest.mark.parametrize("extra", [("--workers", "0", "--reproducible"), ("--workers", "2")][: 1 + THOROUGH], ids=str)
def test_a_run_is_decided_again_from_its_archive(shell: Shell, extra: tuple[str, ...]) -> None:
    command = (*RUN, "--sandbox", "process", *extra)
    assert shell.evolve(*command).code == 0
    assert shell.evolve(*command, "--designs", "16").code == 0
    replayed = shell.here("replay", "1", "--json")
    assert (replayed.code, replayed.json["differences"]) == (0, [])
    assert replayed.json["requests"] >= 16
    assert "come out the same" in shell.here("replay", "1").out


def test_a_decision_that_is_not_the_archives_own_is_named(shell: Shell) -> None:
    assert shell.here(*RUN, "--sandbox", "process", "--workers", "0").code == 0
    with closing(sqlite3.connect(shell.folder / "palimpsest.db")) as connection:
        rows = connection.execute("SELECT number, payload FROM request WHERE number > 3").fetchall()
        (moved, _), (_, other) = next((a, b) for a in rows for b in rows if a[1] != b[1])
        connection.execute("UPDATE request SET payload = ? WHERE number = ?", (other, moved))
        connection.commit()
    replayed = shell.here("replay", "1", "--json")
    assert replayed.code == 1
    assert moved in [each["request"] for each in replayed.json["differences"]]


def test_what_decided_nothing_is_not_replayed(shell: Shell) -> None:
    (shell.folder / "design.py").write_text((Path(__file__).parents[2] / "archive/seeds/no_memory.py").read_text())
    done = shell.here("eval", "design.py", *SMALL, "--sandbox", "process", "--workers", "0", "--allow-unsafe")
    assert done.code == 0, done.err
    refused = shell.here("replay", "1")
    assert (refused.code, refused.out) == (2, "")
    assert "decides nothing" in refused.err
