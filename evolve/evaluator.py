"""The worker's side of an evaluation: one domain, one agent, warm guests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING

from evolve.agents import registry as agents
from evolve.agents.base import Account
from evolve.building import Faults, Memories, attempt, check_purity, fill, load, patiently
from evolve.jobs import (
    BuildJob,
    Built,
    Delivery,
    Job,
    Lived,
    LiveJob,
    MachineTrouble,
    Played,
    PlayJob,
    PrepareJob,
    Result,
    played_of,
)
from evolve.live import LivePlay
from evolve.llm.base import ModelAwayError
from evolve.play import cut, introduce, play
from evolve.serving import Brokers
from sandbox.backend import DesignFault, MachineFault
from sandbox.guest import Query, Trajectory

if TYPE_CHECKING:
    from domains.base import TaskSpec
    from evolve.llm.wire import Models
    from sandbox.pool import Pool
    from sandbox.purity import Lease
    from sandbox.session import DesignSession

LIVE_AT_ONCE = 8
"""Live episodes of a design that are played at once, where each action waits for a model."""


class Evaluator:
    """Does jobs for one run, in several threads where they wait for models.

    Guests are started at the first job that builds a design.
    """

    def __init__(
        self,
        domain: str,
        agent: str,
        backend: str,
        *,
        run: str = "",
        runtime: str | None = None,
        models: Models | None = None,
    ) -> None:
        from domains import registry as domains
        from sandbox.backends import make

        self.domain = domains.load(domain)
        self._models = models
        self._asker = models.connect() if models is not None else None
        self.agent = agents.load(agent, self._asker, models.agent_settings if models is not None else None)
        self.backend = make(backend, run=run, runtime=runtime)
        self._pool: Pool | None = None
        self._brokers: Brokers | None = None
        self.memories = Memories()
        self._lock = Lock()
        self._is_closed = False
        self._preparing = Lock()
        self._prepared: set[str] = set()
        self._introduce = lru_cache(maxsize=None)(lambda spec: introduce(self.domain, spec))

    def run(self, job: Job, collection: Sequence[Trajectory]) -> Result:
        """Do a job; a fault of the machine is an answer, not an exception."""
        try:
            match job:
                case PrepareJob():
                    self._prepare(job.specs)
                    return None
                case PlayJob():
                    self._prepare([order.spec for order in job.orders])
                    return self._play(job)
                case BuildJob():
                    self._prepare(job.specs)
                    return self._build(job, collection)
                case LiveJob():
                    self._prepare(job.specs)
                    return self._live(job, collection)
        except ModelAwayError as error:
            return MachineTrouble(str(error), waited=True)
        except (MachineFault, OSError) as fault:
            return MachineTrouble(str(fault), away=self.absence() is not None)

    def absence(self) -> str | None:
        """Why no guest can be started here now, if that is so."""
        try:
            return self.backend.available()
        except OSError:
            return None  # a full disk, say: trouble of another kind

    def close(self) -> None:
        """End the warm guests, and let go of the gateway."""
        with self._lock:
            self._is_closed, pool, self._pool = True, self._pool, None
        if pool is not None:
            pool.close()
        if self._asker is not None:
            self._asker.close()

    def _prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Have on this machine's disk what the tasks need, made at once: they may have been prepared on another."""
        if all(spec.id in self._prepared for spec in specs):
            return
        with self._preparing:
            self.domain.prepare([spec for spec in specs if spec.id not in self._prepared])
            self._prepared.update(spec.id for spec in specs)

    def _play(self, job: PlayJob) -> list[Played]:
        results = []
        for order in job.orders:
            account = Account(order.design)
            told = (order.items, order.instructions)
            trajectory = play(self.domain, order.spec, self.agent, order.seed, *told, account)
            results.append(played_of(order.key, order.spec, order.seed, trajectory, account, record=job.record))
        return results

    def _live(self, job: LiveJob, collection: Sequence[Trajectory]) -> Lived:
        at_once = LIVE_AT_ONCE if self._models is not None and self._models.agent else 1
        lease = self._lease(job.recipe.design)
        return LivePlay(self.domain, self.agent, lease, job, collection, self.memories, at_once).run()

    def _build(self, job: BuildJob, collection: Sequence[Trajectory]) -> Built:
        lease = self._lease(job.recipe.design)
        done = attempt(lease, lambda session: self._answers(session, job, collection))
        if done.result is None:
            return Built(effort=done.effort, failure=done.failure)
        return replace(done.result, effort=done.effort)

    def _answers(self, session: DesignSession, job: BuildJob, collection: Sequence[Trajectory]) -> Built:
        loaded = load(session, job.recipe.source, job.recipe.seed)
        if "step" in loaded.phases:
            return Built(loaded.instructions, needs_live=True)
        fill(session, job.recipe, collection, self.memories)
        deliveries = tuple(self._ask(session, job))
        if job.check_purity:
            asked = [
                (self._query(spec, job.budget), delivery.items)
                for spec, delivery in zip(job.specs, deliveries, strict=True)
                if not delivery.fault
            ]
            check_purity(self._lease(job.recipe.design), session, job.recipe, asked)
        return Built(loaded.instructions, deliveries)

    def _ask(self, session: DesignSession, job: BuildJob) -> Iterator[Delivery]:
        faults = Faults.of(job.specs, job.smoke)
        for spec in job.specs:
            ask = partial(self._deliver, session, self._query(spec, job.budget))
            try:
                yield patiently(session, ask)
            except DesignFault as fault:
                yield Delivery(spec.id, fault=faults.forgive(fault, spec.id, session))

    def _query(self, spec: TaskSpec, budget: int) -> Query:
        task = self._introduce(spec)
        return Query(task, task.observation, budget=budget)

    def _deliver(self, session: DesignSession, query: Query) -> Delivery:
        with session.episode() as episode:
            memory = episode.retrieve(query)
        items, tokens, was_cut = cut(memory, query.budget)
        return Delivery(query.task.id, items, tokens, was_cut)

    def _lease(self, design: str) -> Lease:
        """Starts guests for a design."""
        from sandbox.embedding import Embedder
        from sandbox.pool import Pool

        with self._lock:
            if self._is_closed:  # while a job of another thread began
                raise MachineFault("the worker is closed")
            self._pool = pool = self._pool or Pool(self.backend)
            self._brokers = brokers = self._brokers or Brokers(Embedder(), self._models, self._asker)
        return lambda: pool.lease(brokers.of(design))
