"""One evaluation as a conversation: it yields the work that it needs, and is sent the results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archive.told import Packed, began_with, pack_told
from evolve.jobs import BuildJob, Built, Effort, EpisodeOrder, Lived, LiveJob, PlayJob, PrepareJob
from evolve.statistics import Passes, Scores
from sandbox.guest import Retrieved

if TYPE_CHECKING:
    from evolve.plan import Plan


@dataclass(frozen=True, slots=True)
class Episodes:
    """Episodes that are needed: those that are known are not played again. Answered by their scores by key.

    To `record` is to play all of them now, for the sake of their whole trajectories.
    """

    orders: Sequence[EpisodeOrder]
    record: bool = False


@dataclass(frozen=True, slots=True)
class Thought:
    """Something to be found out beside the driver's loop, in a thread, such as what a model answers.

    Answered by what `work` returns; what it raises is raised where the thought was yielded. It touches nothing that
    the loop does: what it needs to know it was given.
    """

    work: Callable[[], Any]


Need = BuildJob | LiveJob | PrepareJob | PlayJob | Episodes | Thought


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
    told: Mapping[bytes, Packed]
    """What was told, by address."""
    tokens: float
    """Retrieved tokens an episode, on average."""
    cut: int
    """Tasks in which something was cut at the budget."""
    effort: Effort
    signature: bytes
    """Address of all that was told."""

    dropped: bool = False
    """Whether it ended on the small rung, which is part of what the trial had asked for."""

    def by_task(self) -> dict[str, float]:
        """Score of each task, its repeats averaged."""
        return by_task([(episode.task_id, episode.score) for episode in self.episodes])

    def scores(self, *, dynamic: bool) -> Scores:
        """The same, with its passes in dynamic mode."""
        return scores_of(
            [(episode.task_id, episode.repeat, episode.score) for episode in self.episodes], dynamic=dynamic
        )


def merged(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of several on different tasks."""
    episodes = [episode for verdict in verdicts for episode in verdict.episodes]
    told = {key: items for verdict in verdicts for key, items in verdict.told.items()}
    tokens = sum(verdict.tokens * len(verdict.episodes) for verdict in verdicts) / len(episodes)
    effort = sum((verdict.effort for verdict in verdicts), Effort())
    return Verdict(episodes, told, tokens, sum(verdict.cut for verdict in verdicts), effort, b"")


def by_task(scores: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Mean score of each task."""
    grouped: dict[str, list[float]] = {}
    for task, score in scores:
        grouped.setdefault(task, []).append(score)
    return {task: sum(values) / len(values) for task, values in grouped.items()}


def scores_of(episodes: Sequence[tuple[str, int, float]], *, dynamic: bool) -> Scores:
    """Scores by task of episodes, given by task and repeat.

    In dynamic mode a repeat is a pass, and its tasks are not independent: each was played by a memory that had learned
    from those before it.
    """
    if not dynamic:
        return by_task([(task, score) for task, _, score in episodes])
    passes: dict[int, dict[str, float]] = {}
    for task, repeat, score in episodes:
        passes.setdefault(repeat, {})[task] = score
    return Passes(tuple(passes[repeat] for repeat in sorted(passes)))


def examine(job: LiveJob) -> Generator[BuildJob | LiveJob, Any, Built | Lived]:
    """Build a design and ask it for each task; live where it has to be: in dynamic mode, or for the step phase."""
    if not job.dynamic:
        built: Built = yield BuildJob(job.recipe, job.specs, job.smoke, job.budget, job.check_purity)
        if not built.needs_live:
            return built
    lived: Lived = yield job
    return lived


def part(built: Built, tasks: Collection[str]) -> Built:
    """What a design told for some of the tasks."""
    return replace(built, deliveries=tuple(each for each in built.deliveries if each.task_id in tasks))


def signature(answers: Built | Lived, plan: Plan) -> bytes:
    """An address of all that a design told its agent: designs with equal ones play the same episodes."""
    if isinstance(answers, Lived):
        keys = [each.played.key.hex() if each.played is not None else pack_told(each.told) for each in answers.episodes]
        told: list[Any] = [[each.task_id, key] for each, key in zip(answers.episodes, keys, strict=True)]
    else:
        told = [[each.task_id, each.fault, [item.text for item in each.items]] for each in answers.deliveries]
        told += [answers.instructions] if plan.reads_instructions else []
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=16).digest()


def score(
    answers: Built | Lived, plan: Plan, job: LiveJob, scored: Verdict | None = None
) -> Generator[Need, Any, Verdict]:
    """Score what a design told; its episodes are still to be played unless they were live, or `scored` before."""
    if isinstance(answers, Lived):
        return _score_live(answers, plan)
    known = {episode.key: episode.score for episode in scored.episodes if episode.key} if scored else {}
    return (yield from _score_built(answers, plan, job, known))


def _score_built(built: Built, plan: Plan, job: LiveJob, known: Mapping[bytes, float]) -> Generator[Need, Any, Verdict]:
    orders = {
        (delivery.task_id, repeat): plan.order(spec, repeat, delivery.items, built.instructions, job.recipe.design)
        for spec, delivery in zip(job.specs, built.deliveries, strict=True)
        for repeat in job.rounds
        if not delivery.fault
    }
    unknown = [order for order in orders.values() if order.key not in known]
    scores: dict[bytes, float] = {**known, **(yield Episodes(unknown))}
    told = {}
    episodes = []
    for delivery in built.deliveries:
        key, told[key] = _address(began_with(delivery.items))
        for repeat in job.rounds:
            order = orders.get((delivery.task_id, repeat))
            episode = order.key if order is not None else None
            score = scores[episode] if episode is not None else 0.0
            episodes.append(Scored(delivery.task_id, repeat, score, episode, key, delivery.tokens))
    tokens = sum(delivery.tokens for delivery in built.deliveries) / len(built.deliveries)
    cut = sum(delivery.was_cut for delivery in built.deliveries)
    return Verdict(episodes, told, tokens, cut, built.effort, signature(built, plan))


def _score_live(lived: Lived, plan: Plan) -> Verdict:
    told = {}
    episodes = []
    for each in lived.episodes:
        key, told[key] = _address(each.told)
        score, episode = (each.played.score, each.played.key) if each.played is not None else (0.0, None)
        episodes.append(Scored(each.task_id, each.repeat, score, episode, key, each.tokens))
    tokens = sum(each.tokens for each in lived.episodes) / len(lived.episodes)
    cut = len({each.task_id for each in lived.episodes if each.was_cut})
    return Verdict(episodes, told, tokens, cut, lived.effort, signature(lived, plan))


def _address(told: Sequence[Retrieved]) -> tuple[bytes, Packed]:
    """What was told with its address."""
    packed = pack_told(told)
    return hashlib.blake2b(json.dumps(packed).encode(), digest_size=8).digest(), packed
