"""Jobs on Ray: actors on the machines of `evolve.cluster`, several jobs at once where these wait for models."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError, RayTaskError

from evolve.cluster import GLANCE, Machines, brief, has_died, on
from evolve.errors import StandstillError
from evolve.executor import batch_for, builds_for, designs_for
from evolve.jobs import BuildJob, Job, LiveJob, MachineTrouble, Result
from evolve.nodes import Node, room, roomiest, share_of
from sandbox.guest import Trajectory

if TYPE_CHECKING:
    from evolve.llm.wire import Models

CLOSING_SECONDS = 5.0
REST = 0.2
"""Seconds between two looks at whether there is a worker again."""


class Worker:
    """A process with one evaluator."""

    def __init__(
        self, domain: str, agent: str, backend: str, run: str, runtime: str | None, models: Models | None
    ) -> None:
        from evolve.evaluator import Evaluator

        self._evaluator = Evaluator(domain, agent, backend, run=run, runtime=runtime, models=models)
        self._fetched: tuple[Any, Sequence[Trajectory]] = (None, ())
        self._fetching = threading.Lock()

    def run(self, job: Job, held: Sequence[Any]) -> Result:
        """Do a job; `held` is empty, or a reference to the collection, which is unpacked once."""
        try:
            collection = self._fetch(held[0]) if held else ()
        except RayError as error:
            return MachineTrouble(f"the collected episodes did not come: {brief(error)}")
        return self._evaluator.run(job, collection)

    def _fetch(self, reference: Any) -> Sequence[Trajectory]:
        with self._fetching:
            if reference != self._fetched[0]:
                self._fetched = (reference, ray.get(reference))
            return self._fetched[1]

    def absence(self) -> str | None:
        """Why no guest can be started on this node now, if that is so."""
        return self._evaluator.absence()

    def close(self) -> None:
        """End the guests."""
        self._evaluator.close()


@dataclass(slots=True, eq=False)
class _Seat:
    """A place for a worker, the worker that has it, if any, and its lanes in which something is under way."""

    node: Node | None = None
    actor: Any = None
    ready: bool = False
    busy: set[int] = field(default_factory=set)
    building: int = 0


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A job with the actor that does it, which its seat may have lost meanwhile."""

    ticket: int
    lane: int
    builds: bool
    seat: _Seat
    actor: Any
    place: str


