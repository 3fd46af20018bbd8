"""Where jobs are done: a protocol, and the executor that does them in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from evolve.evaluator import Evaluator
from evolve.jobs import Job, Result
from sandbox.guest import Trajectory


class Executor(Protocol):
    """Does jobs, in any order. A job that was submitted comes back exactly once."""

    slots: int
    """How many jobs can be under way at once, each in its lane: 0 to `slots` - 1. It may grow, and never shrinks."""

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


class SerialExecutor:
    """Does one job at a time in this process, without ray: starts at once, for a single evaluation."""

    slots = 1

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
