"""MemEvolve's outer loop: generations of a few survivors, by Pareto rank and performance, and their descendants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evolve.front import Front, Vector
from evolve.pareto import pareto_ranks
from evolve.population import Population
from evolve.proposers.base import Brief
from evolve.strategies.base import Ask, Propose, Wait

if TYPE_CHECKING:
    from evolve.strategies.evidence import Evidence


class MemEvolve:
    """Selection of MemEvolve (arXiv 2512.18746, section 4 and its code), with one design to begin with.

    The K best survive, in the order of (Pareto rank, then performance); each has S descendants, which are diagnosed and
    designed by `evolve.proposers.diagnosing`. A survivor competes with its descendants, as in the paper's code.

    Two things differ. There is no barrier: a survivor is chosen when its first descendant is asked for, from all that
    is told by then, and what comes later competes in the next generation. And none is forgotten: a design of an earlier
    generation may survive again, which with K = 1 is what the paper does. (Of the best performers one always has rank
    0, so that cost and delay decide only between equals where K is 1.)

    The paper's tournament on x tasks is the small rung (`small`), which who is dropped there does not survive, and the
    evaluation on `deployment` tasks, its finals of the t best on y old and x new tasks the house's finals: `finalists`
    and `confirmation`, on new tasks alone.
    """

    def __init__(self, survivors: int, descendants: int, evidence: Evidence | None = None) -> None:
        self.survivors = survivors
        self.descendants = descendants
        self.evidence = evidence
        """Where cost and delay are read; without it designs are selected by their performance."""
        self._fitness: list[Vector] = []
        """Of the designs by their place in the population, derived from the archive."""
        self._whole: list[bool] = []
        """Whether each of them played all tasks; where any did, only those that did survive."""
        self._front = Front()

    def ask(self, population: Population, rng: np.random.Generator) -> Ask:
        """The next descendant of a survivor; where there are others, one of the front is its donor."""
        if not population.scores:
            return Wait() if population.pending else Propose()
        self._take_in(population)
        parent = self._parent(population)
        brief = Brief(descendant=population.visits[parent])
        if len(population.designs) == 1:
            return Propose((parent,), brief)
        donors = [design for design in self._front.members if design != parent]
        if donors:
            return Propose((parent, donors[int(rng.integers(len(donors)))]), brief)
        place = int(rng.integers(len(population.designs) - 1))
        return Propose((parent, population.designs[place + (place >= population.places[parent])]), brief)

    def _take_in(self, population: Population) -> None:
        """What was told since the last time."""
        for design in population.designs[len(self._fitness) :]:
            fitness: Vector = (population.scores[design],)
            is_whole = True
            if self.evidence is not None:
                fitness, is_whole = self.evidence.fitness(design).vector(), self.evidence.is_whole(design)
            self._fitness.append(fitness)
            self._whole.append(is_whole)
            if is_whole:
                self._front.add(design, fitness)

    def _parent(self, population: Population) -> str:
        """Whose descendant is next: that of the last request, until it has had all of this generation."""
        first = next((at for at, parents in enumerate(population.asked) if parents), len(population.asked))
        place = (len(population.asked) - first) % (self.survivors * self.descendants)
        generation = population.asked[len(population.asked) - place :]
        mine = generation[place - place % self.descendants :]
        if mine and mine[0] and mine[0][0] in population.places:
            return mine[0][0]
        before = {parents[0] for parents in generation if parents}
        best = self._best(population)
        return next((design for design in best if design not in before), best[place // self.descendants % len(best)])

    def _best(self, population: Population) -> list[str]:
        """The survivors as things stand, the best first."""
        if len(self._front.members) >= self.survivors:
            return self._front.ranked()[: self.survivors]
        places = np.flatnonzero(self._whole) if any(self._whole) else np.arange(len(self._whole))
        fitness = np.array(self._fitness)[places]
        ranks = pareto_ranks(fitness, enough=self.survivors)
        order = np.lexsort((-fitness[:, 0], ranks))[: self.survivors]  # stable: of equals that which was told first
        return [population.designs[place] for place in places[order]]
