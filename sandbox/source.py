"""Is this text a design? A limited child process says so, because parsing foreign source can end the one that does."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.backend import GuestEndedError, Limits
from sandbox.guest import frames
from sandbox.guest.confine import ENVIRONMENT
from sandbox.local import ChildGuest
from sandbox.session import await_ready

MAX_BYTES = 64 * 1024
CHECK_SECONDS = 5
"""What one check may take, of wall time by the host and by an alarm of the child's own."""

_LIMITS = Limits(frame_bytes=1024 * 1024)
_START_SECONDS = 30.0


class SourceRejected(ValueError):  # noqa: N818  the verdict's own word
    """The text is no design that may run; `reason` says why and where."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Checked:
    """A source that may run. `hash` names its normalised code, comments and docstrings left out."""

    hash: str
    build_hash: str
    """Names all that can shape the built memory: equal ones build equal memories of equal episodes and seeds."""
    form_hash: str
    """Names the code with its constants left out: of two designs with equal ones, one tunes the other."""
    class_name: str
    summary: str
    """The first line of its docstring, or nothing."""
    formatted: str
    """The source in the one layout that all have, without comments; nothing where that is too long."""


class SourceChecker:
    """Parses, formats and hashes designs in one persistent child; a source that kills the child is rejected."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: ChildGuest | None = None

    def check(self, source: str) -> Checked:
        """Describe a design's source; raises `SourceRejected`."""
        payload = frames.encode({"source": _sane(source)})
        with self._lock:
            claim = self._ask(payload)
        match claim:
            case {
                "hash": str(code),
                "build_hash": str(build),
                "form_hash": str(form),
                "class_name": str(name),
                "summary": str(summary),
                "formatted": str(formatted),
            }:
                return Checked(code, build, form, name, summary, formatted)
            case {"reason": str(reason)}:
                raise SourceRejected(reason)
        raise SourceRejected("the checker gave no answer to it")

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def __enter__(self) -> SourceChecker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, payload: bytes) -> Any:
        child = self._child or self._start()
        deadline = time.monotonic() + CHECK_SECONDS
        try:
            child.send(payload, deadline)
            return frames.decode(child.receive(deadline))
        except TimeoutError:
            self.close()
            raise SourceRejected(f"reading it takes more than {CHECK_SECONDS} seconds") from None
        except (GuestEndedError, frames.FrameError) as error:
            self.close()
            raise SourceRejected(f"reading it ends the process that reads it: {error}") from None

    def _start(self) -> ChildGuest:
        environment = {**ENVIRONMENT, "PYTHONPATH": str(Path(__file__).parent.parent)}
        command = [sys.executable, "-s", "-S", "-P", "-W", "ignore", "-m", "sandbox.parsing", str(CHECK_SECONDS)]
        child = ChildGuest(command, environment, _LIMITS)
        await_ready(child, time.monotonic() + _START_SECONDS)
        self._child = child
        return child


def _sane(source: str) -> str:
    """Refuse what needs no parser to be refused."""
    try:
        size = len(source.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise SourceRejected(f"it is not valid text: {error.reason} at character {error.start}") from None
    if size > MAX_BYTES:
        raise SourceRejected(f"it has {size} bytes; a design may have at most {MAX_BYTES}")
    if "\0" in source:
        raise SourceRejected(f"it holds a NUL character at position {source.index(chr(0))}")
    return source
