"""Controls, against which any strategy has to prove itself under the same budget."""

from __future__ import annotations

import numpy as np

from evolve.population import Population
from evolve.strategies.base import Ask, Propose, Wait


class BestOfN:
    """No parents: every design is a fresh composition, and the best is taken."""

    def ask(self, population: Population, rng: np.random.Generator) -> Ask:
        """A fresh design."""
        return Propose()


class RandomParent:
    """Evolution without selection: every evaluated design is equally likely to be a parent. It begins with one."""

    def ask(self, population: Population, rng: np.random.Generator) -> Ask:
        """A parent and, where another design exists, a donor, both uniform."""
        if not population.scores:
            return Wait() if population.pending else Propose()
        order = rng.permutation(len(population.designs))[:2]
        return Propose(tuple(population.designs[place] for place in order))


class Sequential:
    """Greedy evolution: a parent and a donor are drawn from the `elite` best so far. It begins with one design."""

    def __init__(self, elite: int) -> None:
        self.elite = elite

    def ask(self, population: Population, rng: np.random.Generator) -> Ask:
        """A parent and, where another design exists, a donor, both of the best."""
        if not population.scores:
            return Wait() if population.pending else Propose()
        best = np.argsort(-np.array(population.score_column), kind="stable")[: self.elite]
        order = rng.permutation(len(best))[:2]
        return Propose(tuple(population.designs[place] for place in best[order]))
