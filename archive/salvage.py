"""An archive with damaged pages, made anew of the rows that can be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import product
from pathlib import Path

from archive.store import Archive, connect

_BROKEN = (sqlite3.DatabaseError, OverflowError)


def misfits(connection: sqlite3.Connection) -> Sequence[str]:
    """What SQLite itself finds wrong."""
    return [line for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]


def rebuild(path: Path) -> str:
    """Put an archive of all rows that can be read in the place of a damaged one; says how many those are.

    Raises `sqlite3.Error` where nothing can be read. The caller holds the lock.
    """
    new = path.with_name(path.name + ".rebuilt")
    _remove(new)
    archive = Archive(new, write=True)
    archive.create()
    archive.close()
    with closing(connect(path, "ro")) as damaged, closing(connect(new, "rw")) as whole:
        tables = [name for (name,) in whole.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        damaged.text_factory = bytes  # text that is no UTF-8 is left out below, not here
        for table in tables:
            _save(damaged, whole, table)
        whole.commit()
        kept = sum(whole.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables)
        runs = whole.execute("SELECT COUNT(*) FROM run").fetchone()[0]
        whole.execute("PRAGMA journal_mode = DELETE")
    if not runs:
        _remove(new)
        raise sqlite3.DatabaseError("none of its runs can be read")
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    new.replace(path)
    return f"made anew of the {kept} rows that can be read; whatever else it held is done again by the same command"


def _save(damaged: sqlite3.Connection, whole: sqlite3.Connection, table: str) -> None:
    """Copy a table to where it is damaged: from both of its ends, by its rows and by its key's index."""
    columns = whole.execute(f"PRAGMA table_info({table})").fetchall()
    names = ", ".join(f'"{column[1]}"' for column in columns)
    text = [column[2].startswith("VARCHAR") for column in columns]
    insert = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"
    key = [f'"{column[1]}"' for column in columns if column[5]]
    for by, order in product((["rowid"], key), ("ASC", "DESC")):  # some tables have no rowid
        with suppress(*_BROKEN):
            end = ", ".join(f"{column} {order}" for column in by)
            for row in damaged.execute(f"SELECT {names} FROM {table} ORDER BY {end}"):
                with suppress(UnicodeDecodeError, sqlite3.IntegrityError):
                    decoded = [_decoded(value) if is_text else value for value, is_text in zip(row, text, strict=True)]
                    whole.execute(insert, decoded)


def _decoded(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
