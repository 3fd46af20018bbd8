"""Domains with one flaw each, which the conformance suite has to find; the name of a flaw is its factory's."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from domains.base import Role, TaskSpec, TextEnvironment
from domains.recall import Recall, RecallEnvironment, RecallExpert

Step = tuple[str, float, bool, bool, dict[str, Any]]


class Flawed(Recall):
    """Recall, with an environment of another kind."""

    def __init__(self, kind: type[RecallEnvironment] = RecallEnvironment) -> None:
        super().__init__()
        self.kind = kind

    def environment(self, spec: TaskSpec) -> RecallEnvironment:
        return self.kind(self.cues(spec), self._answers)


class OneTaskTwice(Flawed):
    def tasks(self, role: Role) -> Sequence[TaskSpec]:
        tasks = list(super().tasks(role))
        return [*tasks, replace(super().tasks(Role.COLLECTION)[0], role=role)] if role == Role.TEST else tasks


class OneFamilyFirst(Flawed):
    def tasks(self, role: Role) -> Sequence[TaskSpec]:
        return [replace(spec, family="ab"[number > 4]) for number, spec in enumerate(super().tasks(role))]


class Changed(RecallEnvironment):
    """An episode whose steps come out otherwise."""

    def step(self, action: str) -> Step:
        return self.change(action, super().step(action))

    def change(self, action: str, step: Step) -> Step:
        return step


class DoubleReward(Changed):
    def change(self, action: str, step: Step) -> Step:
        text, reward, *rest = step
        return (text, 2 * reward + 0.1, *rest)  # type: ignore[return-value]


class NoGoal(Changed):
    def change(self, action: str, step: Step) -> Step:
        del step[4]["goal"]
        return step


class Bell(Changed):
    def change(self, action: str, step: Step) -> Step:
        return (step[0] + "\a", *step[1:])


class Endless(Changed):
    def change(self, action: str, step: Step) -> Step:
        self._asked.append("oar")
        return (*step[:2], False, False, self._info())


class Lenient(RecallEnvironment):
    def step(self, action: str) -> Step:
        listed = self._info()["actions"]
        return super().step(action if action in listed or not listed else listed[0])


class Forgetful(Changed):
    """It counts a refused action."""

    refused = 0

    def step(self, action: str) -> Step:
        self.refused += action not in self._info()["actions"]
        text, *rest = super().step(action)
        return (text + " Again?" * self.refused, *rest)  # type: ignore[return-value]


class HashOrder(Changed):
    def change(self, action: str, step: Step) -> Step:
        return (" ".join({*step[0].split(), "and", "more", "words"}), *step[1:])


class Unseeded(Changed):
    def change(self, action: str, step: Step) -> Step:
        return (step[0] + f" {random.random()}", *step[1:])


class Shared(Changed):
    """All environments count together."""

    steps: list[str] = []  # noqa: RUF012 - the flaw

    def change(self, action: str, step: Step) -> Step:
        self.steps.append(action)
        return (f"{len(self.steps)}. {step[0]}", *step[1:])


class Unready(RecallEnvironment):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        raise KeyError("board")


class Poor(RecallExpert):
    """Always takes the first action."""

    def act(self, observation: str, info: Mapping[str, Any]) -> str:
        return str(info["actions"][0])


class PoorExpert(Flawed):
    def expert(self, spec: TaskSpec, environment: TextEnvironment) -> Poor:
        return Poor({})


KINDS: dict[str, tuple[Callable[[], Recall], str, str]] = {
    "one_task_twice": (OneTaskTwice, "five disjoint roles", "collection-000"),
    "one_family_first": (OneFamilyFirst, "families take turns", "interleave the families: a, b"),
    "double_reward": (lambda: Flawed(DoubleReward), "keeps the contract", "a reward is a gain in score"),
    "no_goal": (lambda: Flawed(NoGoal), "keeps the contract", "the info lacks goal"),
    "endless": (lambda: Flawed(Endless), "keeps the contract", "returns truncated"),
    "unready": (lambda: Flawed(Unready), "keeps the contract", "KeyError: 'board' (flawed.py, line "),
    "bell": (lambda: Flawed(Bell), "clean text", "'\\x07'"),
    "lenient": (lambda: Flawed(Lenient), "refuses unlisted actions", "raise ValueError"),
    "forgetful": (lambda: Flawed(Forgetful), "refuses unlisted actions", "Again?"),
    "hash_order": (lambda: Flawed(HashOrder), "repeats in fresh processes", "another hash seed"),
    "unseeded": (lambda: Flawed(Unseeded), "environments apart", "step 1 is"),
    "shared": (lambda: Flawed(Shared), "environments apart", "step 1 is"),
    "poor_expert": (PoorExpert, "expert", "less than 0.9"),
}
FLAWS = {name: (check, detail) for name, (_, check, detail) in KINDS.items()}
globals().update({name: make for name, (make, _, _) in KINDS.items()})
flawless = Flawed
