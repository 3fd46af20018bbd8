"""Child processes that play ALFWorld games, one for each environment in play, kept for the next when it is closed."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

RESET_SECONDS = 120.0
STEP_SECONDS = 60.0
"""Both are far more than is ever needed: who takes longer hangs, and is killed."""

MOST_IDLE = 4
"""Processes kept for environments to come; each holds about 150 MB."""


class EngineError(OSError):
    """A child process hangs or has ended; playing the episode again may well go better."""


class Engine:
    """One child process, which plays one game at a time. `kind` is `fast`, or `stock` for the engine as it is."""

    def __init__(self, kind: str = "fast") -> None:
        packages = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, (packages, os.environ.get("PYTHONPATH", ""))))
        settings = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": path}
        # alfworld makes this folder when it is imported, and needs nothing from it to play.
        settings["ALFWORLD_DATA"] = tempfile.gettempdir()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "domains.alfworld_child", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **settings},
            bufsize=0,
        )
        self._read = b""
        self.played: set[Path] = set()
        """The games that it has met, and probably still holds."""

    def reset(self, game: Path) -> dict[str, Any]:
        """Begin a game."""
        self.played.add(game)
        return self._ask({"reset": str(game)}, RESET_SECONDS)

    def step(self, command: str) -> dict[str, Any]:
        """Take a listed command."""
        return self._ask({"step": command}, STEP_SECONDS)

    @property
    def alive(self) -> bool:
        """Whether it can play."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()

    def _ask(self, request: dict[str, str], seconds: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it died; that it says nothing tells so below
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        reply: dict[str, Any] = json.loads(self._line(time.monotonic() + seconds, request, seconds))
        return reply

    def _line(self, deadline: float, request: dict[str, str], seconds: float) -> bytes:
        """The next line that it says; where none comes, it is killed."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._read:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self._process.kill()
                self._process.wait()
                raise EngineError(f"ALFWorld's engine took more than {seconds:g} s for {request}, and was killed")
            piece = os.read(descriptor, 1 << 16)
            if not piece:
                raise EngineError(f"ALFWorld's engine ended at {request} and said:\n{self._last_words()}")
            self._read += piece
        line, self._read = self._read.split(b"\n", 1)
        return line

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-2000:].strip()


class Engines:
    """Those that no environment uses now; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._owner = os.getpid()
        self._idle: list[Engine] = []

    def take(self, game: Path) -> Engine:
        """An engine of one's own: best one that has played this game, else any, else a new one."""
        with self._lock:
            if self._owner != os.getpid():  # after a fork the pipes are the parent's
                self._owner, self._idle = os.getpid(), []
            while self._idle:
                best = max(self._idle, key=lambda engine: game in engine.played)
                self._idle.remove(best)
                if best.alive:
                    return best
                best.close()
        return Engine()

    def give_back(self, engine: Engine) -> None:
        """Keep it for another environment, if it lives and there is room."""
        with self._lock:
            if engine.alive and len(self._idle) < MOST_IDLE and self._owner == os.getpid():
                self._idle.append(engine)
                return
        engine.close()

    def close(self) -> None:
        """End those that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for engine in idle:
            engine.close()
