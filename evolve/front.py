"""A run's Pareto front, kept as designs come in: in the strategy that selects by it, and in the archive's rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archive.store import Archive
    from evolve.strategies.evidence import Evidence

Vector = tuple[float, ...]
"""Objectives, all of them to be maximised."""


class Front:
    """The designs that no other one beats: that is at least as good in every objective, and better in one.

    >>> front = Front()
    >>> front.add("dear", (0.9, -10.0)), front.add("cheap", (0.5, -1.0)), front.add("best", (0.9, -5.0))
    ([], [], ['dear'])
    >>> front.add("worse", (0.4, -2.0)) is None, list(front.members)
    (True, ['cheap', 'best'])
    """

    def __init__(self, members: Mapping[str, Vector] | None = None) -> None:
        self.members: dict[str, Vector] = dict(members or {})
        """By design, in the order in which they came."""

    def add(self, design: str, fitness: Vector) -> list[str] | None:
        """Take a design in, and name those that it beats; none where it is beaten itself. Equals stay side by side."""
        if any(_beats(other, fitness) for other in self.members.values()):
            return None
        beaten = [member for member, other in self.members.items() if _beats(fitness, other)]
        for member in beaten:
            del self.members[member]
        self.members[design] = fitness
        return beaten

    def ranked(self) -> list[str]:
        """The members by their first objective, the best first; of equals that which came first."""
        return sorted(self.members, key=lambda design: -self.members[design][0])


def _beats(one: Vector, other: Vector) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))


class KeptFront:
    """The same as rows of the archive, so that a front outlives its run, with who was on it and when.

    To tell it again of what it was told before changes nothing: a run may go on wherever it was stopped.
    """

    def __init__(self, archive: Archive, run_id: int, evidence: Evidence) -> None:
        from archive.fronts import front

        self.archive = archive
        self.run_id = run_id
        self.evidence = evidence
        rows = front(archive, run_id)
        self._known = {row.design_id for row in rows}
        self.front = Front(
            {row.design_id: (row.performance, -row.cost, -row.delay) for row in rows if row.beaten is None}
        )

    def tell(self, design: str, told: int) -> None:
        """A design was told with a score, as one of so many."""
        from archive.fronts import add_to_front

        if design in self._known:
            return
        fitness = self.evidence.fitness(design)
        beaten = self.front.add(design, fitness.vector())
        if beaten is None:
            return
        self._known.add(design)
        row = {"run_id": self.run_id, "design_id": design, **fitness._asdict(), "entered": told, "beaten": None}
        add_to_front(self.archive, row, beaten)
