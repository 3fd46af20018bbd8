"""Whole runs of MemEvolve on `recall`: by the genetic proposer and by a model behind a server on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from archive.fronts import diagnosis, front
from archive.opening import open_archive
from evolve.pareto import pareto_ranks
from evolve.strategies.evidence import Evidence
from sandbox.backends import make
from tests.author import Author
from tests.end_to_end.conftest import QUICK, SMALL, Shell
from tests.end_to_end.test_crashes import rows
from tests.end_to_end.test_reproducible import result
from tests.model_server import Ask, Fault, ModelServer, Response, Say

RUN = ("run", *QUICK, "--strategy", "memevolve", "--finalists", "0", "--survivors", "2", "--reproducible")
TABLES = (
    "SELECT * FROM front ORDER BY entered",
    "SELECT design_id, profile FROM diagnosis ORDER BY design_id",
    "SELECT number, payload, result FROM request ORDER BY number",
)


def kept(shell: Shell) -> list[Any]:
    """All that a run decided by, and came to."""
    path = shell.folder / "palimpsest.db"
    return [result(path), *(rows(path, table) for table in TABLES)]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A run of ten designs; tests only read it."""
    shell = Shell(tmp_path_factory.mktemp("memevolve"))
    ended = shell.here(*RUN, "--designs", "10")
    assert ended.code == 0, ended.err
    return shell


def test_it_is_decided_again_from_the_archive_and_goes_on_as_it_would_have(done: Shell, shell: Shell) -> None:
    replayed = done.here("replay", "1", "--json")
    assert (replayed.code, replayed.json["differences"]) == (0, [])
    for designs in ("5", "10"):
        assert shell.here(*RUN, "--designs", designs).code == 0
    assert kept(shell) == kept(done)


def test_workers_change_nothing(done: Shell, shell: Shell) -> None:
    command = ("run", *SMALL, *RUN[1 + len(QUICK) :], "--sandbox", "process", "--workers", "2", "--designs", "10")
    ended = shell.evolve(*command)
    assert ended.code == 0, ended.err
    assert kept(shell) == kept(done)


def test_every_parent_was_diagnosed_and_the_front_is_kept(done: Shell) -> None:
    with closing(open_archive(done.folder / "palimpsest.db")) as archive:
        parents = {json.loads(row.payload)["parents"][0] for row in archive.requests(1)[1:]}
        profiles = [diagnosis(archive, 1, parent) for parent in parents]
        assert all(profile is not None and "followed" in profile["signs"] for profile in profiles)
        evidence = Evidence(archive, 1, counted=True)
        scored = [row.design_id for row in archive.best(1, "deployment")]
        ranks = pareto_ranks(_matrix([evidence.fitness(design).vector() for design in scored]))
        now = {row.design_id for row in front(archive, 1) if row.beaten is None}
        assert now == {design for design, rank in zip(scored, ranks, strict=True) if rank == 0}


def test_the_front_is_shown(done: Shell) -> None:
    shown = done.here("pareto", "1")
    assert shown.code == 0, shown.err
    found = done.here("pareto", "1", "--json").json
    assert f"{len(found['front'])} of {found['designs']} designs are on its Pareto front" in shown.out
    assert all(each["design"][:10] in shown.out for each in found["front"])
    assert any(each["defects"] for each in found["front"])
    assert found["delay"] == "counted"
    assert done.here("pareto", "9").code == 2


def _matrix(vectors: list[tuple[float, ...]]) -> Any:
    import numpy as np

    return np.array(vectors)


FINDINGS = [
    {"part": "retrieve", "defect": "tells all", "evidence": "40 lines", "remedy": "tell less", "severity": "low"},
    {"part": "encode", "defect": "keeps questions", "evidence": "line 1", "remedy": "statements", "severity": "high"},
]


def diagnosing(answer: Callable[[Ask], Response], asked: list[Ask]) -> Callable[[Ask], Response]:
    """An author of designs beside whom somebody else diagnoses."""
    author = Author()

    def script(ask: Ask) -> Response:
        if "findings" not in (ask.schema or {}).get("properties", {}):
            return author(ask)
        asked.append(ask)
        return answer(ask)

    return script


@pytest.mark.skipif(bool(make("bubblewrap").available()), reason="what models write needs bubblewrap here")
@pytest.mark.parametrize(
    ("answer", "author", "calls"),
    [
        (lambda ask: Say(value={"findings": FINDINGS}), True, 1),
        (lambda ask: Say(value={"findings": [{"part": "all of it"}]}), False, 2),
        (lambda ask: Say("as you wish"), False, 2),
        (lambda ask: Say(finish="refusal"), False, 1),
        (lambda ask: Fault(manner="overflow"), False, 0),
    ],
    ids=["findings", "malformed", "no JSON", "refusal", "overflow"],
)
def test_a_model_diagnoses_each_parent_once(shell: Shell, answer: Any, author: bool, calls: int) -> None:
    asked: list[Ask] = []
    with ModelServer(diagnosing(answer, asked)) as server:
        command = ("run", *SMALL, "--strategy", "memevolve", "--finalists", "0", "--designs", "3", "--workers", "0")
        ended = shell.here(*command, "--sandbox", "bubblewrap", "--proposer", server.spec(), "--json")
        assert ended.code == 0, ended.err
        texts = [ask.text for ask in server.asks if ask not in asked]
    path = shell.folder / "palimpsest.db"
    (parents,) = rows(path, "SELECT COUNT(*) FROM diagnosis")[0]
    paid = rows(path, "SELECT key FROM call WHERE role = 'diagnose' AND hit_of IS NULL")
    assert len(paid) == len(set(paid)) == calls * parents
    assert parents == 1
    ((name,),) = rows(path, "SELECT author FROM diagnosis")
    assert bool(name) == author
    if author:
        assert any("Change the part `encode`" in text and "keeps questions" in text for text in texts)
        assert "task: deployment-" not in asked[0].text
        assert "Its parts" in asked[0].text
    else:
        assert "diagnosed by what was measured alone" in ended.err


def test_an_archive_without_fronts_shows_one(finished: Shell) -> None:
    copy = Shell(Path(str(finished.folder)))
    found = copy.here("pareto", "--json").json
    assert found["front"]
    assert found["delay"] == "seconds"
