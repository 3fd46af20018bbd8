"""Files that a user names on the command line, and the text of designs as people are shown it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evolve.errors import InputError

if TYPE_CHECKING:
    from archive.tables import Design


def refuse_there(file: Path, *, force: bool) -> None:
    """Leave alone what is there already, unless asked to write over it."""
    if file.exists() and not force:
        raise InputError(f"{file} is there already; name another file, or give --force")


def write_text(file: Path, text: str, *, force: bool) -> None:
    """Write a file that a user named; one that holds something else is left alone unless asked."""
    try:
        if not (file.is_file() and file.read_bytes() == text.encode()):
            refuse_there(file, force=force)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror or error}") from error


def read_design(file: Path) -> tuple[str, str]:
    """The source of a file that holds one design, and the design's id; raises `SourceRejected`."""
    from sandbox.source import MAX_BYTES, SourceChecker, SourceRejected

    try:
        if file.is_file() and file.stat().st_size > MAX_BYTES:
            raise SourceRejected(f"it has {file.stat().st_size} bytes; a design may have at most {MAX_BYTES}")
        source = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SourceRejected(f"it cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise SourceRejected(f"it is not valid UTF-8: {error.reason} at byte {error.start}") from None
    with SourceChecker() as checker:
        return source, checker.check(source).hash


def readable(*designs: Design) -> list[str]:
    """The sources of designs as people read them: of foreign ones in the layout that the checker's child gives them.

    A composed design has a layout already; beside a foreign one it gets the same, so that layout is no difference.
    """
    from sandbox.source import SourceChecker, SourceRejected

    if all(design.origin == "composed" for design in designs):
        return [design.source for design in designs]
    found = []
    with SourceChecker() as checker:
        for design in designs:
            try:
                found.append(checker.check(design.source).formatted or design.source)
            except SourceRejected:  # by this version; it is in the archive
                found.append(design.source)
    return found
