"""Who was made from whom: the relatives of a design, and all of a run as columns for a graph of thousands."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel

from archive.dashboard.queries import LATEST, STATE
from archive.dashboard.reading import tuples

DEPLOYMENT = "deployment"
SHORT = 18
"""Characters of an id in a graph: enough to be the only one."""
MOST = 50
"""Children and ancestors that are listed."""


class Relative(BaseModel):
    """A parent, an ancestor or a child of a design, in the same run."""

    design: str
    number: int
    state: str
    change: str
    score: float | None


class Forest(BaseModel):
    """A run's designs in the order of proposal, as columns of equal length. `static/lineage.js` draws it."""

    kind: Literal["lineage"] = "lineage"
    title: str = "Who was made from whom"
    note: str = "The table below holds the same."
    empty: str = ""
    run: int
    designs: list[str]
    """Beginnings of their ids."""
    numbers: list[int]
    states: list[str]
    scores: list[float | None]
    tokens: list[float | None]
    parents: list[int]
    """Place of the first parent; -1 where it has none in this run."""
    others: list[tuple[int, int]]
    """Further parents, as pairs of the child's place and the parent's."""
    depth: list[int]
    """Generations above it."""
    row: list[float]
    """Its place across the generations, such that families stay together and no two leaves share one."""
    requests: list[int]
    """How often the strategy asked for a child of it."""
    no_memory: float | None = None


def relatives(db: sqlite3.Connection, run: int, designs: Iterable[str]) -> list[Relative]:
    """Designs of a run by their ids, in that order."""
    query = f"""
        SELECT design_id AS design, number, change, {STATE} AS state,
            (SELECT score FROM evaluation WHERE id = {LATEST}) AS score
        FROM member WHERE run_id = ? AND design_id = ?"""
    found = (db.execute(query, (run, design)).fetchone() for design in designs)
    return [Relative(**row) for row in found if row is not None]


def parents(db: sqlite3.Connection, run: int, design: str) -> list[str]:
    """The parents of a design, the first one first."""
    query = "SELECT parent_id FROM parent WHERE run_id = ? AND design_id = ? ORDER BY position"
    return [parent for (parent,) in db.execute(query, (run, design))]


def children(db: sqlite3.Connection, run: int, design: str) -> tuple[list[str], int]:
    """The first of the designs that have a design as parent, in the order of proposal, and how many there are."""
    query = """
        SELECT m.design_id, count(*) OVER () FROM parent p
        JOIN member m ON m.run_id = p.run_id AND m.design_id = p.design_id
        WHERE p.run_id + 0 = ? AND p.parent_id = ? ORDER BY m.number LIMIT ?"""  # by the index of parents, not of runs
    found = db.execute(query, (run, design, MOST)).fetchall()
    return [child for child, _ in found], found[0][1] if found else 0


def ancestors(db: sqlite3.Connection, run: int, design: str) -> list[str]:
    """By first parents: the nearest ones, the oldest of them first."""
    found: list[str] = []
    while len(found) < MOST and (above := parents(db, run, found[-1] if found else design)):
        if above[0] in found:
            break
        found.append(above[0])
    return found[::-1]


def forest(db: sqlite3.Connection, run: int) -> Forest:
    """All candidates of a run."""
    query = "SELECT design_id, number FROM member WHERE run_id = :run AND number > 0 ORDER BY number, design_id"
    members = tuples(db, query, {"run": run})
    places = {design: place for place, (design, _) in enumerate(members)}
    states = dict(_states(db, run))
    scores = {design: (score, tokens) for design, score, tokens in _scores(db, run)}
    requests = dict(_requests(db, run))
    first, others = _links(db, run, places)
    depth, row = tidy(first)
    ids = [design for design, _ in members]
    return Forest(
        run=run,
        designs=[design[:SHORT] for design in ids],
        numbers=[number for _, number in members],
        states=[states.get(design, "") for design in ids],
        scores=[scores.get(design, (None, None))[0] for design in ids],
        tokens=[scores.get(design, (None, None))[1] for design in ids],
        parents=first,
        others=others,
        depth=depth,
        row=row,
        requests=[requests.get(design, 0) for design in ids],
    )


def _states(db: sqlite3.Connection, run: int) -> list[tuple[str, str]]:
    newest = "SELECT max(id) FROM event WHERE run_id = :run GROUP BY design_id"
    return tuples(db, f"SELECT design_id, state FROM event WHERE id IN ({newest})", {"run": run})


def _scores(db: sqlite3.Connection, run: int) -> list[tuple[str, float, float]]:
    latest = "SELECT max(id) FROM evaluation WHERE run_id = :run AND role = :role GROUP BY design_id"
    query = f"SELECT design_id, score, tokens FROM evaluation WHERE id IN ({latest})"
    return tuples(db, query, {"run": run, "role": DEPLOYMENT})


def _requests(db: sqlite3.Connection, run: int) -> list[tuple[str, int]]:
    asked = "json_extract(payload, '$.parents[0]')"
    query = f"SELECT {asked}, count(*) FROM request WHERE run_id = :run AND {asked} IS NOT NULL GROUP BY 1"
    return tuples(db, query, {"run": run})


def _links(db: sqlite3.Connection, run: int, places: dict[str, int]) -> tuple[list[int], list[tuple[int, int]]]:
    """The place of each design's first parent, and pairs of places for the other parents."""
    first, others = [-1] * len(places), []
    query = "SELECT design_id, position, parent_id FROM parent WHERE run_id = :run"
    for design, position, parent in tuples(db, query, {"run": run}):
        if design not in places or parent not in places or places[parent] == places[design]:
            continue
        if position == 0:
            first[places[design]] = places[parent]
        else:
            others.append((places[design], places[parent]))
    return first, others


def tidy(parents: Sequence[int]) -> tuple[list[int], list[float]]:
    """Depth and row of each node of a forest: leaves take rows in turn, a parent stands amid its children.

    A node that is its own ancestor, which no run writes, counts as a root.

    >>> tidy([-1, 0, 0, 1])
    ([0, 1, 1, 2], [0.5, 0.0, 1.0, 0.0])
    """
    children: list[list[int]] = [[] for _ in parents]
    for place, parent in enumerate(parents):
        if parent >= 0:
            children[parent].append(place)
    depth, row = [-1] * len(parents), [0.0] * len(parents)
    next_row = 0.0
    roots = [place for place, parent in enumerate(parents) if parent < 0]
    for root in (*roots, *range(len(parents))):
        if depth[root] >= 0:
            continue
        depth[root] = 0
        waiting = [(root, False)]
        while waiting:
            place, is_done = waiting.pop()
            below = [child for child in children[place] if depth[child] in (-1, depth[place] + 1)]
            if is_done and below:
                row[place] = (row[below[0]] + row[below[-1]]) / 2
            elif not below:
                row[place], next_row = next_row, next_row + 1
            else:
                for child in below:
                    depth[child] = depth[place] + 1
                waiting += [(place, True), *((child, False) for child in reversed(below))]
    return depth, row
