"""What Palimpsest itself costs: CPU and archive of a design outside sandbox and domain, and how both grow.

    .venv/bin/python scripts/bench_overhead.py --designs 3000
    .venv/bin/python scripts/make_archive.py large.db --designs 100000
    .venv/bin/python scripts/bench_overhead.py --archive large.db

The first form runs a search on `recall` in one process. The CPU time of jobs (playing, and talking to the sandbox) is
taken off; what remains is asking, proposing, scheduling and committing. Guests and the source checker are other
processes. The second form measures what reads a whole archive, and resumes its newest run for one design. All times are
of this process's CPU, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, redirect_stdout, suppress
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from archive.opening import open_archive
from archive.store import Archive
from archive.tables import Design, Member
from domains.base import Role
from evolve.asking import Conversation
from evolve.commands.design import show_design
from evolve.commands.inspect import show_top
from evolve.config import RunConfig
from evolve.evaluator import Evaluator
from evolve.jobs import Job, Result
from evolve.population import Population
from evolve.progress import Progress
from evolve.proposers.registry import make as make_proposer
from evolve.session import sit_down
from evolve.strategies.registry import NAMES
from evolve.strategies.registry import make as make_strategy
from sandbox.guest import Trajectory


class JobClock:
    """Counts the CPU seconds of jobs that are done in this process while it is entered."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._run = Evaluator.run

    def __enter__(self) -> JobClock:
        clock = self

        def timed(evaluator: Evaluator, job: Job, collection: Sequence[Trajectory]) -> Result:
            began = time.process_time()
            try:
                return clock._run(evaluator, job, collection)
            finally:
                clock.seconds += time.process_time() - began

        Evaluator.run = timed  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *_: object) -> None:
        Evaluator.run = self._run  # type: ignore[method-assign]

    def own(self) -> float:
        """CPU seconds of this process outside of jobs."""
        return time.process_time() - self.seconds


class Enough(Exception):  # noqa: N818  no error: it ends a measurement
    """What was to be measured is over."""


def resident_megabytes() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * resource.getpagesize() / 2**20, 1)


# A search


def measure_search(config: RunConfig) -> dict[str, Any]:
    """Run a search and say what a design cost."""
    memory: dict[int, float] = {}

    def watch(progress: Progress) -> None:
        if progress.done and progress.done % 100 == 0:
            memory[progress.done] = resident_megabytes()

    with JobClock() as clock, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "overhead.db"
        with sit_down(config, path, watch) as sitting:
            search = sitting.search
            specs = search.prepare(Role.DEPLOYMENT, config.deployment)
            search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
            own, wall, played = clock.own(), time.monotonic(), search.scheduler.played
            Conversation(search, make_strategy(config), make_proposer(config), specs).run()
            own, wall, played = clock.own() - own, time.monotonic() - wall, search.scheduler.played - played
            designs = search.progress.done + search.progress.rejected
        sizes = table_sizes(path)
    scored = designs * config.deployment * config.repeats
    return {
        "designs": designs,
        "rejected": search.progress.rejected,
        "own_cpu_ms_per_design": round(1000 * own / designs, 2),
        "wall_ms_per_design": round(1000 * wall / designs, 1),
        **archive_cost(sizes, designs),
        "episodes_played": played,
        "episodes_without_reuse": scored,
        "paid_share": round(played / scored, 3),
        "driver_mb": memory,
    }