class RayExecutor:
    """Hands each job to an actor with a free lane. One that dies is replaced, and its jobs come back as trouble.

    Without an address the one node is this machine, started for this run. On a cluster the actors are spread over the
    nodes by their processors, one asking for a share of one where there are more actors than processors. A node
    that comes is surveyed and gets the seats that stand empty; one that goes leaves its seats empty.
    """

    def __init__(
        self,
        domain: str,
        agent: str,
        backend: str,
        workers: int | None,
        *,
        run: str = "",
        runtime: str | None = None,
        address: str | None = None,
        models: Models | None = None,
        threads: int = 1,
    ) -> None:
        self._settings = (domain, agent, backend, run, runtime, models)
        self._threads = threads
        self._machines = Machines(domain, agent, backend, runtime, address)
        self._seats: list[_Seat] = []
        self._running: dict[Any, _UnderWay] = {}
        self._starting: dict[Any, tuple[_Seat, Any]] = {}
        """Seats with an actor that has not answered yet, and that actor."""
        self._grows = workers is None
        if address is None:
            self._workers = workers if workers is not None else (os.cpu_count() or 1)
            self._machines.start_here(self._workers)
        else:
            self._machines.muster()
            self._workers = workers or max(1, self._machines.processors)
        self.slots = self._workers * threads
        self.batch = batch_for(models)
        self._builds = builds_for(models, threads)
        self._share = share_of([node.cpus for node in self._machines.usable], self._workers)
        self._shared: tuple[Trajectory, ...] = ()
        self._collection: Any = ray.put(self._shared)
        self._staff()

    @property
    def designs(self) -> int:
        """How many designs under evaluation give every lane something to do."""
        return designs_for(self.slots, self.batch)

    # Jobs

    def share(self, collection: Sequence[Trajectory]) -> None:
        """Put the trajectories into the object store, from which every node fetches them once."""
        self._shared = tuple(collection)
        self._collection = ray.put(self._shared)

    def free(self) -> Sequence[int]:
        """Numbers of the lanes that are idle, those of the least busy actors first."""
        ranked = []
        for number, seat in enumerate(self._seats):
            if seat.ready:
                first = number * self._threads
                idle = [lane for lane in range(first, first + self._threads) if lane not in seat.busy]
                ranked += [(len(seat.busy) + place, lane) for place, lane in enumerate(idle)]
        return [lane for _, lane in sorted(ranked)]

    def builds(self, lane: int) -> bool:
        """Whether designs may be built in a lane: its actor builds few, and its node can start guests, or none can."""
        seat = self._seat(lane)
        if seat.building >= self._builds:
            return False
        return seat.node is None or seat.node.absence is None or not self._machines.can_build

    def submit(self, ticket: int, job: Job, lane: int) -> None:
        """Start the job on the actor of an idle lane."""
        held = [self._collection] if isinstance(job, BuildJob | LiveJob) else []
        seat, builds = self._seat(lane), isinstance(job, BuildJob)
        seat.busy.add(lane)
        seat.building += builds
        place = f"node {seat.node.place}: " if seat.node is not None and self._machines.address is not None else ""
        under_way = _UnderWay(ticket, lane, builds, seat, seat.actor, place)
        self._running[seat.actor.run.remote(job, held)] = under_way

    def collect(self, patience: float | None = None) -> list[tuple[int, Result]]:
        """Wait a while for the next result, or the next idle actor, and take along what else is done."""
        self._look_around()
        self._staff()
        pending = [*self._running, *self._starting, *self._machines.surveys]
        here = self._machines.address is None
        changes = not here or any(seat.actor is None for seat in self._seats)
        if not pending:
            time.sleep(min(REST if changes else 0.0, REST if patience is None else patience))
            return []
        ray.wait(pending, num_returns=1, timeout=min(GLANCE, patience or GLANCE) if changes else patience)
        if here and has_died():
            return self._begin_again()
        done, _ = ray.wait(pending, num_returns=len(pending), timeout=0)
        results = [self._result(ref) for ref in done if ref in self._running]
        for ref in done:
            if ref in self._starting:
                self._welcome(ref)
            elif ref in self._machines.surveys:
                self._machines.judge(ref)
        self._staff()
        return results

    def _result(self, ref: Any) -> tuple[int, Result]:
        job = self._running.pop(ref)
        is_there = job.seat.actor is job.actor
        if is_there:
            job.seat.busy.discard(job.lane)
            job.seat.building -= job.builds
        try:
            result: Result = ray.get(ref)
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            if is_there:
                self._mistrust(job.seat)
            return job.ticket, MachineTrouble(f"{job.place}a worker died ({type(error).__name__})", lost=True)
        if isinstance(result, MachineTrouble):
            result = replace(result, reason=f"{job.place}{result.reason}")
        return job.ticket, result

    def absence(self, lane: int) -> str | None:
        """Ask the lane's actor; one that has died is found out, and replaced, with its next job."""
        asked = self._seat(lane)
        if asked.node is None or not asked.ready:
            return None
        try:
            reason: str | None = ray.get(asked.actor.absence.remote())
        except RayError:
            return None
        sentence = asked.node.miss(reason)
        if sentence is not None and self._machines.address is not None:
            self._machines.news.append(sentence)
        return reason

    def news(self) -> Sequence[str]:
        """What became of nodes since the last time, in sentences."""
        news, self._machines.news = self._machines.news, []
        return news

    def close(self) -> None:
        """End actors and guests; a job under way gets a moment to end, then is abandoned."""
        try:
            with suppress(RayError):
                closing = [seat.actor.close.remote() for seat in self._seats if seat.ready]
                ray.get(closing, timeout=CLOSING_SECONDS)
        finally:
            ray.shutdown()

    def _begin_again(self) -> list[tuple[int, Result]]:
        """Start Ray on this machine anew, and give back what was under way."""
        lost: list[tuple[int, Result]] = [
            (job.ticket, MachineTrouble("Ray's node on this machine died, and is started again", lost=True))
            for job in self._running.values()
        ]
        ray.shutdown()
        for known in (self._seats, self._running, self._starting):
            known.clear()
        self._machines.start_here(self._workers)
        self.share(self._shared)
        self._staff()
        return lost

    # Actors

    def _seat(self, lane: int) -> _Seat:
        return self._seats[lane // self._threads]

    def _look_around(self) -> None:
        """On a cluster, take in which nodes came and went."""
        gone = self._machines.look_around()
        if gone is None:
            return
        for seat in self._seats:  # those with a job are emptied when that comes back
            if seat.node in gone and not seat.busy:
                self._vacate(seat)
        self._make_room()
        if self._grows:
            self._workers = max(self._workers, self._machines.processors)
            self.slots = self._workers * self._threads

    def _staff(self) -> None:
        """Start an actor for every seat that has none, where there is room."""
        self._seats += [_Seat() for _ in range(self._workers - len(self._seats))]
        usable, now = self._machines.usable, time.monotonic()
        for seat in self._seats:
            if seat.actor is None and (node := roomiest(usable, self._share, now)) is not None:
                at_once = self._threads + (self._threads > 1)  # who asks how it is need not wait
                hired = on(node, Worker, num_cpus=_rounded(self._share), max_restarts=0, max_concurrency=at_once)
                seat.node, seat.actor = node, hired.remote(*self._settings)
                node.workers += 1
                self._await(seat)

    def _make_room(self) -> None:
        """Spread the seats over a node that came: take idle actors from where there are too many now."""
        if cpus := [node.cpus for node in self._machines.usable]:
            self._share = max(self._share, share_of(cpus, self._workers))
        for seat in self._seats:
            if seat.node is not None and seat.ready and not seat.busy and room(seat.node, self._share) < 0:
                seat.actor.close.remote()  # and Ray ends it then, because nobody knows it any more
                self._vacate(seat, kill=False)

    def _await(self, seat: _Seat) -> None:
        """Give the seat's actor nothing until it has answered."""
        seat.ready = False
        self._starting[seat.actor.__ray_ready__.remote()] = (seat, seat.actor)

    def _welcome(self, ref: Any) -> None:
        """Put an actor to work that answers, or note that it does not."""
        seat, actor = self._starting.pop(ref)
        if seat.node is None or seat.actor is not actor:
            return  # its node went away meanwhile
        try:
            ray.get(ref)
        except RayError as error:
            sentence = seat.node.fail(brief(error), time.monotonic())
            self._vacate(seat)
            if sentence is not None:
                self._machines.news.append(sentence)
                if self._machines.address is None:
                    raise StandstillError(f"no worker starts on this machine: {brief(error)}") from None
        else:
            seat.ready, seat.node.failures = True, 0

    def _mistrust(self, seat: _Seat) -> None:
        """Empty a seat whose actor died, and give its node's idle ones nothing until they answer: it may be dead too.

        Else a job could be handed from one dead actor to the next until it has no try left.
        """
        node = seat.node
        self._vacate(seat)
        for other in self._seats:
            if other.node is node and other.ready and not other.busy:
                self._await(other)

    def _vacate(self, seat: _Seat, *, kill: bool = True) -> None:
        """Empty a seat whose actor is of no use any more; what it had under way comes back as it ends."""
        if seat.node is not None:
            seat.node.workers -= 1
            if kill:
                ray.kill(seat.actor)
        seat.node, seat.actor, seat.ready, seat.building = None, None, False, 0
        seat.busy.clear()


def _rounded(share: float) -> float:
    """A share of a processor as Ray takes it: in ten-thousandths, never more than is there."""
    return max(1, int(share * 10_000 + 1e-6)) / 10_000
