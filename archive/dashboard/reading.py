"""Reading an archive while a run may be writing it: a request is one short transaction, which takes no write lock."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from archive.database import ArchiveError, connect, damaged, is_damage
from archive.tables import SCHEMA_VERSION

PATIENCE_MS = 2000
"""How long to wait for SQLite's own short locks, as after a crash, when the log is recovered."""


class NotThereError(LookupError):
    """The archive has nothing of that name; the message says what it was and where to look."""


class Reader:
    """Opens one archive, for reading only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def connect(self) -> sqlite3.Connection:
        """A connection that cannot write; raises `ArchiveError` where there is nothing fit to be read."""
        if not self.path.is_file():
            raise ArchiveError(f"there is no archive at {self.path}; `evolve run` makes one")
        with self._explained(), ExitStack() as unless_fit:
            connection = unless_fit.enter_context(closing(connect(self.path, "ro")))
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
            connection.execute("PRAGMA cache_size = -32000")
            self._check(connection)
            unless_fit.pop_all()
        return connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """The archive as it is now, unchanged until the end: one transaction, ended without a trace."""
        connection = self.connect()
        try:
            with self._explained():
                connection.execute("BEGIN")
                yield connection
        finally:
            connection.close()

    def _check(self, connection: sqlite3.Connection) -> None:
        row = None
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        if row is None or not str(row[0]).isdigit():
            raise ArchiveError(f"{self.path} is no archive of Palimpsest; give --archive another name")
        version = int(row[0])
        if version > SCHEMA_VERSION:
            raise ArchiveError(f"{self.path} was written by a newer Palimpsest (schema {version}). Upgrade first")
        if version < SCHEMA_VERSION:
            raise ArchiveError(
                f"{self.path} has the older schema {version}; `evolve runs --archive {self.path}` brings it up to date"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if is_damage(error) or getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
                raise ArchiveError(damaged(self.path, error)) from error
            raise ArchiveError(f"{self.path} cannot be read now ({error}); reload the page") from error


def run_row(db: sqlite3.Connection, run_id: int) -> sqlite3.Row:
    """A run's row; raises `NotThereError`."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM run WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise NotThereError(f"The archive has no run {run_id}.")
    return row


def tuples(db: sqlite3.Connection, sql: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """Rows without their names, which are read in a third of the time where there are tens of thousands."""
    cursor = db.cursor()
    cursor.row_factory = None
    return cursor.execute(sql, parameters).fetchall()
