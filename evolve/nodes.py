"""The machines of a cluster: whether one may work for a run, at what, and how many workers it gets. Knows no ray."""

from __future__ import annotations

import hashlib
import heapq
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from pathlib import Path

PACKAGES = ("evolve", "sandbox", "domains", "archive")
WHEELS = ("numpy", "networkx")
"""What designs compute with."""
ATTEMPTS = 3
"""Workers that may fail to start on a node, one after the other, before it is left out."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a node says of itself."""

    facts: Mapping[str, str]
    """All by which its results could differ from another node's."""
    absence: str | None
    """Why it can start no guest, if that is so."""


def survey(domain: str, agent: str, backend: str, runtime: str | None) -> Survey:
    """Look at this machine, and make what its guests start from, once, before its workers all want it."""
    from sandbox.backend import MachineFault
    from sandbox.backends import make

    sandbox = make(backend, runtime=runtime)
    try:
        absence = sandbox.available()
        if absence is None:
            sandbox.image()
    except (MachineFault, OSError) as fault:
        absence = str(fault)
    return Survey(facts(domain, agent), absence)


def facts(domain: str, agent: str) -> dict[str, str]:
    """The versions of all that shapes a result here; raises `DomainError` where the domain cannot be played."""
    from domains import registry as domains
    from evolve.agents import registry as agents

    return {
        "palimpsest": f"{metadata.version('palimpsest')} (sources {sources_digest()})",
        "Python": ".".join(map(str, sys.version_info[:2])),
        **{name: metadata.version(name) for name in WHEELS},
        domain: domains.load(domain).version,
        agent: agents.load(agent).version,
    }


@cache
def sources_digest() -> str:
    """A short hash of our installed source files: two builds of one version number can differ."""
    digest = hashlib.sha256()
    for name in PACKAGES:
        folder = Path(str(import_module(name).__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{name}/{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def mismatch(mine: Mapping[str, str], theirs: Mapping[str, str]) -> str | None:
    """How a node differs from this machine, if it does."""
    differing = [
        f"{name} {theirs.get(name, 'none')} where this machine has {version}"
        for name, version in mine.items()
        if theirs.get(name) != version
    ]
    return " and ".join(differing) or None


@dataclass(slots=True)
class Node:
    """A machine of the cluster."""

    id: str
    place: str
    cpus: float
    known: bool = False
    """Whether it was surveyed."""
    refused: str = ""
    """Why nothing may run on it."""
    absence: str | None = None
    """Why it can start no guest now; it may play."""
    workers: int = 0
    failures: int = 0
    """Workers that failed to start, since the last one that did not."""
    rests_until: float = 0.0
    """When it may be tried again after such a failure."""

    def judge(self, mine: Mapping[str, str], found: Survey) -> str | None:
        """Take in what it says of itself; a sentence where that changes what it may do."""
        self.known = True
        if difference := mismatch(mine, found.facts):
            return self.refuse(f"it has {difference}; install the same there")
        return self.miss(found.absence)

    def miss(self, absence: str | None) -> str | None:
        """Note why it can start no guest now, or that it can; a sentence where that is new."""
        before, self.absence = self.absence, absence
        if absence is not None and before is None:
            return f"node {self.place} can start no guest, so it plays episodes and builds no design: {absence}"
        if absence is None and before is not None:
            return f"node {self.place} can start guests again"
        return None

    def refuse(self, reason: str) -> str:
        """Leave it out, and say so."""
        self.known, self.refused = True, reason
        return f"node {self.place} is left out: {reason}"

    def fail(self, reason: str, now: float) -> str | None:
        """Note that a worker did not start, and leave the node out where that goes on."""
        self.failures += 1
        self.rests_until = now + 2.0**self.failures
        return self.refuse(f"no worker starts there: {reason}") if self.failures >= ATTEMPTS else None

    @property
    def usable(self) -> bool:
        """Whether workers may be started on it."""
        return self.known and not self.refused


def share_of(cpus: Sequence[float], workers: int) -> float:
    """The largest part of a processor, one at most, of which so many workers find room on nodes of these processors.

    >>> share_of([4, 4], 6), share_of([1, 1], 3)
    (1.0, 0.5)
    """
    quotients = [(-count, count, 1) for count in cpus]
    heapq.heapify(quotients)
    share = 1.0
    for _ in range(workers):  # each goes where it would get most: the divisor method of D'Hondt
        quotient, count, have = heapq.heappop(quotients)
        share = min(share, -quotient)
        heapq.heappush(quotients, (-count / (have + 1), count, have + 1))
    return share


def room(node: Node, share: float) -> int:
    """How many more workers of so large a part of a processor find room; negative where there are too many."""
    return int(node.cpus / share + 1e-6) - node.workers


def roomiest(nodes: Iterable[Node], share: float, now: float) -> Node | None:
    """The node with room for most further workers; none where no node has room."""
    open_ = [node for node in nodes if node.usable and node.rests_until <= now and room(node, share) > 0]
    return max(open_, key=lambda node: room(node, share), default=None)
