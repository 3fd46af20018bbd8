"""ACE (arXiv 2510.04618): a playbook of bullets that grows by small deltas and is never rewritten as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import Any

from sandbox.guest import Item, Memory, MemoryDesign, Query, ToolError, Toolkit, Trajectory, words

SAME = 0.9
"""Likeness from which two bullets are one."""
CAPACITY = 80
NEW = 10
"""Bullets that one episode may add."""
LONGEST = 200
SCHEMA = {
    "type": "object",
    "properties": {
        "tags": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "tag": {"enum": ["helpful", "harmful", "neutral"]}},
            },
        },
        "add": {"type": "array", "items": {"type": "string"}},
    },
}


@dataclass(slots=True)
class Bullet:
    """One piece of advice with its counters."""

    text: str
    words: frozenset[str]
    vector: list[float] | None
    helpful: int = 1
    harmful: int = 0

    @property
    def worth(self) -> int:
        """By which it is ranked; below zero it goes."""
        return self.helpful - self.harmful

    def likeness(self, other: Bullet) -> float:
        """Cosine where both are embedded, else the share of common words."""
        if self.vector and other.vector:
            return float(sum(map(mul, self.vector, other.vector)))
        return len(self.words & other.words) / max(1, len(self.words | other.words))


@dataclass(frozen=True, slots=True)
class Delta:
    """What one episode changes in the playbook."""

    helpful: list[str]
    harmful: list[str]
    add: list[str]


class ACE(MemoryDesign):
    """Reflect on an episode, curate the playbook by a delta, grow and refine; all of the playbook is told."""

    instructions = "A playbook, the advice that helped most first; follow the lines that fit where you are."

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.playbook: dict[str, Bullet] = {}
        self.made = 0

    def update(self, trajectory: Trajectory) -> None:
        """Apply the delta of an episode: counters first, then the new bullets."""
        delta = self._reflect(trajectory)
        for name in delta.helpful:
            self.playbook[name].helpful += 1
        for name in delta.harmful:
            self.playbook[name].harmful += 1
        self._grow(delta.add)
        self.playbook = {name: bullet for name, bullet in self.playbook.items() if bullet.worth >= 0}
        while len(self.playbook) > CAPACITY:
            del self.playbook[min(self.playbook, key=lambda name: self.playbook[name].worth)]

    def retrieve(self, query: Query) -> Memory:
        """The playbook as far as it fits, the bullets of the highest worth first."""
        ranked = sorted(self.playbook.items(), key=lambda pair: -pair[1].worth)
        spent = accumulate(self.toolkit.count_tokens(bullet.text) for _, bullet in ranked)
        fitting = (pair for pair, tokens in zip(ranked, spent, strict=True) if tokens <= query.budget)
        return Memory(Item(name, bullet.text) for name, bullet in fitting)

    def _grow(self, texts: list[str]) -> None:
        """Add bullets; what is nearly the same as a known one counts as help from that."""
        try:
            vectors: list[Any] = self.toolkit.embed(texts)
        except ToolError:
            vectors = [None] * len(texts)
        for text, vector in zip(texts, vectors, strict=True):
            new = Bullet(text, frozenset(words(text)), vector)
            nearest = max(self.playbook.values(), key=new.likeness, default=None)
            if nearest is not None and (nearest.text == text or nearest.likeness(new) >= SAME):
                nearest.helpful += 1
            else:
                self.made += 1
                self.playbook[f"b{self.made}"] = new

    def _reflect(self, trajectory: Trajectory) -> Delta:
        told = {item.id for retrieved in trajectory.retrieved for item in retrieved.items} & self.playbook.keys()
        if self.toolkit.has_llm and (delta := self._asked(trajectory, sorted(told))):
            return delta
        taken = {step.action[:LONGEST]: step.reward for step in trajectory.steps}
        taken |= {step.action[:LONGEST]: step.reward for step in trajectory.steps if step.reward > 0}
        followed = {name: taken[bullet.text] for name, bullet in self.playbook.items() if bullet.text in taken}
        helpful = [name for name, reward in followed.items() if reward > 0 or (trajectory.success and name in told)]
        harmful = [name for name in followed if name in told and name not in helpful]
        known = {bullet.text for bullet in self.playbook.values()}
        return Delta(helpful, harmful, [text for text in key_steps(trajectory) if text not in known])

    def _asked(self, trajectory: Trajectory, told: list[str]) -> Delta | None:
        """The model as reflector and curator in one call; what it says of unknown bullets is passed over."""
        bullets = "\n".join(f"{name}: {self.playbook[name].text}" for name in told)
        steps = "\n".join(f"{s.action[:100]} -> {s.observation[:150]} ({s.reward:+.2f})" for s in trajectory.steps)
        prompt = (
            f"Task: {trajectory.task.goal[:500]}\nScore: {trajectory.score:.2f} of 1\nSteps:\n{steps[-8000:]}\n"
            f"Advice that was given:\n{bullets}\n\nTag each piece of advice by what it did here, "
            f"and add at most {NEW} short pieces that are new, each one lesson that holds beyond this task."
        )
        try:
            answer = self.toolkit.llm(prompt, SCHEMA)
        except ToolError:
            return None
        if not isinstance(answer, dict):
            return None
        tags = [tag for tag in _list(answer.get("tags")) if isinstance(tag, dict)]
        tagged = {tag["id"]: tag.get("tag") for tag in tags if isinstance(tag.get("id"), str)}
        added = (text.strip()[:LONGEST] for text in _list(answer.get("add")) if isinstance(text, str))
        helpful, harmful = ([name for name in told if tagged.get(name) == tag] for tag in ("helpful", "harmful"))
        return Delta(helpful, harmful, [text for text in added if text][:NEW])


def key_steps(trajectory: Trajectory) -> list[str]:
    """The distinct actions that were rewarded; where a success was rewarded once only, those that led to it."""
    rewarded = [step.action for step in trajectory.steps if step.reward > 0]
    if trajectory.success and len(rewarded) < 2:
        rewarded = [step.action for step in trajectory.steps[-NEW:]]
    return list(dict.fromkeys(action[:LONGEST] for action in rewarded if action.strip()))[:NEW]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
