"""The page that compares: the figures of `evolve compare`, and designs task by task."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from archive.opening import open_archive
from archive.tables import Member, Run
from evolve.derivations import Derived
from evolve.results import task_scores
from evolve.statistics import paired
from tests.dashboard.conftest import serving
from tests.dashboard.strange import DESIGN, SCRIPT, enter
from tests.end_to_end.conftest import Shell


def candidates(path: Path, run: int) -> list[str]:
    """Evaluated designs of a run, in the order of proposal."""
    archive = open_archive(path)
    try:
        scored = archive.results(run, "deployment")
        return [each.design_id for each in archive.members(run) if each.number and each.design_id in scored]
    finally:
        archive.close()


@pytest.mark.parametrize("by", ["episodes", "designs"])
def test_runs_are_compared_as_in_the_terminal(client: TestClient, recorded: Path, by: str) -> None:
    known = Shell(recorded.parent).here("compare", "1", "2", "--by", by, "--json").json
    told = client.get(f"/api/compare?runs=1,2&by={by}").json()["runs"]
    for name in ("by", "budget", "seeds", "left_out", "sides", "pairs", "curves"):
        assert told[name] == known[name], name
    chart = client.get(f"/api/compare/curves?runs=1,2&by={by}").json()
    for series, curve in zip(chart["series"], known["curves"], strict=True):
        assert [point[:2] for point in series["points"]] == [[p["at"], p["gain"]["mean"]] for p in curve["points"]]
    page = client.get(f"/compare?runs=1,2&by={by}").text
    assert "empirical-mcts" in page
    assert f"/api/compare/curves?runs=1,2&amp;by={by}" in page


def test_designs_are_compared_task_by_task(client: TestClient, recorded: Path) -> None:
    first, second, *_ = candidates(recorded, 1)
    told = client.get(f"/api/compare?designs={first[:12]},{second}&run=1").json()["designs"]
    archive = open_archive(recorded)
    ours, theirs = (task_scores(archive, 1, design) for design in (second, first))
    archive.close()
    expected, found = paired(ours, theirs), told["designs"][1]
    assert found["difference"] == {"mean": expected.mean, "interval": [expected.low, expected.high], "n": expected.n}
    assert {row["task"]: row["scores"] for row in told["tasks"]} == {task: [theirs[task], ours[task]] for task in ours}
    assert found["better"] == sum(ours[task] > theirs[task] for task in ours)
    assert told["designs"][0]["difference"] is None
    listed = client.get(f"/api/compare?designs={first},{second}&run=1&task_sort=task&task_format=json").json()
    assert [row["task"] for row in listed] == sorted(ours)
    assert [row["difference_1"] for row in listed] == [ours[task] - theirs[task] for task in sorted(ours)]
    chart = client.get(f"/api/compare/tasks?designs={first},{second}&run=1").json()
    bars = {task: bar for task, (bar,) in zip(chart["y"]["categories"], chart["series"][0]["points"], strict=True)}
    assert bars == {task: ours[task] - theirs[task] for task in ours}


def test_a_design_is_compared_as_its_search_has_it(recorded: Path, tmp_path: Path) -> None:
    path, design = Path(shutil.copy(recorded, tmp_path)), candidates(recorded, 2)[0]
    with closing(open_archive(path, write=True)) as archive:
        search, member = archive.run(2), archive.member(2, design)
        assert member is not None
        evaluating = json.dumps({**json.loads(search.config), "strategy": "eval"})
        archive.save(Run(**{**search.model_dump(), "id": 9, "identity": "another", "config": evaluating}))
        archive.save(Member(**{**member.model_dump(), "run_id": 9}))
    with closing(Derived(path)) as derived:
        (side,) = derived.designs_beside([(design, None)]).designs
    assert (side.run, side.score is not None) == (2, True)


def test_runs_to_be_taken_in_or_out_are_links(client: TestClient) -> None:
    rows = client.get("/api/compare?runs=1").json()["choice"]["rows"]
    assert {row["run"]: row["picked"] for row in rows} == {1: "", 2: "1,2"}
    assert 'href="/compare?runs=1%2C2"' in client.get("/compare?runs=1").text


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("runs=77", "has no run 77"),
        ("runs=1&by=dollars", "run 1 has spent no dollars"),
        ("designs=zz", "has no design whose id begins with"),
        ("designs=zz&run=1", "has no design whose id begins with"),
        ("designs=" + ",".join(map(str, range(20))), "from 1 to 12 designs"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(client: TestClient, asked: str, sentence: str) -> None:
    page = client.get(f"/compare?{asked}")
    assert page.status_code == 200
    assert sentence in page.text
    assert sentence in client.get(f"/api/compare?{asked}").json()["problem"]


@pytest.mark.parametrize("asked", ["", "runs=,,%20", "runs=one", "designs=%20", "runs=1,2&by=luck", "run=x&designs=1"])
def test_nothing_that_is_asked_is_a_fault(client: TestClient, asked: str) -> None:
    assert client.get(f"/compare?{asked}").status_code in (200, 422)


def test_hostile_designs_stay_text(recorded: Path, tmp_path: Path) -> None:
    entered = enter(Path(shutil.copy(recorded, tmp_path / "a.db")))
    page = serving(entered.path).get(f"/compare?designs={DESIGN},{entered.parent}&run=1")
    assert page.status_code == 200
    assert SCRIPT not in page.text
    assert "&lt;script&gt;" in page.text
