"""Where jobs are done: a protocol, and the executors that do them in this process."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Protocol

from evolve.evaluator import LIVE_AT_ONCE, Evaluator
from evolve.jobs import BuildJob, Job, Result
from sandbox.guest import Trajectory

if TYPE_CHECKING:
    from evolve.llm.wire import Models

BATCH = 8
"""Most episodes in a job, for a cheap hand-over, where none waits for a model."""
BUILDS = 3
"""Most designs that one process builds at once: each has a guest of its own."""
SPARE = 1.5
"""Jobs under way for each call that may be, so that there are calls while other jobs are between two."""


def threads_for(models: Models | None, workers: int) -> int:
    """How many jobs each of so many processes does at once: several where jobs wait for a model.

    >>> threads_for(None, 2)
    1
    """
    if models is None or not (models.agent or models.memory):
        return 1
    return max(2, -(-int(SPARE * models.concurrency) // max(1, workers)))


def batch_for(models: Models | None) -> int:
    """Most episodes in a job: one where each waits for a model, for then the hand-over is nothing.

    >>> batch_for(None)
    8
    """
    return 1 if models is not None and models.agent else BATCH


def builds_for(models: Models | None, threads: int) -> int:
    """Most designs that a process builds at once: as many as it does jobs where they wait for a model."""
    return threads if models is not None and models.memory else min(threads, BUILDS)


class Executor(Protocol):
    """Does jobs, in any order. A job that was submitted comes back exactly once."""

    slots: int
    """How many jobs can be under way at once, each in its lane: 0 to `slots` - 1. It may grow, and never shrinks."""
    batch: int
    """Most episodes in a job."""

    @property
    def designs(self) -> int:
        """How many designs under evaluation give every lane something to do."""

    def share(self, collection: Sequence[Trajectory]) -> None:
        """Set the trajectories that later designs are built from."""

    def free(self) -> Sequence[int]:
        """Lanes that have a worker and in which nothing is under way."""

    def builds(self, lane: int) -> bool:
        """Whether the lane may be given designs to build; where no worker could build any, every lane may."""

    def submit(self, ticket: int, job: Job, lane: int) -> None:
        """Start a job in a free lane, under a number of the caller's."""

    def collect(self, patience: float | None = None) -> list[tuple[int, Result]]:
        """Wait until a job is done, and return all that are; nothing where none is, or after `patience` seconds."""

    def absence(self, lane: int) -> str | None:
        """Why the worker of a lane can start no guest now, if that is so."""

    def news(self) -> Sequence[str]:
        """What became of the machines since the last time, in sentences."""

    def close(self) -> None:
        """End the workers and their guests."""


def designs_for(slots: int, batch: int) -> int:
    """One a lane; where episodes wait for a model, those of one design fill several lanes.

    >>> designs_for(2, BATCH), designs_for(48, 1)
    (2, 6)
    """
    return slots if batch > 1 else -(-slots // LIVE_AT_ONCE)


class SerialExecutor:
    """Does one job at a time in this process, without ray: starts at once, for a single evaluation."""

    slots = 1
    batch = BATCH
    designs = 1

    def __init__(self, domain: str, agent: str, backend: str, *, run: str = "", runtime: str | None = None) -> None:
        self._evaluator = Evaluator(domain, agent, backend, run=run, runtime=runtime)
        self._collection: Sequence[Trajectory] = ()
        self._given: tuple[int, Job] | None = None

    def share(self, collection: Sequence[Trajectory]) -> None:
        """Keep the trajectories."""
        self._collection = collection

    def free(self) -> Sequence[int]:
        """The one lane, unless a job was given."""
        return (0,) if self._given is None else ()

    def builds(self, lane: int) -> bool:
        """The one lane does everything."""
        return True

    def submit(self, ticket: int, job: Job, lane: int) -> None:
        """Keep the job until `collect`."""
        self._given = (ticket, job)

    def collect(self, patience: float | None = None) -> list[tuple[int, Result]]:
        """Do the job, however long it takes."""
        if self._given is None:
            return []
        (ticket, job), self._given = self._given, None
        return [(ticket, self._evaluator.run(job, self._collection))]

    def absence(self, lane: int) -> str | None:
        """Ask the evaluator."""
        return self._evaluator.absence()

    def news(self) -> Sequence[str]:
        """Nothing happens here that the jobs do not say."""
        return ()

    def close(self) -> None:
        """End the guests."""
        self._evaluator.close()


class ThreadExecutor:
    """Does several jobs at once in this process, where they wait for a model most of the time."""

    def __init__(
        self,
        domain: str,
        agent: str,
        backend: str,
        *,
        run: str = "",
        runtime: str | None = None,
        models: Models,
        threads: int,
    ) -> None:
        self.slots = threads
        self.batch = batch_for(models)
        self._builds = builds_for(models, threads)
        self._evaluator = Evaluator(domain, agent, backend, run=run, runtime=runtime, models=models)
        self._collection: Sequence[Trajectory] = ()
        self.designs = designs_for(threads, self.batch)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._running: dict[Future[Result], tuple[int, int, bool]] = {}
        """Jobs under way, each with its ticket, its lane, and whether it builds."""

    def share(self, collection: Sequence[Trajectory]) -> None:
        """Keep the trajectories."""
        self._collection = collection

    def free(self) -> Sequence[int]:
        """Lanes without a job."""
        busy = {lane for _, lane, _ in self._running.values()}
        return [lane for lane in range(self.slots) if lane not in busy]

    def builds(self, lane: int) -> bool:
        """Whether few designs are being built now."""
        return sum(builds for _, _, builds in self._running.values()) < self._builds

    def submit(self, ticket: int, job: Job, lane: int) -> None:
        """Give the job to a thread."""
        future = self._threads.submit(self._evaluator.run, job, self._collection)
        self._running[future] = (ticket, lane, isinstance(job, BuildJob))

    def collect(self, patience: float | None = None) -> list[tuple[int, Result]]:
        """Wait for the next result, and take along what else is done."""
        done, _ = wait(self._running, patience, FIRST_COMPLETED)
        return [(self._running.pop(future)[0], future.result()) for future in done]

    def absence(self, lane: int) -> str | None:
        """Ask the evaluator."""
        return self._evaluator.absence()

    def news(self) -> Sequence[str]:
        """Nothing happens here that the jobs do not say."""
        return ()

    def close(self) -> None:
        """End the guests; jobs under way are waited for no more than their calls."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._evaluator.close()
