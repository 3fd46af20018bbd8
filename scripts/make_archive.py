"""Builds a large archive quickly, for measuring what an archive costs to read, to search and to resume.

    .venv/bin/python scripts/make_archive.py large.db --designs 100000

A short search on `recall` comes first, so that run, tasks, collection and baselines are real. It is then
extended by designs that the genetic proposer writes from parents in the archive, entered under the same hashes and rows
as by a search; only their scores and what they told are drawn instead of played. Equal arguments give equal archives
but for times. `evolve run` with the flags that are printed goes on from it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import insert
from sqlmodel import SQLModel

from archive.store import Archive, pack
from archive.tables import Design, Episode, Evaluation, Event, Member, Outcome, Parent, Request, State, Told
from archive.told import began_with, pack_told
from domains.base import Role
from evolve.asking import Conversation
from evolve.config import RunConfig
from evolve.proposers.base import Brief
from evolve.proposers.genetic import GeneticProposer
from evolve.proposers.registry import make as make_proposer
from evolve.session import sit_down
from evolve.strategies.registry import make as make_strategy
from sandbox.guest import Item
from sandbox.parsing import describe

if TYPE_CHECKING:
    from domains.base import TaskSpec

SEARCHED = 4
"""Designs of the short search."""
BATCH = 1000
"""Designs of one transaction, and of one generation: parents are of earlier ones."""
FAILED, REJECTED = 0.03, 0.1
"""Shares of designs that end without a score."""
LINES = tuple(f"call the {cue} {colour}" for cue in ("anchor", "drum", "oar", "urn") for colour in ("amber", "white"))

Rows = dict[type[SQLModel], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Scored:
    """A design that may be a parent."""

    id: str
    source: str
    score: float


def configuration(tasks: int) -> RunConfig:
    """What the archive's run is asked for; each design plays so many tasks."""
    return RunConfig(
        domain="recall",
        designs=SEARCHED,
        collection=8,
        collection_repeats=1,
        deployment=tasks,
        finalists=0,
        sandbox="process",
        workers=0,
    )


