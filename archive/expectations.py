"""What a proposer expected of its change, beside what the paired scores by task say happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


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


def outcome(
    improves: Sequence[str], at_risk: Sequence[str], ours: Mapping[str, float], theirs: Mapping[str, float]
) -> Outcome | None:
    """What became of expectations, by the scores of a child and its parent; none where they share no task."""
    if not (both := ours.keys() & theirs.keys()):
        return None
    better = {task for task in both if ours[task] > theirs[task]}
    worse = {task for task in both if ours[task] < theirs[task]}
    hoped, feared = ([task for task in some if task in both] for some in (improves, at_risk))
    return Outcome(
        [task for task in hoped if task in better],
        [task for task in hoped if task not in better],
        [task for task in feared if task in worse],
        [task for task in feared if task not in worse],
        len(worse - set(feared)),
    )
