"""Whole runs of Empirical-MCTS on `recall`: by the genetic proposer and by a model behind a server on loopback."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.conftest import QUICK, SMALL, Shell
from tests.end_to_end.test_crashes import rows
from tests.end_to_end.test_reproducible import result

RUN = ("run", *QUICK, "--strategy", "empirical-mcts", "--finalists", "0", "--reproducible")
COMPARED = "SELECT design_id, rival_id, told, decided_by, total, rival_total, difference, low, high, n, details"
TABLES = (
    f"{COMPARED} FROM comparison ORDER BY told",
    "SELECT number, payload, result FROM request ORDER BY number",
)


def kept(shell: Shell) -> list[Any]:
    """All that a run decided by, and came to."""
    path = shell.folder / "palimpsest.db"
    return [result(path), *(rows(path, table) for table in TABLES)]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A run of ten designs; tests only read it."""
    shell = Shell(tmp_path_factory.mktemp("mcts"))
    ended = shell.here(*RUN, "--designs", "10")
    assert ended.code == 0, ended.err
    return shell


def test_it_is_decided_again_from_the_archive_and_goes_on_as_it_would_have(done: Shell, shell: Shell) -> None:
    replayed = done.here("replay", "1", "--json")
    assert (replayed.code, replayed.json["differences"]) == (0, [])
    for designs in ("5", "10"):
        assert shell.here(*RUN, "--designs", designs).code == 0
    assert kept(shell) == kept(done)


def test_workers_change_nothing_and_without_an_order_it_is_decided_again_too(done: Shell, shell: Shell) -> None:
    command = ("run", *SMALL, "--strategy", "empirical-mcts", "--finalists", "0", "--sandbox", "process")
    ended = shell.evolve(*command, "--workers", "2", "--designs", "10", "--reproducible")
    assert ended.code == 0, ended.err
    assert kept(shell) == kept(done)
    for designs in ("6", "9"):
        assert shell.here(*command, "--workers", "0", "--designs", designs).code == 0
    replayed = shell.here("replay", "2", "--json")
    assert (replayed.code, replayed.json["differences"]) == (0, [])


def test_the_tree_is_shown_with_values_and_comparisons(done: Shell) -> None:
    nodes = done.here("tree", "1", "--json").json["nodes"]
    assert len(nodes) == 10
    assert sum(node["parent"] is None for node in nodes) == 1
    compared = [node for node in nodes if node["comparison"] is not None]
    assert all(node["parent"] == node["comparison"]["rival"] for node in compared)
    assert all(sum(each["weight"] for each in node["comparison"]["criteria"]) == pytest.approx(1) for node in compared)
    root = next(node for node in nodes if node["parent"] is None)
    assert root["visits"] >= len(nodes)
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
