"""Jobs on Ray: actors on this machine, or on the nodes of a cluster. This is the only module that imports ray."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_worker_niceness", "0")

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from evolve.errors import InputError, StandstillError
from evolve.jobs import BuildJob, Job, LiveJob, MachineTrouble, Result
from evolve.nodes import Node, facts, room, roomiest, share_of, survey
from sandbox.guest import Trajectory

CLOSING_SECONDS = 5.0
GLANCE = 2.0
"""Seconds between two looks at which nodes a cluster has."""
SURVEY_SECONDS = 120.0
"""How long the start waits for what nodes say of themselves; who answers later works from then on."""
REACH_SECONDS = 10.0
"""How long a cluster's head may take to accept a connection."""
REST = 0.2
"""Seconds between two looks at whether there is a worker again."""
RECHECK = 15.0
"""Seconds between two looks at whether a node can start guests again."""


class Worker:
    """A process with one evaluator."""

    def __init__(self, domain: str, agent: str, backend: str, run: str, runtime: str | None) -> None:
        from evolve.evaluator import Evaluator

        self._evaluator = Evaluator(domain, agent, backend, run=run, runtime=runtime)
        self._fetched: tuple[Any, Sequence[Trajectory]] = (None, ())

    def run(self, job: Job, held: Sequence[Any]) -> Result:
        """Do a job; `held` is empty, or a reference to the collection, which is unpacked once."""
        for reference in held:
            if reference != self._fetched[0]:
                try:
                    self._fetched = (reference, ray.get(reference))
                except RayError as error:
                    return MachineTrouble(f"the collected episodes did not come: {_brief(error)}")
        return self._evaluator.run(job, self._fetched[1] if held else ())

    def absence(self) -> str | None:
        """Why no guest can be started on this node now, if that is so."""
        return self._evaluator.absence()

    def close(self) -> None:
        """End the guests."""
        self._evaluator.close()


@dataclass(slots=True)
class _Lane:
    """A place for a worker, and the worker that has it, if any."""

    node: Node | None = None
    actor: Any = None
    ready: bool = False
    busy: bool = False


