"""ALMA's open-ended search: every design stays, and parents are drawn by gain, less what they were already used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evolve.population import Population
from evolve.strategies.base import Ask, Propose, Wait

if TYPE_CHECKING:
    from evolve.strategies.novelty import Novelty

Vector = np.ndarray[Any, np.dtype[np.float64]]


def parent_probabilities(
    scores: Vector,
    visits: Vector,
    baseline: float,
    reward_scale: float = 1.0,
    visit_penalty: float = 0.5,
    temperature: float = 0.5,
    bonus: Vector | float = 0.0,
) -> Vector:
    """Probability of each design to be a parent, shape (designs,) (ALMA, arXiv 2602.07755, parent selection in code).

    softmax(J / T) with J = sigmoid(lambda (f - f0)) - alpha ln(1 + t), f0 the score without memory, t the visits. A
    `bonus` is added to J; the paper has none.

    >>> parent_probabilities(np.array([0.5, 0.5]), np.array([0.0, 0.0]), 0.2)
    array([0.5, 0.5])
    """
    normalised = 1 / (1 + np.exp(-reward_scale * (scores - baseline)))
    value = (normalised + bonus - visit_penalty * np.log1p(visits)) / temperature
    odds = np.exp(value - value.max())
    return np.asarray(odds / odds.sum())


class Alma:
    """Steps of up to `step_size` parents, within a step without replacement; it begins with one fresh design."""

    def __init__(
        self,
        reward_scale: float,
        visit_penalty: float,
        temperature: float,
        step_size: int,
        novelty: Novelty | None = None,
    ) -> None:
        self.reward_scale = reward_scale
        self.visit_penalty = visit_penalty
        self.temperature = temperature
        self.step_size = step_size
        self.novelty = novelty

    def ask(self, population: Population, rng: np.random.Generator) -> Ask:
        """One parent, and where another design exists a second one as donor for crossings."""
        if not population.scores:
            return Wait() if population.pending else Propose()
        free = self._free(population)
        scores, visits = np.array(population.score_column)[free], np.array(population.visit_column)[free]
        settings = (self.reward_scale, self.visit_penalty, self.temperature)
        bonus = self.novelty.bonus(population.designs)[free] if self.novelty is not None else 0.0
        odds = parent_probabilities(scores, visits, population.baseline, *settings, bonus)
        first = int(free[rng.choice(len(free), p=odds)])
        designs = population.designs
        if len(designs) == 1:
            return Propose((designs[first],))
        second = int(rng.integers(len(designs) - 1))
        return Propose((designs[first], designs[second + (second >= first)]))

    def _free(self, population: Population) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Places of the designs that were no parents in this step; of all designs where all were."""
        start = len(population.asked) - (len(population.asked) - 1) % self.step_size
        firsts = [parents[0] for parents in population.asked[start:] if parents]
        used = [population.places[design] for design in firsts if design in population.places]
        free = np.ones(len(population.designs), dtype=bool)
        free[used] = False
        return np.flatnonzero(free) if free.any() else np.arange(len(free))
