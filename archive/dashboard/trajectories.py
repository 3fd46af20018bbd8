"""An episode step by step, with what was retrieved when, and a guess at the item that each action followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from pydantic import BaseModel

from sandbox.guest import Item, Retrieved, Trajectory, lines, words

FADING = 0.05
"""How fast later items count less: one at rank r counts 1 / (1 + FADING * r)."""
LEAST = 0.25
"""Support below which an action followed no item."""
MOST = 2000
"""Lines of a memory that are looked at."""


class Known(NamedTuple):
    """A line of a retrieved item, with the item's rank and id, and the words of the line."""

    rank: int
    item: str
    line: str
    words: frozenset[str]


class Told(BaseModel):
    """One item of a retrieved memory."""

    id: str
    text: str


class Recall(BaseModel):
    """What was retrieved at a step: at 0 before the first action."""

    step: int
    items: list[Told]


class Followed(BaseModel):
    """The item that an action seems to follow: a guess by the words that both hold."""

    id: str
    text: str
    """Of its line that fits best."""
    exact: bool
    """Whether the action says just that."""


class Act(BaseModel):
    """One step."""

    step: int
    action: str
    observation: str
    reward: float
    done: bool
    followed: Followed | None
    retrieved: list[Told] | None
    """What was retrieved after it, where anything was."""


class Play(BaseModel):
    """A whole episode."""

    goal: str
    observation: str
    """The first one."""
    score: float
    success: bool
    retrieved: list[Recall]
    steps: list[Act]


def recalls(told: Iterable[Retrieved]) -> list[Recall]:
    """What was told, step by step."""
    return [Recall(step=each.step, items=_told(each.items)) for each in told]


def played(trajectory: Trajectory) -> Play:
    """A trajectory, each action with the item that it seems to follow."""
    changes = {each.step: each.items for each in trajectory.retrieved}
    telling = _telling({step.action for step in trajectory.steps})
    known = lines_of(changes.get(0, ()))
    steps = []
    for number, step in enumerate(trajectory.steps, 1):
        followed = follows(step.action, known, telling)
        if number in changes:
            known = lines_of(changes[number])
        steps.append(
            Act(
                step=number,
                action=step.action,
                observation=step.observation,
                reward=step.reward,
                done=step.done,
                followed=followed,
                retrieved=_told(changes[number]) if number in changes else None,
            )
        )
    task = trajectory.task
    return Play(
        goal=task.goal,
        observation=task.observation,
        score=trajectory.score,
        success=trajectory.success,
        retrieved=recalls(trajectory.retrieved),
        steps=steps,
    )


def lines_of(items: Iterable[Item]) -> list[Known]:
    """What items say, line by line; each item as a whole counts as a line too."""
    said = (
        Known(rank, item.id, line, frozenset(words(line)))
        for rank, item in enumerate(items)
        for line in dict.fromkeys((item.text, *lines(item.text)))
    )
    return list(islice(said, MOST))


def follows(action: str, known: Iterable[Known], telling: Mapping[str, float]) -> Followed | None:
    """The line that speaks most for an action, as the lexical agent weighs it: how fully each holds the other's words.

    It is a guess: what moved the agent is not recorded, nor which actions it could choose from.
    """
    mine = frozenset(words(action))
    whole = sum(telling.get(word, 1.0) for word in mine)
    best, most = None, LEAST
    for rank, item, line, theirs in known:
        if not (common := mine & theirs):
            continue
        share = sum(telling.get(word, 1.0) for word in common) / whole
        support = len(common) / len(theirs) * share**0.5 / (1 + FADING * rank)
        if support > most:
            best, most = Followed(id=item, text=line, exact=theirs == mine), support
    return best


def _telling(actions: Iterable[str]) -> dict[str, float]:
    """For each word one over the number of the episode's actions that hold it, so that function words hardly count."""
    counts = Counter(word for action in actions for word in frozenset(words(action)))
    return {word: 1 / count for word, count in counts.items()}


def _told(items: Iterable[Item]) -> list[Told]:
    return [Told(id=item.id, text=item.text) for item in items]
