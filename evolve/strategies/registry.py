"""Strategies by name, made from a run's configuration."""

from __future__ import annotations

from evolve.config import RunConfig
from evolve.errors import InputError
from evolve.strategies.base import Strategy
from evolve.strategies.evidence import Evidence

NAMES = ("alma", "memevolve", "empirical-mcts", "best-of-n", "random", "sequential")

COMPARING = frozenset({"empirical-mcts"})
"""Those that go by comparisons of designs with the ones that they were asked of."""


def make(config: RunConfig, evidence: Evidence | None = None) -> Strategy:
    """The strategy that a configuration names; an unknown one is an `InputError` that lists the known.

    Without `evidence` it knows of scores alone.
    """
    from evolve.strategies.alma import Alma
    from evolve.strategies.controls import BestOfN, RandomParent, Sequential
    from evolve.strategies.mcts import EmpiricalMcts
    from evolve.strategies.memevolve import MemEvolve
    from evolve.strategies.novelty import Novelty

    novelty = Novelty(evidence, config.novelty) if config.novelty and evidence is not None else None
    match config.strategy:
        case "alma":
            constants = config.reward_scale, config.visit_penalty, config.temperature, config.step_size
            return Alma(*constants, novelty)
        case "memevolve":
            return MemEvolve(config.survivors, config.descendants, evidence)
        case "empirical-mcts":
            settings = config.exploration, config.global_share, config.backup, config.children
            return EmpiricalMcts(*settings, evidence, novelty, pe_emp=config.pe_emp)
        case "best-of-n":
            return BestOfN()
        case "random":
            return RandomParent()
        case "sequential":
            return Sequential(config.elite)
    raise InputError(f"there is no strategy {config.strategy!r}; choose one of {', '.join(NAMES)}")
