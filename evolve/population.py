"""What a strategy knows of a run: scores and visits of its designs, derived from the archive and kept up to date."""

from __future__ import annotations

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

    def ask(self, parents: tuple[str, ...]) -> None:
        """Note a request for a proposal."""
        self.asked.append(parents)
        self.visits.update(parents[:1])
        self.pending += 1

    def tell(self, design: str, score: float | None) -> None:
        """Note that a proposal is done: with a score, or failed."""
        self.pending -= 1
        if score is not None:
            self.scores[design] = score
