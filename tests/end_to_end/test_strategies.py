"""What every strategy owes a run, as a user sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import THOROUGH
from tests.end_to_end.conftest import SMALL, Shell
from tests.end_to_end.strategies import COMMON, FLAGS, command, kept

Ten = Callable[[str], Shell]

every = pytest.mark.parametrize("strategy", FLAGS)


@every
def test_a_run_is_decided_again_from_its_archive(strategy: str, ten_designs: Ten) -> None:
    replayed = ten_designs(strategy).here("replay", "1", "--json")
    assert (replayed.code, replayed.json["differences"]) == (0, [])


@every
def test_a_run_that_is_extended_goes_on_as_it_would_have(strategy: str, shell: Shell, ten_designs: Ten) -> None:
    for designs in ("5", "10"):
        assert shell.here(*command(strategy), "--designs", designs).code == 0
    assert kept(shell) == kept(ten_designs(strategy))


@pytest.mark.parametrize("strategy", ["empirical-mcts", "memevolve"][: 1 + THOROUGH])  # these keep more than scores
def test_workers_change_nothing(strategy: str, shell: Shell, ten_designs: Ten) -> None:
    at_once = ("--sandbox", "process", "--workers", "2", "--designs", "10")
    ended = shell.evolve("run", *SMALL, *FLAGS[strategy], *COMMON, *at_once)
    assert ended.code == 0, ended.err
    assert kept(shell) == kept(ten_designs(strategy))


@every
def test_without_an_order_a_run_is_decided_again_too(strategy: str, shell: Shell) -> None:
    for designs in ("6", "9"):
        loose = ("--sandbox", "process", "--workers", "0", "--finalists", "0", "--designs", designs)
        assert shell.here("run", *SMALL, *FLAGS[strategy], *loose).code == 0
    replayed = shell.here("replay", "1", "--json")
    assert (replayed.code, replayed.json["differences"]) == (0, [])
