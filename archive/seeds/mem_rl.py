"""MemRL (arXiv 2601.03192): experiences found by the likeness of their task and ranked by a learned utility."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from statistics import fmean, pstdev
from typing import Any

from sandbox.guest import Item, Memory, MemoryDesign, Query, ToolError, Toolkit, Trajectory, words

RATE = 0.3
"""Alpha in Q <- Q + alpha * (r - Q)."""
WEIGHT = 0.5
"""Share of the utility, against that of the likeness, in the second phase."""
LIKENESS = 0.1
CANDIDATES = 20
TOLD = 8
CAPACITY = 300
LINES = 10
LONGEST = 200
SCHEMA = {"type": "object", "properties": {"lines": {"type": "array", "items": {"type": "string"}}}}


@dataclass(frozen=True, slots=True)
class Key:
    """What a text is found by: its meaning where the host embeds it, its words everywhere."""

    words: frozenset[str]
    vector: list[float] | None

    def likeness(self, other: Key) -> float:
        """Cosine, or the share of common words."""
        if self.vector and other.vector:
            return float(sum(map(mul, self.vector, other.vector)))
        return len(self.words & other.words) / max(1, len(self.words | other.words))


@dataclass(slots=True)
class Experience:
    """What was done for an intent, and Q: the score that may be expected of who is told it."""

    key: Key
    lines: list[str]
    utility: float


class MemRL(MemoryDesign):
    """Two-phase retrieval: tasks alike, then utility; every episode moves the utility of what was told in it."""

    instructions = "Each line was done in a similar task that went well, the most useful ones first; do those that fit."

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.experiences: dict[str, Experience] = {}
        self.met = 0

    def update(self, trajectory: Trajectory) -> None:
        """Learn from the score what the told experiences are worth; keep what this episode did."""
        told = {item.id.partition(".")[0] for retrieved in trajectory.retrieved for item in retrieved.items}
        for name in told & self.experiences.keys():
            self._reinforce(self.experiences[name], trajectory.score)
        if lines := self._summary(trajectory):
            self._keep(self._key(f"{trajectory.task.goal}\n{trajectory.task.observation}"), lines, trajectory.score)

    def retrieve(self, query: Query) -> Memory:
        """The lines of the experiences that are best by normalised likeness and utility together."""
        key = self._key(f"{query.task.goal}\n{query.observation}")
        alike = {name: key.likeness(each.key) for name, each in self.experiences.items()}
        names = sorted((name for name in alike if alike[name] > LIKENESS), key=lambda name: -alike[name])[:CANDIDATES]
        likeness = _normalised([alike[name] for name in names])
        utility = _normalised([self.experiences[name].utility for name in names])
        value = {n: (1 - WEIGHT) * s + WEIGHT * u for n, s, u in zip(names, likeness, utility, strict=True)}
        items: dict[str, Item] = {}
        told = 0
        for name in sorted(names, key=lambda name: -value[name]):
            known = len(items)
            for number, line in enumerate(self.experiences[name].lines if told < TOLD else ()):
                items.setdefault(line, Item(f"{name}.{number}", line))
            told += len(items) > known  # one that adds nothing takes no place
        spent = accumulate(self.toolkit.count_tokens(line) for line in items)
        return Memory(item for item, tokens in zip(items.values(), spent, strict=True) if tokens <= query.budget)

    def _keep(self, key: Key, lines: list[str], score: float) -> None:
        """Add an experience, or learn from it where the same is known; beyond the capacity the least useful goes."""
        for known in self.experiences.values():
            if known.lines == lines and known.key.words == key.words:
                self._reinforce(known, score)
                return
        self.met += 1
        self.experiences[f"e{self.met}"] = Experience(key, lines, score)
        if len(self.experiences) > CAPACITY:
            del self.experiences[min(self.experiences, key=lambda name: self.experiences[name].utility)]

    def _reinforce(self, experience: Experience, score: float) -> None:
        experience.utility += RATE * (score - experience.utility)

    def _key(self, text: str) -> Key:
        short = text[:2000]
        try:
            vector = self.toolkit.embed([short])[0]
        except ToolError:
            vector = None
        return Key(frozenset(words(short)), vector)

    def _summary(self, trajectory: Trajectory) -> list[str]:
        """The script of an episode: by the model where there is one, else its key steps."""
        if self.toolkit.has_llm:
            steps = "\n".join(f"{s.action[:100]} -> {s.observation[:150]} ({s.reward:+.2f})" for s in trajectory.steps)
            prompt = (
                f"Task: {trajectory.task.goal[:500]}\nScore: {trajectory.score:.2f} of 1\nSteps:\n{steps[-8000:]}\n\n"
                f"Write at most {LINES} short lines, in order, that tell somebody with a similar task what to do."
            )
            try:
                if lines := _strings(self.toolkit.llm(prompt, SCHEMA), "lines"):
                    return lines
            except ToolError:
                pass
        return key_steps(trajectory)


def key_steps(trajectory: Trajectory) -> list[str]:
    """The distinct actions that were rewarded; where a success was rewarded once only, those that led to it."""
    rewarded = [step.action for step in trajectory.steps if step.reward > 0]
    if trajectory.success and len(rewarded) < 2:
        rewarded = [step.action for step in trajectory.steps[-LINES:]]
    return list(dict.fromkeys(action[:LONGEST] for action in rewarded if action.strip()))[:LINES]


def _strings(answer: Any, key: str) -> list[str]:
    """The texts that a model's answer, which may be anything, holds under a key."""
    found = answer.get(key) if isinstance(answer, dict) else None
    texts = found if isinstance(found, list) else []
    return [text.strip()[:LONGEST] for text in texts if isinstance(text, str) and text.strip()][:LINES]


def _normalised(values: list[float]) -> list[float]:
    """Standard scores; all zero where the values are equal."""
    spread = pstdev(values) if values else 0.0
    return [(value - fmean(values)) / spread if spread > 0 else 0.0 for value in values]
