"""Whole runs of Empirical-MCTS on `recall`: by the genetic proposer and by a model behind a server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.backends import make
from tests.author import beside_author
from tests.end_to_end.conftest import SMALL, Shell
from tests.end_to_end.strategies import kept
from tests.end_to_end.test_crashes import Sitting, rows
from tests.evolve.test_pe_emp import answer
from tests.model_server import Ask, Fault, ModelServer, Response, Say


@pytest.fixture
def done(ten_designs: Callable[[str], Shell]) -> Shell:
    """A run of ten designs; tests only read it."""
    return ten_designs("empirical-mcts")


def test_the_tree_is_shown_with_values_and_comparisons(done: Shell) -> None:
    nodes = done.here("tree", "1", "--json").json["nodes"]
    assert len(nodes) == 10
    assert sum(node["parent"] is None for node in nodes) == 1
    compared = [node for node in nodes if node["comparison"] is not None]
    assert all(node["parent"] == node["comparison"]["rival"] for node in compared)
    assert all(sum(each["weight"] for each in node["comparison"]["criteria"]) == pytest.approx(1) for node in compared)
    root = next(node for node in nodes if node["parent"] is None)
    assert root["visits"] >= len(nodes)
    assert all("kept" in node["comparison"]["signs"] for node in compared)
    shown = done.here("tree", "--depth", "2").out
    assert root["design"][:10] in shown
    assert "more below" in shown
    assert f"Beside {root['design'][:10]}, which it was asked of" in done.here("show", nodes[1]["design"]).out
    assert done.here("show", nodes[1]["design"], "--json").json["comparison"] == nodes[1]["comparison"]
    assert done.here("tree", "9").code == 2


def test_a_tree_of_another_strategy_has_no_values(finished: Shell) -> None:
    found = finished.here("tree", "--json").json
    assert len(found["nodes"]) == 6
    assert all(node["value"] is None and node["comparison"] is None for node in found["nodes"])
    assert "N requests for children" in finished.here("tree").out


def test_without_pe_emp_scores_alone_guide_the_tree(shell: Shell) -> None:
    command = ("run", *SMALL, "--strategy", "empirical-mcts", "--no-pe-emp", "--designs", "6", "--reproducible")
    assert shell.here(*command, "--finalists", "0", "--workers", "0").code == 0
    payloads = [json.loads(text) for (text,) in rows(shell.folder / "palimpsest.db", "SELECT payload FROM request")]
    assert all(payload["brief"] == {"operators": {}} for payload in payloads)
    nodes = shell.here("tree", "1", "--json").json["nodes"]
    assert sum(node["parent"] is None for node in nodes) == 1
    assert all(node["comparison"] is None and node["value"] is not None for node in nodes)
    assert shell.here("replay", "1", "--json").json["differences"] == []


# With a model

needs_sandbox = pytest.mark.skipif(
    bool(make("bubblewrap").available()), reason="what models write needs bubblewrap here"
)
LOOSE = ("run", *SMALL, "--strategy", "empirical-mcts", "--finalists", "0", "--workers", "0", "--sandbox", "bubblewrap")
MODEL_RUN = (*LOOSE, "--reproducible", "--in-flight", "1")
ADVICE = "Count what the questions ask for."


def favours_the_first(ask: Ask) -> Response:
    return Say(value=answer((0.6, 8, 4), (0.4, 6, 5), advice=ADVICE))


@needs_sandbox
@pytest.mark.parametrize(
    ("answers", "decided", "calls"),
    [
        (favours_the_first, "judge", 2),
        (lambda ask: Say(value=answer((0.3, 8, 4))), "criteria", 2),
        (lambda ask: Say("the first, I think"), "criteria", 2),
        (lambda ask: Say(finish="refusal"), "criteria", 1),
        (lambda ask: Fault(manner="overflow"), "criteria", 0),
    ],
    ids=["both orders", "weights", "no JSON", "refusal", "overflow"],
)
def test_a_model_compares_where_scores_do_not_decide(shell: Shell, answers: Any, decided: str, calls: int) -> None:
    asked: list[Ask] = []
    with ModelServer(beside_author("points", answers, asked)) as server:
        count = 5 if decided == "judge" else 3
        ended = shell.here(*MODEL_RUN, "--designs", str(count), "--proposer", server.spec())
        assert ended.code == 0, ended.err
        written = [ask.text for ask in server.asks if ask not in asked]
    path = shell.folder / "palimpsest.db"
    judged = rows(path, f"SELECT author, tokens_in FROM comparison WHERE decided_by = '{decided}'")
    assert judged
    assert all(bool(author) == (decided == "judge") == bool(tokens) for author, tokens in judged)
    assert len(rows(path, "SELECT key FROM call WHERE role = 'compare' AND hit_of IS NULL")) == calls * len(judged)
    assert rows(path, "SELECT COUNT(*) FROM comparison") == [(count,)]
    if decided != "judge":
        assert "compared by what was measured alone" in ended.err
        return
    nodes = shell.here("tree", "--json").json["nodes"]
    compared = [node["comparison"] for node in nodes if node["comparison"] is not None]
    found = next(each for each in compared if each["decided_by"] == "judge")
    assert (found["total"], found["rival_total"]) == pytest.approx((5.8, 5.8))  # it only likes what stands first
    assert (found["meta_prompt"], found["lessons"]) == (ADVICE, ["Short lists are followed."])
    assert "task: deployment-" not in asked[0].text
    assert "The second design: an episode with it" in asked[0].text
    replayed = shell.here("replay", "1", "--json")
    assert (replayed.code, replayed.json["differences"]) == (0, [])
    heirs = [json.loads(payload) for (payload,) in rows(path, "SELECT payload FROM request")]
    assert any(heir["brief"].get("meta_prompt") == ADVICE for heir in heirs)
    assert any(ADVICE in text for text in written)


@needs_sandbox
def test_a_comparison_that_was_paid_is_not_paid_again_after_a_kill(shell: Shell, tmp_path: Path) -> None:
    """Killed after the first order was answered, before the comparison is committed; then as if nothing had been."""
    asked: list[Ask] = []
    held = threading.Event()

    def answers(ask: Ask) -> Response:
        if len(asked) == 2:
            held.wait(60)
        return favours_the_first(ask)

    with ModelServer(beside_author("points", answers, asked)) as server:
        command = (*MODEL_RUN, "--designs", "3", "--proposer", server.spec())
        sitting = Sitting(shell.folder, *command)
        sitting.until(lambda: len(asked) == 2)
        sitting.process.kill()
        sitting.process.wait()
        path = shell.folder / "palimpsest.db"
        assert rows(path, "SELECT COUNT(*) FROM call WHERE role = 'compare'") == [(1,)]
        assert rows(path, "SELECT COUNT(*) FROM comparison WHERE decided_by = 'judge'") == [(0,)]
        held.set()
        ended = shell.here(*command)
        assert ended.code == 0, ended.err
        paid = rows(path, "SELECT key FROM call WHERE hit_of IS NULL")
        assert len(paid) == len(set(paid)) == len(server.asks) - 1  # the second order's first answer was never heard
        (tmp_path / "other").mkdir()
        other = Shell(tmp_path / "other")
        assert other.here(*command).code == 0
        assert kept(shell) == kept(other)
    assert rows(path, "SELECT COUNT(*) FROM comparison WHERE decided_by = 'judge'") >= [(1,)]


@needs_sandbox
def test_a_run_in_any_order_goes_on_with_the_comparisons_that_a_kill_left(shell: Shell) -> None:
    asked: list[Ask] = []
    held = threading.Event()

    def answers(ask: Ask) -> Response:
        held.wait(60)
        return favours_the_first(ask)

    with ModelServer(beside_author("points", answers, asked)) as server:
        command = (*LOOSE, "--designs", "4", "--proposer", server.spec())
        sitting = Sitting(shell.folder, *command)
        sitting.until(lambda: len(asked) >= 2)
        sitting.process.kill()
        sitting.process.wait()
        held.set()
        ended = shell.here(*command)
        assert ended.code == 0, ended.err
    path = shell.folder / "palimpsest.db"
    decided = [name for (name,) in rows(path, "SELECT decided_by FROM comparison ORDER BY told")]
    assert len(decided) == 4
    assert "judge" in decided  # a comparison is asked for in both orders, so that what was asked may have been one
    replayed = shell.here("replay", "1", "--json")
    assert (replayed.code, replayed.json["differences"]) == (0, [])
