"""What a step of `empirical-mcts` costs: taking in a design that was compared, all values anew, and the choice.

    .venv/bin/python scripts/bench_mcts.py --designs 10000

A tree grows as the strategy asks, with random scores and comparisons. Times are of this
process's CPU, the median and the slowest hundredth of the last thousand steps.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from archive.database import insert_new
from archive.opening import open_archive
from archive.store import Archive
from archive.tables import Member, Run
from evolve.comparing import JUDGE, Comparison
from evolve.config import RunConfig
from evolve.population import Population
from evolve.statistics import Estimate
from evolve.strategies.base import Propose
from evolve.strategies.evidence import Evidence
from evolve.strategies.registry import make

LAST = 1000


def enter(archive: Archive, count: int) -> None:
    """A run's designs."""
    archive.save(Run(identity="x", config="{}", domain_version="1", agent_version="1", sandbox="", created=0.0))
    columns = {"run_id": 1, "role": "candidate", "change": "added Contrast"}
    members = [{**columns, "design_id": f"d{number}", "number": number + 1} for number in range(count)]
    with archive.columns() as connection:
        for start in range(0, count, 500):
            insert_new(connection, Member, members[start : start + 500])


def tell(population: Population, evidence: Evidence, rng: np.random.Generator) -> None:
    """Tell of the next design, which a judge compared with the one that it was asked of."""
    design = f"d{len(population.scores)}"
    population.tell(design, float(rng.random()))
    if (rival := evidence.comparer.rival(design, population)) is not None:
        ours, theirs = rng.normal(5.0, 1.0, size=2).tolist()
        difference = Estimate(0.0, 0.0, 0.0, 32)
        judged = Comparison(design, rival, JUDGE, ours, theirs, difference, operators={"add_layer": 1.5})
        evidence.comparer.tell(design, population, judged)


def steps(archive: Archive, count: int, in_flight: int, rng: np.random.Generator) -> list[float]:
    """CPU seconds of each step of a search."""
    evidence = Evidence(archive, 1, counted=True)
    strategy = make(RunConfig(strategy="empirical-mcts"), evidence)
    population = Population(baseline=0.2)
    taken = []
    for number in range(count):
        began = time.process_time()
        asked = strategy.ask(population, np.random.default_rng(number))
        taken.append(time.process_time() - began)
        population.ask(asked.parents if isinstance(asked, Propose) else ())
        if number >= in_flight or not population.scores:
            tell(population, evidence, rng)
    return taken


def main() -> None:
    """Grow the tree and print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=10_000)
    parser.add_argument("--in-flight", type=int, default=4)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder, closing(open_archive(Path(folder) / "a.db", write=True)) as archive:
        enter(archive, options.designs)
        taken = steps(archive, options.designs, options.in_flight, rng)
    last = np.array(taken[-LAST:]) * 1000
    print(f"{options.designs} designs: a step takes {np.median(last):.2f} ms, at most {np.quantile(last, 0.99):.2f} ms")
    print(f"the whole search {sum(taken):.1f} s; {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
