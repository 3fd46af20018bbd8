"""The genetic proposer: whatever it writes is a design, reads well, and is what it says it is."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from evolve.config import RunConfig
from evolve.errors import InputError
from evolve.proposers import blocks, genetic, genome, registry
from evolve.proposers.base import Brief, Proposal
from evolve.proposers.genetic import DEFAULT_WEIGHTS, OPERATORS, RECOMPOSE, GeneticProposer
from sandbox.source import SourceChecker

WIDTH = 120


@pytest.fixture(scope="module")
def checker() -> Iterator[SourceChecker]:
    with SourceChecker() as made:
        yield made


@pytest.fixture(scope="module")
def proposals() -> list[Proposal]:
    """Ten fresh designs and ninety descendants, each of two that came before."""
    rng = np.random.default_rng(3)
    proposer = GeneticProposer()
    made = [proposer.write([], Brief(), rng) for _ in range(10)]
    for _ in range(90):
        parents = [made[i].source for i in rng.choice(len(made), 2, replace=False)]
        made.append(proposer.write(parents, Brief(), rng))
    return made


def test_an_unknown_proposer_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(InputError, match="no proposer 'monkey'; choose one of genetic"):
        registry.make(RunConfig(proposer="monkey"))


def test_every_proposal_is_a_design_with_a_summary(proposals: list[Proposal], checker: SourceChecker) -> None:
    checked = [checker.check(proposal.source) for proposal in proposals]
    assert all(each.class_name == "Design" and each.summary for each in checked)
    assert len({each.hash for each in checked}) > 80


def test_every_proposal_says_in_one_line_what_was_changed(proposals: list[Proposal]) -> None:
    for proposal in proposals:
        assert proposal.change
        assert "\n" not in proposal.change
        assert proposal.origin == "composed"


def test_equal_chance_gives_equal_proposals(proposals: list[Proposal]) -> None:
    parents = [proposals[0].source, proposals[1].source]
    for seed in range(20):
        first, second = (GeneticProposer().write(parents, Brief(), np.random.default_rng(seed)) for _ in range(2))
        assert first == second


def test_proposals_are_formatted(proposals: list[Proposal], tmp_path: Path) -> None:
    """As ruff would do it, but for lines that would have to be wrapped."""
    for number, proposal in enumerate(proposals):
        if max(map(len, proposal.source.splitlines())) <= WIDTH:
            (tmp_path / f"design_{number}.py").write_text(proposal.source)
    assert len(list(tmp_path.iterdir())) > len(proposals) / 3
    command = [sys.executable, "-m", "ruff", "format", "--check", "--isolated", "--line-length", str(WIDTH)]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_what_is_written_reads_back_the_same(proposals: list[Proposal]) -> None:
    for proposal in proposals:
        found = genome.read(proposal.source)
        assert genome.write(found, genetic.describe(found)) == proposal.source


def test_designs_that_are_not_made_of_layers_are_refused() -> None:
    for source in ("x = 1", "class Design:\n    pass", "class Design:\n    def __init__(self):\n        pass"):
        with pytest.raises(InputError):
            genome.read(source)


def test_every_operator_has_a_weight_a_description_and_a_place() -> None:
    assert {*OPERATORS, RECOMPOSE} == DEFAULT_WEIGHTS.keys()
    assert len(OPERATORS) >= 8
    for operator in OPERATORS.values():
        assert operator.__doc__


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_changes_a_design_and_only_it(name: str, proposals: list[Proposal]) -> None:
    rng = np.random.default_rng(7)
    changed = 0
    for number in range(60):
        mine, other = (genome.read(proposals[(number + step) % len(proposals)].source) for step in (0, 31))
        before, others_before = genome.write(mine, ""), genome.write(other, "")
        change = OPERATORS[name](mine, [other], rng)
        after = genome.write(mine, "")
        assert change is None or change.strip()
        if change is None:
            assert after == before
        elif after != before:
            changed += 1
        assert genome.write(other, "") == others_before
    assert changed >= 5


def test_a_brief_decides_which_operators_are_used(proposals: list[Proposal]) -> None:
    only = Brief({name: float(name == "change_lines") for name in DEFAULT_WEIGHTS})
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert "lines instead of" in GeneticProposer().write([proposals[0].source], only, rng).change


def test_a_design_may_be_composed_afresh_whatever_its_parents(proposals: list[Proposal]) -> None:
    only = Brief({name: float(name == RECOMPOSE) for name in DEFAULT_WEIGHTS})
    afresh, other = (
        GeneticProposer().write([parent.source], only, np.random.default_rng(5)) for parent in proposals[:2]
    )
    assert afresh == other
    assert (afresh.change, afresh.descends) == ("composed afresh, leaving the parent", False)


def test_scoring_expressions_evolve() -> None:
    only = Brief({name: float(name == "mutate_worth") for name in DEFAULT_WEIGHTS})
    rng = np.random.default_rng(0)
    source = GeneticProposer().write([], Brief(), rng).source
    seen = set()
    for _ in range(40):
        source = GeneticProposer().write([source], only, rng).source
        seen.add(ast.unparse(genome.read(source).worth))
    assert len(seen) > 30


@pytest.mark.parametrize("block", blocks.BY_NAME.values(), ids=lambda block: str(block.name))
def test_every_block_is_one_of_the_guest_package_with_these_parameters(block: blocks.Block) -> None:
    import inspect

    import sandbox.guest

    known = inspect.signature(getattr(sandbox.guest, block.name).__init__).parameters
    assert {name for name, _ in block.parameters} <= set(known)


def test_parameters_stay_in_their_range_and_move() -> None:
    rng = np.random.default_rng(0)
    for block in blocks.BY_NAME.values():
        for _, values in block.parameters:
            value = values.draw(rng)
            for _ in range(100):
                moved = values.near(value, rng)
                assert values.low <= moved <= values.high
                assert moved != value or value == values.low
                assert not values.whole or moved == int(moved)
                value = moved
