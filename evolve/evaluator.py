"""The worker's side of an evaluation: one domain, one agent, warm guests; it does one job after the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from evolve.agents import registry as agents
from evolve.jobs import (
    BuildJob,
    Built,
    Delivery,
    Job,
    MachineTrouble,
    Played,
    PlayJob,
    PrepareJob,
    Result,
)
from evolve.play import cut, introduce, play
from sandbox.backend import DesignFault, MachineFault
from sandbox.guest import Query, Task, Trajectory

if TYPE_CHECKING:
    from sandbox.pool import Pool
    from sandbox.session import DesignSession

FAULTS_ALLOWED = 2
"""Failed retrievals after smoke that score their episode 0; one more fails the design."""


class Evaluator:
    """Does jobs for one run. Guests are started at the first `BuildJob`."""

    def __init__(self, domain: str, agent: str, backend: str) -> None:
        from domains import registry as domains

        self.domain = domains.load(domain)
        self.agent = agents.load(agent)
        self.backend = backend
        self._pool: Pool | None = None
        self._introduce = lru_cache(maxsize=None)(lambda spec: introduce(self.domain, spec))

    def run(self, job: Job, collection: Sequence[Trajectory]) -> Result:
        """Do a job; a fault of the machine is an answer, not an exception."""
        try:
            match job:
                case PrepareJob():
                    self.domain.prepare(job.specs)
                    return None
                case PlayJob():
                    return self._play(job)
                case BuildJob():
                    return self._build(job, collection)
        except (MachineFault, OSError) as fault:
            return MachineTrouble(str(fault))

    def close(self) -> None:
        """End the warm guests."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

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
        """Build and ask; a first overrun of wall time may be the machine's, so it is tried once more."""
        built, overran = self._try(job, collection)
        return self._try(job, collection)[0] if overran else built

    def _try(self, job: BuildJob, collection: Sequence[Trajectory]) -> tuple[Built, bool]:
        with self._guests().lease() as session:
            try:
                loaded = session.load(job.source, job.seed)
                if loaded.phases != {"begin"}:
                    raise DesignFault("load", "Phases", "only the phase 'begin' is served so far")
                for trajectory in collection:
                    session.update(trajectory)
                session.manage()
                deliveries = self._ask(session, job)
            except DesignFault as fault:
                failed = Built(failure=explain(fault, session.log), seconds=session.seconds)
                return failed, fault.kind == "Timeout"
            return Built(loaded.instructions, deliveries, session.toolkit_calls, session.seconds), False

    def _ask(self, session: DesignSession, job: BuildJob) -> tuple[Delivery, ...]:
        deliveries: list[Delivery] = []
        faults = 0
        for at, spec in enumerate(job.specs):
            try:
                deliveries.append(self._deliver_patiently(session, self._introduce(spec), job.budget))
            except DesignFault as fault:
                faults += 1
                if at < job.smoke or faults > FAULTS_ALLOWED or not session.alive:
                    raise
                deliveries.append(Delivery(spec.id, fault=str(fault)))
        return tuple(deliveries)

    def _deliver_patiently(self, session: DesignSession, task: Task, budget: int) -> Delivery:
        """Ask, and where a first answer took too long, which may be the machine's fault, ask once more."""
        try:
            return self._deliver(session, task, budget)
        except DesignFault as fault:
            if fault.kind != "Timeout" or not session.alive:
                raise
        return self._deliver(session, task, budget)

    def _deliver(self, session: DesignSession, task: Task, budget: int) -> Delivery:
        with session.episode() as episode:
            memory = episode.retrieve(Query(task, task.observation, budget=budget))
        items, tokens, was_cut = cut(memory, budget)
        return Delivery(task.id, items, tokens, was_cut)

    def _guests(self) -> Pool:
        if self._pool is None:
            from sandbox.backends import make
            from sandbox.embedding import Embedder
            from sandbox.pool import Pool

            self._pool = Pool(make(self.backend), embed=Embedder())
        return self._pool


def explain(fault: DesignFault, log: str) -> str:
    """A fault with its traceback and the end of what the design printed, as the archive keeps it."""
    parts = [str(fault), fault.traceback.strip(), log[-500:].strip()]
    return "\n".join(part for part in parts if part)
