"""Proposers by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evolve.errors import InputError
from evolve.llm.models import is_spec, parse
from evolve.llm.roles import AGENTIC
from evolve.proposers.base import AtOnce, Proposer

if TYPE_CHECKING:
    from evolve.config import RunConfig

NAMES = ("genetic", "PROVIDER:MODEL", "agent:PROVIDER:MODEL")


def make(config: RunConfig) -> Proposer:
    """The proposer that a run names, which the strategy may have told more; raises `InputError` of an unknown one."""
    proposer = _named(config)
    spec = config.proposer.removeprefix(AGENTIC)
    model = spec if is_spec(spec) else ""
    if config.tactics and model:
        from evolve.proposers.tactical import Tactical

        proposer = Tactical(proposer, model)
    if config.strategy == "memevolve":
        from evolve.proposers.diagnosing import Diagnosing

        proposer = Diagnosing(proposer, config.diagnosed, model)
    return proposer


def _named(config: RunConfig) -> Proposer:
    name = config.proposer
    if name == "genetic":
        from evolve.proposers.genetic import GeneticProposer

        return AtOnce(GeneticProposer())
    model = name.removeprefix(AGENTIC)
    if is_spec(model):
        parse(model)
        if model != name:
            from evolve.proposers.agent.loop import AgentProposer

            return AgentProposer(model, config)
        from evolve.proposers.alma.loop import AlmaProposer

        return AlmaProposer(model)
    raise InputError(f"there is no proposer {name!r}; choose one of {', '.join(NAMES)}")
