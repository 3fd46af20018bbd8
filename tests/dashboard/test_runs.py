"""The pages of runs say what the terminal says."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.dashboard.conftest import serving
from tests.end_to_end.conftest import Shell


@pytest.fixture(scope="module")
def told(recorded: Path) -> dict[str, Any]:
    """What `evolve top --json` says of run 1."""
    done = Shell(recorded.parent).here("top", "--run", "1", "--count", "8", "--json")
    found: dict[str, Any] = done.json
    return found


def test_runs_are_listed_as_in_the_terminal(client: TestClient, recorded: Path) -> None:
    rows = {row["run"]: row for row in client.get("/api/runs").json()["table"]["rows"]}
    for run in Shell(recorded.parent).here("runs", "--json").json:
        row = rows.pop(run["run"])
        same = ("status", "domain", "strategy", "proposer", "agent", "seed", "evaluated")
        assert {name: row[name] for name in same} == {name: run[name] for name in same}
        assert (row["design"], row["score"]) == (run["best"]["design"], run["best"]["score"])
        assert [row["score_low"], row["score_high"]] == run["best"]["interval"]
        assert row["seconds"] == pytest.approx(run["seconds"])
        assert row["rate"] == pytest.approx(row["evaluated"] * 60 / row["seconds"])
        assert row["dollars"] is None
    assert not rows


def test_a_run_shows_its_best_beside_the_baselines(client: TestClient, told: dict[str, Any]) -> None:
    page = client.get("/api/runs/1").json()
    for ours, theirs in zip(page["best"], told["top"], strict=True):
        assert (ours["design"], ours["number"], ours["tokens"]) == (
            theirs["design"],
            theirs["number"],
            theirs["tokens"],
        )
        assert ours["score"]["mean"] == theirs["score"]
        assert ours["gain"]["mean"] == pytest.approx(theirs["gain"]["mean"])
        assert [ours["gain"]["low"], ours["gain"]["high"]] == pytest.approx(theirs["gain"]["interval"])
    levels = {level["name"]: level["value"] for level in page["baselines"]}
    names = {"no memory": "no_memory", "nearest": "nearest_trajectory", "constant": "constant"}
    assert levels == {name: pytest.approx(told[key]["mean"]) for name, key in names.items()}


def test_the_finals_are_those_of_the_terminal(client: TestClient, told: dict[str, Any]) -> None:
    finals = client.get("/api/runs/1").json()["finals"]
    theirs = {final["design"]: final for final in told["finalists"]}
    assert finals[0]["state"] == "best"
    assert finals[0]["design"] == told["finalists"][0]["design"]
    for final in finals:
        same = theirs.pop(final["design"])
        assert final["searched"]["mean"] == pytest.approx(same["searched"]["mean"])
        assert final["confirmed"]["mean"] == pytest.approx(same["confirmed"]["mean"])
        assert final["blank"]["mean"] == pytest.approx(same["controls"]["blank"]["mean"])
    assert not theirs


def test_the_rungs_add_up(client: TestClient, told: dict[str, Any]) -> None:
    rungs = client.get("/api/runs/1").json()["rungs"]
    assert rungs["evaluated"] == told["evaluated"]
    assert rungs["rejected"] == told["rejected"]
    ends = ("rejected", "repaired", "failed", "dropped", "under way", "evaluated")
    assert sum(rungs[stage] for stage in ends) == rungs["proposed"]
    chart = client.get("/api/runs/1/funnel").json()
    shown = dict(zip(chart["y"]["categories"], (point[0] for point in chart["series"][0]["points"]), strict=True))
    assert shown == {stage: count for stage, count in rungs.items() if count}


@pytest.mark.parametrize(("by", "last"), [("episodes", 64), ("designs", 8), ("time", None)])
def test_the_course_rises_to_the_best(client: TestClient, told: dict[str, Any], by: str, last: float | None) -> None:
    chart = client.get(f"/api/runs/1/course?by={by}").json()
    line, each = chart["series"]
    places = [point[0] for point in line["points"]]
    scores = [point[1] for point in line["points"]]
    assert places == sorted(places)
    assert scores == sorted(scores)
    assert scores[-1] == told["top"][0]["score"] == max(point[1] for point in each["points"])
    assert line["points"][-1][2:] == told["top"][0]["interval"]
    assert len(each["labels"]) == len(each["points"]) == told["evaluated"]
    assert last is None or places[-1] == last


def test_a_run_without_models_says_so(client: TestClient) -> None:
    assert "asked no language model" in client.get("/api/runs/1/course?by=dollars").json()["empty"]
    assert "asked no language model" in client.get("/runs/1").text


@pytest.mark.parametrize("cost", ["tokens", "delay"])
def test_the_front_is_that_of_the_terminal(client: TestClient, recorded: Path, cost: str) -> None:
    theirs = Shell(recorded.parent).here("pareto", "2", "--json").json
    rest, front = client.get(f"/api/runs/2/pareto?cost={cost}").json()["series"]
    mine = dict(zip(front["labels"], front["points"], strict=True))
    key = "cost" if cost == "tokens" else "delay"
    assert mine == {each["design"]: [pytest.approx(each[key]), each["score"]] for each in theirs["front"]}
    assert len(rest["points"]) + len(mine) == theirs["designs"]


def test_how_busy_the_workers_were_is_that_of_the_terminal(client: TestClient, recorded: Path) -> None:
    for told in Shell(recorded.parent).here("runs", "--json").json:
        page = client.get(f"/api/runs/{told['run']}").json()
        assert page["busy"] == pytest.approx(told["busy"])
        assert 0 < page["busy"] <= 1
        (line,) = client.get(f"/api/runs/{told['run']}/workers").json()["series"]
        assert all(0 <= share <= 100 for _, share in line["points"])
        assert line["points"][-1][0] <= told["seconds"] + 2


def test_what_just_happened_comes_first(client: TestClient) -> None:
    log = client.get("/api/runs/2").json()["log"]
    times = [each["created"] for each in log]
    assert times == sorted(times, reverse=True)
    assert {"evaluated", "best"} <= {each["what"] for each in log}


def test_a_run_that_has_just_begun_and_one_that_was_killed(recorded: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(recorded, tmp_path / "begun.db"))
    with sqlite3.connect(path) as db:
        copied = "identity, config, domain_version, agent_version, sandbox, image, 'running', created, 0, knew"
        db.execute(f"INSERT INTO run SELECT 3, {copied} FROM run WHERE id = 1")
    client = serving(path)
    page = client.get("/api/runs/3").json()
    assert page["status"] == "interrupted"  # nobody writes it
    assert page["best"] == page["finals"] == page["log"] == []
    for chart in ("course", "funnel", "pareto", "workers"):
        assert client.get(f"/api/runs/3/{chart}").json()["empty"]
    assert client.get("/runs/3").status_code == 200
    rows = client.get("/api/runs?status=interrupted").json()["table"]["rows"]
    assert [(row["run"], row["score"], row["seconds"]) for row in rows] == [(3, None, None)]


def test_looks_and_costs_are_shown(recorded: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(recorded, tmp_path / "paid.db"))
    look = '{"score": 0.5, "interval": [0.4, 0.6], "gain": {"mean": 0.2, "interval": [0.1, 0.3], "n": 40}}'
    with sqlite3.connect(path) as db:
        (began,) = db.execute("SELECT MIN(created) FROM evaluation WHERE run_id = 1").fetchone()
        db.execute("INSERT INTO look (run_id, design_id, result, created) VALUES (1, '1-abc', ?, 5)", (look,))
        for price in (0.5, 0.25):
            db.execute(
                "INSERT INTO call (run_id, key, role, model, design, sample, tokens_in, tokens_out, cached, reasoning,"
                " written, dollars, seconds, finish, problem, created)"
                " VALUES (1, x'00', 'propose', 'm', '', 0, 10, 5, 2, 0, 0, ?, 1.5, 'stop', '', ?)",
                (price, began),
            )
    client = serving(path)
    page = client.get("/api/runs/1").json()
    assert [(row["look"], row["score"], row["gain"]["mean"]) for row in page["looks"]] == [(1, 0.5, 0.2)]
    assert [(row["role"], row["calls"], row["tokens_in"], row["dollars"]) for row in page["costs"]] == [
        ("propose", 2, 20, 0.75)
    ]
    points = client.get("/api/runs/1/course?by=dollars").json()["series"][0]["points"]
    assert {point[0] for point in points} == {0.75}
    assert client.get("/api/runs?sort=-dollars").json()["table"]["rows"][0]["dollars"] == 0.75
    assert "$0.7500" in client.get("/runs/1").text
