"""Design files that a user names on the command line."""

from __future__ import annotations

from pathlib import Path


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
