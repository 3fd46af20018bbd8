"""A tiny domain, and the example for authors: cues whose answers are the same in every episode.

An episode shows a few cues in turn and asks for the colour of each. The reply tells the right colour, so who remembers
earlier episodes can score 1 on cues met before, and who does not scores one in `len(COLOURS)` on average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from domains.base import Role, TaskSpec, TextEnvironment

COLOURS = ("amber", "black", "green", "violet", "white")
CUES = (
    *("anchor", "basket", "candle", "drum", "engine", "feather", "goblet", "hammer", "island", "jacket", "kettle"),
    *("lantern", "mirror", "needle", "oar", "pillow", "quilt", "ribbon", "saddle", "tunnel", "urn", "violin", "wagon"),
)
SIZES = {Role.COLLECTION: 60, Role.DEPLOYMENT: 60, Role.REFLECTION: 30, Role.CONFIRMATION: 60, Role.TEST: 100}
CUES_PER_EPISODE = 4


class RecallEnvironment(TextEnvironment):
    """One episode of cues; the seed of `reset` orders them."""

    def __init__(self, cues: Sequence[str], answers: dict[str, str]) -> None:
        self._cues = list(cues)
        self._answers = answers
        self._asked: list[str] = []
        self._right = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin with the first cue."""
        super().reset(seed=seed)
        self._asked = [self._cues[i] for i in self.np_random.permutation(len(self._cues))]
        self._right = 0
        return self._question(), self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Answer the current cue; the observation tells the right answer and asks for the next."""
        listed = self._info()["actions"]
        if action not in listed:
            raise ValueError(f"{action!r} is not among the listed actions {listed}")
        cue = self._asked.pop(0)
        answer = self._answers[cue]
        right = action.endswith(f" {answer}")
        self._right += right
        verdict = f"{'Right' if right else 'Wrong'}: the {cue} is {answer}."
        return f"{verdict} {self._question()}".strip(), right / len(self._cues), not self._asked, False, self._info()

    def _question(self) -> str:
        return f"What colour is the {self._asked[0]}?" if self._asked else ""

    def _info(self) -> dict[str, Any]:
        return {
            "goal": "Name the colour of each thing you are shown.",
            "actions": [f"call the {self._asked[0]} {colour}" for colour in COLOURS] if self._asked else [],
            "score": self._right / len(self._cues),
            "won": self._right == len(self._cues),
        }


class RecallExpert:
    """Gives the right answers."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self._answers = answers

    def act(self, observation: str, info: Mapping[str, Any]) -> str:
        """The answer to the cue that the actions name."""
        cue = info["actions"][0].split()[2]
        return f"call the {cue} {self._answers[cue]}"


class Recall:
    """Answers are fixed by the version; every task is another choice of cues, and no choice occurs twice."""

    name: ClassVar[str] = "recall"
    version: ClassVar[str] = "1"
    max_steps: ClassVar[int] = CUES_PER_EPISODE

    def __init__(self) -> None:
        rng = Random(f"{self.name} {self.version}")
        self._answers = {cue: rng.choice(COLOURS) for cue in CUES}
        draws: dict[tuple[str, ...], None] = {}
        while len(draws) < sum(SIZES.values()):
            draws[tuple(sorted(rng.sample(CUES, CUES_PER_EPISODE)))] = None
        self._draws = list(draws)
        numbers = iter(range(len(self._draws)))
        self._tasks = {
            role: [TaskSpec(f"{role}-{i:03}", "colours", role, next(numbers)) for i in range(SIZES[role])]
            for role in Role
        }

    def tasks(self, role: Role) -> Sequence[TaskSpec]:
        """All tasks of a role; `seed` numbers the draw of cues."""
        return self._tasks[role]

    def cues(self, spec: TaskSpec) -> Sequence[str]:
        """What the task asks about."""
        return self._draws[spec.seed]

    def answer(self, cue: str) -> str:
        """The right answer to a cue."""
        return self._answers[cue]

    def prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Nothing is needed on disk."""

    def environment(self, spec: TaskSpec) -> RecallEnvironment:
        """Open the task for play."""
        return RecallEnvironment(self.cues(spec), self._answers)

    def expert(self, spec: TaskSpec, environment: TextEnvironment) -> RecallExpert:
        """Knows all answers."""
        return RecallExpert(self._answers)