class RayExecutor:
    """Hands each job to an idle actor. One that dies is replaced, and its job comes back as machine trouble.

    Without an address the one node is this machine, started for this run. On a cluster the lanes are spread over the
    nodes by their processors, an actor asking for a share of one where there are more lanes than processors. A node
    that comes is surveyed and gets the lanes that stand empty; one that goes leaves its lanes empty.
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
    ) -> None:
        self._settings = (domain, agent, backend, run, runtime)
        self._survey = (domain, agent, backend, runtime)
        self._nodes: dict[str, Node] = {}
        self._lanes: list[_Lane] = []
        self._running: dict[Any, tuple[int, _Lane]] = {}
        self._starting: dict[Any, tuple[_Lane, Any]] = {}
        """Lanes with an actor that has not answered yet, and that actor."""
        self._surveys: dict[Any, Node] = {}
        self._news: list[str] = []
        self._looked = self._rechecked = 0.0
        self._address = address
        self._grows = workers is None
        if address is None:
            count = workers if workers is not None else (os.cpu_count() or 1)
            self._start_here(count)
        else:
            self._facts: Mapping[str, str] = facts(domain, agent)
            _connect(address)
            count = self._muster(workers)
        self.slots = count
        self._share = share_of([node.cpus for node in self._usable()], count)
        self._shared: tuple[Trajectory, ...] = ()
        self._collection: Any = ray.put(self._shared)
        self._staff()

    # Jobs

    def share(self, collection: Sequence[Trajectory]) -> None:
        """Put the trajectories into the object store, from which every node fetches them once."""
        self._shared = tuple(collection)
        self._collection = ray.put(self._shared)

    def free(self) -> Sequence[int]:
        """Numbers of the lanes whose actors are idle."""
        return [number for number, lane in enumerate(self._lanes) if lane.ready and not lane.busy]

    def builds(self, lane: int) -> bool:
        """Whether designs may be built in a lane: its node can start guests, or no node can and any may try."""
        node = self._lanes[lane].node
        return node is None or node.absence is None or not self._can_build()

    def submit(self, ticket: int, job: Job, lane: int) -> None:
        """Start the job on an idle actor."""
        held = [self._collection] if isinstance(job, BuildJob | LiveJob) else []
        chosen = self._lanes[lane]
        chosen.busy = True
        self._running[chosen.actor.run.remote(job, held)] = (ticket, chosen)

    def collect(self, patience: float | None = None) -> list[tuple[int, Result]]:
        """Wait a while for the next result, or the next idle actor, and take along what else is done."""
        self._look_around()
        self._staff()
        pending = [*self._running, *self._starting, *self._surveys]
        changes = self._address is not None or any(lane.actor is None for lane in self._lanes)
        if not pending:
            time.sleep(min(REST if changes else 0.0, REST if patience is None else patience))
            return []
        ray.wait(pending, num_returns=1, timeout=min(GLANCE, patience or GLANCE) if changes else patience)
        if self._address is None and _node_has_died():
            return self._begin_again()
        done, _ = ray.wait(pending, num_returns=len(pending), timeout=0)
        results = [self._result(ref) for ref in done if ref in self._running]
        for ref in done:
            if ref in self._starting:
                self._welcome(ref)
            elif ref in self._surveys:
                self._judge(ref)
        self._staff()
        return results

    def _result(self, ref: Any) -> tuple[int, Result]:
        ticket, lane = self._running.pop(ref)
        lane.busy = False
        place = f"node {lane.node.place}: " if lane.node is not None and self._address is not None else ""
        try:
            result: Result = ray.get(ref)
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            self._mistrust(lane)
            return ticket, MachineTrouble(f"{place}a worker died ({type(error).__name__})", lost=True)
        if isinstance(result, MachineTrouble):
            result = replace(result, reason=f"{place}{result.reason}")
        return ticket, result

    def absence(self, lane: int) -> str | None:
        """Ask the lane's actor; one that has died is found out, and replaced, with its next job."""
        asked = self._lanes[lane]
        if asked.node is None or not asked.ready:
            return None
        try:
            reason: str | None = ray.get(asked.actor.absence.remote())
        except RayError:
            return None
        sentence = asked.node.miss(reason)
        if sentence is not None and self._address is not None:
            self._news.append(sentence)
        return reason

    def news(self) -> Sequence[str]:
        """What became of nodes since the last time, in sentences."""
        news, self._news = self._news, []
        return news

    def close(self) -> None:
        """End actors and guests; a job under way gets a moment to end, then is abandoned."""
        try:
            with suppress(RayError):
                closing = [lane.actor.close.remote() for lane in self._lanes if lane.ready]
                ray.get(closing, timeout=CLOSING_SECONDS)
        finally:
            ray.shutdown()

    def _begin_again(self) -> list[tuple[int, Result]]:
        """Start Ray on this machine anew, and give back what was under way."""
        lost: list[tuple[int, Result]] = [
            (ticket, MachineTrouble("Ray's node on this machine died, and is started again", lost=True))
            for ticket, _ in self._running.values()
        ]
        ray.shutdown()
        for known in (self._nodes, self._lanes, self._running, self._starting):
            known.clear()
        self._start_here(self.slots)
        self.share(self._shared)
        self._staff()
        return lost

    # Actors

    def _staff(self) -> None:
        """Start an actor for every lane that has none, where there is room."""
        self._lanes += [_Lane() for _ in range(self.slots - len(self._lanes))]
        usable, now = self._usable(), time.monotonic()
        for lane in self._lanes:
            if lane.actor is None and (node := roomiest(usable, self._share, now)) is not None:
                hired = _on(node, Worker, num_cpus=_rounded(self._share), max_restarts=0)
                lane.node, lane.actor = node, hired.remote(*self._settings)
                node.workers += 1
                self._await(lane)

    def _make_room(self) -> None:
        """Spread the lanes over a node that came: take idle actors from where there are too many now."""
        if cpus := [node.cpus for node in self._usable()]:
            self._share = max(self._share, share_of(cpus, self.slots))
        for lane in self._lanes:
            if lane.node is not None and lane.ready and not lane.busy and room(lane.node, self._share) < 0:
                lane.actor.close.remote()  # and Ray ends it then, because nobody knows it any more
                self._vacate(lane, kill=False)

    def _await(self, lane: _Lane) -> None:
        """Give the lane's actor nothing until it has answered."""
        lane.ready = False
        self._starting[lane.actor.__ray_ready__.remote()] = (lane, lane.actor)

    def _welcome(self, ref: Any) -> None:
        """Put an actor to work that answers, or note that it does not."""
        lane, actor = self._starting.pop(ref)
        if lane.node is None or lane.actor is not actor:
            return  # its node went away meanwhile
        try:
            ray.get(ref)
        except RayError as error:
            sentence = lane.node.fail(_brief(error), time.monotonic())
            self._vacate(lane)
            if sentence is not None:
                self._news.append(sentence)
                if self._address is None:
                    raise StandstillError(f"no worker starts on this machine: {_brief(error)}") from None
        else:
            lane.ready, lane.node.failures = True, 0

    def _mistrust(self, lane: _Lane) -> None:
        """Empty a lane whose actor died, and give its node's idle ones nothing until they answer: it may be dead too.

        Else a job could be handed from one dead actor to the next until it has no try left.
        """
        node = lane.node
        self._vacate(lane)
        for other in self._lanes:
            if other.node is node and other.ready and not other.busy:
                self._await(other)

    def _vacate(self, lane: _Lane, *, kill: bool = True) -> None:
        """Empty a lane whose actor is of no use any more."""
        if lane.node is not None:
            lane.node.workers -= 1
            if kill:
                ray.kill(lane.actor)
        lane.node, lane.actor, lane.ready = None, None, False

    # Nodes

    def _usable(self) -> Sequence[Node]:
        return [node for node in self._nodes.values() if node.usable]

    def _can_build(self) -> bool:
        return any(node.absence is None and node.workers for node in self._usable())

    def _start_here(self, count: int) -> None:
        """Start Ray on this machine, for this process alone."""
        if not ray.is_initialized():
            try:
                ray.init(
                    address="local",
                    num_cpus=count,
                    include_dashboard=False,
                    logging_level=logging.ERROR,
                    log_to_driver=False,
                )
            except Exception as error:  # Ray raises no narrower one where it does not come up in time
                raise StandstillError(
                    f"Ray did not start on this machine: {error} Give the same command again."
                ) from error
            ray._private.worker.print_to_stdstream = _unsaid
        id_ = ray.get_runtime_context().get_node_id()
        self._nodes[id_] = Node(id_, "localhost", count, known=True)

    def _muster(self, workers: int | None) -> int:
        """Survey the nodes that are there, and say how many lanes there will be."""
        self._look_for_nodes()
        deadline = time.monotonic() + SURVEY_SECONDS
        while self._surveys and (time.monotonic() < deadline or not self._usable()):
            done, _ = ray.wait(list(self._surveys), num_returns=1, timeout=GLANCE)
            for ref in done:
                self._judge(ref)
        usable = self._usable()
        cpus = sum(node.cpus for node in usable)
        reasons = "; ".join(self._news) or "it has no node with a processor for work"
        if not cpus:
            raise _refusal(f"no node of the cluster at {self._address} can work for this run: {reasons}")
        if all(node.absence is not None for node in usable):
            raise _refusal(f"no node of the cluster at {self._address} can build designs: {reasons}")
        return workers or max(1, int(cpus))

    def _look_around(self) -> None:
        """On a cluster, see now and then which nodes came and went, and which can start guests again."""
        now = time.monotonic()
        if self._address is None or now - self._looked < GLANCE:
            return
        self._looked = now
        self._look_for_nodes()
        self._make_room()
        if now - self._rechecked >= RECHECK:
            self._rechecked = now
            self._ask(node for node in self._usable() if node.absence is not None)
        if self._grows:
            self.slots = max(self.slots, int(sum(node.cpus for node in self._usable())))

    def _look_for_nodes(self) -> None:
        listed: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        found = {node["NodeID"]: node for node in listed if node["Alive"] and node["Resources"].get("CPU")}
        for id_ in self._nodes.keys() - found.keys():
            self._forget(self._nodes.pop(id_))
        new = [id_ for id_ in found if id_ not in self._nodes]
        for id_ in new:
            named = f"{found[id_]['NodeManagerAddress']} ({id_[:6]})"
            self._nodes[id_] = Node(id_, named, found[id_]["Resources"]["CPU"])
        self._ask(self._nodes[id_] for id_ in new)

    def _forget(self, node: Node) -> None:
        """Empty the lanes of a node that went away; those with a job are emptied when that comes back."""
        self._news.append(f"node {node.place} is gone; what it had under way is queued again")
        node.refused = "it is gone"
        for lane in self._lanes:
            if lane.node is node and not lane.busy:
                self._vacate(lane)
        if not self._usable():
            self._news.append("no node is left that can work for this run; waiting for one")

    def _ask(self, nodes: Iterable[Node]) -> None:
        """Have nodes say what they are."""
        asked = {node.id for node in self._surveys.values()}
        for node in nodes:
            if node.id not in asked:
                self._surveys[_on(node, survey, num_cpus=0, max_retries=0).remote(*self._survey)] = node

    def _judge(self, ref: Any) -> None:
        """Take in what a node said of itself."""
        node = self._surveys.pop(ref)
        try:
            sentence = node.judge(self._facts, ray.get(ref))
        except RayError as error:
            sentence = node.refuse(f"it cannot run this version of Palimpsest: {_brief(error)}")
        if sentence is not None:
            self._news.append(sentence)


