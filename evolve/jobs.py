"""What the driver sends to a worker and what comes back: plain data of a few kilobytes, never the archive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.guest import Item, Retrieved, Trajectory

if TYPE_CHECKING:
    from domains.base import TaskSpec
    from evolve.agents.base import Account


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
    design: str = ""
    """Id of the design for which it is played first, on whose account the agent's calls are."""


@dataclass(frozen=True, slots=True)
class PlayJob:
    """Play episodes; whole trajectories come back where `record` is set."""

    orders: tuple[EpisodeOrder, ...]
    record: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a built memory comes about: a design, the seed of its toolkit, and the episodes that it takes in."""

    source: str
    seed: int
    building_hash: str = ""
    """Names all code that shapes the memory, where what another design with it came to may serve; else empty."""
    collected: frozenset[str] | None = None
    """Tasks whose episodes it takes in; none for all that were collected."""
    by_replay: bool = False
    """Whether it is always built, and only its model's replies are used again: untrusted code gets nothing else."""
    design: str = ""
    """The design's id, on whose account its calls of models are."""


@dataclass(frozen=True, slots=True)
class BuildJob:
    """Build a design and ask it about each task; the first `smoke` are its smoke test."""

    recipe: Recipe
    specs: tuple[TaskSpec, ...]
    smoke: int
    budget: int
    """Tokens of retrieved memory an episode."""
    check_purity: bool = False
    """Whether to ask again in another order, in a fresh guest."""


@dataclass(frozen=True, slots=True)
class LiveJob:
    """Build a design and play its episodes beside it, because they depend on each other or on what it says meanwhile.

    Static: every episode starts from the same built memory, and a step-phase design is asked before every action.
    Dynamic: each repeat is a pass through the tasks in their order, from the same built memory in a fresh guest, and
    the design takes in every episode before the next.
    """

    recipe: Recipe
    specs: tuple[TaskSpec, ...]
    repeats: int
    first_seed: int
    """The agent's seed in repeat 0; the next has the next."""
    smoke: int
    budget: int
    """Tokens of memory that one retrieval may deliver."""
    dynamic: bool
    check_purity: bool = False
    """Whether to ask again in another order, in a fresh guest; a dynamic memory changes meanwhile and is not asked."""
    first_repeat: int = 0
    record: bool = False
    """Whether whole trajectories come back."""

    @property
    def rounds(self) -> range:
        """The numbers of the repeats."""
        return range(self.first_repeat, self.first_repeat + self.repeats)


Job = PrepareJob | PlayJob | BuildJob | LiveJob


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
    tokens_in: int | None = None
    """Of the agent's calls of its model; none where it has none."""
    tokens_out: int | None = None
    dollars: float | None = None
    """None also where a price is not known."""


def played_of(
    key: bytes, spec: TaskSpec, seed: int, trajectory: Trajectory, account: Account, *, record: bool
) -> Played:
    """A finished episode, with what its agent's calls took."""
    took = (account.tokens_in, account.tokens_out, account.dollars) if account.calls else (None, None, None)
    kept = trajectory if record else None
    return Played(key, spec.id, seed, trajectory.score, trajectory.success, len(trajectory.steps), kept, *took)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a design told for one task, cut to the budget; `fault` where its retrieval failed."""

    task_id: str
    items: tuple[Item, ...] = ()
    tokens: int = 0
    was_cut: bool = False
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Effort:
    """What a design's own work took, in all of its guests."""

    calls: int = 0
    """Of the toolkit's `llm` and `embed`."""
    seconds: float = 0.0
    llm_tokens: int = 0
    asked_llm: bool = False
    """Whether it looked for a language model."""
    dollars: float | None = 0.0
    """Of its own calls of language models; none where a price is not known."""
    spared: tuple[str, ...] = ()
    """What went wrong once and not again, which the machine is charged with."""

    def __add__(self, other: Effort) -> Effort:
        return Effort(
            self.calls + other.calls,
            self.seconds + other.seconds,
            self.llm_tokens + other.llm_tokens,
            self.asked_llm or other.asked_llm,
            added(self.dollars, other.dollars),
            self.spared + other.spared,
        )


def added(some: float | None, more: float | None) -> float | None:
    """A sum of dollars, which is unknown where a part is."""
    return None if some is None or more is None else some + more


@dataclass(frozen=True, slots=True)
class Built:
    """A built design's deliveries in the order of the tasks, or the `failure` that ended it.

    A design that asks for the step phase is not built: only a `LiveJob` can say what it tells.
    """

    instructions: str = ""
    deliveries: tuple[Delivery, ...] = ()
    needs_live: bool = False
    effort: Effort = Effort()
    failure: str = ""


@dataclass(frozen=True, slots=True)
class LivedEpisode:
    """One live episode and all that was told in it; `fault` where a retrieval failed and `played` is none."""

    task_id: str
    repeat: int
    told: tuple[Retrieved, ...] = ()
    tokens: int = 0
    """Of all that was told, over the whole episode."""
    was_cut: bool = False
    played: Played | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Lived:
    """A design's live episodes in the order in which they were played, or the `failure` that ended it."""

    episodes: tuple[LivedEpisode, ...] = ()
    effort: Effort = Effort()
    """Of all passes together; the episodes' own time is not counted."""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class MachineTrouble:
    """The machine failed, or a language model is away, and not the design; the job may be tried again."""

    reason: str
    away: bool = False
    """Whether the worker could start no guest at all when it happened: the sandbox itself is gone, for now."""
    lost: bool = False
    """Whether the worker itself is gone; another takes its place."""
    waited: bool = False
    """Whether whoever failed was tried for long before this was said, so that it is time for another try."""


Result = list[Played] | Built | Lived | None | MachineTrouble
"""Of a `PlayJob`, a `BuildJob`, a `LiveJob`, a `PrepareJob`, or of any of them where the machine failed."""


def episode_key(
    facts: Sequence[str],
    spec: TaskSpec,
    seed: int,
    items: Sequence[Item],
    instructions: str,
    later: Sequence[Retrieved] = (),
) -> bytes:
    """The address of an episode: equal keys, equal episodes. `facts` name the domain and the agent with versions.

    `items` were in force at its start, `later` is each change of them with its step.
    """
    parts = [*facts, spec.id, seed, instructions, [item.text for item in items]]
    parts += [[change.step, [item.text for item in change.items]] for change in later]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).digest()
