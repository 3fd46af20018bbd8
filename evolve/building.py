"""A design in a guest: built from collected episodes, and charged with what goes wrong, but for a first overrun."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from evolve.jobs import Effort, Recipe
from evolve.play import cut
from sandbox.backend import DesignFault
from sandbox.guest import Trajectory

if TYPE_CHECKING:
    from domains.base import TaskSpec
    from sandbox.pool import Pool
    from sandbox.purity import Asked
    from sandbox.session import DesignSession, Loaded

T = TypeVar("T")

UNSURE = frozenset({"Timeout", "Exit"})
"""Faults that the machine may be to blame for: a busy processor, or a kernel that ends the largest process."""
FAULTS_ALLOWED = 2
"""Tasks whose retrieval may fail after smoke, and score 0 for that; one more fails the design."""


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """What came of a design's work in a guest: its result, or the `failure` that ended it."""

    result: T | None
    failure: str
    effort: Effort


def attempt(pool: Pool, work: Callable[[DesignSession], T]) -> Attempt[T]:
    """Have a design work in a fresh guest, and once more where it may not be to blame.

    That is a first overrun of wall time or a first end of its process, and a memory that another design left.
    """
    first, again = _try(pool, work)
    if not again:
        return first
    second, _ = _try(pool, work)
    if second.failure:
        return second
    return replace(second, effort=second.effort + Effort(spared=(first.failure.splitlines()[0],)))


def _try(pool: Pool, work: Callable[[DesignSession], T]) -> tuple[Attempt[T], bool]:
    with pool.lease() as session:
        try:
            result, failure, again = work(session), "", False
        except DesignFault as fault:
            result, failure = None, explain(fault, session.log)
            again = fault.kind in UNSURE or fault.at == "restore"
        spared = tuple(session.spared)
        effort = Effort(session.toolkit_calls, session.seconds, session.tokens_llm, session.asked_llm, spared)
        return Attempt(result, failure, effort), again


def patiently(session: DesignSession, ask: Callable[[], T]) -> T:
    """Ask, and where there was no answer, which may be the machine's fault, ask once more."""
    try:
        return ask()
    except DesignFault as fault:
        if fault.kind not in UNSURE or not session.alive:
            raise
        first = str(fault)
    answer = ask()
    session.spared.append(first)
    return answer


def load(session: DesignSession, source: str, seed: int) -> Loaded:
    """Load a design that wants to be asked at some time."""
    loaded = session.load(source, seed)
    if not loaded.phases:
        raise DesignFault("load", "Phases", 'a design with empty phases is never asked; they hold "begin" or "step"')
    return loaded


def fill(session: DesignSession, recipe: Recipe, collection: Sequence[Trajectory], memories: Memories) -> None:
    """Give a loaded design its episodes and let it consolidate, or restore what that came to before."""
    state = memories.take(recipe)
    if state is not None:
        session.restore(state)
    else:
        for trajectory in collection:
            if recipe.collected is None or trajectory.task.id in recipe.collected:
                session.update(trajectory)
        session.manage()
        state = session.dump() if recipe.building_hash else None
    if state is not None:
        memories.put(recipe, state)


def check_purity(pool: Pool, session: DesignSession, recipe: Recipe, asked: Sequence[Asked]) -> None:
    """Ask the memory of a session again, rebuilt elsewhere and in another order; raises `DesignFault` if it differs."""
    from sandbox.purity import check

    check(pool.lease, recipe.source, session.journal, asked, lambda items, budget: cut(items, budget)[0])


class Memories:
    """Built memories of this worker, the last ones used, by all that shaped them."""

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._states: dict[tuple[str, int, frozenset[str] | None], bytes] = {}

    def take(self, recipe: Recipe) -> Any:
        """Take out the state that a recipe leads to; none where it is not here."""
        state = self._states.pop(self._key(recipe), None)
        return json.loads(zlib.decompress(state)) if state is not None else None

    def put(self, recipe: Recipe, state: Any) -> None:
        """Keep a state, in the place of the one not used for longest."""
        self._states[self._key(recipe)] = zlib.compress(json.dumps(state).encode(), 1)
        if len(self._states) > self._most:
            del self._states[next(iter(self._states))]

    def _key(self, recipe: Recipe) -> tuple[str, int, frozenset[str] | None]:
        return recipe.building_hash, recipe.seed, recipe.collected


@dataclass(slots=True)
class Faults:
    """The tasks for which a design failed to answer. One of its smoke test fails it, and so do too many others."""

    smoke: frozenset[str]
    tasks: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, specs: Sequence[TaskSpec], smoke: int) -> Faults:
        """None yet; the first `smoke` tasks are the smoke test."""
        return cls(frozenset(spec.id for spec in specs[:smoke]))

    def forgive(self, fault: DesignFault, task: str, session: DesignSession) -> str:
        """Count a fault and say what it was, or raise it again where it fails the design."""
        self.tasks.add(task)
        if task in self.smoke or len(self.tasks) > FAULTS_ALLOWED or not session.alive:
            raise fault
        return str(fault)


def explain(fault: DesignFault, log: str) -> str:
    """A fault with its traceback and the end of what the design printed, as the archive keeps it."""
    parts = [str(fault), fault.traceback.strip(), log[-500:].strip()]
    return "\n".join(part for part in parts if part)
