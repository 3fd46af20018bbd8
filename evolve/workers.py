"""Jobs on Ray: one actor a core, local by default. This is the only module that imports ray."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from evolve.jobs import Job, MachineTrouble, Result
from sandbox.guest import Trajectory

CLOSING_SECONDS = 5.0


class Worker:
    """A process with one evaluator."""

    def __init__(self, domain: str, agent: str, backend: str) -> None:
        from evolve.evaluator import Evaluator

        self._evaluator = Evaluator(domain, agent, backend)

    def run(self, job: Job, collection: Sequence[Trajectory]) -> Result:
        """Do a job."""
        return self._evaluator.run(job, collection)

    def close(self) -> None:
        """End the guests."""
        self._evaluator.close()


class RayExecutor:
    """Hands each job to an idle actor; an actor that dies is replaced and its job comes back as machine trouble."""

    def __init__(self, domain: str, agent: str, backend: str, workers: int) -> None:
        if not ray.is_initialized():
            ray.init(num_cpus=workers, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
        self.slots = workers
        self._settings = (domain, agent, backend)
        self._idle: list[Any] = [self._hire() for _ in range(workers)]
        self._running: dict[Any, tuple[int, Any]] = {}
        self._collection: Any = ray.put(())
        self._nothing = self._collection

    def share(self, collection: Sequence[Trajectory]) -> None:
        """Put the trajectories into the object store once, for all workers."""
        self._collection = ray.put(tuple(collection))

    def submit(self, ticket: int, job: Job) -> None:
        """Start the job on an idle actor; at most `slots` may be under way."""
        from evolve.jobs import BuildJob

        actor = self._idle.pop()
        collection = self._collection if isinstance(job, BuildJob) else self._nothing
        self._running[actor.run.remote(job, collection)] = (ticket, actor)

    def collect(self) -> list[tuple[int, Result]]:
        """Wait for the next result."""
        if not self._running:
            return []
        first, _ = ray.wait(list(self._running), num_returns=1)
        more, _ = ray.wait([ref for ref in self._running if ref not in first] or first, num_returns=1, timeout=0)
        results = []
        for ref in dict.fromkeys([*first, *more]):
            ticket, actor = self._running.pop(ref)
            try:
                result: Result = ray.get(ref)
            except RayActorError as error:
                actor = self._hire()
                result = MachineTrouble(f"a worker died: {error}")
            except RayTaskError as error:
                raise error.cause from None
            self._idle.append(actor)
            results.append((ticket, result))
        return results

    def close(self) -> None:
        """End actors and guests; a job under way gets a moment to end, then is abandoned."""
        if self._running:
            ended, _ = ray.wait(list(self._running), num_returns=len(self._running), timeout=CLOSING_SECONDS)
            self._idle.extend(self._running[ref][1] for ref in ended)
        with suppress(RayActorError, GetTimeoutError):
            ray.get([actor.close.remote() for actor in self._idle], timeout=CLOSING_SECONDS)
        ray.shutdown()

    def _hire(self) -> Any:
        return ray.remote(num_cpus=1, max_restarts=0)(Worker).remote(*self._settings)
