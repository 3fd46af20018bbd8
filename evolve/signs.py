"""What can be measured of a memory at work: how much it tells, to whom, whether it is followed, and what it misses.

Every sign is a share in [0, 1]. Some come from an evaluation alone, which says what was told and how long it was; some
take whole episodes, on tasks that never select, and the episodes that filled the memory. An item *backs* an action
where it holds all that tells that action from the others: its words but those that more than half of the actions have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from sandbox.guest import words

if TYPE_CHECKING:
    from evolve.reflection import Seen
    from sandbox.guest import Trajectory

Signs = dict[str, float]
"""By name, those that could be measured."""

TWIN = 2 / 3
"""Share of telling words in common from which two lines speak of the same thing."""
COMPARED = 60
"""Lines of a retrieval that are compared with each other."""
LOOKED_AT = 12
"""Retrievals in which they are."""
REWARDED = 100
"""Actions that brought most, of all that the collected episodes were rewarded for."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What an evaluation keeps of one of its retrievals."""

    task: str
    texts: tuple[str, ...]
    tokens: int
    failed: bool


def of_retrievals(retrievals: Sequence[Retrieval], budget: int, cut: int) -> Signs:
    """Signs of what was told; `cut` counts the tasks in which something was beyond the budget."""
    if not retrievals:
        return {}
    by_task = {each.task: each for each in retrievals}
    told = [each.texts for each in by_task.values() if each.texts]
    filled = list(dict.fromkeys(told))[:LOOKED_AT]
    signs = {
        "failed": fmean(each.failed for each in retrievals),
        "empty": fmean(not each.texts for each in retrievals),
        "full": min(1.0, fmean(each.tokens for each in retrievals) / budget),
        "cut": cut / len(by_task),
    }
    if len(told) > 1:
        signs["same"] = 1 - (len(set(told)) - 1) / (len(told) - 1)
    if filled:
        signs["repeated"] = fmean(1 - len(set(texts)) / len(texts) for texts in filled)
        signs["twins"] = fmean(map(_twins, filled))
    return signs


def of_episodes(seen: Sequence[Seen], told: Iterable[str] = ()) -> Signs:
    """Signs of what became of what was told, in whole episodes; `told` is all that was told anywhere."""
    shares: dict[str, list[float]] = {"followed": [], "covered": [], "missed": [], "foreign": []}
    anywhere = [set(words(text)) for text in set(told)]
    for each in seen:
        steps = each.trajectory.steps
        marks = telling([step.action for step in steps])
        items = {(change.step, item.text): set(words(item.text)) for change in each.told for item in change.items}
        backs = [[at <= step and mark <= held for step, mark in enumerate(marks)] for (at, _), held in items.items()]
        if items:
            shares["followed"].append(fmean(map(any, backs)))
            world = _world(each.trajectory)
            shares["foreign"].append(fmean(2 * len(held & world) < len(held) for held in items.values()))
        for number in (number for number, step in enumerate(steps) if step.reward > 0):
            covered = any(row[number] for row in backs)
            shares["covered"].append(covered)
            shares["missed"].append(not covered and any(marks[number] <= held for held in anywhere))
    return {name: fmean(values) for name, values in shares.items() if values}


def of_collection(told: Iterable[str], collected: Sequence[Trajectory]) -> Signs:
    """How many of the actions that were rewarded in the collected episodes stand in anything that was told."""
    rewards: dict[str, float] = {}
    for trajectory in collected:
        for step in trajectory.steps:
            if step.reward > 0:
                rewards[step.action] = rewards.get(step.action, 0.0) + step.reward
    best = sorted(rewards, key=lambda action: -rewards[action])[:REWARDED]
    if not best:
        return {}
    lines = [set(words(text)) for text in set(told)]
    return {"kept": fmean(any(mark <= line for line in lines) for mark in telling(best))}


def telling(actions: Sequence[str]) -> list[set[str]]:
    """The words that tell each action from the others: those that not more than half of them have.

    >>> [sorted(mark) for mark in telling(["call the urn black", "call the oar green", "call the wagon white"])]
    [['black', 'urn'], ['green', 'oar'], ['wagon', 'white']]
    """
    held = [set(words(action)) for action in actions]
    often = Counter(word for one in {frozenset(each) for each in held} for word in one)
    half = len({frozenset(each) for each in held}) / 2
    marks = [{word for word in each if often[word] <= half} for each in held]
    return [mark or each for mark, each in zip(marks, held, strict=True)]


def _twins(texts: Sequence[str]) -> float:
    """Share of lines of which another one says nearly the same."""
    lines = telling(list(dict.fromkeys(texts))[:COMPARED])
    alike = [
        any(
            number != place and line != other and len(line & other) >= TWIN * max(len(line), len(other))
            for place, other in enumerate(lines)
        )
        for number, line in enumerate(lines)
    ]
    return fmean(alike) if alike else 0.0


def _world(trajectory: Trajectory) -> set[str]:
    """All words of an episode."""
    seen = [trajectory.task.goal, trajectory.task.observation]
    seen += [text for step in trajectory.steps for text in (step.action, step.observation)]
    return {word for text in seen for word in words(text)}


def describe(signs: Mapping[str, float]) -> list[str]:
    """The signs in words, a line each."""
    return [f"{MEANINGS[name]}: {share:.0%}" for name, share in signs.items()]


MEANINGS = {
    "failed": "episodes whose retrieval failed",
    "empty": "episodes in which nothing was told",
    "full": "the token budget that was used, on average",
    "cut": "tasks in which something was beyond the budget and cut off",
    "same": "tasks that were told just what another task was told",
    "repeated": "lines that repeat another line of the same retrieval",
    "twins": "lines beside which another one says nearly the same, with a few words changed",
    "followed": "items on which an action followed, in whole episodes",
    "covered": "rewarded actions that stood in what was told, in whole episodes",
    "missed": "rewarded actions that stand in what other tasks were told, but not where they were due",
    "foreign": "items that speak mostly of what does not occur in the episode",
    "kept": "actions rewarded in the collected episodes that stand in anything that was told",
}