def _unsaid(*_: object, **__: object) -> None:
    """In the place of what prints Ray's own errors to standard output, where only results belong."""


def _node_has_died() -> bool:
    """Whether a process is gone without which the node that this one started is of no use; Ray itself says it late."""
    node = ray._private.worker._global_node
    return node is None or any(name in ("raylet", "gcs_server") for name, _ in node.dead_processes())


def _connect(address: str) -> None:
    """Join a running cluster as its driver."""
    host, _, port = address.rpartition(":")
    try:
        if host and port.isdecimal():  # else Ray itself ends this process where nobody answers
            socket.create_connection((host, int(port)), timeout=REACH_SECONDS).close()
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise InputError(
            f"the Ray cluster at {address} cannot be joined from here: {_brief(error)}; this machine must be one of its"
            " nodes (`ray start --address=HOST:6379`), with the same versions of Ray and Python and the same token"
        ) from None


def _refusal(reason: str) -> InputError:
    """What is wrong with a cluster, after leaving it."""
    ray.shutdown()
    return InputError(reason)


def _on(node: Node, work: Any, **options: Any) -> Any:
    """A function or class that will run on just this node."""
    there: Any = NodeAffinitySchedulingStrategy(node.id, soft=False)  # Ray's own types leave it out
    placed: Any = ray.remote(scheduling_strategy=there, **options)
    return placed(work)


def _rounded(share: float) -> float:
    """A share of a processor as Ray takes it: in ten-thousandths, never more than is there."""
    return max(1, int(share * 10_000 + 1e-6)) / 10_000


def _brief(error: Exception) -> str:
    """The telling line of Ray's explanations: the last one of a failed task, which is its cause, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return lines[-1 if isinstance(error, RayTaskError) else 0][:300]
