"""What a strategy may ask for, and the one thing that it must do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from evolve.population import Population
from evolve.proposers.base import Brief


@dataclass(frozen=True, slots=True)
class Propose:
    """Have a design proposed from these parents; none for a fresh one. What is proposed is then evaluated."""

    parents: tuple[str, ...] = ()
    brief: Brief = field(default_factory=Brief)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be asked before a result is in."""


Ask = Propose | Wait


class Strategy(Protocol):
    """Chooses what to ask for next. It looks at the population, which is the archive's, and keeps nothing else."""

    def ask(self, population: Population, rng: np.random.Generator) -> Ask:
        """The next request; all chance comes from `rng`."""
