"""The genetic proposer beside designs that people and models write: it edits none of them, and is stopped by none."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from evolve.proposers.base import Brief
from evolve.proposers.genetic import GeneticProposer

SEEDS = [seed.name for seed in files("archive.seeds").iterdir() if seed.name.endswith(".py") and seed.name[0] != "_"]
COMPOSED = GeneticProposer().write([], Brief(), np.random.default_rng(3)).source
VARIANTS = {
    "another method": COMPOSED + "\n    def observe(self, step):\n        pass\n",
    "another attribute": COMPOSED.replace("    def __init__", "    instructions = 'x'\n\n    def __init__", 1),
    "another name": COMPOSED.replace("        return ", "        return self.lines * ", 1),
    "another store": COMPOSED.replace("self.store = ", "self.store = self.", 1),
    "no numbers": COMPOSED.replace("self.lines = ", "self.lines = len(self.managers) + ", 1),
}


LEFT = {"composed afresh, leaving the parent", "composed afresh, for the parent is not made of layers"}


def change(*parents: str) -> set[str]:
    """What is said of the designs that are written from these parents."""
    written = [GeneticProposer().write(parents, Brief(), np.random.default_rng(seed)) for seed in range(30)]
    assert all(proposal.descends == (not proposal.change.startswith("composed afresh")) for proposal in written)
    return {proposal.change for proposal in written}


@pytest.mark.parametrize("name", SEEDS)
def test_a_freely_written_parent_is_left(name: str) -> None:
    source = files("archive.seeds").joinpath(name).read_text("utf-8")
    assert change(source) <= LEFT
    assert not any("another parent" in each for each in change(COMPOSED, source))


@pytest.mark.parametrize("name", VARIANTS)
def test_what_a_person_made_of_layers_is_left_where_it_is_more_than_layers(name: str) -> None:
    assert change(VARIANTS[name]) <= LEFT


def test_what_is_made_of_layers_alone_is_edited() -> None:
    assert len(change(COMPOSED) - LEFT) > 5
