"""The installed console script, as a user would call it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from evolve.cli import main

SCRIPT = Path(sys.executable).parent / "evolve"
SMALL = ("--domain", "recall", "--collection", "8", "--deployment", "8", "--repeats", "1")
QUICK = (*SMALL, "--sandbox", "process", "--workers", "0")
"""Options of a run that takes a second."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Shell:
    """Calls the script in a folder of its own."""

    folder: Path

    def evolve(self, *arguments: str, environment: dict[str, str] | None = None, prefix: Sequence[str] = ()) -> Done:
        done = subprocess.run(
            [*prefix, str(SCRIPT), *arguments],
            cwd=self.folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def here(self, *arguments: str, environment: dict[str, str] | None = None) -> Done:
        """The same within this process, which spares the second that a new one takes to import everything."""
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.folder),
            mock.patch.object(sys, "argv", ["evolve", *arguments]),
            mock.patch.dict(os.environ, environment or {}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Call it and do not wait."""
        return subprocess.Popen(
            [str(SCRIPT), *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return name


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    assert SCRIPT.exists(), "the console script is not installed; mend it with: make setup"
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder with a finished run of six designs in `palimpsest.db`; tests only read it."""
    made = Shell(tmp_path_factory.mktemp("finished"))
    done = made.evolve("run", *QUICK, "--designs", "6")
    assert done.code == 0, done.err
    return made


@pytest.fixture(scope="session")
def ten_designs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Shell]:
    """Gives a strategy's reproducible run of ten designs; tests only read it."""
    from tests.end_to_end.strategies import run_ten

    return cache(lambda strategy: run_ten(strategy, tmp_path_factory.mktemp(strategy)))
