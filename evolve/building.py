"""A design in a guest: built from collected episodes, and charged with what goes wrong, but for a first overrun."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from sandbox.backend import DesignFault
from sandbox.guest import Trajectory

if TYPE_CHECKING:
    from domains.base import TaskSpec
    from sandbox.pool import Pool
    from sandbox.session import DesignSession, Loaded

T = TypeVar("T")

FAULTS_ALLOWED = 2
"""Tasks whose retrieval may fail after smoke, and score 0 for that; one more fails the design."""


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """What came of a design's work in a guest: its result, or the `failure` that ended it."""

    result: T | None
    failure: str
    calls: int
    seconds: float


def attempt(pool: Pool, work: Callable[[DesignSession], T]) -> Attempt[T]:
    """Have a design work in a fresh guest; a first overrun of wall time may be the machine's, so it is tried again."""
    tried, overran = _try(pool, work)
    return _try(pool, work)[0] if overran else tried


def _try(pool: Pool, work: Callable[[DesignSession], T]) -> tuple[Attempt[T], bool]:
    with pool.lease() as session:
        try:
            result = work(session)
        except DesignFault as fault:
            failed: Attempt[T] = Attempt(None, explain(fault, session.log), session.toolkit_calls, session.seconds)
            return failed, fault.kind == "Timeout"
        return Attempt(result, "", session.toolkit_calls, session.seconds), False


def patiently(session: DesignSession, ask: Callable[[], T]) -> T:
    """Ask, and where a first answer took too long, which may be the machine's fault, ask once more."""
    try:
        return ask()
    except DesignFault as fault:
        if fault.kind != "Timeout" or not session.alive:
            raise
    return ask()


def load(session: DesignSession, source: str, seed: int) -> Loaded:
    """Load a design that wants to be asked at some time."""
    loaded = session.load(source, seed)
    if not loaded.phases:
        raise DesignFault("load", "Phases", 'a design with empty phases is never asked; they hold "begin" or "step"')
    return loaded


def fill(session: DesignSession, collection: Sequence[Trajectory]) -> None:
    """Give a loaded design the collected episodes, then let it consolidate."""
    for trajectory in collection:
        session.update(trajectory)
    session.manage()


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
