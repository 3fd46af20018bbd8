"""What the dashboard's pages show that the search's own code computes, for `archive.dashboard.derivations`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from archive.dashboard.derivations import (
    CannotShowError,
    Collected,
    DesignsBeside,
    Estimate,
    HintLine,
    InsightEvidence,
    InsightLine,
    InsightOperation,
    InsightStory,
    MadeWith,
    RunsBeside,
    TreeValues,
)
from archive.history import last_numbers
from archive.insights import all_hints
from archive.store import Archive, ArchiveError, unpack
from evolve.designs import beside, shown
from evolve.errors import InputError
from evolve.insights import ANY, Insight, Insights, Tally, history, numbers_of
from evolve.learning import source_of
from evolve.sources import effect, made_with

if TYPE_CHECKING:
    from archive.tables import Operation

Value = TypeVar("Value")
KEPT = 32
"""Results that are kept until the archive changes."""
SHOWN = 200
"""Designs that are listed as made with an insight."""


class Derived:
    """Computes from one archive. What was computed is kept as long as nothing is added that it could be of."""

    def __init__(self, path: Path) -> None:
        self._archive = Archive(path, write=False)
        self._kept: dict[Hashable, tuple[object, Any]] = {}
        self._lock = Lock()

    def close(self) -> None:
        """Let go of the file."""
        self._archive.close()

    def runs_beside(self, runs: Sequence[int], by: str) -> RunsBeside:
        """Runs at equal budget, as `evolve compare` has them."""
        from evolve.commands.compare import compare_runs, compared_json, notes
        from evolve.sides import chief

        def compute() -> RunsBeside:
            compared = compare_runs(self._archive, runs, by)
            told = {"measure": chief(compared.found), "notes": notes(compared)}
            return RunsBeside.model_validate({**compared_json(compared), **told})

        return self._once(("runs", tuple(runs), by), compute)

    def designs_beside(self, designs: Sequence[tuple[str, int | None]]) -> DesignsBeside:
        """Designs side by side, task by task."""
        return self._once(("designs", tuple(designs)), lambda: beside(self._archive, designs))

    def insights(self) -> Sequence[InsightLine]:
        """All that ever were known: those that still are first, and of these the ones with most evidence."""

        def compute() -> list[InsightLine]:
            insights = Insights(self._archive)
            ranked = sorted(insights.ever.values(), key=lambda each: (-abs(each.tally.total), each.number))
            ranked.sort(key=lambda each: each.number not in insights.known)
            return [_line(each, is_known=each.number in insights.known) for each in ranked]

        return self._once("insights", compute)

    def insight(self, number: int) -> InsightStory:
        """One of them with its evidence, its history, and what came of the requests that were told it."""
        return self._once(("insight", number), lambda: _story(self._archive, number))

    def hints(self) -> Sequence[HintLine]:
        """All hints of all runs with what became of the designs that were asked for with them."""
        return self._once("hints", lambda: _hints(self._archive))

    def tree_values(self, run: int) -> TreeValues:
        """The designs of a run with what its tree search holds of them, as `evolve tree` has it."""
        from evolve.commands.tree import nodes

        def compute() -> TreeValues:
            found = nodes(self._archive, self._archive.run(run))
            return TreeValues(
                designs=[node.line.design for node in found],
                value=[node.value for node in found],
                visits=[node.visits for node in found],
            )

        return self._once(("tree", run), compute)

    def collection(self, run: int) -> Sequence[Collected]:
        """The episodes that fill every memory of a run, as far as they are played."""
        from evolve.commands.tables import config_of
        from evolve.history import history_of

        def compute() -> list[Collected]:
            orders = history_of(self._archive, run, config_of(self._archive.run(run))).collected()
            scores = self._archive.scores(orders)
            return [
                Collected(key=key.hex(), task=task, repeat=repeat, score=scores[key])
                for key, (task, repeat) in orders.items()
                if key in scores
            ]

        return self._once(("collection", run), compute)

    def _once(self, name: Hashable, compute: Callable[[], Value]) -> Value:
        """What is kept under a name; computed anew where something was added since."""
        try:
            stamp = last_numbers(self._archive)
            with self._lock:
                before, found = self._kept.get(name, (None, None))
            if before == stamp:
                return found  # type: ignore[no-any-return]  # of the same name, and so of the same kind
            found = compute()
        except (InputError, ArchiveError) as error:
            raise CannotShowError(str(error)) from error
        with self._lock:
            self._kept.pop(name, None)
            self._kept[name] = stamp, found
            for oldest in list(self._kept)[:-KEPT]:
                del self._kept[oldest]
        return found


def _story(archive: Archive, number: int) -> InsightStory:
    insights, rows = Insights(archive), history(archive, number)
    if not rows:
        raise InputError(f"this archive never had an insight {number}")
    insight = insights.ever[number]
    runs = {source_of(run): run.id for run in archive.runs()}
    made = made_with(archive, f"insight {number}")
    return InsightStory(
        line=_line(insight, is_known=number in insights.known),
        seen_in=list(insight.designs),
        tasks=list(insight.tasks),
        evidence=[_evidence(insight, source, runs.get(source)) for source in {**insight.evidence, **insight.used}],
        history=[_operation(row) for row in rows],
        made=[MadeWith.model_validate(each, from_attributes=True) for each in made[::-1][:SHOWN]],
        effect=shown(effect(made)),
    )


def _line(insight: Insight, *, is_known: bool) -> InsightLine:
    found = insight.tally.estimate()
    low, high = found.interval or (None, None)
    return InsightLine(
        number=insight.number,
        known=is_known,
        kind=insight.kind,
        subject=insight.subject,
        domain=insight.situation.domain,
        stage=insight.situation.stage if insight.situation.stage != ANY else "any",
        sentence=insight.sentence(),
        gain=found.mean if found.n else None,
        gain_low=low,
        gain_high=high,
        designs=found.n,
        runs=len(insight.evidence),
        uses=insight.uses,
        wins=insight.wins,
        credit=insight.credit,
    )


def _evidence(insight: Insight, source: str, run: int | None) -> InsightEvidence:
    uses, wins = insight.used.get(source, (0, 0))
    tally = insight.evidence.get(source, Tally())
    return InsightEvidence(source=source, run=run, gain=_of(tally), uses=uses, wins=wins)


def _operation(row: Operation) -> InsightOperation:
    known = Insight.unpack(unpack(row.insight)) if row.insight else None
    return InsightOperation(
        operation=row.id or 0,
        kind=row.kind,
        targets=numbers_of(row.targets),
        run=row.run_id,
        told=row.told,
        author=row.author,
        reason=row.reason,
        gain=_of(known.tally) if known is not None else None,
        created=row.created,
    )


def _hints(archive: Archive) -> list[HintLine]:
    found = []
    for hint in all_hints(archive):
        made = made_with(archive, f"hint {hint.id}", hint.run_id)
        gain = effect(made)
        low, high = (gain.interval if gain is not None else None) or (None, None)
        shown = {"hint": hint.id, "run": hint.run_id, "gain": gain.mean if gain is not None else None}
        facts = {**hint.model_dump(include={"text", "asked", "created"}), **shown}
        found.append(HintLine(**facts, designs=len(made), gain_low=low, gain_high=high))
    return found


def _of(tally: Tally) -> Estimate | None:
    return shown(tally.estimate()) if tally.n else None
