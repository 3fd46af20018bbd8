"""One run: how it went, what came of it, what it cost, and what just happened."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from pydantic import BaseModel

from archive.dashboard.charts import Chart, Level
from archive.dashboard.overview import Best, Final, Happening, Look, best, finals, happenings, looks
from archive.dashboard.pages import Db, Pages, Source, Tools
from archive.dashboard.progress import Cost, Spent, baselines, busy, config_of, course, funnel, pareto, rungs, workers
from archive.dashboard.reading import run_row
from archive.dashboard.views.runs import SECONDS, STATUS
from archive.ledger import Ledger
from archive.opening import is_being_written

PAGES = Pages()


class Paid(BaseModel):
    """What the calls of one role and model come to; `dollars` is null where the price of any is unknown."""

    role: str
    model: str
    calls: int
    hits: int
    """Answered by an earlier equal call, and so free."""
    tokens_in: int
    cached: int
    tokens_out: int
    dollars: float | None
    seconds: float | None
    """Median latency."""


class RunPage(BaseModel):
    """One run."""

    run: int
    status: str
    domain: str
    strategy: str
    proposer: str
    agent: str
    seed: int
    designs: int
    """That it was asked for."""
    created: float
    seconds: float | None
    busy: float | None
    """Share of the workers' time in which they had a job."""
    sandbox: str
    rungs: dict[str, int]
    """How many candidates came to which stage."""
    baselines: list[Level]
    best: list[Best]
    finals: list[Final]
    looks: list[Look]
    costs: list[Paid]
    log: list[Happening]
    by: Spent
    cost: Cost
    config: dict[str, Any]


@PAGES.page("/runs/{run_id}", template="run.html")
def run(db: Db, run_id: int, tools: Tools, source: Source, by: Spent = "episodes", cost: Cost = "tokens") -> RunPage:
    """One run: its best designs and finals beside the baselines, its rungs, what models cost, and the newest events."""
    row = run_row(db, run_id)
    config = config_of(row)
    dynamic = config.get("mode") == "dynamic"
    given = {"run": run_id, "writing": is_being_written(source.path)}
    status, seconds = db.execute(f"SELECT {STATUS}, {SECONDS} FROM run WHERE id = :run", given).fetchone()
    return RunPage(
        run=run_id,
        status=status,
        **{name: config[name] for name in ("domain", "strategy", "proposer", "agent", "seed", "designs")},
        created=row["created"],
        seconds=seconds,
        busy=busy(db, run_id),
        sandbox=row["sandbox"],
        rungs=rungs(db, run_id),
        baselines=baselines(db, run_id),
        best=best(db, tools, run_id, dynamic=dynamic),
        finals=finals(db, tools, run_id, dynamic=dynamic),
        looks=looks(db, run_id),
        costs=_costs(db, source, run_id),
        log=happenings(db, run_id),
        by=by,
        cost=cost,
        config=config,
    )


def _costs(db: sqlite3.Connection, source: Source, run_id: int) -> list[Paid]:
    """The sums of the ledger, which has a connection of its own."""
    if db.execute("SELECT 1 FROM call WHERE run_id = ? LIMIT 1", (run_id,)).fetchone() is None:
        return []
    with closing(Ledger(source.path)) as ledger:
        found = ledger.costs(run_id)
    return [Paid(role=cost.group[0], model=cost.group[1], **cost._asdict()) for cost in found]


@PAGES.data("/runs/{run_id}/course")
def course_chart(db: Db, run_id: int, by: Spent = "episodes") -> Chart:
    """The best score so far with its interval against episodes, designs, dollars or time, beside the baselines."""
    return course(db, run_id, by)


@PAGES.data("/runs/{run_id}/funnel")
def funnel_chart(db: Db, run_id: int) -> Chart:
    """How many designs were proposed, rejected, failed, dropped, evaluated."""
    return funnel(db, run_id)


@PAGES.data("/runs/{run_id}/workers")
def workers_chart(db: Db, run_id: int) -> Chart:
    """How busy the workers were, along the time since the start."""
    return workers(db, run_id)


@PAGES.data("/runs/{run_id}/pareto")
def pareto_chart(db: Db, run_id: int, cost: Cost = "tokens") -> Chart:
    """Score against tokens or delay, with the Pareto front."""
    return pareto(db, run_id, cost)
