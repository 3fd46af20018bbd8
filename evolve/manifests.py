"""What a proposer expected of its change, beside what the paired scores by task say happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archive.store import unpack
from domains.base import Role
from evolve.history import flips
from evolve.results import task_scores

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Manifest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came true. Tasks that parent and child did not both play are in none of these."""

    improved: Sequence[str]
    """Of those expected to improve."""
    missed: Sequence[str]
    """Expected to improve, and did not."""
    harmed: Sequence[str]
    """Of those said to be at risk."""
    spared: Sequence[str]
    """Said to be at risk, and did not come out worse."""
    unforeseen: int
    """Others that came out worse."""

    def describe(self) -> str:
        """One line."""
        parts = []
        if expected := len(self.improved) + len(self.missed):
            parts.append(f"{len(self.improved)} of {expected} tasks expected to improve did")
        if risky := len(self.harmed) + len(self.spared):
            parts.append(f"{len(self.harmed)} of {risky} at risk came out worse")
        if not parts:
            return f"nothing was foretold of the tasks that both played, and {self.unforeseen} came out worse"
        return ", ".join([*parts, f"{self.unforeseen} others came out worse"])


def thoughts_of(row: Manifest) -> dict[str, Any]:
    """What a proposing model thought, as it was kept."""
    thoughts: dict[str, Any] = unpack(row.thoughts)
    return thoughts


def came_true(archive: Archive, run_id: int, row: Manifest, *, reflected: bool = False) -> Outcome | None:
    """What became of a manifest's expectations; none where there is nothing to compare yet.

    Tasks that select are compared, and if `reflected` also those that both designs played to be reflected on.
    """
    manifest = thoughts_of(row).get("manifest")
    parents = archive.parents_of(run_id, row.design_id)
    if not manifest or not parents:
        return None
    read = _scores if reflected else task_scores
    ours, theirs = (read(archive, run_id, design) for design in (row.design_id, parents[0]))
    if not ours.keys() & theirs.keys():
        return None
    found = flips(ours, theirs)
    both = ours.keys() & theirs.keys()
    improves = [task for task in manifest["improves"] if task in both]
    at_risk = [task for task in manifest["at_risk"] if task in both]
    return Outcome(
        [task for task in improves if task in found.better],
        [task for task in improves if task not in found.better],
        [task for task in at_risk if task in found.worse],
        [task for task in at_risk if task not in found.worse],
        len(found.worse.keys() - set(at_risk)),
    )


def _scores(archive: Archive, run_id: int, design: str) -> Mapping[str, float]:
    """Scores by task: of those that select, and of those that were played to be reflected on."""
    found: dict[str, float] = {}
    for row in archive.evaluations_of(run_id, design, Role.REFLECTION):
        found |= {outcome.task_id: outcome.score for outcome in archive.outcomes(row)}
    return {**found, **task_scores(archive, run_id, design)}
