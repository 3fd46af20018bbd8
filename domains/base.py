"""What a domain is: named families of tasks in five disjoint roles, each playable as a gymnasium text environment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import gymnasium


class Role(StrEnum):
    """What a task may be used for. Roles are disjoint and the same for every run of a domain version."""

    COLLECTION = "collection"
    DEPLOYMENT = "deployment"
    REFLECTION = "reflection"
    CONFIRMATION = "confirmation"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """The name of a task, before anything is generated or played: `id` is unique within the domain's version."""

    id: str
    family: str
    role: Role
    seed: int


class TextEnvironment(gymnasium.Env[str, str]):
    """A text game. `reset` and `step` return the observation as text and an `info` with these keys:

    - `goal`: str, what is to be done (the same through the episode);
    - `actions`: list[str], the actions that may be taken now; an action that is not listed raises `ValueError`;
    - `score`: float in [0, 1], the score so far; the reward of a step is its gain in score;
    - `won`: bool.

    `terminated` says that the game ended, `truncated` that the domain's step limit was reached.
    The seed of `reset` drives whatever is random in play; equal seeds and actions give equal episodes.
    """

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin the episode."""
        super().reset(seed=seed)
        return "", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take a listed action: observation, reward, terminated, truncated, info."""
        raise NotImplementedError

    def render(self) -> Any:  # gymnasium leaves the type of what is drawn to a type variable
        """What a person at the terminal is shown beside the observation, as text; agents never see it. Here nothing."""

    def close(self) -> None:
        """Give back what the environment holds; here nothing."""


class Domain(Protocol):
    """A source of tasks. `version` changes whenever a task, a score or an observation would come out differently.

    Its environments are played side by side, in threads too, where the agent waits for a language model.
    """

    @property
    def name(self) -> str:
        """What `registry.load` knows it by."""

    @property
    def version(self) -> str:
        """Part of every key under which a result of this domain is kept."""

    @property
    def max_steps(self) -> int:
        """The step limit of one episode."""

    def tasks(self, role: Role) -> Sequence[TaskSpec]:
        """All tasks of a role, in their fixed order, families interleaved."""

    def prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Make what the tasks need on disk, if anything; safe when two processes do it at once."""

    def environment(self, spec: TaskSpec) -> TextEnvironment:
        """Open the task for play; the caller closes it."""


class Expert(Protocol):
    """Plays one episode well, by knowledge that no agent and no design has: for tests and benchmarks alone."""

    def act(self, observation: str, info: Mapping[str, Any]) -> str:
        """Pick one of `info["actions"]`; called for each step in turn, beginning with what `reset` returned."""


@runtime_checkable
class HasExpert(Protocol):
    """A domain that knows how its tasks are won."""

    def expert(self, spec: TaskSpec, environment: TextEnvironment) -> Expert:
        """An expert for one episode of `environment`, which was opened for `spec` and has just been reset."""


class DomainError(RuntimeError):
    """A domain cannot do what was asked; the message says what to do about it."""


def chosen_families(domain: str, chosen: Sequence[str], known: Collection[str]) -> tuple[tuple[str, ...], str]:
    """The families of a domain that were chosen, and its name with them; raises `DomainError` for another one, or none.

    >>> chosen_families("maze", ["tiny"], ["tiny", "dark"])
    (('tiny',), 'maze:tiny')
    """
    if not chosen or not set(chosen) <= set(known):
        raise DomainError(f"families must be among {', '.join(known)}, not {', '.join(chosen) or 'none'}")
    return tuple(chosen), domain if tuple(chosen) == tuple(known) else f"{domain}:{'+'.join(chosen)}"
