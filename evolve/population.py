"""What a strategy knows of a run: scores and visits of its designs, derived from the archive and kept up to date."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Population:
    """Evaluated candidates in the order of their evaluation, and what was asked for so far."""

    baseline: float = 0.0
    """Score without memory."""
    scores: dict[str, float] = field(default_factory=dict)
    visits: Counter[str] = field(default_factory=Counter)
    """How often each design was chosen as first parent, whether its child is done or not."""
    asked: list[tuple[str, ...]] = field(default_factory=list)
    """Parents of each proposal that was asked for, in order."""
    pending: int = 0
    """Proposals whose design is not done yet."""
    designs: list[str] = field(init=False)
    """The evaluated designs by their place, which never changes."""
    places: dict[str, int] = field(init=False)
    score_column: array[float] = field(init=False)
    """Scores by place, so that a strategy need not gather them at each ask."""
    visit_column: array[float] = field(init=False)
    """Visits by place."""

    def __post_init__(self) -> None:
        self.designs = list(self.scores)
        self.places = {design: place for place, design in enumerate(self.designs)}
        self.score_column = array("d", self.scores.values())
        self.visit_column = array("d", (self.visits[design] for design in self.designs))

    def ask(self, parents: tuple[str, ...]) -> None:
        """Note a request for a proposal."""
        self.asked.append(parents)
        self.pending += 1
        for first in parents[:1]:
            self.visits[first] += 1
            if first in self.places:
                self.visit_column[self.places[first]] += 1

    def tell(self, design: str, score: float | None) -> None:
        """Note that a proposal is done: with a score, or failed."""
        self.pending -= 1
        if score is None:
            return
        self.scores[design] = score
        if design in self.places:
            self.score_column[self.places[design]] = score
            return
        self.places[design] = len(self.designs)
        self.designs.append(design)
        self.score_column.append(score)
        self.visit_column.append(self.visits[design])
