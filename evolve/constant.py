"""The baseline `constant`: the best fixed text that one design's share of episodes finds on the collection tasks.

What it gains is a hint that needs no memory: a design has to beat it to have remembered anything.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from evolve.evaluation import Episodes
from evolve.plan import COLLECTION_SEEDS
from evolve.play import cut
from sandbox.guest import ByReward, CreditedActions, Item, ListStore, Query, Trajectory

if TYPE_CHECKING:
    from evolve.plan import Plan

BLOCKS = (5, 5, 10, 20, 40, 80)
"""Lines that are tried together, in the order of their credit; each block stays if the score does not fall for it."""
WINDOW = 3
"""Steps that a score gain is credited to."""


def find(
    plan: Plan, collection: Sequence[Trajectory], budget: int, episodes: int
) -> Generator[Episodes, Mapping[bytes, float], list[str]]:
    """Choose credited lines greedily, within a memory `budget` in tokens and so many `episodes`.

    It yields the episodes that it needs, is sent their scores by key, and returns the lines, best credited first.
    `collection` holds the trajectories of `plan.collect()`, whose first repeat is what the lines are compared with.
    """
    credited = _credited(collection)
    tasks = plan.collection[: max(1, episodes // len(BLOCKS))]
    best = fmean(trajectory.score for trajectory in collection[: len(tasks)])
    chosen: list[str] = []
    for size in BLOCKS:
        block, credited = credited[:size], credited[size:]
        items, _, _ = cut([Item.of(line) for line in chosen + block], budget)
        if len(items) == len(chosen):
            break
        scores = yield Episodes([plan.order(spec, COLLECTION_SEEDS, items) for spec in tasks])
        score = fmean(scores.values())
        if score >= best:
            best, chosen = score, [item.text for item in items]
    return chosen


def write(lines: Sequence[str]) -> str:
    """The module of a design that always tells the same lines."""
    listed = "".join(f"    {json.dumps(line, ensure_ascii=False)},\n" for line in lines)
    return f'''"""A fixed text, chosen on the collection tasks: the same for every task, whatever was seen."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory

LINES: list[str] = [
{listed}]


class Constant(MemoryDesign):
    """Tells its lines and remembers nothing."""

    def update(self, trajectory: Trajectory) -> None:
        """Forget it at once."""

    def retrieve(self, query: Query) -> Memory:
        """Tell the lines."""
        return Memory(LINES)
'''


def _credited(collection: Sequence[Trajectory]) -> list[str]:
    """Actions by the score gains that followed them, best first."""
    encoder, store = CreditedActions(window=WINDOW), ListStore()
    for trajectory in collection:
        store.extend(encoder.encode(trajectory))
    found = ByReward(limit=sum(BLOCKS)).retrieve(store, Query(collection[0].task, ""))
    return [record.text for relevance, record in found if relevance > 0]
