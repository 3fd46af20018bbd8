"""Archives of older schemas, kept here as SQL, are brought up to date whole or left as they were."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from archive.migrations import STEPS
from archive.opening import open_archive
from archive.store import ArchiveError
from archive.tables import SCHEMA_VERSION, State

OLD = Path(__file__).parent / "old"


def restored(version: int, path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((OLD / f"schema_{version}.sql").read_text(encoding="utf-8"))
    return path


def columns(path: Path) -> dict[str, set[str]]:
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")} for table in tables}


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
@pytest.mark.parametrize("write", [False, True])
def test_an_older_archive_is_migrated_and_keeps_what_it_holds(version: int, write: bool, tmp_path: Path) -> None:
    old, new = restored(version, tmp_path / "old.db"), tmp_path / "new.db"
    open_archive(new, write=True).close()
    with closing(open_archive(old, write=write)) as archive:
        (run,) = archive.runs()
        assert (run.id, run.status) == (1, "done")
        states = [state for state, _ in archive.states(1).values()]
        assert states.count(State.EVALUATED) == 4
        evaluation = archive.evaluations(1, "deployment")[0]
        assert evaluation.id is not None
        assert len(archive.outcomes(evaluation.id)) == evaluation.n == 2
    assert columns(old) == columns(new)


def test_a_step_that_fails_leaves_the_archive_as_it_was(tmp_path: Path) -> None:
    path = restored(1, tmp_path / "old.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(STEPS[1][-1])  # so that the last statement of the step fails
        connection.commit()
    before = columns(path)
    with pytest.raises(ArchiveError, match=r"older schema 1 and cannot be migrated \(duplicate column"):
        open_archive(path)
    assert columns(path) == before