class Writer:
    """Extends one run by designs, in generations."""

    def __init__(self, archive: Archive, run_id: int, specs: Sequence[TaskSpec], seed: int, first_number: int) -> None:
        self.archive = archive
        self.run_id = run_id
        self.specs = specs
        self.rng = np.random.default_rng(seed)
        self.proposer = GeneticProposer()
        self.number = first_number
        """Of the next request; its design has the one after."""
        self.evaluation = 1 + max(row.id or 0 for row in archive.evaluations(run_id, Role.DEPLOYMENT))
        self.known = {member.design_id for member in archive.members(run_id)}
        self.parents = [
            Scored(row.design_id, archive.exactly(row.design_id).source, row.score)
            for row in archive.evaluations(run_id, Role.DEPLOYMENT)
            if row.design_id in {member.design_id for member in archive.members(run_id) if member.number}
        ]

    def extend(self, count: int, pool: Executor) -> None:
        """Add so many designs."""
        while count:
            proposals = [self._propose() for _ in range(min(BATCH, count))]
            described = pool.map(describe, [source for source, _, _ in proposals], chunksize=50)
            rows: Rows = {}
            born: list[Scored] = []
            for (source, change, parents), checked in zip(proposals, described, strict=True):
                if checked["hash"] not in self.known:
                    self.known.add(checked["hash"])
                    born += self._enter(rows, source, change, parents, checked)
                    count -= 1
            with self.archive.transaction() as session:
                for table, values in rows.items():
                    session.connection().execute(insert(table).prefix_with("OR IGNORE"), values)
            self.parents += born
            sys.stderr.write(f"\r{len(self.known)} designs")

    def _propose(self) -> tuple[str, str, list[Scored]]:
        """A source, what was changed, and its parents: the first the better one of two."""
        drawn = [self.parents[i] for i in self.rng.integers(len(self.parents), size=3)]
        first = max(drawn[:2], key=lambda parent: parent.score)
        parents = [first] if drawn[2] is first else [first, drawn[2]]
        proposal = self.proposer.write([parent.source for parent in parents], Brief(), self.rng)
        return proposal.source, proposal.change, parents

    def _enter(
        self, rows: Rows, source: str, change: str, parents: Sequence[Scored], checked: dict[str, str]
    ) -> Iterator[Scored]:
        """Add one design's rows; yields it if it has a score."""
        design, run, now = checked["hash"], {"run_id": self.run_id}, time.time()
        number, self.number = self.number, self.number + 1
        ids = [parent.id for parent in parents]
        payload = {"parents": ids, "brief": asdict(Brief())}
        described = {"id": design, "source": source, "summary": checked["summary"], "origin": "composed"}
        _add(rows, Design, {**described, "created": now})
        member = {"design_id": design, "number": number + 1, "role": "candidate", "change": change}
        _add(rows, Member, {**run, **member})
        for position, parent in enumerate(ids):
            _add(rows, Parent, {**run, "design_id": design, "position": position, "parent_id": parent})
        asked = {"kind": "propose", "payload": json.dumps(payload), "result": json.dumps({"design": design})}
        _add(rows, Request, {**run, "number": number, **asked, "told": len(self.parents)})
        fate = self.rng.random()
        score = None
        if fate < FAILED:
            life = [("proposed", ""), ("smoke", ""), ("failed", "update ended by MemoryError: out of memory")]
        elif fate < FAILED + REJECTED:
            life = [("proposed", ""), ("smoke", ""), ("rejected", f"tells just what {ids[0]} tells")]
        else:
            score = self._evaluate(rows, design, parents[0].score)
            life = [(state, "") for state in ("proposed", "smoke", "full")]
            life.append(("evaluated", f"{score:.3f} on {len(self.specs)} tasks"))
        for state, reason in life:
            _add(
                rows, Event, {**run, "design_id": design, "state": State(state).value, "reason": reason, "created": now}
            )
        if score is not None:
            yield Scored(design, source, score)

    def _evaluate(self, rows: Rows, design: str, parent_score: float) -> float:
        """Draw what a design told and scored, near its parent, in the steps that `recall` has."""
        likely = float(np.clip(parent_score + self.rng.normal(0, 0.1), 0.05, 0.95))
        scores = self.rng.binomial(4, likely, size=len(self.specs)) / 4
        told_by_all = []
        for spec, score in zip(self.specs, scores, strict=True):
            lines = [f"{LINES[i]} {i}" for i in self.rng.integers(len(LINES), size=12)]
            packed = pack_told(began_with([Item.of(line) for line in lines]))
            told, episode = _digest(json.dumps(packed)), _digest(spec.id, *lines)
            told_by_all.append(told)
            _add(rows, Told, {"key": told, "items": pack(packed)})
            played = {"task_id": spec.id, "seed": 0, "score": score, "success": score == 1, "steps": 4}
            _add(rows, Episode, {"key": episode, **played})
            place = {"evaluation_id": self.evaluation, "task_id": spec.id, "repeat": 0}
            _add(rows, Outcome, {**place, "score": score, "episode": episode, "told": told, "tokens": 60})
        mean, half = float(scores.mean()), 2 * float(scores.std()) / len(scores) ** 0.5
        row = Evaluation(
            id=self.evaluation,
            run_id=self.run_id,
            design_id=design,
            role=Role.DEPLOYMENT,
            score=mean,
            low=mean - half,
            high=mean + half,
            n=len(scores),
            tokens=60.0,
            cut=0,
            calls=0,
            signature=_digest(design, *(key.hex() for key in told_by_all)),
            seconds=0.05,
            created=time.time(),
        )
        _add(rows, Evaluation, row.model_dump())
        self.evaluation += 1
        return mean


def _add(rows: Rows, table: type[SQLModel], row: dict[str, Any]) -> None:
    rows.setdefault(table, []).append(row)


def _digest(*parts: str) -> bytes:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).digest()


def make(path: Path, designs: int, tasks: int, seed: int) -> None:
    """Build an archive with one run of so many designs."""
    config = configuration(tasks)
    with sit_down(config, path, lambda progress: None) as sitting:
        search = sitting.search
        specs = search.prepare(Role.DEPLOYMENT, config.deployment)
        search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
        Conversation(search, make_strategy(config), make_proposer(config), specs).run()
        requests = len(sitting.archive.requests(search.run_id))
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            writer = Writer(sitting.archive, search.run_id, specs, seed, requests)
            writer.extend(max(0, designs - requests), pool)
        sitting.run.config = config.model_copy(update={"designs": designs}).model_dump_json()


def main() -> None:
    """Build the archive and print how `evolve run` goes on from it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--designs", type=int, default=10_000)
    parser.add_argument("--tasks", type=int, default=4, help="tasks that each design plays")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.path.exists():
        parser.error(f"{arguments.path} is there already")
    began = time.monotonic()
    make(arguments.path, arguments.designs, arguments.tasks, arguments.seed)
    config = configuration(arguments.tasks)
    flags = " ".join(
        f"--{name.replace('_', '-')} {getattr(config, name)}"
        for name in ("domain", "collection", "collection_repeats", "deployment", "finalists", "sandbox", "workers")
    )
    sys.stderr.write(f"\rmade in {time.monotonic() - began:.0f} s; go on with\n")
    print(f"evolve run --archive {arguments.path} {flags} --designs {arguments.designs + 1}")


if __name__ == "__main__":
    main()
