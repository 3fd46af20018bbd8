"""Whether an archive holds together, and the mending of what can be mended: never before a copy was made."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from archive.consistency import RULES, Rule
from archive.opening import lock, readable_version
from archive.salvage import misfits, rebuild
from archive.store import ArchiveError, connect, unpack
from archive.tables import SCHEMA_VERSION
from archive.wal import torn


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that was looked at. Where it is not well, it was `mended`, or the `remedy` is a person's."""

    name: str
    detail: str
    well: bool = True
    mended: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of an archive that was looked at."""

    symptoms: Sequence[Symptom]
    copy: Path | None = None
    """What the archive was before something was mended, if anything was."""


BACKUP = "put a backup in its place, or go on in another one (--archive); what can be read of it stays readable"


def treat(path: Path) -> Report:
    """Check an archive and mend what can be mended without loss; one that is being written is only looked at.

    Raises `ArchiveError` where there is none, where it is of another schema, or where it cannot be copied.
    """
    if not path.exists():
        raise ArchiveError(f"there is no archive at {path}; `evolve run` makes one")
    try:
        held = lock(path)
    except ArchiveError as error:
        return Report([Symptom("lock", f"{error} Nothing is mended meanwhile."), *_look(path)])
    with held:
        symptoms = _look(path)
        if all(symptom.well for symptom in symptoms):
            return Report(symptoms)
        copy = _copy(path)
        return Report(_mend(path), copy)


def _look(path: Path) -> list[Symptom]:
    """All symptoms, nothing changed."""
    found = [_log(path), _pages(path)]
    return found + _content(path, mend=False) if found[-1].well else found


def _mend(path: Path) -> list[Symptom]:
    """The same, with what was done."""
    log = _log(path)
    if not log.well:
        log = replace(log, mended="what follows was taken off; whatever it held is done again by the same command")
    pages = _pages(path)
    if not pages.well:
        try:
            pages = replace(pages, mended=rebuild(path))
        except (sqlite3.Error, ArchiveError) as error:
            return [log, replace(pages, remedy=f"{BACKUP}; it cannot be rebuilt: {error}")]
    return [log, pages, *_content(path, mend=True)]


def _log(path: Path) -> Symptom:
    """SQLite takes the write-ahead log as far as it is whole, and says nothing of the rest."""
    tear = torn(path)
    return Symptom("write-ahead log", tear, well=False) if tear else Symptom("write-ahead log", "whole")


def _pages(path: Path) -> Symptom:
    try:
        with closing(connect(path, "ro")) as connection:
            wrong = misfits(connection)
            version = readable_version(path) if not wrong else None
    except (sqlite3.Error, ArchiveError) as error:
        return Symptom("pages", str(error), well=False)
    if wrong:
        return Symptom("pages", f"{len(wrong)} misfits, the first: {wrong[0]}", well=False)
    if version is None:
        return Symptom("pages", "it holds no table", well=False)
    if version != SCHEMA_VERSION:
        raise ArchiveError(f"{path} has the older schema {version}; `evolve runs --archive {path}` migrates it")
    return Symptom("pages", f"whole, {path.stat().st_size / 2**20:.1f} MiB")


def _content(path: Path, *, mend: bool) -> list[Symptom]:
    """The rules that rows of different tables keep, each looked at after those before it were mended."""
    with closing(connect(path, "rw" if mend else "ro")) as connection, connection:  # all of it, or nothing
        connection.execute("BEGIN")  # also where only reading is done, so that all rules see the same rows
        connection.create_function("readable", 1, _is_readable, deterministic=True)
        connection.create_function("textual", 1, _is_text, deterministic=True)
        return [_follow(connection, rule, mend=mend) for rule in RULES]


def _follow(connection: sqlite3.Connection, rule: Rule, *, mend: bool) -> Symptom:
    try:
        broken = connection.execute(rule.broken).fetchall()
        if broken and mend:
            for statement in rule.mend:
                connection.executemany(statement, [row[1:] for row in broken])
    except sqlite3.DatabaseError as error:
        return Symptom(rule.name, f"{error}", well=False, remedy=BACKUP)
    if not broken:
        return Symptom(rule.name, rule.holds)
    some = ", ".join(str(row[0]) for row in broken[:3]) + (f", and {len(broken) - 3} more" if len(broken) > 3 else "")
    detail = f"{rule.wrong}: {some}"
    if rule.mend:
        return Symptom(rule.name, detail, well=False, mended=rule.done if mend else "")
    return Symptom(rule.name, detail, well=False, remedy=rule.remedy)


def _is_readable(blob: bytes) -> bool:
    try:
        unpack(blob)
    except ArchiveError:
        return False
    return True


def _is_text(blob: bytes) -> bool:
    try:
        return "\0" not in blob.decode()
    except UnicodeDecodeError:
        return False


def _copy(path: Path) -> Path:
    """Copy the archive, with its log, beside itself."""
    number = 1
    while (copy := path.with_name(f"{path.name}.before-mending-{number}")).exists():
        number += 1
    try:
        for ending in ("-wal", ""):
            source = path.with_name(path.name + ending)
            if source.exists():
                shutil.copy2(source, copy.with_name(copy.name + ending))
    except OSError as error:
        raise ArchiveError(
            f"{path} needs mending, but cannot be copied first ({error}); nothing was changed"
        ) from error
    return copy
