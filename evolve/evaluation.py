"""One evaluation as a conversation: it yields the work that it needs, and is sent the results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evolve.jobs import BuildJob, Built, EpisodeOrder, PlayJob, PrepareJob

if TYPE_CHECKING:
    from domains.base import TaskSpec
    from evolve.plan import Plan


@dataclass(frozen=True, slots=True)
class Episodes:
    """Episodes that are needed: those that are known are not played again. Answered by their scores by key."""

    orders: Sequence[EpisodeOrder]


Need = BuildJob | PrepareJob | PlayJob | Episodes


@dataclass(frozen=True, slots=True)
class Scored:
    """One scored episode; `key` is none where the retrieval failed."""

    task_id: str
    repeat: int
    score: float
    key: bytes | None
    told: bytes
    tokens: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an evaluation came to."""

    episodes: Sequence[Scored]
    told: Mapping[bytes, list[tuple[str, str]]]
    """Delivered memories by address, as (id, text) pairs."""
    tokens: float
    """Retrieved tokens a task, on average."""
    cut: int
    """Deliveries that were cut at the budget."""
    calls: int
    seconds: float

    def by_task(self) -> dict[str, float]:
        """Score of each task, its repeats averaged."""
        return by_task([(episode.task_id, episode.score) for episode in self.episodes])


def by_task(scores: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Mean score of each task."""
    grouped: dict[str, list[float]] = {}
    for task, score in scores:
        grouped.setdefault(task, []).append(score)
    return {task: sum(values) / len(values) for task, values in grouped.items()}


def score(built: Built, plan: Plan, specs: tuple[TaskSpec, ...], repeats: int) -> Generator[Need, Any, Verdict]:
    """Play what a built design told for each task (static mode: the built memory is frozen)."""
    orders = {
        (delivery.task_id, repeat): plan.order(spec, repeat, delivery.items, built.instructions)
        for spec, delivery in zip(specs, built.deliveries, strict=True)
        for repeat in range(repeats)
        if not delivery.fault
    }
    scores: dict[bytes, float] = yield Episodes(list(orders.values()))
    told = {told_key(d.items): [(item.id, item.text) for item in d.items] for d in built.deliveries}
    episodes = []
    for delivery in built.deliveries:
        for repeat in range(repeats):
            order = orders.get((delivery.task_id, repeat))
            key = order.key if order is not None else None
            score = scores[key] if key is not None else 0.0
            episodes.append(Scored(delivery.task_id, repeat, score, key, told_key(delivery.items), delivery.tokens))
    tokens = sum(delivery.tokens for delivery in built.deliveries) / len(built.deliveries)
    cut = sum(delivery.was_cut for delivery in built.deliveries)
    return Verdict(episodes, told, tokens, cut, built.calls, built.seconds)


def told_key(items: Sequence[Any]) -> bytes:
    """The address of a delivered memory."""
    return hashlib.blake2b(json.dumps([(item.id, item.text) for item in items]).encode(), digest_size=16).digest()
