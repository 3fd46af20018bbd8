"""MemRL (arXiv 2601.03192): experiences found by the likeness of their task and ranked by a learned utility."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, pstdev

from sandbox.guest import (
    TEXTS,
    Item,
    Key,
    Memory,
    MemoryDesign,
    Query,
    Toolkit,
    Trajectory,
    account,
    ask,
    key_steps,
    keys,
    nearest,
    texts,
    told_in,
)

RATE = 0.3
"""Alpha in Q <- Q + alpha * (r - Q)."""
WEIGHT = 0.5
"""Share of the utility, against that of the likeness, in the second phase."""
LIKENESS = 0.1
CANDIDATES = 20
TOLD = 8
CAPACITY = 300
LINES = 10
ASKED = f"Write at most {LINES} short lines, in order, that tell somebody with a similar task what to do."


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
        for name in {item.partition(".")[0] for item in told_in(trajectory)} & self.experiences.keys():
            self._reinforce(self.experiences[name], trajectory.score)
        answer = ask(self.toolkit, f"{account(trajectory)}\n\n{ASKED}", lines=TEXTS)
        if lines := texts(answer.get("lines"), LINES) or key_steps(trajectory, LINES):
            self._keep(self._key(f"{trajectory.task.goal}\n{trajectory.task.observation}"), lines, trajectory.score)

    def retrieve(self, query: Query) -> Memory:
        """The lines of the experiences that are best by normalised likeness and utility together."""
        key = self._key(f"{query.task.goal}\n{query.observation}")
        alike = nearest(key, {name: each.key for name, each in self.experiences.items()}, CANDIDATES, LIKENESS)
        likeness = _normalised(list(alike.values()))
        utility = _normalised([self.experiences[name].utility for name in alike])
        value = {n: (1 - WEIGHT) * s + WEIGHT * u for n, s, u in zip(alike, likeness, utility, strict=True)}
        items: dict[str, Item] = {}
        told = 0
        for name in sorted(alike, key=lambda name: -value[name]):
            known = len(items)
            for number, line in enumerate(self.experiences[name].lines if told < TOLD else ()):
                items.setdefault(line, Item(f"{name}.{number}", line))
            told += len(items) > known  # one that adds nothing takes no place
        return Memory(items.values()).within(query.budget)

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
        return keys(self.toolkit, [text])[0]


def _normalised(values: list[float]) -> list[float]:
    """Standard scores; all zero where the values are equal."""
    spread = pstdev(values) if values else 0.0
    return [(value - fmean(values)) / spread if spread > 0 else 0.0 for value in values]
