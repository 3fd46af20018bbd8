"""An agent without a language model: it ranks the listed actions by words, and by what memory says of them.

It knows no word of any domain. A word counts by how well it tells the listed actions apart, so that function words,
which most actions share, hardly weigh. Equal goal, seed, observations and items give equal actions.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from evolve.agents.base import Account
from sandbox.guest import Item, lines, words

Words = frozenset[str]
LONGEST_LINE = 60
"""Longer lines are prose, and ground nothing."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each consideration adds to an action's value."""

    goal: float = 0.5
    """Words shared with the goal."""
    memory: float = 2.0
    """Being what a retrieved item says, or near it."""
    rank: float = 0.05
    """How fast later items fade: an item at rank r counts 1 / (1 + rank * r)."""
    used: float = 0.6
    """What is left of an item's weight each time that it was followed."""
    grounding: float = 1.0
    """Sharing words with an observed line about a thing that an item names."""
    tried_here: float = 1.0
    """Subtracted for each time the action was taken in this situation: where the same actions were listed."""
    tried: float = 0.15
    """Subtracted for each time the action was taken in this episode."""
    noise: float = 0.3
    """Size of the seeded noise that breaks ties."""


class LexicalAgent:
    """Ranks actions by word overlap with goal and memory, minus what it already tried."""

    name: ClassVar[str] = "lexical"
    version: ClassVar[str] = "1"
    reads_instructions: ClassVar[bool] = False

    def __init__(self, weights: Weights | None = None) -> None:
        self.weights = weights or Weights()

    def begin(self, goal: str, instructions: str, seed: int, account: Account | None = None) -> LexicalPlayer:
        """Start an episode; `instructions` are not read, and nothing is charged."""
        return LexicalPlayer(self.weights, _words(goal), random.Random(seed))


class LexicalPlayer:
    """One episode of the lexical agent."""

    def __init__(self, weights: Weights, goal: Words, rng: random.Random) -> None:
        self.weights = weights
        self.goal = goal
        self.rng = rng
        self.tried: Counter[str] = Counter()
        self.tried_here: Counter[tuple[tuple[str, ...], str]] = Counter()
        self.followed: Counter[str] = Counter()
        self.seen: set[str] = set()
        self.grounded: list[tuple[float, Words]] = []

    def act(self, observation: str, actions: Sequence[str], items: Sequence[Item]) -> str:
        """Take the action of the highest value."""
        situation = tuple(actions)
        sets = [_words(action) for action in actions]
        telling = _telling(sets)
        faded = {item.text: self._weight(item, rank) for rank, item in enumerate(items)}
        self._ground(observation, items)
        values = []
        for action, mine in zip(actions, sets, strict=True):
            source, remembered = _strongest(mine, faded, telling)
            value = self.weights.goal * _share(mine, self.goal, telling)
            value += self.weights.memory * remembered
            value += self.weights.grounding * _brightest(mine, self.grounded, telling)
            value -= self.weights.tried_here * self.tried_here[situation, action]
            value -= self.weights.tried * self.tried[action]
            value += self.weights.noise * self.rng.random()
            values.append((value, action, source))
        _, action, source = max(values, key=lambda triple: triple[0])
        self.tried[action] += 1
        self.tried_here[situation, action] += 1
        if source is not None:
            self.followed[source] += 1
        return action

    def _weight(self, item: Item, rank: int) -> float:
        return self.weights.used ** self.followed[item.text] / (1 + self.weights.rank * rank)

    def _ground(self, observation: str, items: Sequence[Item]) -> None:
        """Note the new lines that name what an item names, with how much of them the best such item names."""
        new = [line for line in lines(observation) if len(line) <= LONGEST_LINE and line not in self.seen]
        if items and new:
            for line in dict.fromkeys(new):
                seen = _content(line)
                gain = max(_named(seen, item, rank) for rank, item in enumerate(items))
                if gain > 0:
                    self.grounded.append((gain, seen))
            self.grounded.sort(key=lambda pair: -pair[0])
        self.seen.update(new)


@lru_cache(maxsize=65536)
def _words(text: str) -> Words:
    return frozenset(words(text))


@lru_cache(maxsize=65536)
def _content(text: str) -> Words:
    return frozenset(word for word in words(text) if len(word) > 2)


def _named(line: Words, item: Item, rank: int) -> float:
    """Share of a line's words that an item names, fading with the item's rank."""
    return len(line & _content(item.text)) / len(line) / (1 + 0.01 * rank) if line else 0.0


def _telling(sets: Sequence[Words]) -> dict[str, float]:
    """For each word one over the number of listed actions that hold it."""
    counts = Counter(word for mine in sets for word in mine)
    return {word: 1 / count for word, count in counts.items()}


def _share(mine: Words, theirs: Words, telling: Mapping[str, float]) -> float:
    total = sum(telling[word] for word in mine)
    return sum(telling[word] for word in mine & theirs) / total if total else 0.0


def _brightest(mine: Words, grounded: Sequence[tuple[float, Words]], telling: Mapping[str, float]) -> float:
    """How much the noted lines, those of the largest gain first, speak for an action."""
    most = 0.0
    for gain, line in grounded:
        if gain <= most:
            break
        if not mine.isdisjoint(line):
            most = max(most, gain * _share(mine, line, telling))
    return most


def _strongest(mine: Words, faded: Mapping[str, float], telling: Mapping[str, float]) -> tuple[str | None, float]:
    """The item that speaks most for an action, and how much: its weight, times how fully each holds the other."""
    source, most = None, 0.0
    for text, weight in faded.items():
        theirs = _words(text)
        common = len(mine & theirs)
        if common and weight > most:
            support = weight * common / len(theirs) * _share(mine, theirs, telling) ** 0.5
            if support > most:
                source, most = text, support
    return (source, most) if most > 0.25 else (None, most)
