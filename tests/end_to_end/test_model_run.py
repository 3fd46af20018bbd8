"""Whole runs whose agent, and whose designs' toolkit, ask a model over HTTP."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.backends import make
from tests.end_to_end.conftest import Shell
from tests.evolve.models import plays
from tests.evolve.test_serving import ASKS
from tests.model_server import Ask, ModelServer, Response, Say

SMALL = ("--domain", "recall", "--collection", "4", "--collection-repeats", "1", "--deployment", "6")


def slowly(ask: Ask) -> Response:
    said = plays(ask)
    return replace(said, latency=0.05) if isinstance(said, Say) else said


def rows(path: Path, query: str) -> Sequence[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_run_whose_agent_is_a_model(shell: Shell, workers: str) -> None:
    archive = shell.folder / "palimpsest.db"
    with ModelServer(slowly) as server:
        models = ("--agent", server.spec(), "--memory-model", server.spec())
        run = ("run", *SMALL, *models, "--finalists", "0", "--workers", workers)
        done = shell.evolve(*run, "--designs", "2", "--concurrency", "4")
        assert done.code == 0, done.err
        assert "Traceback" not in done.err
        assert "2 evaluated, 0 failed of 2" in done.out
        assert 1 < server.most_in_flight <= 4
        assert (paid := server.paid) == len(server.asks)
        if workers == "0":
            more = shell.evolve(*run, "--designs", "3")
            assert more.code == 0, more.err
            assert 0 <= server.paid - paid <= 6 * 4, "only the episodes of one design are new"
    ((calls,),) = rows(archive, "SELECT count(*) FROM call WHERE hit_of IS NULL AND role = 'agent'")
    assert calls == server.paid
    assert not rows(archive, "SELECT 1 FROM episode WHERE tokens_in IS NULL OR tokens_out IS NULL")
    ((version,),) = rows(archive, "SELECT agent_version FROM run")
    assert version.startswith("react-")


def test_a_design_that_asks_models_is_evaluated(shell: Shell) -> None:
    if reason := make("bubblewrap").available():
        pytest.skip(reason)
    design = shell.write("asks.py", ASKS.replace("PHASES", '"begin", "step"'))
    with ModelServer(plays) as server:
        models = (
            "--agent",
            server.spec(),
            "--memory-model",
            server.spec("small"),
            "--embedder",
            server.spec("vectors"),
        )
        place = ("--workers", "0", "--sandbox", "bubblewrap", "--json")
        done = shell.evolve("eval", design, *SMALL, *models, *place)
        assert done.code == 0, done.err
        assert done.json["status"] == "ok"
        assert done.json["variant"] == ""
    archive = shell.folder / "palimpsest.db"
    mine = "design = (SELECT design_id FROM member WHERE role = 'candidate')"
    roles = rows(archive, f"SELECT role, model, design, count(*) FROM call WHERE {mine} GROUP BY 1, 2 ORDER BY 1")
    assert [(role, count) for role, _, _, count in roles] == [("agent", 24), ("embed", 4), ("memory", 4)]
    ((tokens, dollars),) = rows(archive, "SELECT llm_tokens, llm_dollars FROM evaluation ORDER BY id DESC LIMIT 1")
    assert tokens > 0
    assert dollars is None
