"""What can be told of a run while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from evolve.statistics import Estimate


@dataclass(slots=True)
class Progress:
    """Counts and the best so far; changed by the search, read by whoever shows it."""

    phase: str = "starting"
    total: int = 0
    """Designs asked for."""
    part: int = 0
    parts: int = 0
    """How much of the phase is done, and of how much, where that is known."""
    evaluated: int = 0
    failed: int = 0
    dropped: int = 0
    """Designs that ended on the small rung."""
    rejected: int = 0
    """Designs that told just what another one tells."""
    played: int = 0
    """Episodes played in this sitting."""
    reused: int = 0
    """Episodes that were known."""
    no_memory: Estimate | None = None
    best: tuple[str, Estimate] | None = None
    """Id and score of the best candidate."""
    gain: Estimate | None = None
    """Its paired gain over no memory."""
    spending: str = ""
    """What models have cost the run, in words; empty where it asks none."""
    notes: list[str] = field(default_factory=list)
    """Sentences worth a person's eye: faults of the machine, designs that failed."""
    began: float = field(default_factory=time.monotonic)
    searching_since: float | None = None
    resumed: int = 0
    """Designs that were done before this sitting."""

    @property
    def done(self) -> int:
        """Designs that are done, one way or the other."""
        return self.evaluated + self.failed + self.dropped

    def seconds_left(self) -> float | None:
        """Time to the last design at this sitting's pace; none before a design is done."""
        fresh = self.done - self.resumed
        if fresh <= 0 or self.searching_since is None:
            return None
        return (time.monotonic() - self.searching_since) / fresh * max(0, self.total - self.done)


Watch = Callable[[Progress], None]
