"""The file under an archive: its connections, transactions, compressed values, and the sentences when it fails."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from sqlalchemy import Connection
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool
from sqlmodel import Session, SQLModel, create_engine

from archive.tables import SCHEMA_VERSION, Meta

Row = Mapping[str, object]
"""A row to be inserted, by column."""


class ArchiveError(RuntimeError):
    """The archive cannot be used as asked; the message says why and what to do."""


DOCTOR = "`evolve doctor ARCHIVE` says what is wrong with it, and mends what can be mended"


def is_damage(error: object) -> bool:
    """Whether an error means that the file is not what SQLite wrote; a full disk, say, is no damage."""
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith("SQLITE_CORRUPT") or "decode to UTF-8" in str(error)


def damaged(path: Path, error: object) -> str:
    """The sentence about a damaged archive."""
    return f"{path} is damaged ({error}); {DOCTOR}"


def pack(value: Any) -> bytes:
    """Compress a JSON value."""
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 6)


def unpack(data: bytes) -> Any:
    """The inverse of `pack`; raises `ArchiveError` where the data are damaged."""
    try:
        return json.loads(zlib.decompress(data))
    except (zlib.error, ValueError, TypeError) as error:
        raise ArchiveError(f"the archive is damaged ({error}); {DOCTOR}") from error


class Database:
    """One SQLite file in WAL mode, with our tables in it."""

    def __init__(self, path: Path, *, write: bool, lock: IO[str] | None = None) -> None:
        self.path = path
        self._lock = lock
        self.notice = ""
        """What a person should know of the state that it was found in."""
        self._engine = create_engine(
            "sqlite://", creator=partial(connect, path, "rwc" if write else "ro"), poolclass=QueuePool
        )
        if write:
            sqlalchemy_event.listen(self._engine, "connect", _tune)

    def close(self) -> None:
        """Release the file and, for a writer, its lock."""
        self._engine.dispose()
        if self._lock is not None:
            self._lock.close()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: all of it is committed, or none. A failed write is an `ArchiveError`."""
        with self._explained(), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def columns(self) -> Iterator[Connection]:
        """A transaction past the object layer, which would cost a design more than the rest of its book-keeping."""
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if is_damage(error.orig):
                raise ArchiveError(damaged(self.path, error.orig)) from error
            raise ArchiveError(
                f"{self.path}: {error.orig}. What was committed is intact; mend the cause and run the same command"
            ) from error

    def create(self) -> None:
        """Make the tables in an empty file, all of them or none."""
        with self.transaction() as session:
            session.connection().exec_driver_sql("BEGIN")  # else SQLite would commit table by table
            SQLModel.metadata.create_all(session.connection())
            session.add(Meta(key="schema_version", value=str(SCHEMA_VERSION)))

    def save(self, row: SQLModel) -> None:
        """Insert or update one row in a transaction of its own."""
        with self.transaction() as session:
            session.merge(row) if not _is_new(row) else session.add(row)


def insert_new(connection: Connection, table: type[SQLModel], rows: Sequence[Row]) -> int:
    """Insert rows by one statement and count them; those whose key is known stay as they are."""
    return connection.execute(_insertion(table), rows).rowcount if rows else 0


@cache
def _insertion(table: type[SQLModel]) -> Insert:
    return insert(table).on_conflict_do_nothing()


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection to a file; `mode` is SQLite's: `ro`, `rw`, or `rwc` to create it."""
    uri = f"file:{quote(str(path.resolve()))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, check_same_thread=False)


def _tune(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA busy_timeout = 10000")


def _is_new(row: SQLModel) -> bool:
    return getattr(row, "id", "") is None
