"""What a proposer expected of its change, beside what the paired scores by task say happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archive.expectations import Outcome, outcome
from archive.store import unpack
from domains.base import Role
from evolve.results import task_scores

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Manifest


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
    return outcome(manifest["improves"], manifest["at_risk"], ours, theirs)


def _scores(archive: Archive, run_id: int, design: str) -> Mapping[str, float]:
    """Scores by task: of those that select, and of those that were played to be reflected on."""
    found: dict[str, float] = {}
    for row in archive.evaluations_of(run_id, design, Role.REFLECTION):
        found |= {outcome.task_id: outcome.score for outcome in archive.outcomes(row)}
    return {**found, **task_scores(archive, run_id, design)}
