"""TextWorld games as files: what a game is made from, where it is kept, and how it gets there."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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

    Each is written into a directory of its own and moved into place whole. Processes that want the same games at the
    same time share the work: what another is making is left for the end, and by then mostly there.
    """
    missing = [game for game in dict.fromkeys(games) if not game.path().exists()]
    if not missing:
        return
    cache_directory().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_directory(), prefix=".new-") as scratch, _Generator() as generator:
        left = [game for game in missing if not _make(game, Path(scratch), generator, patient=False)]
        for game in left:
            _make(game, Path(scratch), generator, patient=True)


def _make(game: Game, scratch: Path, generator: _Generator, *, patient: bool) -> bool:
    """Make a game unless another process did; false where one is doing it now and we are not `patient`."""
    with _claim(game, patient=patient) as claimed:
        if claimed and not game.path().exists():
            directory = scratch / game.key()
            directory.mkdir()
            generator.make(game, directory / game.path().name)
            (directory / "game.ni").unlink(missing_ok=True)
            move_in(directory, game.directory())
    return claimed


@contextmanager
def _claim(game: Game, *, patient: bool) -> Iterator[bool]:
    """Hold a lock on the making of a game, which ends with the process at the latest."""
    file = cache_directory() / f".claim-{game.key()}"
    with file.open("w") as claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX if patient else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            file.unlink(missing_ok=True)


def move_in(source: Path, target: Path) -> None:
    """Make a finished folder the one of that name; where another process was first, it is that one's."""
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(source)


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
