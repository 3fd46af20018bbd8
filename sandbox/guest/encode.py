"""Encoders: from an episode to the records that are worth keeping of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sandbox.guest.design import Step, Trajectory
from sandbox.guest.records import SLOT, Record, lines, merged, record_of, words


class Encoder(ABC):
    """Turns episodes into records. Some need to see every episode first: those answer in `finish`."""

    def __init__(self) -> None:
        self.episodes = 0

    def encode(self, trajectory: Trajectory) -> list[Record]:
        """Records of one episode; equal lines are merged."""
        self.episodes += 1
        return merged(self.records(trajectory))

    @abstractmethod
    def records(self, trajectory: Trajectory) -> list[Record]:
        """Records of one episode, in the order of its steps."""

    def finish(self) -> list[Record]:
        """Records that could only be made now, after the episodes so far; each is given once."""
        return []

    def dump(self) -> dict[str, Any]:
        """What it has seen so far, as JSON types."""
        return {"episodes": self.episodes}

    def load(self, state: dict[str, Any]) -> None:
        """The inverse of `dump`."""
        self.episodes = state["episodes"]


def credited(steps: Sequence[Step], window: int, decay: float) -> list[float]:
    """What each step earned: its own reward and, fading by `decay`, those of the `window - 1` steps after it."""
    credit = [0.0] * len(steps)
    for at, step in enumerate(steps):
        for back in range(min(window, at + 1)):
            credit[at - back] += step.reward * decay**back
    return credit


class RawSteps(Encoder):
    """Every action as it was taken, with the reward of its own step; at most the first `limit` of an episode."""

    def __init__(self, limit: int = 50) -> None:
        super().__init__()
        self.limit = limit

    def records(self, trajectory: Trajectory) -> list[Record]:
        """One record a step."""
        return [
            record_of(step.action, trajectory, at, step.reward, self.episodes)
            for at, step in enumerate(trajectory.steps[: self.limit])
        ]


class CreditedActions(Encoder):
    """Actions that score gains followed: a gain is credited to its step, and to the `window - 1` before it, fading."""

    def __init__(self, window: int = 1, decay: float = 0.5) -> None:
        super().__init__()
        self.window = window
        self.decay = decay

    def records(self, trajectory: Trajectory) -> list[Record]:
        """One record a credited step."""
        credit = credited(trajectory.steps, self.window, self.decay)
        return [
            record_of(step.action, trajectory, at, credit[at], self.episodes)
            for at, step in enumerate(trajectory.steps)
            if credit[at] != 0.0
        ]


class Contrast(Encoder):
    """Actions weighed by how much better the episodes that held them ended than those that did not."""

    def __init__(self, minimum: int = 2) -> None:
        super().__init__()
        self.minimum = minimum
        self.total = 0.0
        self.seen: dict[str, Record] = {}

    def records(self, trajectory: Trajectory) -> list[Record]:
        """Nothing yet: a contrast needs both sides."""
        self.total += trajectory.score
        steps = enumerate(trajectory.steps)
        for record in merged(record_of(step.action, trajectory, at, 0.0, self.episodes) for at, step in steps):
            if record.text in self.seen:
                self.seen[record.text].absorb(record)
            else:
                self.seen[record.text] = record
        return []

    def finish(self) -> list[Record]:
        """One record for each action seen in at least `minimum` episodes; its gain is the contrast. The rest wait."""
        found = []
        waiting = {}
        for text, record in self.seen.items():
            without = self.episodes - record.count
            if record.count < self.minimum or without == 0:
                waiting[text] = record
                continue
            lift = record.mean_score - (self.total - record.score) / without
            found.append(replace(record, gain=lift * record.count))
        self.seen = waiting
        return found

    def dump(self) -> dict[str, Any]:
        """Also the actions that wait for their contrast."""
        return {**super().dump(), "total": self.total, "seen": [record.dump() for record in self.seen.values()]}

    def load(self, state: dict[str, Any]) -> None:
        """The inverse of `dump`."""
        super().load(state)
        self.total = state["total"]
        self.seen = {record.text: record for record in (Record(*row) for row in state["seen"])}


class ObjectPlaces(Encoder):
    """Where rewarded things were: the observed line that first named a word of a rewarded action."""

    def __init__(self, longest: int = 12) -> None:
        super().__init__()
        self.longest = longest

    def records(self, trajectory: Trajectory) -> list[Record]:
        """One record for each line that named, before it was needed, what a rewarded action was about."""
        found = []
        seen: dict[str, tuple[int, str]] = {}
        texts = [trajectory.task.observation, *(step.observation for step in trajectory.steps)]
        for at, step in enumerate(trajectory.steps):
            for line in lines(texts[at]):
                for word in words(line)[: self.longest]:
                    seen.setdefault(word, (at, " ".join(line.split()[: self.longest])))
            if step.reward > 0:
                for word in words(step.action):
                    if len(word) > 3 and word in seen:
                        when, line = seen[word]
                        found.append(record_of(line, trajectory, when, step.reward, self.episodes))
        return found


class Templates(Encoder):
    """Another encoder's lines with a slot for the words that are rare: in fewer than `rare` of the episodes."""

    def __init__(self, inner: Encoder, rare: float = 0.3) -> None:
        super().__init__()
        self.inner = inner
        self.rare = rare
        self.frequency: Counter[str] = Counter()
        self.waiting: list[Record] = []

    def records(self, trajectory: Trajectory) -> list[Record]:
        """Nothing yet: what is rare is known when the episodes are in."""
        self.frequency.update({word for step in trajectory.steps for word in words(step.action)})
        self.waiting.extend(self.inner.encode(trajectory))
        return []

    def finish(self) -> list[Record]:
        """All that waited, as templates; a line of rare words only is left out."""
        found = []
        for record in [*self.waiting, *self.inner.finish()]:
            record.text = self.fill(record.text)
            if record.text.strip(f"{SLOT} "):
                found.append(record)
        self.waiting = []
        return found

    def fill(self, text: str) -> str:
        """Put a slot for each run of rare words."""
        kept: list[str] = []
        for word in text.split():
            rare = any(self.frequency[part] < self.rare * self.episodes for part in words(word))
            if not rare:
                kept.append(word)
            elif kept[-1:] != [SLOT]:
                kept.append(SLOT)
        return " ".join(kept)

    def dump(self) -> dict[str, Any]:
        """Also the wrapped encoder, the words' frequencies and the lines that wait."""
        waiting = [record.dump() for record in self.waiting]
        return {**super().dump(), "inner": self.inner.dump(), "frequency": dict(self.frequency), "waiting": waiting}

    def load(self, state: dict[str, Any]) -> None:
        """The inverse of `dump`."""
        super().load(state)
        self.inner.load(state["inner"])
        self.frequency = Counter(state["frequency"])
        self.waiting = [Record(*row) for row in state["waiting"]]
