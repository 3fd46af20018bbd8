"""The worker's side of an evaluation: one domain, one agent, warm guests; it does one job after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from evolve.agents import registry as agents
from evolve.building import Faults, Memories, attempt, check_purity, fill, load, patiently
from evolve.jobs import (
    BuildJob,
    Built,
    Delivery,
    Job,
    LiveJob,
    MachineTrouble,
    Played,
    PlayJob,
    PrepareJob,
    Result,
)
from evolve.live import LivePlay
from evolve.play import cut, introduce, play
from sandbox.backend import DesignFault, MachineFault
from sandbox.guest import Query, Trajectory

if TYPE_CHECKING:
    from domains.base import TaskSpec
    from sandbox.pool import Pool
    from sandbox.session import DesignSession


class Evaluator:
    """Does jobs for one run. Guests are started at the first job that builds a design."""

    def __init__(self, domain: str, agent: str, backend: str, *, run: str = "", runtime: str | None = None) -> None:
        from domains import registry as domains
        from sandbox.backends import make

        self.domain = domains.load(domain)
        self.agent = agents.load(agent)
        self.backend = make(backend, run=run, runtime=runtime)
        self._pool: Pool | None = None
        self.memories = Memories()
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
                    return LivePlay(self.domain, self.agent, self._guests(), job, collection, self.memories).run()
        except (MachineFault, OSError) as fault:
            return MachineTrouble(str(fault), away=self.absence() is not None)

    def absence(self) -> str | None:
        """Why no guest can be started here now, if that is so."""
        try:
            return self.backend.available()
        except OSError:
            return None  # a full disk, say: trouble of another kind

    def close(self) -> None:
        """End the warm guests."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Have on this machine's disk what the tasks need, made at once: they may have been prepared on another."""
        self.domain.prepare([spec for spec in specs if spec.id not in self._prepared])
        self._prepared.update(spec.id for spec in specs)

    def _play(self, job: PlayJob) -> list[Played]:
        results = []
        for order in job.orders:
            trajectory = play(self.domain, order.spec, self.agent, order.seed, order.items, order.instructions)
            results.append(
                Played(
                    order.key,
                    order.spec.id,
                    order.seed,
                    trajectory.score,
                    trajectory.success,
                    len(trajectory.steps),
                    trajectory if job.record else None,
                )
            )
        return results

    def _build(self, job: BuildJob, collection: Sequence[Trajectory]) -> Built:
        done = attempt(self._guests(), lambda session: self._answers(session, job, collection))
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
            check_purity(self._guests(), session, job.recipe, asked)
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

    def _guests(self) -> Pool:
        if self._pool is None:
            from sandbox.embedding import Embedder
            from sandbox.pool import Pool

            self._pool = Pool(self.backend, embed=Embedder())
        return self._pool
