"""Where nothing gets better the proposing model is asked once what to try, and requests of the round are told it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archive.history import Listed
from archive.store import unpack
from evolve.proposers.tactical import told_by
from evolve.tactics import Stagnation
from sandbox.backends import make
from tests.author import beside_author
from tests.end_to_end.conftest import Shell
from tests.end_to_end.test_crashes import rows
from tests.model_server import Ask, ModelServer, Say

RUN = (
    *("run", "--domain", "recall", "--collection", "6", "--collection-repeats", "1", "--deployment", "6"),
    *("--finalists", "0", "--sandbox", "bubblewrap", "--workers", "0", "--designs", "16", "--tactics", "--insights"),
    *("--reproducible", "--json"),
)
WAYS = {"leave": "count pairs of words", "cross": "the counts of one, the order of the other", "rebuild": "a queue"}

pytestmark = pytest.mark.skipif(bool(make("bubblewrap").available()), reason="what models write needs bubblewrap here")


def asked_of(folder: Path, value: Any) -> tuple[list[Ask], Any]:
    asked: list[Ask] = []
    with ModelServer(beside_author("rebuild", lambda ask: Say(value=value), asked)) as server:
        done = Shell(folder).here(*RUN, "--proposer", server.spec())
    assert done.code == 0, done.err
    return asked, done


def briefs(path: Path) -> list[dict[str, Any]]:
    return [json.loads(payload).get("brief", {}) for (payload,) in rows(path, "SELECT payload FROM request")]


def test_a_round_asks_once_and_tells_what_came_of_it(tmp_path: Path) -> None:
    asked, _ = asked_of(tmp_path, WAYS)
    path = tmp_path / "palimpsest.db"
    kept = rows(path, "SELECT began, notes FROM tactics")
    told = [name for brief in briefs(path) for name in brief.get("sources", ()) if name.startswith("tactic")]
    assert len(asked) == len(kept) >= 1
    assert "All designs of this search so far" in asked[0].text
    assert unpack(kept[0][1]) == WAYS
    assert len(told) >= 3
    requests = [unpack(request) for (request,) in rows(path, "SELECT request FROM exchange")]
    assert sum("namely: count pairs of words" in json.dumps(request) for request in requests) >= 1
    known = Shell(tmp_path).here("insights", "list", "--json").json
    assert {each["subject"] for each in known if each["kind"] == "tactic"} & set(WAYS.values())
    assert Shell(tmp_path).here("replay", "1", "--json").json["differences"] == []


def test_a_round_knows_all_that_began_it_also_where_some_designs_failed() -> None:
    unscored = Listed("1-a", 0, "no_memory", "composed", "", "", "", *[None] * 5)
    lines = [
        unscored,
        *(unscored._replace(number=number, score=None if number % 2 else 0.5) for number in range(1, 12)),
    ]
    assert [line.number for line in told_by(lines, 4)] == list(range(9))
    assert [line.number for line in told_by(lines, 0)] == [0]


def test_requests_that_come_to_nothing_are_no_improvement() -> None:
    watch = Stagnation()
    for score in [None] * 20 + [0.2, 0.3]:
        watch.tell(score)
    assert watch.began is None
    for _ in range(9):
        watch.tell(None)
    assert watch.began == 2, "after so many scores"


def test_an_answer_of_no_use_leaves_the_tactics_as_they_are(tmp_path: Path) -> None:
    asked, done = asked_of(tmp_path, {"leave": 1})
    path = tmp_path / "palimpsest.db"
    assert asked
    assert [unpack(notes) for (notes,) in rows(path, "SELECT notes FROM tactics")] == [{}]
    assert "no tactics of its own" in done.err
