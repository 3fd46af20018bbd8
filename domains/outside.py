"""A domain that is not ours, held to its contract while it is played: what it does wrong ends in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from math import isfinite
from typing import Any

from domains import factories
from domains.base import Domain, DomainError, Expert, HasExpert, Role, TaskSpec, TextEnvironment
from domains.factories import FactoryError, Made, blamed

GROUP = "palimpsest.domains"
"""The entry points by which packages bring domains."""


def made(name: str) -> Made | None:
    """The domain of a factory or an entry point, as it is; raises `DomainError` where that makes none."""
    try:
        found = factories.make(name, GROUP)
        if found is not None:
            fields, methods = ("name", "version", "max_steps"), ("tasks", "prepare", "environment")
            factories.expect(found.thing, name, "domain", fields, methods, "domains/base.py (Domain)")
    except FactoryError as error:
        raise DomainError(str(error)) from error.__cause__
    return found


class OutsideDomain:
    """Plays another's domain under the name that it was asked for by.

    Its version also holds a hash of its source: an author who edits a game need not think of it, and no result of an
    earlier state is taken for one of the present.
    """

    def __init__(self, name: str, made: Made) -> None:
        self._inner: Domain = made.thing
        self.name = name
        self.version = f"{self._inner.version}-{made.digest}"
        with charged(name, "max_steps"):
            self.max_steps = int(self._inner.max_steps)
        if isinstance(self._inner, HasExpert):
            self.expert = self._expert
            """There only where the domain has one."""

    def tasks(self, role: Role) -> Sequence[TaskSpec]:
        """All tasks of a role."""
        with charged(self.name, f"tasks({role})"):
            return list(self._inner.tasks(role))

    def prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Make what the tasks need on disk."""
        with charged(self.name, "prepare()"):
            self._inner.prepare(specs)

    def environment(self, spec: TaskSpec) -> TextEnvironment:
        """Open the task for play."""
        with charged(self.name, f"environment({spec.id})"):
            return OutsideEnvironment(self.name, self._inner.environment(spec))

    def _expert(self, spec: TaskSpec, environment: TextEnvironment) -> Expert:
        assert isinstance(self._inner, HasExpert)
        inner = environment.inner if isinstance(environment, OutsideEnvironment) else environment
        return self._inner.expert(spec, inner)


class OutsideEnvironment(TextEnvironment):
    """Passes everything on, and looks at what comes back."""

    def __init__(self, name: str, inner: TextEnvironment) -> None:
        self.inner = inner
        self._name = name
        self._listed: Sequence[str] = ()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin the episode."""
        with charged(self._name, "reset()"):
            observation, info = self.inner.reset(seed=seed, options=options)
            self._look(observation, info)
        return observation, info

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take a listed action; what is raised for another passes as it is."""
        if action not in self._listed:
            return self.inner.step(action)
        with charged(self._name, f"step({action!r})"):
            observation, reward, terminated, truncated, info = self.inner.step(action)
            self._look(observation, info, over=terminated or truncated)
            if not isfinite(reward):
                raise TypeError(f"the reward is {reward}")
        return observation, float(reward), bool(terminated), bool(truncated), info

    def render(self) -> Any:
        """What the game draws for people, if that is text; one that draws nothing need not say so."""
        with charged(self._name, "render()"), suppress(NotImplementedError):
            drawn = self.inner.render()
            return drawn if isinstance(drawn, str) else None
        return None

    def close(self) -> None:
        """Close the game."""
        with charged(self._name, "close()"):
            self.inner.close()

    def _look(self, observation: object, info: Mapping[str, Any], *, over: bool = False) -> None:
        if shape := misshapen(observation, info, over=over):
            raise TypeError(shape)
        self._listed = info["actions"]


def misshapen(observation: object, info: Mapping[str, Any], *, over: bool) -> str:
    """What is wrong with what `reset` or `step` returned, so that nothing could be played; empty where all is well."""
    if not isinstance(observation, str):
        return f"the observation is {type(observation).__name__}, not text"
    if missing := [key for key in ("goal", "actions", "score", "won") if key not in info]:
        return f"the info lacks {', '.join(missing)}"
    if not isinstance(info["score"], int | float) or not 0 <= info["score"] <= 1:
        return f"the score is {info['score']}, not a number between 0 and 1"
    return "" if over or info["actions"] else "no action is listed, and the episode goes on"


def charged(name: str, what: str) -> AbstractContextManager[None]:
    """Make one sentence of whatever a foreign domain raises."""

    def fault(raised: str) -> DomainError:
        return DomainError(f"the domain {name} is at fault: {what}: {raised}; see `evolve domains check {name}`")

    return blamed(fault, DomainError)
