"""Empirical-MCTS: tree search over designs, valued by pairwise comparisons and by the global order that these give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evolve.population import Population
from evolve.proposers.base import Brief
from evolve.proposers.credit import weights
from evolve.strategies.base import Ask, Propose, Wait
from evolve.strategies.borda import BordaCount
from evolve.strategies.values import SCALE, Vector, backed_up, rewards, upper_bounds, visits

if TYPE_CHECKING:
    from evolve.comparing import Comparison
    from evolve.strategies.evidence import Evidence
    from evolve.strategies.novelty import Novelty

ROOT = 0.5
"""Local value of what was compared with nothing."""


class EmpiricalMcts:
    """Search of Empirical-MCTS (arXiv 2602.04248, sections 3.1 and 3.2, and its code), begun with one design.

    A node is a design with what its comparison made of the meta-prompt: the operators' weights along its lineage, and
    where a model judged, its words too. Its parent is the design that it was asked of, also where nothing of that is
    left in it. Of the nodes with fewer than `children` requests that with the highest upper bound is expanded.

    Five things differ from the paper's code. Visits are real: a node's own, its descendants' and those under way. All
    values are derived anew from tree and comparisons at each ask, so that the global ranks reach them at every step
    and backpropagation is one pass. Ranks that the comparisons leave open go by score. A request that came to nothing
    new counts as a child, where there it allows one more. And where no node may have more children all may, so that no
    worker waits.
    """

    def __init__(
        self,
        exploration: float,
        global_share: float,
        backup: float,
        children: int,
        evidence: Evidence | None = None,
        novelty: Novelty | None = None,
        *,
        pe_emp: bool = True,
    ) -> None:
        self.exploration = exploration
        self.global_share = global_share
        self.backup = backup
        self.children = children
        self.evidence = evidence
        """Where comparisons are made; without it no design has a parent."""
        self.novelty = novelty
        """Adds to the upper bounds; the paper has none."""
        self.pe_emp = pe_emp
        """Whether comparisons count; without them there is the order by score alone, and no node has a meta-prompt."""
        self.parents: list[int] = []
        """Place of each design's parent, derived from the archive; so is what follows."""
        self.comparisons: list[Comparison | None] = []
        self._local: list[float] = []
        self._order = BordaCount()

    def ask(self, population: Population, rng: np.random.Generator) -> Ask:
        """The node to expand, with its meta-prompt; where there is another design, one as donor for crossings."""
        if not population.scores:
            return Wait() if population.pending else Propose()
        self.take_in(population)
        place = self._choose(population, rng)
        first, brief = population.designs[place], self._brief(place)
        if len(population.designs) == 1:
            return Propose((first,), brief)
        second = int(rng.integers(len(population.designs) - 1))
        return Propose((first, population.designs[second + (second >= place)]), brief)

    def take_in(self, population: Population) -> None:
        """What was told since the last time."""
        for place in range(len(self.parents), len(population.designs)):
            comparison = None
            if self.evidence is not None:
                comparison = self.evidence.comparer.tell(population.designs[place], population)
            parent = population.places[comparison.rival] if comparison is not None else -1
            if not self.pe_emp:
                comparison = None
            self._order.add()
            if comparison is not None and comparison.ours != comparison.theirs:
                self._order.beat(*((place, parent) if comparison.ours > comparison.theirs else (parent, place)))
            self.parents.append(parent)
            self.comparisons.append(comparison)
            self._local.append(comparison.value if comparison is not None else ROOT)

    def values(self, population: Population) -> tuple[Vector, Vector]:
        """Q and N of each node that was taken in, shape (designs,) each."""
        everywhere = self._order.values(np.array(population.score_column))
        reward = rewards(everywhere, np.array(self._local), self.global_share)
        return backed_up(reward, self.parents, self.backup), visits(population.visit_column, self.parents)

    def _choose(self, population: Population, rng: np.random.Generator) -> int:
        values, visited = self.values(population)
        bounds = upper_bounds(values, visited, self.parents, len(population.asked), self.exploration)
        if self.novelty is not None:
            bounds = bounds + SCALE * self.novelty.bonus(population.designs)
        free = np.array(population.visit_column) < self.children
        if free.any():
            bounds[~free] = -np.inf
        best: np.ndarray[Any, np.dtype[np.intp]] = np.flatnonzero(bounds == bounds.max())
        return int(best[rng.integers(len(best))])

    def _brief(self, place: int) -> Brief:
        comparison = self.comparisons[place]
        if comparison is None:
            return Brief()
        return Brief(operators=weights(comparison.operators), meta_prompt=comparison.meta_prompt)
