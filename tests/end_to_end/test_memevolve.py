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
from tests.author import beside_author
from tests.end_to_end.conftest import SMALL, Shell
from tests.end_to_end.test_crashes import rows
from tests.model_server import Ask, Fault, ModelServer, Say


@pytest.fixture
def done(ten_designs: Callable[[str], Shell]) -> Shell:
    """A run of ten designs; tests only read it."""
    return ten_designs("memevolve")


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
    with ModelServer(beside_author("findings", answer, asked)) as server:
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
