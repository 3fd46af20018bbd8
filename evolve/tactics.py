"""When improvements dry up: three tactics for a few requests each, whatever the strategy.

AdaEvolve (arXiv 2602.20133, level 3) asks for them when the share of improvements in a window falls under .12. Here
they are structural operators of the genetic proposer; a model is asked what they mean for its search, in
`evolve.proposers.tactical`. Their outcome is an insight.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

WINDOW = 10
"""Scores, and requests that came to none, over which improvements are counted."""
SHARE = 0.12
"""Of improvements among them, under which a search has dried up."""
TRIES = 2
"""Requests that each tactic gets."""
FOCUS = 10.0
"""How many times their usual weight its operators have."""


@dataclass(frozen=True, slots=True)
class Tactic:
    """What to do that small changes do not."""

    name: str
    operators: tuple[str, ...]
    note: str


TACTICS = (
    Tactic("leave", ("recompose",), "leave this design behind: write another one that works in another way"),
    Tactic(
        "cross",
        ("cross_parts", "cross_expressions"),
        "take whole parts from another design that is unlike this one",
    ),
    Tactic(
        "rebuild",
        ("add_layer", "drop_layer", "swap_block", "fuse_retrievers", "wrap_encoder"),
        "change what it is made of, not its numbers: add, drop or replace a whole layer",
    ),
)
BY_NAME: Mapping[str, Tactic] = {tactic.name: tactic for tactic in TACTICS}


class Stagnation:
    """Watches the scores in the order of telling; all follows from them and from what was asked."""

    def __init__(self) -> None:
        self._improved: deque[bool] = deque(maxlen=WINDOW)
        self._best: float | None = None
        self._told = 0
        self.began: int | None = None
        """How many scores had been told when the present round of tactics began."""
        self._tried: list[tuple[str, int]] = []
        """Tactics that were asked for, with how many scores had been told."""

    def tell(self, score: float | None) -> None:
        """Note a score, or that a request came to none; a round begins where improvements dried up.

        It does not begin again before another window of scores.
        """
        if score is None and self._best is None:
            return  # there was nothing to improve
        self._told += score is not None
        is_better = score is not None and (self._best is None or score > self._best)
        self._improved.append(is_better)
        if is_better:
            self._best = score
        dry = len(self._improved) == WINDOW and sum(self._improved) < SHARE * WINDOW
        if dry and (self.began is None or self._told - self.began >= WINDOW):
            self.began = self._told

    def asked(self, tactic: str, told: int) -> None:
        """Note a request that a tactic was given to, when so many scores had been told."""
        self._tried.append((tactic, told))

    def tactic(self) -> Tactic | None:
        """The tactic for the next request, the one that was tried least in this round; none where there is no need."""
        if self.began is None:
            return None
        tried = [name for name, told in self._tried if told >= self.began]
        left = [tactic for tactic in TACTICS if tried.count(tactic.name) < TRIES]
        return min(left, key=lambda tactic: tried.count(tactic.name), default=None)
