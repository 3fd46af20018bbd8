"""How a search scales with the nodes of a cluster where episodes wait for a model: designs and episodes a second.

    .venv/bin/python scripts/bench_scaling.py --nodes 1 2 4

Starts Ray nodes on this machine with the `ray` command, as on several machines, each with `--workers` lanes, and runs
the same kind of search on `recall` on each number of nodes. Play, guests and archive are real; every episode waits two
seconds at its start, as if for a model. The search is timed, from when all workers have started; collection and
baselines are played before, in this process, without waiting. Nodes leave themselves out where sources differ, so work
on a copy of a tree that others edit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domains.base import Role
from evolve.asking import Conversation
from evolve.config import RunConfig
from evolve.jobs import Job, LiveJob, PlayJob, Result
from evolve.proposers.registry import make as make_proposer
from evolve.session import sit_down
from evolve.strategies.registry import make as make_strategy

if TYPE_CHECKING:
    from domains.base import TaskSpec
    from evolve.loop import Search

RAY = str(Path(sys.executable).parent / "ray")
COMMON = ("--block", "--disable-usage-stats", "--min-worker-port", "0", "--max-worker-port", "0")
"""Several nodes on one machine must not hand out the same ports."""
STARTED = "Ray runtime started"


def make_episodes_wait(seconds: float) -> None:
    """Put a worker in the place of ours whose episodes wait; Ray carries a class of a script to the nodes by value."""
    from evolve import workers

    class Waiting(workers.Worker):
        def run(self, job: Job, held: Sequence[Any]) -> Result:
            episodes = len(job.orders) if isinstance(job, PlayJob) else 0
            if isinstance(job, LiveJob):
                episodes = len(job.specs) * job.repeats
            time.sleep(seconds * episodes)
            return super().run(job, held)

    workers.Worker = Waiting  # type: ignore[misc]


def free_port() -> int:
    """A port that nobody listens at, below those that the system gives to anyone who asks for any."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port
    raise SystemExit("no free port was found between 20000 and 30000")


@contextmanager
def cluster(nodes: int, cpus: int) -> Iterator[str]:
    """The address of a cluster with so many working nodes, and a head that only leads."""
    port = free_port()
    head = ["start", "--head", "--port", str(port), "--num-cpus", "0", "--include-dashboard", "false"]
    node = ["start", "--address", f"127.0.0.1:{port}", "--num-cpus", str(cpus)]
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        for number, options in enumerate([head, *[node] * nodes]):
            log = Path(folder) / str(number)
            with log.open("w") as file:
                process = subprocess.Popen([RAY, *options, *COMMON], stdout=file, stderr=file)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            while STARTED not in log.read_text():
                if process.poll() is not None:
                    raise SystemExit(f"`ray {' '.join(options)}` ended with {process.poll()}:\n{log.read_text()}")
                time.sleep(0.2)
        yield f"127.0.0.1:{port}"


def measure(nodes: int, lanes: int, cpus: int, designs: int, wait: float, sandbox: str | None) -> dict[str, Any]:
    """Run one search, and time it from when all lanes have a worker."""
    config = RunConfig(
        domain="recall",
        designs=designs * nodes,
        finalists=0,
        collection=16,
        collection_repeats=1,
        deployment=16,
        workers=0,
        sandbox=sandbox,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scaling.db"
        with sit_down(config, path, lambda progress: None) as sitting:
            begin(sitting.search)  # here, where nothing waits; the same run then goes on elsewhere
        with cluster(nodes, cpus) as address:
            config = config.model_copy(update={"workers": lanes * nodes, "ray_address": address})
            with sit_down(config, path, lambda progress: None) as sitting:
                row = timed(sitting.search, lanes * nodes)
    rate = row["episodes"] / row["seconds"]
    return {
        "nodes": nodes,
        **row,
        "episodes_a_second": round(rate, 2),
        "of_ideal": round(rate * wait / lanes / nodes, 3),
    }


def begin(search: Search) -> tuple[TaskSpec, ...]:
    """What comes before a search."""
    specs = search.prepare(Role.DEPLOYMENT, search.config.deployment)
    search.evaluate_baselines(Role.DEPLOYMENT, specs, search.config.repeats)
    return specs


def timed(search: Search, workers: int) -> dict[str, Any]:
    """Search with all workers there, and say how long that took."""
    while len(search.executor.free()) < workers:
        search.executor.collect()
    specs = begin(search)
    played, began, cpu = search.scheduler.played, time.monotonic(), time.process_time()
    Conversation(search, make_strategy(search.config), make_proposer(search.config), specs).run()
    seconds = time.monotonic() - began
    return {
        "workers": workers,
        "designs": search.config.designs,
        "episodes": search.scheduler.played - played,
        "seconds": round(seconds, 1),
        "driver_cpu_share": round((time.process_time() - cpu) / seconds, 3),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Measure each number of nodes, and print one line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--workers", type=int, default=4, help="on each node")
    parser.add_argument("--cpus", type=int, default=1, help="that each node says it has")
    parser.add_argument("--designs", type=int, default=12, help="for each node")
    parser.add_argument("--wait", type=float, default=2.0, help="seconds that an episode waits")
    parser.add_argument("--sandbox")
    arguments = parser.parse_args()
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}  # before Ray is imported
    make_episodes_wait(arguments.wait)
    first: float | None = None
    for nodes in arguments.nodes:
        row = measure(nodes, arguments.workers, arguments.cpus, arguments.designs, arguments.wait, arguments.sandbox)
        rate = row["episodes_a_second"] / nodes
        first = first or rate
        print(json.dumps({**row, "linear": round(rate / first, 3)}), flush=True)


if __name__ == "__main__":
    main()
