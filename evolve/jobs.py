"""What the driver sends to a worker and what comes back: plain data of a few kilobytes, never the archive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.guest import Item, Trajectory

if TYPE_CHECKING:
    from domains.base import TaskSpec


@dataclass(frozen=True, slots=True)
class PrepareJob:
    """Make what these tasks need on disk."""

    specs: tuple[TaskSpec, ...]


@dataclass(frozen=True, slots=True)
class EpisodeOrder:
    """One episode to be played: `key` addresses all that it depends on."""

    key: bytes
    spec: TaskSpec
    seed: int
    items: tuple[Item, ...] = ()
    instructions: str = ""


@dataclass(frozen=True, slots=True)
class PlayJob:
    """Play episodes; whole trajectories come back where `record` is set."""

    orders: tuple[EpisodeOrder, ...]
    record: bool = False


@dataclass(frozen=True, slots=True)
class BuildJob:
    """Build a design from the collected trajectories, ask it about each task; the first `smoke` are its smoke test."""

    source: str
    seed: int
    specs: tuple[TaskSpec, ...]
    smoke: int
    budget: int
    """Tokens of retrieved memory an episode."""


Job = PrepareJob | PlayJob | BuildJob


@dataclass(frozen=True, slots=True)
class Played:
    """What an episode came to."""

    key: bytes
    task_id: str
    seed: int
    score: float
    success: bool
    steps: int
    trajectory: Trajectory | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a design told for one task, cut to the budget; `fault` where its retrieval failed."""

    task_id: str
    items: tuple[Item, ...] = ()
    tokens: int = 0
    was_cut: bool = False
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """A built design's deliveries in the order of the tasks, or the `failure` that ended it."""

    instructions: str = ""
    deliveries: tuple[Delivery, ...] = ()
    calls: int = 0
    seconds: float = 0.0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class MachineTrouble:
    """The machine failed, not the design; the job may be tried again."""

    reason: str


Result = list[Played] | Built | None | MachineTrouble
"""Of a `PlayJob`, a `BuildJob`, a `PrepareJob`, or of any of them where the machine failed."""


def episode_key(facts: Sequence[str], spec: TaskSpec, seed: int, items: Sequence[Item], instructions: str) -> bytes:
    """The address of an episode: equal keys, equal episodes. `facts` name the domain and the agent with versions."""
    parts = [*facts, spec.id, seed, instructions, [item.text for item in items]]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).digest()
