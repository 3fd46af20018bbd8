"""The pages of insights and hints: what `evolve insights` and `evolve hint` tell, gone ones too."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.dashboard.conftest import serving
from tests.end_to_end.conftest import QUICK, Shell

HINT = "<script>alert(1)</script> try ByReward"
LEARNING = ("run", *QUICK, "--strategy", "empirical-mcts", "--insights", "--finalists", "0")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """An archive with insights of one run that a second was told, one of them forgotten, and a hint. Only read."""
    shell = Shell(tmp_path_factory.mktemp("learned"))
    for seed in ("0", "1"):
        assert shell.here(*LEARNING, "--designs", "16", "--seed", seed).code == 0
    assert shell.here("hint", "2", HINT).code == 0
    assert shell.here(*LEARNING, "--designs", "22", "--seed", "1").code == 0
    assert shell.here("insights", "forget", "1", "--why", "<b>a person</b>").code == 0
    return shell


@pytest.fixture(scope="module")
def client(learned: Shell) -> TestClient:
    return serving(learned.folder / "palimpsest.db")


def estimate(row: dict[str, Any]) -> dict[str, Any] | None:
    """A gain as commands tell it."""
    if row["gain"] is None:
        return None
    interval = None if row["gain_low"] is None else [row["gain_low"], row["gain_high"]]
    return {"mean": row["gain"], "interval": interval, "n": row["designs"]}


def test_insights_are_those_of_the_terminal_and_those_that_are_gone(client: TestClient, learned: Shell) -> None:
    known = learned.here("insights", "list", "-n", "99", "--json").json
    rows = client.get("/api/insights").json()["table"]["rows"]
    assert [row["number"] for row in rows] == [*(each["insight"] for each in known), 1]
    assert rows[-1]["state"] == "gone"
    for row, each in zip(rows, known, strict=False):
        assert (row["kind"], row["subject"], row["uses"], row["wins"]) == tuple(
            each[name] for name in ("kind", "subject", "uses", "wins")
        )
        assert estimate(row) == each["gain"]
    page = client.get("/insights?state=gone").text
    assert '<a href="/insights/1">' in page


def test_an_insight_has_its_evidence_its_history_and_what_it_was_used_for(client: TestClient, learned: Shell) -> None:
    for number in (1, client.get("/api/insights").json()["table"]["rows"][0]["number"]):
        known = learned.here("insights", "show", str(number), "--json").json
        told = client.get(f"/api/insights/{number}?history_sort=operation").json()
        assert told["line"]["sentence"] == known["sentence"]
        assert told["line"]["known"] == known["known"]
        names = ("operation", "kind", "author", "reason", "told", "run")
        steps = [tuple(row[name] for name in names) for row in told["history"]["rows"]]
        assert steps == [tuple(step[name] for name in names) for step in known["history"]]
        assert sum(row["designs"] for row in told["evidence"]["rows"]) == known["gain"]["n"]
        page = client.get(f"/insights/{number}")
        assert page.status_code == 200
        assert ("no longer known" in page.text) is (number == 1)
    made = client.get("/api/insights/1").json()
    assert made["made"]["count"] > 0
    assert {row["run"] for row in made["made"]["rows"]} == {2}
    assert "<b>a person</b>" not in client.get("/insights/1").text


def test_hints_have_their_effect(client: TestClient, learned: Shell) -> None:
    (known,) = learned.here("hint", "2", "--json").json
    (row,) = client.get("/api/insights").json()["hints"]["rows"]
    assert {name: row[name] for name in ("hint", "text", "asked", "designs")} == {
        name: known[name] for name in ("hint", "text", "asked", "designs")
    }
    assert row["designs"] > 0
    assert row["gain"] == (known["gain"] or {"mean": None})["mean"]
    page = client.get("/insights").text
    assert HINT not in page
    assert "&lt;script&gt;" in page


def test_what_is_new_is_seen_at_once(learned: Shell, tmp_path: Path) -> None:
    path = Path(shutil.copy(learned.folder / "palimpsest.db", tmp_path / "palimpsest.db"))
    client = serving(path)
    before = client.get("/api/insights").json()
    assert Shell(tmp_path).here("hint", "1", "more Lexical").code == 0
    after = client.get("/api/insights").json()
    assert after["hints"]["count"] == before["hints"]["count"] + 1
    assert after["table"] == before["table"]


def test_an_insight_that_never_was_is_a_404(client: TestClient) -> None:
    assert client.get("/insights/999").status_code == 404
    assert client.get("/insights/x").status_code == 422
