"""TextWorld games as files: what a game is made from, where it is kept, and how it gets there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from domains.base import DomainError

ENGINE = "textworld"


@cache
def engine_version() -> str:
    """The version of the installed TextWorld; raises `DomainError` where there is none."""
    try:
        return metadata.version(ENGINE)
    except metadata.PackageNotFoundError:
        raise DomainError("TextWorld is not installed; install it with `pip install textworld`") from None


def cache_directory() -> Path:
    """Where games are kept: under `$PALIMPSEST_CACHE`, else /var/cache for root, else the user's cache."""
    root = os.environ.get("PALIMPSEST_CACHE")
    if root:
        return Path(root) / ENGINE
    if os.geteuid() == 0:
        return Path("/var/cache/palimpsest") / ENGINE
    return Path.home() / ".cache" / "palimpsest" / ENGINE


@dataclass(frozen=True, slots=True)
class Game:
    """Everything that a game is made from; equal games have equal files."""

    family: str
    settings: tuple[tuple[str, Any], ...]
    seed: int

    def key(self) -> str:
        """A hash of the content, so that a change of parameters or engine never meets an old file."""
        content = json.dumps([self.family, self.settings, self.seed, engine_version()])
        return hashlib.blake2b(content.encode(), digest_size=12).hexdigest()

    def directory(self) -> Path:
        """Where its files are, or will be."""
        return cache_directory() / f"{self.family}-{self.key()}"

    def path(self) -> Path:
        """The .z8 file; its .json twin lies beside it."""
        return self.directory() / "game.z8"


def generate(games: Sequence[Game]) -> None:
    """Make the games that are not in the cache yet, in one child process, which loads TextWorld once.

    Each is written into a directory of its own and moved into place whole; where another process was first, its
    files, which are the same, are kept.
    """
    missing = [game for game in dict.fromkeys(games) if not game.path().exists()]
    if not missing:
        return
    cache_directory().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_directory(), prefix=".new-") as scratch, _Generator() as generator:
        for game in missing:
            directory = Path(scratch) / game.key()
            directory.mkdir()
            generator.make(game, directory / game.path().name)
            (directory / "game.ni").unlink(missing_ok=True)
            _move(directory, game.directory())


def _move(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(source)  # another process was first


class _Generator:
    """The child process that makes games, one at a time."""

    def __enter__(self) -> _Generator:
        script = Path(__file__).with_name("textworld_make.py")
        environment = {**os.environ, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        return self

    def make(self, game: Game, path: Path) -> None:
        """Have one game written to `path`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"family": game.family, "settings": dict(game.settings), "seed": game.seed, "path": str(path)}
        with suppress(BrokenPipeError):  # it died; what it said last tells why
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        if not self._process.stdout.readline():
            self._process.wait()
            self._errors.seek(0)
            raise DomainError(
                f"TextWorld could not make {game}: its generator ended with {self._process.returncode} and said:\n"
                f"{self._errors.read()[-2000:].strip()}"
            )

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._errors.close()
