"""A Docker engine that ends in the middle of a run and comes back: the run waits for it, and no design pays."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.docker import Docker
from tests import THOROUGH
from tests.engines import OwnEngine, own_engine, why_not

SCRIPT = Path(sys.executable).parent / "evolve"
SMALL = ("--domain", "recall", "--collection", "8", "--collection-repeats", "1", "--deployment", "8", "--designs", "4")


@pytest.fixture(scope="module")
def engine() -> Iterator[OwnEngine]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with own_engine() as made:
        yield made


class Run:
    """`evolve run` in a process of its own, with what it says on standard error as it comes."""

    def __init__(self, folder: Path, engine: OwnEngine, workers: int) -> None:
        command = [str(SCRIPT), "run", *SMALL, "--sandbox", "docker", "--workers", str(workers), "--json"]
        environment = {**os.environ, "DOCKER_HOST": engine.address}
        self.path = folder / "palimpsest.db"
        self._out, self._said = folder / "out", folder / "said"
        with self._out.open("w") as out, self._said.open("w") as said:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=said)

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self._said.read_text()

    def until_it_says(self, what: str) -> None:
        """Wait for these words."""
        self._wait(lambda: what in self.said)

    def until_evaluated(self, least: int) -> None:
        """Wait until the archive holds this many evaluations."""
        self._wait(lambda: self._evaluated() >= least)

    def result(self) -> Any:
        """Wait for its end, and read what it printed."""
        assert self.process.wait(timeout=120) == 0, self.said
        return json.loads(self._out.read_text())

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not done():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    def _evaluated(self) -> int:
        if not self.path.exists():
            return 0
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            return int(connection.execute("SELECT COUNT(*) FROM event WHERE state = 'evaluated'").fetchone()[0])
        except sqlite3.OperationalError:
            return 0
        finally:
            connection.close()


@pytest.mark.parametrize(("how", "workers"), [(signal.SIGKILL, 2), (signal.SIGTERM, 0)][: 1 + THOROUGH])
def test_a_run_waits_for_its_engine(tmp_path: Path, engine: OwnEngine, how: signal.Signals, workers: int) -> None:
    run = Run(tmp_path, engine, workers)
    run.until_evaluated(2)
    names = engine.containers()
    assert names
    assert all(name.startswith("palimpsest-1-") for name in names), "containers carry the run's number"
    engine.end(how)
    run.until_it_says("the Docker engine does not answer")
    engine.start()
    result, said = run.result(), run.said
    assert (result["status"], result["evaluated"], result["failed"]) == ("done", 4, 0), said
    assert said.count("waiting for it") == said.count("the run goes on") == 1, said
    assert "Traceback" not in said
    assert engine.containers() == []


def test_a_run_that_waits_can_be_interrupted(
    tmp_path: Path, engine: OwnEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path, engine, workers=0)
    run.until_evaluated(1)
    engine.end(signal.SIGKILL)
    run.until_it_says("waiting for it")
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(timeout=30) == 130, run.said
    assert "Interrupted. What is done is kept" in run.said.splitlines()[-1]
    engine.start()
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    left = len(engine.containers())
    assert left > 0, "nobody could remove them"
    assert Docker().reap() == left
    assert engine.containers() == []
