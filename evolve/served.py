"""A memory that serves an agent: its exported module runs in the sandbox, and what it learned outlives it in a file."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evolve.errors import InputError
from evolve.prove import SEED, adapter
from sandbox.backend import DesignFault, Limits
from sandbox.guest import Memory, Query, Step, Task, Trajectory, frames

if TYPE_CHECKING:
    from archive.export import Exported
    from sandbox.pool import Pool
    from sandbox.session import DesignSession, Loaded

T = TypeVar("T")

LIMITS = Limits(
    frame_bytes=8 * 1024 * 1024,
    load_seconds=30.0,
    update_seconds=10.0,
    manage_seconds=30.0,
    retrieve_seconds=10.0,
)
"""A memory that outgrows a frame is not kept, and takes in nothing more until it is made smaller."""


class ServeError(RuntimeError):
    """What was asked could not be done, and the memory is as it was; the message says why."""


class MemoryFile:
    """Where a memory is kept: what `save` of the exported module writes, and `load` reads."""

    def __init__(self, path: Path, design: str) -> None:
        self.path = path
        self._design = design

    def read(self) -> Any:
        """The memory, or none where there is no file yet; raises `InputError`."""
        if not self.path.parent.is_dir():
            raise InputError(f"--memory {self.path}: there is no folder {self.path.parent}")
        if not self.path.exists():
            return None
        if (size := self.path.stat().st_size) > LIMITS.frame_bytes:
            raise InputError(f"--memory {self.path}: it has {size} bytes, more than {LIMITS.frame_bytes}")
        try:
            state = frames.decode(self.path.read_bytes())
        except frames.FrameError as error:
            raise InputError(f"--memory {self.path}: it is no memory that was saved: {error}") from None
        kept = state.get("design") if isinstance(state, dict) else None
        if not isinstance(kept, str):
            raise InputError(f"--memory {self.path}: it is no memory that was saved; name a file that is not there yet")
        if kept != self._design:
            raise InputError(
                f"--memory {self.path}: it is of design {kept[:10]}, and {self._design[:10]} reads its own"
            )
        return state

    def write(self, state: Any) -> None:
        """Keep a memory; the file is whole, or as it was."""
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        try:
            part.write_text(json.dumps(state, allow_nan=False), encoding="utf-8")
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other servers away from it, for each would write over what the others learned."""
        with self.path.with_name(f"{self.path.name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"--memory {self.path}: another server keeps its memory there; name another file"
                ) from None
            yield


class ServedMemory:
    """Asked, taught and kept, one call at a time. A change is in the memory and in its file, or in neither."""

    def __init__(self, pool: Pool, exported: Exported, file: MemoryFile | None = None) -> None:
        """Raises `DesignFault` where the module does not load, or refuses its file's memory."""
        self.file = file
        self.episodes = 0
        """Taken in by this server."""
        self._pool = pool
        self._source = adapter(exported, checked=False)
        kept = file.read() if file is not None else None
        self._state: Any = {"memory": kept, "drawn": {}} if kept is not None else None
        """What the guest gave out after the last change, with what it had drawn from its generators."""
        self._lock = threading.Lock()
        self._lease = ExitStack()
        self._session: DesignSession | None = None
        self.design: Loaded = self._awake()[1]
        """What the design says of itself."""

    def retrieve(self, task: Task, history: Sequence[Step] = (), budget: int = 1000) -> Memory:
        """Items for an agent that has come so far in an episode; nothing of it stays in the memory."""

        def ask(session: DesignSession) -> Memory:
            with session.episode() as episode:
                if "step" in self.design.phases:  # it is led through the episode as it was when it was scored
                    for step, done in enumerate(history):
                        episode.retrieve(_query(task, history[:step], budget))
                        episode.observe(done)
                return episode.retrieve(_query(task, history, budget))

        with self._lock:
            return self._tried(ask)

    def update(self, trajectory: Trajectory) -> None:
        """Take in a finished episode."""
        self._change(lambda session: session.update(trajectory), episodes=1)

    def manage(self) -> None:
        """Consolidate, merge or forget."""
        self._change(lambda session: session.manage())

    def save(self) -> Path:
        """Write the memory to its file, and say where that is."""
        if self.file is None:
            raise ServeError("this server was started without --memory FILE, so there is no file to write")
        self._change(lambda session: None)
        return self.file.path

    def close(self) -> None:
        """End the guest."""
        self._lease.close()

    def _change(self, work: Callable[[DesignSession], None], episodes: int = 0) -> None:
        def changed(session: DesignSession) -> Any:
            work(session)
            return session.dump()

        with self._lock:
            done = False
            try:
                state = self._tried(changed)
                if not (isinstance(state, dict) and state.keys() == {"memory", "drawn"}):
                    raise ServeError(
                        f"the memory would take more than {LIMITS.frame_bytes} bytes, so it is left as it was"
                    )
                if self.file is not None:
                    self.file.write(state["memory"])
                self._state, done = state, True
                self.episodes += episodes
            finally:
                if not done:
                    self.close()  # the next call begins with the last memory that was kept

    def _tried(self, work: Callable[[DesignSession], T]) -> T:
        """Once more in a fresh guest, where it ended the first one: that had used up what a guest may, perhaps."""
        session, _ = self._awake()
        try:
            return work(session)
        except DesignFault:
            if session.alive:
                raise
        return work(self._awake()[0])

    def _awake(self) -> tuple[DesignSession, Loaded]:
        """A guest that knows what is known."""
        if self._session is not None and self._session.alive:
            return self._session, self.design
        self._lease.close()
        with ExitStack() as lease:
            session = lease.enter_context(self._pool.lease())
            loaded = session.load(self._source, SEED)
            if self._state is not None:
                session.restore(self._state)
            self._lease, self._session = lease.pop_all(), session
        return session, loaded


def _query(task: Task, history: Sequence[Step], budget: int) -> Query:
    observation = history[-1].observation if history else task.observation
    return Query(task, observation, tuple(history), len(history), budget)
