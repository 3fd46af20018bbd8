"""Proposers by name."""

from __future__ import annotations

from evolve.errors import InputError
from evolve.proposers.base import Proposer

NAMES = ("genetic",)


def make(name: str) -> Proposer:
    """The proposer of a name; an unknown one is an `InputError` that lists the known."""
    if name == "genetic":
        from evolve.proposers.genetic import GeneticProposer

        return GeneticProposer()
    raise InputError(f"there is no proposer {name!r}; choose one of {', '.join(NAMES)}")
