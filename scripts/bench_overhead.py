"""What Palimpsest itself costs: CPU of the driver per design outside sandbox and domain, and its memory as a run grows.

    .venv/bin/python scripts/bench_overhead.py --designs 1000

Runs a search on `recall` in one process. The CPU time of jobs (playing, and talking to the sandbox) is taken off; what
remains is asking, proposing, checking, scheduling and committing. Guests and the source checker are other processes.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from domains.base import Role
from evolve.asking import Conversation
from evolve.config import RunConfig
from evolve.evaluator import Evaluator
from evolve.jobs import Job, Result
from evolve.progress import Progress
from evolve.proposers.registry import make as make_proposer
from evolve.session import sit_down
from evolve.strategies.registry import make as make_strategy
from sandbox.guest import Trajectory


class JobClock:
    """Counts the CPU seconds of jobs done in this process."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._run = Evaluator.run

    def install(self) -> None:
        """Time every job from now on."""
        clock = self

        def timed(evaluator: Evaluator, job: Job, collection: Sequence[Trajectory]) -> Result:
            began = time.process_time()
            try:
                return clock._run(evaluator, job, collection)
            finally:
                clock.seconds += time.process_time() - began

        Evaluator.run = timed  # type: ignore[method-assign, assignment]


def resident_megabytes() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Run the search and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=1000)
    parser.add_argument("--sandbox")
    arguments = parser.parse_args()
    config = RunConfig(
        domain="recall", designs=arguments.designs, collection_repeats=1, sandbox=arguments.sandbox, workers=0
    )
    memory: dict[int, float] = {}

    def watch(progress: Progress) -> None:
        if progress.done and progress.done % 100 == 0:
            memory[progress.done] = round(resident_megabytes(), 1)

    clock = JobClock()
    clock.install()
    with (
        tempfile.TemporaryDirectory() as folder,
        sit_down(config, Path(folder) / "overhead.db", watch) as sitting,
    ):
        search = sitting.search
        specs = search.prepare(Role.DEPLOYMENT, config.deployment)
        search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
        cpu, jobs, wall = time.process_time(), clock.seconds, time.monotonic()
        Conversation(search, make_strategy(config), make_proposer(config.proposer), specs).run()
        own = time.process_time() - cpu - (clock.seconds - jobs)
        wall = time.monotonic() - wall
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    result = {
        "designs": arguments.designs,
        "own_cpu_ms_per_design": round(1000 * own / arguments.designs, 2),
        "wall_ms_per_design": round(1000 * wall / arguments.designs, 1),
        "archive_kb_per_design": round(size / 1024 / arguments.designs, 1),
        "driver_mb": memory,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