def table_sizes(path: Path) -> dict[str, tuple[int, int]]:
    """Bytes of each table with its indices, and its rows; the sources of designs apart."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT tbl_name, SUM(pgsize) FROM dbstat JOIN sqlite_master USING (name) GROUP BY tbl_name"
        found = dict(connection.execute(query).fetchall())
        rows = {name: connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in found}
        (source,) = connection.execute("SELECT SUM(LENGTH(source)) FROM design").fetchone()
    found["design"] -= source
    return {name: (size, rows[name]) for name, size in found.items()} | {"source": (source, rows["design"])}


def archive_cost(sizes: Mapping[str, tuple[int, int]], designs: int) -> dict[str, Any]:
    """Archive of a design beside its source and the episodes, and of an episode."""
    apart = ("source", "episode", "recording")
    size, rows = sizes["episode"]
    return {
        "archive_kb_per_design": round(
            sum(s for name, (s, _) in sizes.items() if name not in apart) / 1024 / designs, 2
        ),
        "bytes_per_episode": round(size / rows),
        "bytes_per_design_by_table": {name: round(size / designs) for name, (size, _) in sizes.items()},
    }


# An archive


def measure_archive(path: Path) -> dict[str, Any]:
    """Read a large archive, and resume its newest run until one more design is done."""
    with closing(open_archive(path)) as archive:
        run = archive.latest()
    assert run is not None
    assert run.id is not None
    resumed = resume(path, RunConfig.model_validate_json(run.config))  # first, for the memory of nothing else
    with closing(open_archive(path)) as archive:
        population, read = timed(lambda: population_of(archive, run.id or 0))
        best = archive.best(run.id, Role.DEPLOYMENT, 1)[0].design_id
    found: dict[str, Any] = {
        "designs": len(population.asked),
        "archive_mb": round(path.stat().st_size / 2**20),
        "read_population_ms": read,
        "parent_choice_ms": {name: parent_choice(name, population) for name in NAMES},
        "top_ms": quietly(lambda: show_top(path, None, 10, as_json=False)),
        "show_ms": quietly(lambda: show_design(path, best, None, as_json=False)),
    }
    return found | duplicate_check(path, run.id, best) | resumed


def population_of(archive: Archive, run_id: int) -> Population:
    """What a strategy would know of a run."""
    population = Population(baseline=0.1)
    asked = {json.loads(asked.result or "{}").get("design"): asked for asked in archive.asked(run_id)}
    results = archive.results(run_id, Role.DEPLOYMENT)
    for design, request in asked.items():
        population.ask(tuple(json.loads(request.payload)["parents"]))
        population.tell(design, results[design].score if design in results else None)
    return population


def parent_choice(name: str, population: Population) -> float:
    """Milliseconds of a strategy's decision, whatever the place in its step."""
    strategy = make_strategy(RunConfig(strategy=name))
    return median(timed(lambda: strategy.ask(population, np.random.default_rng(0)))[1] for _ in range(21))


def duplicate_check(path: Path, run_id: int, known: str) -> dict[str, float]:
    """Milliseconds to refuse a design that the run has."""
    with closing(open_archive(path, write=True)) as archive:
        design = Design(id=known, source="", summary="", origin="composed", created=0.0)
        member = Member(run_id=run_id, design_id=known, number=1, role="candidate", change="")
        found = [timed(lambda: archive.add_design(design, member, [])) for _ in range(21)]
        assert not any(is_new for is_new, _ in found)
    return {"duplicate_check_ms": median(cost for _, cost in found)}


def resume(path: Path, config: RunConfig) -> dict[str, float]:
    """CPU and memory from the opening of the archive to the first new result; starting Python is not counted."""
    done: list[int] = []
    memory: list[float] = []

    def watch(progress: Progress) -> None:
        if progress.phase == "searching":
            memory.append(resident_megabytes())
            done.append(progress.done + progress.rejected)
            if done[-1] > done[0]:
                raise Enough

    began, restored = time.process_time(), 0.0
    config = config.model_copy(update={"designs": 2 * config.designs})
    with JobClock() as clock, suppress(Enough), sit_down(config, path, watch) as sitting:
        search = sitting.search
        specs = search.prepare(Role.DEPLOYMENT, config.deployment)
        search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
        conversation = Conversation(search, make_strategy(config), make_proposer(config), specs)
        restored = time.process_time() - began
        conversation.run()
    return {
        "resume_opened_ms": round(1000 * restored, 1),
        "resume_first_result_ms": round(1000 * (time.process_time() - began), 1),
        "resume_own_ms": round(1000 * (clock.own() - began), 1),
        "driver_mb": memory[0],
    }


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What some work gives, and its CPU in milliseconds."""
    began = time.process_time()
    result = work()
    return result, round(1000 * (time.process_time() - began), 3)


def quietly(command: Callable[[], None]) -> float:
    """CPU of a command in milliseconds, with what it imports loaded before, and its output thrown away."""
    with redirect_stdout(io.StringIO()):
        command()
        return timed(command)[1]


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, help="one of make_archive.py; its run is extended by a design")
    parser.add_argument("--designs", type=int, default=1000)
    parser.add_argument("--deployment", type=int, default=32, help="tasks that score a design")
    parser.add_argument("--collection", type=int, default=60, help="tasks that fill its memory")
    parser.add_argument("--sandbox")
    arguments = parser.parse_args()
    if arguments.archive is not None:
        result = measure_archive(arguments.archive)
    else:
        config = RunConfig(
            domain="recall",
            designs=arguments.designs,
            collection=arguments.collection,
            collection_repeats=1,
            deployment=arguments.deployment,
            sandbox=arguments.sandbox,
            workers=0,
        )
        result = measure_search(config)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
