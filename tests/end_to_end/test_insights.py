"""Runs that learn and are told: what one found out reaches the next, tactics and hints reach a run's requests."""

from __future__ import annotations

import json
import re
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from archive.opening import open_archive
from archive.store import unpack
from evolve.tactics import BY_NAME
from sandbox.backends import make
from tests.author import beside_author
from tests.end_to_end.conftest import QUICK, SMALL, Shell
from tests.end_to_end.test_crashes import Sitting, rows
from tests.model_server import Ask, Fault, ModelServer, Response, Say

RUN = ("run", *QUICK, "--finalists", "0", "--reproducible", "--insights", "--tactics", "--temperature", "0.05")
REQUESTS = "SELECT number, payload, result FROM request WHERE run_id = 1 ORDER BY number"


def briefs(path: Path, run: int) -> list[dict[str, Any]]:
    found = rows(path, f"SELECT payload FROM request WHERE run_id = {run} ORDER BY number")
    return [json.loads(payload)["brief"] for (payload,) in found]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A run of 24 designs, and a second one with another seed; tests only read them."""
    shell = Shell(tmp_path_factory.mktemp("insights"))
    for seed in ("0", "1"):
        ended = shell.here(*RUN, "--designs", "24", "--seed", seed)
        assert ended.code == 0, ended.err
    return shell


def test_it_is_decided_again_and_goes_on_as_it_would_have(done: Shell, shell: Shell) -> None:
    for run in ("1", "2"):
        replayed = done.here("replay", run, "--json")
        assert (replayed.code, replayed.json["differences"]) == (0, [])
    for designs in ("5", "24"):
        assert shell.here(*RUN, "--designs", designs, "--seed", "0").code == 0
    assert rows(shell.folder / "palimpsest.db", REQUESTS) == rows(done.folder / "palimpsest.db", REQUESTS)


def test_a_run_learns_and_the_next_one_is_told_on_other_tasks(done: Shell) -> None:
    path = done.folder / "palimpsest.db"
    first, second = briefs(path, 1), briefs(path, 2)
    assert not any(source.startswith("insight") for brief in first for source in brief.get("sources", ()))
    assert any(brief.get("blocks") for brief in first[4:])
    assert any(source.startswith("insight") for source in second[0]["sources"])
    played = [
        {
            task
            for (task,) in rows(
                path,
                "SELECT DISTINCT task_id FROM outcome JOIN evaluation e ON e.id = evaluation_id"
                f" WHERE e.run_id = {run} AND e.role = 'deployment'",
            )
        }
        for run in (1, 2)
    ]
    assert len(played[0]) == len(played[1]) == 8
    assert not played[0] & played[1]
    known = done.here("insights", "list", "--json").json
    assert known
    assert any(len(each["runs"]) == 2 for each in known)
    assert all(set(each["tasks"]) <= played[0] | played[1] for each in known)
    assert any(each["uses"] for each in known)


def test_where_nothing_gets_better_tactics_are_tried(done: Shell) -> None:
    told = [brief for run in (1, 2) for brief in briefs(done.folder / "palimpsest.db", run)]
    sources = [source for brief in told for source in brief.get("sources", ()) if source.startswith("tactic")]
    assert sources
    assert any("tactic, for nothing got better" in note for brief in told for note in brief.get("notes", ()))
    tried = {BY_NAME[source.removeprefix("tactic ")].note for source in sources}
    known = [each for each in done.here("insights", "list", "--json").json if each["kind"] == "tactic"]
    assert {each["subject"] for each in known} == tried
    assert all(each["designs"] and each["gain"]["n"] >= 1 for each in known)


def test_insights_are_shown_exported_imported_and_forgotten(done: Shell, shell: Shell) -> None:
    known = done.here("insights", "list", "--json").json
    number = str(known[0]["insight"])
    listed = done.here("insights", "list", "--domain", "recall")
    assert known[0]["subject"] in listed.out
    shown = done.here("insights", "show", number)
    assert "History" in shown.out
    assert done.here("insights", "--json").json == known
    found = done.here("insights", "show", number, "--json").json
    assert found["history"][0]["kind"] in ("add", "merge")
    assert found["known"]
    file = str(shell.folder / "all.jsonl")
    assert done.here("insights", "export", file).code == 0
    assert done.here("insights", "export", file).code == 0
    (shell.folder / "mine").write_text("of mine")
    assert done.here("insights", "export", str(shell.folder / "mine")).code == 2
    assert (shell.folder / "mine").read_text() == "of mine"
    assert shell.here("run", *QUICK, "--designs", "1", "--finalists", "0").code == 0
    assert shell.here("insights", "import", file, "--json").json["added"] == len(known)
    assert shell.here("insights", "import", file, "--json").json["added"] == 0
    assert len(shell.here("insights", "list", "--json").json) == min(30, len(known))
    assert shell.here("insights", "forget", "1", "--why", "too few").code == 0
    gone = shell.here("insights", "show", "1", "--json").json
    assert (gone["known"], gone["history"][-1]["reason"]) == (False, "too few")
    shell.write("bad.jsonl", "{}\n")
    for command in (("forget", "1"), ("show", "99"), ("import", "bad.jsonl"), ("import", "none"), ("learn", "9")):
        refused = shell.here("insights", *command)
        assert (refused.code, refused.out) == (2, "")
    assert shell.here("insights", "list", "--archive", "none.db").code == 2


def test_a_run_that_did_not_learn_is_learned_from_once(finished: Shell, shell: Shell) -> None:
    (shell.folder / "palimpsest.db").write_bytes((finished.folder / "palimpsest.db").read_bytes())
    assert shell.here(*("run", *QUICK), "--designs", "14").code == 0
    first = shell.here("insights", "learn", "1", "--json").json
    assert first["operations"] == len(shell.here("insights", "list", "--json").json) > 0
    assert shell.here("insights", "learn", "1", "--json").json["operations"] == 0


def test_a_hint_reaches_a_run_that_is_being_made_and_its_effect_is_shown(shell: Shell) -> None:
    command = ("run", *QUICK, "--finalists", "0")
    assert shell.here(*command, "--designs", "3").code == 0
    assert "no hints" in shell.here("hint", "1").out
    path = shell.folder / "palimpsest.db"
    with closing(open_archive(path, write=True)):  # as a run has it open
        given = shell.here("hint", "1", "try ByReward and add_layer,\n avoid Contrast", "--json")
    assert given.json == {"hint": 1, "run": 1}
    assert shell.here(*command, "--designs", "8").code == 0
    told = briefs(path, 1)
    assert all("sources" not in brief for brief in told[:3])
    assert all(brief["sources"] == ["hint 1"] for brief in told[3:])
    assert told[-1]["notes"] == ["hint of a person: try ByReward and add_layer, avoid Contrast"]
    assert told[-1]["blocks"]["ByReward"] > 0 > told[-1]["blocks"]["Contrast"]
    assert told[-1]["operators"] == {"add_layer": 4.5}
    (shown,) = shell.here("hint", "1", "--json").json
    assert shown["designs"] >= 5
    assert shown["gain"]["n"] > 0
    assert "avoid Contrast" in shell.here("hint", "1").out
    assert shell.here("hint", "1", " ").code == shell.here("hint", "7", "x").code == 2


def test_a_reproducible_run_takes_no_hints(done: Shell) -> None:
    refused = done.here("hint", "1", "be brave")
    assert (refused.code, refused.out) == (2, "")
    assert "reproducible" in refused.err


# With a model

MODEL_RUN = ("run", *SMALL, "--workers", "0", "--sandbox", "bubblewrap", "--finalists", "0", "--insights")
LESSON = "Keep what was seen twice."


def change(operation: str, lessons: list[int], text: str = "") -> dict[str, Any]:
    return {"operation": operation, "lessons": lessons, "text": text, "reason": "it gained"}


def first_then_more(ask: Ask) -> Response:
    """Adds a lesson where there is none, and else sharpens it."""
    known = re.search(rf"^(\d+): {LESSON[:8]}", ask.text, re.MULTILINE)
    sharper = change("modify", [int(known[1])], f"{LESSON} Always.") if known else change("add", [], LESSON)
    return Say(value={"operations": [sharper]})


@pytest.mark.skipif(bool(make("bubblewrap").available()), reason="what models write needs bubblewrap here")
def test_a_model_draws_lessons_which_later_requests_and_runs_are_told(shell: Shell) -> None:
    asked: list[Ask] = []
    with ModelServer(beside_author("operations", first_then_more, asked)) as server:
        command = (*MODEL_RUN, "--proposer", server.spec())
        ended = shell.here(*command, "--designs", "9")
        assert ended.code == 0, ended.err
        written = [ask.text for ask in server.asks if ask not in asked]
        assert any(f"insight 1: {LESSON}" in text for text in written)
        before = len(server.asks)
        assert shell.here(*command, "--designs", "4", "--seed", "1", "--reproducible").code == 0
        assert f"{LESSON} Always." in server.asks[before].text
    path = shell.folder / "palimpsest.db"
    (lesson,) = [each for each in shell.here("insights", "list", "--json").json if each["kind"] == "lesson"]
    assert lesson["uses"] > 0
    history = shell.here("insights", "show", str(lesson["insight"]), "--json").json["history"]
    assert {row["author"] for row in history} == {server.spec(), "measured"}
    assert lesson["gain"]["n"] == sum(row["author"] == server.spec() for row in history) > 3, "no evidence is lost"
    assert rows(path, "SELECT COUNT(*) FROM call WHERE role = 'insights'")[0][0] >= len(asked) - 1
    assert "deployment-" not in asked[0].text


@pytest.mark.skipif(bool(make("bubblewrap").available()), reason="what models write needs bubblewrap here")
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            Say(value={"operations": [change("add", [], LESSON), change("delete", [7])]}),
            "names lesson 7, which was not",
        ),
        (Say(value={"operations": [change("add", [])]}), "has no text"),
        (Say(value={"operations": [change("merge", [], LESSON)]}), "merge, is not complete"),
        (Say(value={"operations": [change("add", [], LESSON)] * 7}), "more than 6"),
        (Say(value={"operations": [change("rewrite", [], LESSON)]}), "also when asked again"),
        (Say("as you wish"), "also when asked again"),
        (Say(finish="refusal"), "refused"),
        (Fault(manner="overflow"), "no lessons were drawn"),
    ],
    ids=["unknown", "empty", "incomplete", "long", "malformed", "no JSON", "refusal", "overflow"],
)
def test_a_plan_that_cannot_be_followed_is_refused_whole(shell: Shell, answer: Response, said: str) -> None:
    asked: list[Ask] = []
    with ModelServer(beside_author("operations", lambda ask: answer, asked)) as server:
        ended = shell.here(*MODEL_RUN, "--designs", "2", "--proposer", server.spec(), "--json")
    assert ended.code == 0, ended.err
    assert asked
    assert said in ended.err
    assert rows(shell.folder / "palimpsest.db", "SELECT COUNT(*) FROM operation") == [(0,)]


@pytest.mark.skipif(bool(make("bubblewrap").available()), reason="what models write needs bubblewrap here")
@pytest.mark.parametrize("strategy", ["alma", "empirical-mcts"])
def test_a_run_killed_while_a_lesson_is_drawn_goes_on_and_pays_nothing_twice(shell: Shell, strategy: str) -> None:
    asked: list[Ask] = []
    held = threading.Event()

    def answers(ask: Ask) -> Response:
        if len(asked) == 2:
            held.wait(60)
        return Say(value={"operations": [change("add", [], f"{LESSON} {len(asked)}")]})

    with ModelServer(beside_author("operations", answers, asked)) as server:
        command = (*MODEL_RUN, "--strategy", strategy, "--designs", "5", "--proposer", server.spec())
        sitting = Sitting(shell.folder, *command)
        sitting.until(lambda: len(asked) == 2)
        sitting.process.kill()
        sitting.process.wait()
        held.set()
        ended = shell.here(*command)
        assert ended.code == 0, ended.err
    path = shell.folder / "palimpsest.db"
    paid = rows(path, "SELECT key FROM call WHERE hit_of IS NULL")
    assert len(paid) == len(set(paid))
    added = [unpack(packed)["designs"] for (packed,) in rows(path, "SELECT insight FROM operation WHERE kind = 'add'")]
    lessons = [designs[0] for designs in added if len(designs) == 1]
    assert len(lessons) == len(set(lessons)) > 0
    assert shell.here("replay", "1", "--json").json["differences"] == []
