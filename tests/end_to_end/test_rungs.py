"""Runs with a small rung, through the console script: killed between rungs, on workers, and decided again."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests import THOROUGH
from tests.end_to_end.conftest import Shell
from tests.end_to_end.test_reproducible import result
from tests.end_to_end.test_run import count, wait_for

RUNG = ("--deployment", "10", "--small", "6", "--drop-margin", "0.1")
"""A margin at which few designs are good enough."""
SMALL = ("--domain", "recall", "--collection", "4", "--designs", "10", "--finalists", "1", "--confirmation", "4", *RUNG)
RUN = ("run", *SMALL, "--reproducible", "--sandbox", "process", "--json")
ALONE = ("--workers", "0")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("undisturbed"))
    done = shell.evolve(*RUN, *ALONE)
    assert done.code == 0, done.err
    return shell


def designs(shell: Shell) -> list[Any]:
    return result(shell.folder / "palimpsest.db")


def test_what_is_dropped_is_counted_and_explained(undisturbed: Shell) -> None:
    top = undisturbed.here("top", "--json").json
    assert top["dropped"] > 0
    assert top["evaluated"] + top["failed"] + top["dropped"] == 10
    dropped = [row[1] for row in designs(undisturbed) if row[-1] == "dropped"]
    assert len(dropped) == top["dropped"]
    assert not {row["design"] for row in top["top"]} & set(dropped)
    assert not {row["design"] for row in top["finalists"]} & set(dropped)
    shown = undisturbed.here("show", dropped[0], "--json").json
    assert (shown["state"], shown["n"], len(shown["tasks"])) == ("dropped", 6, 6)
    run = undisturbed.here("runs", "--json").json[0]
    kinds = ("dropped", "audited", "audited_better", "audited_among_best")
    assert [run[kind] for kind in kinds] == [top[kind] for kind in kinds]
    assert f"{top['dropped']} dropped after 6 of 10 tasks\naudit: {top['audited']} more" in undisturbed.here("top").out


@pytest.mark.skipif(not THOROUGH, reason="PALIMPSEST_THOROUGH=1 runs it")
def test_two_workers_drop_the_same(undisturbed: Shell, shell: Shell) -> None:
    done = shell.evolve(*RUN, "--workers", "2")
    assert done.code == 0, done.err
    assert designs(shell) == designs(undisturbed)


@pytest.mark.parametrize(("state", "times"), [("small", 1), ("small", 5), ("dropped", 2)])
def test_a_run_killed_between_rungs_ends_as_if_it_had_not_been(
    undisturbed: Shell, shell: Shell, state: str, times: int
) -> None:
    path: Path = shell.folder / "palimpsest.db"
    process = shell.start(*RUN, *ALONE)
    wait_for(path, "event", times, process, f"state = '{state}'")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    known = count(path, "episode")
    done = shell.evolve(*RUN, *ALONE)
    assert done.code == 0, done.err
    assert done.json["played"] == count(path, "episode") - known
    assert designs(shell) == designs(undisturbed)
    assert count(path, "evaluation") == count(undisturbed.folder / "palimpsest.db", "evaluation")


def test_it_is_decided_again_from_its_archive(undisturbed: Shell) -> None:
    replayed = undisturbed.here("replay", "1", "--json")
    assert (replayed.code, replayed.json["differences"]) == (0, [])
