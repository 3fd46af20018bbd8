"""Jobs on Ray: one actor a core, local by default. This is the only module that imports ray."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_worker_niceness", "0")

import ray
from ray.exceptions import RayError, RayTaskError

from evolve.jobs import BuildJob, Job, LiveJob, MachineTrouble, Result
from sandbox.guest import Trajectory

CLOSING_SECONDS = 5.0


class Worker:
    """A process with one evaluator."""

    def __init__(self, domain: str, agent: str, backend: str, run: str, runtime: str | None) -> None:
        from evolve.evaluator import Evaluator

        self._evaluator = Evaluator(domain, agent, backend, run=run, runtime=runtime)

    def run(self, job: Job, collection: Sequence[Trajectory]) -> Result:
        """Do a job."""
        return self._evaluator.run(job, collection)

    def absence(self) -> str | None:
        """Why no guest can be started on this node now, if that is so."""
        return self._evaluator.absence()

    def close(self) -> None:
        """End the guests."""
        self._evaluator.close()


class RayExecutor:
    """Hands each job to an idle actor; an actor that dies is replaced and its job comes back as machine trouble."""

    def __init__(
        self, domain: str, agent: str, backend: str, workers: int, *, run: str = "", runtime: str | None = None
    ) -> None:
        if not ray.is_initialized():
            ray.init(
                address="local",
                num_cpus=workers,
                include_dashboard=False,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
        self.slots = workers
        self._settings = (domain, agent, backend, run, runtime)
        self._actors: list[Any] = [self._hire() for _ in range(workers)]
        self._running: dict[Any, tuple[int, int]] = {}
        self._collection: Any = ray.put(())
        self._nothing = self._collection

    def share(self, collection: Sequence[Trajectory]) -> None:
        """Put the trajectories into the object store once, for all workers."""
        self._collection = ray.put(tuple(collection))

    def free(self) -> Sequence[int]:
        """Numbers of the idle actors."""
        busy = {lane for _, lane in self._running.values()}
        return [lane for lane in range(self.slots) if lane not in busy]

    def submit(self, ticket: int, job: Job, lane: int) -> None:
        """Start the job on an idle actor."""
        collection = self._collection if isinstance(job, BuildJob | LiveJob) else self._nothing
        self._running[self._actors[lane].run.remote(job, collection)] = (ticket, lane)

    def collect(self) -> list[tuple[int, Result]]:
        """Wait for the next result, and take along what else is done."""
        if not self._running:
            return []
        ray.wait(list(self._running), num_returns=1)
        done, _ = ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        return [self._result(ref) for ref in done]

    def _result(self, ref: Any) -> tuple[int, Result]:
        ticket, lane = self._running.pop(ref)
        try:
            result: Result = ray.get(ref)
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            ray.kill(self._actors[lane])
            self._actors[lane] = self._hire()
            result = MachineTrouble(f"a worker died: {error}")
        return ticket, result

    def absence(self, lane: int) -> str | None:
        """Ask the lane's actor; one that has died is found out, and replaced, with its next job."""
        try:
            reason: str | None = ray.get(self._actors[lane].absence.remote())
        except RayError:
            return None
        return reason

    def close(self) -> None:
        """End actors and guests; a job under way gets a moment to end, then is abandoned."""
        try:
            with suppress(RayError):
                ray.get([actor.close.remote() for actor in self._actors], timeout=CLOSING_SECONDS)
        finally:
            ray.shutdown()

    def _hire(self) -> Any:
        return ray.remote(num_cpus=1, max_restarts=0)(Worker).remote(*self._settings)
