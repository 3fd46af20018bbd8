"""Who was made from whom in a run: a graph of all its designs, and the same as a table."""

from __future__ import annotations

import json

from pydantic import BaseModel

from archive.dashboard import family
from archive.dashboard.derivations import TreeValues
from archive.dashboard.family import Forest
from archive.dashboard.listing import Listing
from archive.dashboard.pages import Asked, Db, Derived, Pages
from archive.dashboard.reading import run_row
from archive.dashboard.views.designs import DESIGNS, without_memory

PAGES = Pages()


class LineagePage(BaseModel):
    """What the graph is of; its data are at `graph`."""

    run: int
    strategy: str
    designs: int
    graph: str
    has_values: bool
    """Whether the strategy is a tree search, whose values of the designs are at `values`."""
    table: Listing


@PAGES.page("/runs/{run}/lineage", "lineage.html")
def lineage(db: Db, run: int, asked: Asked) -> LineagePage:
    """The designs of a run under those that they were made from."""
    row = run_row(db, run)
    (count,) = db.execute("SELECT count(*) FROM member WHERE run_id = ? AND number > 0", (run,)).fetchone()
    score, tasks = without_memory(db, run)
    return LineagePage(
        run=run,
        strategy=json.loads(row["config"]).get("strategy", ""),
        designs=count,
        graph=f"/api/runs/{run}/lineage/graph",
        has_values=db.execute("SELECT 1 FROM comparison WHERE run_id = ? LIMIT 1", (run,)).fetchone() is not None,
        table=DESIGNS.read(db, asked, run=run, without=score, tasks=tasks),
    )


@PAGES.data("/runs/{run}/lineage/graph")
def graph(db: Db, run: int) -> Forest:
    """All candidates of a run as columns of equal length, with a place for each in two layouts."""
    run_row(db, run)
    found = family.forest(db, run)
    found.no_memory, _ = without_memory(db, run)
    return found


@PAGES.data("/runs/{run}/lineage/values")
def values(db: Db, derived: Derived, run: int) -> TreeValues:
    """What a run's tree search holds of its designs: Q and N."""
    run_row(db, run)
    found = derived.tree_values(run)
    return found.model_copy(update={"designs": [design[: family.SHORT] for design in found.designs]})
