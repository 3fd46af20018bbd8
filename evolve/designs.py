"""Designs side by side, task by task: each of them beside the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archive.dashboard.derivations import DesignsBeside, DesignSide, Estimate, TaskBeside
from evolve.commands.export import chosen as chosen_of
from evolve.config import RunConfig
from evolve.errors import InputError
from evolve.results import DEPLOYMENT, baseline_scores, task_scores
from evolve.sides import refuse_unlike
from evolve.statistics import Estimate as Mean
from evolve.statistics import Scores, differences, holm, mean, paired, signed_rank

if TYPE_CHECKING:
    from archive.store import Archive

MOST = 12
"""Designs that are compared at once."""


@dataclass(frozen=True, slots=True)
class _Side:
    run: int
    design: str
    scores: Scores


def beside(archive: Archive, chosen: Sequence[tuple[str, int | None]]) -> DesignsBeside:
    """Each of some designs beside the first; raises `InputError`, or `ArchiveError` where there is no such design."""
    if not 0 < len(chosen) <= MOST:
        raise InputError(f"from 1 to {MOST} designs are compared at once, not {len(chosen)}")
    sides = [_find(archive, prefix, run) for prefix, run in chosen]
    runs = {side.run: archive.run(side.run) for side in sides}
    configs = {number: RunConfig.model_validate_json(run.config) for number, run in runs.items()}
    refuse_unlike(list(runs.values()), configs)
    first, *others = sides
    pairs = {place: _paired(side.scores, first.scores) for place, side in enumerate(others, 1)}
    tested = {f"{place:02d}": signed_rank(sides[place].scores, first.scores) for place in pairs if pairs[place]}
    adjusted = holm(tested)
    without = {run: baseline_scores(archive, run).get("no_memory", {}) for run in runs}
    columns = [_column(archive, side, without[side.run]) for side in sides]
    for place, found in pairs.items():
        gaps, column = differences(sides[place].scores, first.scores).values(), columns[place]
        column.difference = shown(found)
        column.p, column.adjusted = tested.get(f"{place:02d}"), adjusted.get(f"{place:02d}")
        column.better, column.worse = sum(gap > 0 for gap in gaps), sum(gap < 0 for gap in gaps)
    tasks = _tasks(sides, without[first.run])
    return DesignsBeside(domain=configs[first.run].domain, designs=columns, tasks=tasks, notes=_notes(sides, configs))


def _find(archive: Archive, prefix: str, run: int | None) -> _Side:
    design, found = chosen_of(archive, prefix, run)
    assert found.id is not None
    return _Side(found.id, design.id, task_scores(archive, found.id, design.id))


def _paired(ours: Scores, theirs: Scores) -> Mean | None:
    return paired(ours, theirs) if ours.keys() & theirs.keys() else None


def _column(archive: Archive, side: _Side, without: Scores) -> DesignSide:
    member, row = archive.member(side.run, side.design), archive.evaluation(side.run, side.design, DEPLOYMENT)
    assert member is not None
    return DesignSide(
        design=side.design,
        run=side.run,
        number=member.number,
        name=f"#{member.number}" if member.number else member.change,
        change=member.change if member.number else "",
        state=archive.life(side.run, side.design)[-1].state,
        score=shown(mean(side.scores)) if side.scores else None,
        gain=shown(_paired(side.scores, without)),
        tokens=row.tokens if row is not None else None,
    )


def _tasks(sides: Sequence[_Side], without: Scores) -> list[TaskBeside]:
    """All tasks that any of them played, where they differ most first."""
    first = sides[0].scores
    gaps = [differences(side.scores, first) for side in sides]
    found = [
        TaskBeside(
            task=task,
            no_memory=without.get(task),
            scores=[side.scores.get(task) for side in sides],
            differences=[gap.get(task) for gap in gaps],
        )
        for task in sorted(set().union(*(side.scores for side in sides)))
    ]
    return sorted(found, key=lambda row: -max((abs(gap) for gap in row.differences if gap is not None), default=0.0))


def _notes(sides: Sequence[_Side], configs: Mapping[int, RunConfig]) -> list[str]:
    told = []
    if len({config.seed for config in configs.values()}) > 1:
        told.append("Their runs have different search seeds: the tasks that both played are paired, the luck is not.")
    if unscored := [side.design[:10] for side in sides if not side.scores]:
        told.append(f"Without a score: {', '.join(unscored)}.")
    if any(0 < len(side.scores) < len(sides[0].scores) for side in sides):
        told.append("Some played fewer tasks, dropped on the small rung say: differences are over what both played.")
    if len(sides) == 1:
        told.append("Name a second design to compare with.")
    return told


def shown(found: Mean | None) -> Estimate | None:
    """An estimate as pages have it."""
    return Estimate(mean=found.mean, interval=found.interval, n=found.n) if found is not None else None
