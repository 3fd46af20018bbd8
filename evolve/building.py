"""A design in a guest: built from collected episodes, and charged with what goes wrong, but for a first overrun."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from evolve.jobs import Effort, Recipe
from evolve.play import cut
from sandbox.backend import DesignFault
from sandbox.guest import Trajectory
from sandbox.recall import Recall

if TYPE_CHECKING:
    from domains.base import TaskSpec
    from sandbox.purity import Asked, Lease
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


def attempt(lease: Lease, work: Callable[[DesignSession], T]) -> Attempt[T]:
    """Have a design work in a fresh guest, and once more where it may not be to blame.

    That is a first overrun of wall time or a first end of its process, and a memory that another design left.
    """
    first, again = _try(lease, work)
    if not again:
        return first
    second, _ = _try(lease, work)
    if second.failure:
        return second
    return replace(second, effort=second.effort + Effort(spared=(first.failure.splitlines()[0],)))


def _try(lease: Lease, work: Callable[[DesignSession], T]) -> tuple[Attempt[T], bool]:
    with lease() as session:
        try:
            result, failure, again = work(session), "", False
        except DesignFault as fault:
            result, failure = None, explain(fault, session.log)
            again = fault.kind in UNSURE or fault.at == "restore"
        spared = tuple(session.spared)
        used = (session.tokens_llm, session.asked_llm, session.dollars)
        effort = Effort(session.toolkit_calls, session.seconds, *used, spared)
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
    if recipe.by_replay:
        _replay(session, recipe, collection, memories)
        return
    state = memories.take(recipe)
    if state is not None:
        session.restore(state)
    else:
        _build(session, recipe, collection)
        state = session.dump() if recipe.building_hash else None
    memories.put(recipe, state)


def _replay(session: DesignSession, recipe: Recipe, collection: Sequence[Trajectory], memories: Memories) -> None:
    """Build, and pay for no reply of the model that this building is known to ask for; only `__init__` asks anew."""
    known = memories.take(recipe)
    memories.put(recipe, known)  # others may build by it meanwhile
    recall = Recall(session.broker, known or ())
    try:
        with session.answered_by(recall):
            _build(session, recipe, collection)
    finally:  # a building that failed may be tried again
        memories.put(recipe, recall.record or None)


def _build(session: DesignSession, recipe: Recipe, collection: Sequence[Trajectory]) -> None:
    for trajectory in collection:
        if recipe.collected is None or trajectory.task.id in recipe.collected:
            session.update(trajectory)
    session.manage()


def check_purity(lease: Lease, session: DesignSession, recipe: Recipe, asked: Sequence[Asked]) -> None:
    """Ask the memory of a session again, rebuilt elsewhere and in another order; raises `DesignFault` if it differs."""
    from sandbox.purity import check

    check(lease, recipe.source, session.journal, asked, lambda items, budget: cut(items, budget)[0])


class Memories:
    """Built memories of this worker, the last ones used, by all that shaped them.

    A memory is kept as its state, or as its model's replies where its recipe says that it is built by replay.
    """

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: dict[Recipe, bytes] = {}

    def take(self, recipe: Recipe) -> Any:
        """Take out what is kept of a recipe's memory; none where nothing is."""
        with self._lock:
            kept = self._kept.pop(self._key(recipe), None)
        return json.loads(zlib.decompress(kept)) if kept is not None else None

    def put(self, recipe: Recipe, kept: Any) -> None:
        """Keep a JSON value, if there is one, in the place of the one not used for longest."""
        if kept is None or not recipe.building_hash:
            return
        packed = zlib.compress(json.dumps(kept).encode(), 1)
        with self._lock:
            self._kept[self._key(recipe)] = packed
            if len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]

    def _key(self, recipe: Recipe) -> Recipe:
        """The recipe without the rest of the code, and whoever's it is."""
        return replace(recipe, source="", design="")


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
