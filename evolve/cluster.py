"""The machines that Ray runs on: this one alone, or a cluster's nodes, which are surveyed, come and go."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_worker_niceness", "0")

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from evolve.errors import InputError, StandstillError
from evolve.nodes import Node, facts, survey

GLANCE = 2.0
"""Seconds between two looks at which nodes a cluster has."""
SURVEY_SECONDS = 120.0
"""How long the start waits for what nodes say of themselves; who answers later works from then on."""
REACH_SECONDS = 10.0
"""How long a cluster's head may take to accept a connection."""
RECHECK = 15.0
"""Seconds between two looks at whether a node can start guests again."""


class Machines:
    """The nodes that may work for a run. Without an address the one node is this machine, started for this run."""

    def __init__(self, domain: str, agent: str, backend: str, runtime: str | None, address: str | None) -> None:
        self.address = address
        self.surveys: dict[Any, Node] = {}
        """Nodes that were asked what they are, by the answer to come."""
        self.news: list[str] = []
        self._nodes: dict[str, Node] = {}
        self._survey = (domain, agent, backend, runtime)
        self._looked = self._rechecked = 0.0
        if address is not None:
            self._facts: Mapping[str, str] = facts(domain, agent)
            self._head = _connect(address)

    @property
    def usable(self) -> Sequence[Node]:
        """Nodes on which workers may be started."""
        return [node for node in self._nodes.values() if node.usable]

    @property
    def can_build(self) -> bool:
        """Whether some node with a worker can start guests."""
        return any(node.absence is None and node.workers for node in self.usable)

    @property
    def processors(self) -> int:
        """Of all nodes that may work."""
        return int(sum(node.cpus for node in self.usable))

    def start_here(self, count: int) -> None:
        """Start Ray on this machine, for this process alone."""
        self._nodes.clear()
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
                    f"Ray did not start on this machine ({error}); give the same command again"
                ) from error
            ray._private.worker.print_to_stdstream = _unsaid
        id_ = ray.get_runtime_context().get_node_id()
        self._nodes[id_] = Node(id_, "localhost", count, known=True)

    def muster(self) -> None:
        """Survey the nodes that are there; raises `InputError` where none can work, or none can build designs."""
        self._look_for_nodes()
        deadline = time.monotonic() + SURVEY_SECONDS
        while self.surveys and (time.monotonic() < deadline or not self.usable):
            done, _ = ray.wait(list(self.surveys), num_returns=1, timeout=GLANCE)
            for ref in done:
                self.judge(ref)
        reasons = "; ".join(self.news) or "it has no node with a processor for work"
        if not self.processors:
            raise _refusal(f"no node of the cluster at {self.address} can work for this run: {reasons}")
        if all(node.absence is not None for node in self.usable):
            raise _refusal(f"no node of the cluster at {self.address} can build designs: {reasons}")

    def look_around(self) -> Sequence[Node] | None:
        """On a cluster, see now and then which nodes came and went, and which can start guests again.

        Returns those that went, or nothing where it was not time to look.
        """
        now = time.monotonic()
        if self.address is None or now - self._looked < GLANCE:
            return None
        if not _answers(self._head):  # else Ray ends this process in the middle of whatever it does
            raise StandstillError(
                f"the head of the Ray cluster at {self._head} is gone; what was committed is intact: start the cluster"
                " again and give the same command again"
            )
        self._looked = now
        gone = self._look_for_nodes()
        if now - self._rechecked >= RECHECK:
            self._rechecked = now
            self._ask(node for node in self.usable if node.absence is not None)
        return gone

    def judge(self, ref: Any) -> None:
        """Take in what a node said of itself."""
        node = self.surveys.pop(ref)
        try:
            sentence = node.judge(self._facts, ray.get(ref))
        except RayError as error:
            sentence = node.refuse(
                f"it cannot do this run's work: {brief(error)}; Palimpsest, and what the run names of your own, have to"
                " be installed there as here"
            )
        if sentence is not None:
            self.news.append(sentence)

    def _look_for_nodes(self) -> Sequence[Node]:
        """Have new nodes say what they are; returns those that went away."""
        listed: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        found = {node["NodeID"]: node for node in listed if node["Alive"] and node["Resources"].get("CPU")}
        gone = [self._nodes.pop(id_) for id_ in self._nodes.keys() - found.keys()]
        for node in gone:
            self.news.append(f"node {node.place} is gone; what it had under way is queued again")
            node.refused = "it is gone"
        if gone and not self.usable:
            self.news.append("no node is left that can work for this run; waiting for one")
        new = [id_ for id_ in found if id_ not in self._nodes]
        for id_ in new:
            named = f"{found[id_]['NodeManagerAddress']} ({id_[:6]})"
            self._nodes[id_] = Node(id_, named, found[id_]["Resources"]["CPU"])
        self._ask(self._nodes[id_] for id_ in new)
        return gone

    def _ask(self, nodes: Iterable[Node]) -> None:
        """Have nodes say what they are."""
        asked = {node.id for node in self.surveys.values()}
        for node in nodes:
            if node.id not in asked:
                self.surveys[on(node, survey, num_cpus=0, max_retries=0).remote(*self._survey)] = node


def _unsaid(*_: object, **__: object) -> None:
    """In the place of what prints Ray's own errors to standard output, where only results belong."""


def has_died() -> bool:
    """Whether a process is gone without which the node that this one started is of no use; Ray itself says it late."""
    node = ray._private.worker._global_node
    return node is None or any(name in ("raylet", "gcs_server") for name, _ in node.dead_processes())


def _connect(address: str) -> str:
    """Join a running cluster as its driver; returns where its head is."""
    if "://" in address:
        raise InputError(
            f"--ray-address is HOST:PORT of the cluster's head, or auto, and not {address}: run this command on a node"
            " of the cluster (`ray start --address=HOST:6379` makes this machine one)"
        )
    try:
        if ":" in address:  # else Ray itself ends this process where nobody answers
            _reach(address)
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
        ray._private.worker.print_to_stdstream = _unsaid
        return str(ray.get_runtime_context().gcs_address)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise InputError(
            f"the Ray cluster at {address} cannot be joined from here: {brief(error)}; this machine must be one of its"
            " nodes (`ray start --address=HOST:6379`), with the same versions of Ray and Python and the same token"
        ) from None


def _reach(address: str) -> None:
    """Connect to a port and let go of it; raises `OSError` or `ValueError`."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=REACH_SECONDS).close()


def _answers(address: str) -> bool:
    """Whether a cluster's head accepts connections, or does so again within a while."""
    deadline = time.monotonic() + REACH_SECONDS
    while True:
        try:
            _reach(address)
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(REACH_SECONDS / 20)
        else:
            return True


def _refusal(reason: str) -> InputError:
    """What is wrong with a cluster, after leaving it."""
    ray.shutdown()
    return InputError(reason)


def on(node: Node, work: Any, **options: Any) -> Any:
    """A function or class that will run on just this node."""
    there: Any = NodeAffinitySchedulingStrategy(node.id, soft=False)  # Ray's own types leave it out
    placed: Any = ray.remote(scheduling_strategy=there, **options)
    return placed(work)


def brief(error: Exception) -> str:
    """The telling line of Ray's explanations: the last one of a failed task, which is its cause, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return lines[-1 if isinstance(error, RayTaskError) else 0][:300]
