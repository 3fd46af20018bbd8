"""Opening an archive: who may, in which schema it is, and how an older one is brought up to date."""

from __future__ import annotations

import fcntl
import sqlite3
from pathlib import Path
from typing import IO

from archive.migrations import migrate
from archive.store import Archive, ArchiveError, connect, damaged, is_damage
from archive.tables import SCHEMA_VERSION
from archive.wal import torn


def open_archive(path: Path, *, write: bool = False) -> Archive:
    """Open an archive; a writer creates it where there is none and holds its lock until `close`.

    An older schema is migrated first, by readers too. Raises `ArchiveError` for a missing file (reading), a file that
    is no archive, a newer schema, or a second writer. A writer is given a `notice` where the last one's log is torn.
    """
    if not write and not path.exists():
        raise ArchiveError(f"there is no archive at {path}; `evolve run` makes one")
    tear = torn(path) if write else ""  # looked at before SQLite drops what follows
    version = readable_version(path)
    if version is None and not write:
        raise ArchiveError(f"{path} is empty; `evolve run` makes an archive")
    if version is not None and version < SCHEMA_VERSION:
        _bring_up_to_date(path)
    archive = Archive(path, write=write, lock=lock(path) if write else None)
    if tear:
        archive.notice = f"the end of {path}'s write-ahead log is lost ({tear}); what it held is done again"
    if write and readable_version(path) is None:  # asked again, now that the lock keeps others out
        try:
            archive.create()
        except ArchiveError:
            archive.close()
            raise
    return archive


def open_beside(path: Path) -> Archive:
    """Open an archive to add a row to it while a run may be writing: SQLite lets both in turn.

    Only for rows that no run updates. Raises `ArchiveError` as `open_archive` does for a reader.
    """
    open_archive(path).close()
    return Archive(path, write=True)


def _bring_up_to_date(path: Path) -> None:
    """Migrate an older schema, in one transaction and under the writer's lock."""
    with lock(path):
        version = readable_version(path)
        if version is None or version == SCHEMA_VERSION:  # asked again, now that the lock keeps others out
            return
        connection = connect(path, "rw")
        try:
            migrate(connection, version)
        except sqlite3.Error as error:
            raise ArchiveError(
                f"{path} has the older schema {version} and cannot be migrated ({error}); it is left as it was"
            ) from error
        finally:
            connection.close()


def is_being_written(path: Path) -> bool:
    """Whether a writer has the archive open now."""
    try:
        with _lock_path(path).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def readable_version(path: Path) -> int | None:
    """The schema version of an archive; None where it is missing or empty. Raises `ArchiveError` for anything else."""
    try:
        version = _schema_version(path)
    except (sqlite3.DatabaseError, OSError, ValueError) as error:
        if is_damage(error):
            raise ArchiveError(damaged(path, error)) from error
        raise ArchiveError(
            f"{path} is no archive of Palimpsest or cannot be opened ({error}); give --archive another name"
        ) from error
    if version is not None and version > SCHEMA_VERSION:
        raise ArchiveError(
            f"{path} was written by a newer Palimpsest (schema {version}; known here: {SCHEMA_VERSION}). Upgrade first"
        )
    return version


def _schema_version(path: Path) -> int | None:
    """The schema version of a file; None where it is missing or empty. Raises where it is something else."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    connection = connect(path, "ro")
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None
        if "meta" not in tables:
            raise sqlite3.DatabaseError("it holds other tables")
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        if row is None:
            raise sqlite3.DatabaseError("it names no schema version")
        return int(row[0])
    finally:
        connection.close()


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def lock(path: Path) -> IO[str]:
    """Hold the writer's lock until the file is closed; raises `ArchiveError` where another holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _lock_path(path).open("w")
    except OSError as error:
        raise ArchiveError(f"{path} cannot be written ({error}); give --archive another name") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ArchiveError(f"another `evolve` is writing {path}; wait for it, or give --archive another name") from None
    return file
