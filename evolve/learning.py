"""What a run teaches: which operators, blocks and ranges went with more than changes usually gain, and where.

Each design is compared, task by task, with the one that it was asked of; what it gained beyond the mean of its
situation speaks for all that made it and that the other has not, and against what the other has and it lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from evolve.insights import ANY, LESSON, MEASURED, TACTIC, Insight, Insights, Situation, Step, Tally
from evolve.proposers.credit import operators_of
from evolve.proposers.features import features_of, kind_of
from evolve.statistics import differences

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Run
    from evolve.population import Population
    from evolve.strategies.evidence import Evidence

LEAST = 4
"""Cases before anything is said of something; but what came of a tactic is kept whatever it is, for few try it."""
SAYS = 1.0
"""Standard errors that an effect is away from zero before it is an insight."""
MOVED = 0.5
"""Standard errors by which it moves before the insight is modified; or it has half as many cases more."""
PRIOR = 5
"""Cases that it takes for half of an effect, or of a spread, to be believed."""
SPREAD = 0.05
"""The spread of what changes gain, before a run has seen its own."""
EVERY = 10
"""Scores between two times that insights are committed."""
SHOWN = 8
"""Designs that are named as evidence."""

Subject = tuple[str, str]
"""Kind and name."""


class Learner:
    """Takes in a run's designs in the order of telling, and turns what they show into operations on insights.

    It has no state but the archive's: told the same again it comes to the same.
    """

    def __init__(self, evidence: Evidence, domain: str, source: str) -> None:
        self.evidence = evidence
        self.domain = domain
        self.source = source
        """Key of the run, the same in whatever archive."""
        self.tallies: dict[tuple[Subject, str], Tally] = {}
        """By subject and stage."""
        self._usual: dict[str, Tally] = {}
        self._designs: dict[tuple[Subject, str], list[str]] = {}
        self._uses: Counter[int] = Counter()
        self._wins: Counter[int] = Counter()
        self._tasks: tuple[str, ...] = ()
        self._spread = Tally()

    @property
    def spread(self) -> float:
        """Standard deviation of what changes gain, over all situations; before there are any, `SPREAD`."""
        return float(((self._spread.squares + PRIOR * SPREAD**2) / (self._spread.n + PRIOR)) ** 0.5)

    def stage(self, parent: str | None, population: Population) -> str:
        """The situation that a parent stands for."""
        if parent is None or parent not in population.scores:
            return "start"
        import numpy as np

        return "weak" if population.scores[parent] < np.median(population.score_column) else "strong"

    def tell(
        self, design: str, population: Population, told: Sequence[Insight] = (), tactics: Sequence[str] = ()
    ) -> None:
        """Take in the design that was told last; `told` are the insights, and the tactics, that it was asked with."""
        rival = self.evidence.comparer.rival(design, population)
        gained = self._gain(design, rival)
        if gained is None:
            return
        stage = self.stage(rival, population)
        self._usual[stage] = self._usual.get(stage, Tally()).add(gained)
        lift = gained - self._usual[stage].mean
        self._spread = self._spread.add(lift)
        subjects = self._subjects(design, rival, tactics)
        for subject, sign in subjects.items():
            place = subject, stage
            self.tallies[place] = self.tallies.get(place, Tally()).add(sign * lift)
            self._designs.setdefault(place, []).append(design)
        for insight in told:
            if insight.kind == LESSON or subjects.get((insight.kind, insight.subject), 0) > 0:
                self._uses[insight.number] += 1
                self._wins[insight.number] += lift > 0

    def _gain(self, design: str, rival: str | None) -> float | None:
        """Mean paired difference to the other design, or to no memory."""
        from evolve.results import baseline_scores

        evidence = self.evidence
        if rival is not None:
            other = evidence.scores(rival)
        else:
            other = baseline_scores(evidence.archive, evidence.run_id).get("no_memory", {})
        found = differences(evidence.scores(design), other)
        self._tasks = tuple(sorted(found)) if len(found) > len(self._tasks) else self._tasks
        return fmean(found.values()) if found else None

    def _subjects(self, design: str, rival: str | None, tactics: Iterable[str]) -> dict[Subject, int]:
        """What made a design, and what it has that the other has not (+1); what the other has and it lost (-1)."""
        archive, run_id = self.evidence.archive, self.evidence.run_id
        member = archive.member(run_id, design)
        found: dict[Subject, int] = {("operator", each): 1 for each in operators_of(member.change if member else "")}
        found |= {(TACTIC, each): 1 for each in tactics}
        ours, theirs = self._features(design), self._features(rival) if rival is not None else frozenset()
        if ours and (theirs or rival is None):
            both = ours & theirs  # where a block comes or goes, that says nothing of its numbers
            for each in sorted(ours ^ theirs):
                block = each.partition(".")[0]
                if kind_of(each) == "block" or block in both or block == each:
                    found[kind_of(each), each] = 1 if each in ours else -1
        return found

    def _features(self, design: str) -> frozenset[str]:
        row = self.evidence.archive.exactly(design)
        return features_of(row.source) if row.origin == "composed" else frozenset()

    # What is committed

    def plan(self, known: Insights) -> list[Step]:
        """The operations that bring what is known up to what this run shows."""
        steps: dict[int, Step] = {}
        fresh: list[Step] = []
        for (subject, stage), tally in sorted(self.tallies.items()):
            if not _is_enough(subject, tally):
                continue
            found = self._insight(subject, stage, tally)
            mine = known.like(found)
            if mine is None:
                if subject[0] == TACTIC or abs(tally.mean) > SAYS * tally.error:
                    fresh.append(Step("add", f"{_said(tally)} in {tally.n:.0f} designs", found))
            elif mine.situation.stage == stage:
                steps |= self._change(mine, found, tally)
        for mine in known.known.values():
            if mine.kind == LESSON:
                steps |= self._credited(mine)
            elif mine.situation.stage == ANY and mine.situation.domain == self.domain and mine.number not in steps:
                steps |= self._everywhere(mine)
        return [*steps.values(), *fresh, *self._merges(known, steps)]

    def _insight(self, subject: Subject, stage: str, tally: Tally) -> Insight:
        designs = tuple(self._designs[subject, stage][-SHOWN:])
        return Insight(*subject, Situation(self.domain, stage), {self.source: tally}, designs, self._tasks)

    def _everywhere(self, mine: Insight) -> dict[int, Step]:
        """The same as `_change` for one that holds at every stage."""
        subject = mine.kind, mine.subject
        stages = [stage for each, stage in self.tallies if each == subject]
        tally = sum((self.tallies[subject, stage] for stage in stages), Tally())
        if not _is_enough(subject, tally):
            return {}
        return self._change(mine, self._insight(subject, stages[-1], tally), tally)

    def _credited(self, mine: Insight) -> dict[int, Step]:
        """What became of the designs that were asked with a lesson in words."""
        now = self._uses[mine.number], self._wins[mine.number]
        if not now[0] or mine.used.get(self.source) == now:
            return {}
        changed = replace(mine, used={**mine.used, self.source: now})
        reason = f"of {changed.uses} that were asked with it {changed.wins} did better than is usual"
        return {mine.number: Step("modify", reason, changed, (mine.number,))}

    def _change(self, mine: Insight, found: Insight, tally: Tally) -> dict[int, Step]:
        """Modify an insight that this run's evidence moves; delete one that it contradicts. By its number."""
        others = {source: each for source, each in mine.evidence.items() if source != self.source}
        before = replace(mine, evidence=others).tally
        if others and _certain(before) * _certain(tally) < 0:
            reason = f"it said {_said(before)} in {before.n:.0f} designs; in {tally.n:.0f} others it is {_said(tally)}"
            return {mine.number: Step("delete", reason, None, (mine.number,))}
        used = dict(mine.used)
        if self._uses[mine.number]:
            used[self.source] = self._uses[mine.number], self._wins[mine.number]
        last = mine.evidence.get(self.source, Tally())
        moved = not last.n or abs(tally.mean - last.mean) > MOVED * tally.error or tally.n >= 1.5 * last.n
        if not moved and used == mine.used:
            return {}
        changed = replace(
            mine,
            evidence={**others, self.source: tally},
            designs=tuple(dict.fromkeys((*mine.designs, *found.designs)))[-SHOWN:],
            tasks=tuple(dict.fromkeys((*mine.tasks, *found.tasks))),
            used=used,
        )
        reason = f"now {_said(changed.tally)} in {changed.tally.n:.0f} designs"
        if used != mine.used:
            reason += f"; of {changed.uses} that were made by it {changed.wins} did better than is usual"
        return {mine.number: Step("modify", reason, changed, (mine.number,))}

    def _merges(self, known: Insights, changed: dict[int, Step]) -> list[Step]:
        """Join what is said for certain, and the same way, of two stages or more."""
        groups: dict[Subject, list[Insight]] = {}
        for number, insight in known.known.items():
            there = insight.situation
            if number not in changed and there.domain == self.domain and there.stage in ("weak", "strong"):
                groups.setdefault((insight.kind, insight.subject), []).append(insight)
        steps = []
        for (kind, subject), found in groups.items():
            signs = {_certain(each.tally) for each in found}
            if len(found) < 2 or len(signs) != 1 or 0 in signs:
                continue
            evidence: dict[str, Tally] = {}
            for each in found:
                evidence |= {s: evidence.get(s, Tally()) + tally for s, tally in each.evidence.items()}
            merged = Insight(
                kind,
                subject,
                Situation(self.domain, ANY),
                evidence,
                tuple(dict.fromkeys(design for each in found for design in each.designs))[-SHOWN:],
                tuple(dict.fromkeys(task for each in found for task in each.tasks)),
                _joined(each.used for each in found),
            )
            numbers = tuple(each.number for each in found)
            steps.append(Step("merge", "weak and strong parents alike", merged, numbers))
        return steps

    def commit(self, known: Insights, told: int) -> None:
        """Bring what is known up to what this run shows."""
        known.apply(self.plan(known), MEASURED, self.evidence.run_id, told)


def source_of(run: Run) -> str:
    """A run's key wherever its evidence goes."""
    return f"{run.identity}-{run.created:.3f}"


def committed(archive: Archive, run_id: int) -> int:
    """How many designs a run had been told when it last committed insights."""
    from archive.insights import operations

    return max((row.told for row in operations(archive) if row.run_id == run_id), default=0)


def learn(archive: Archive, run: Run) -> int:
    """Take in a whole run that is in the archive; how many operations that came to."""
    import json

    from evolve.config import RunConfig
    from evolve.population import Population
    from evolve.results import DEPLOYMENT
    from evolve.strategies.evidence import Evidence

    assert run.id is not None
    config = RunConfig.model_validate_json(run.config)
    learner = Learner(
        Evidence(archive, run.id, counted=config.reproducible, budget=config.memory_budget),
        config.domain,
        source_of(run),
    )
    population, known = Population(), Insights(archive)
    for request in archive.requests(run.id):
        population.ask(tuple(json.loads(request.payload)["parents"]))
    numbers = {member.design_id: member.number for member in archive.members(run.id)}
    results = [row for design, row in archive.results(run.id, DEPLOYMENT).items() if numbers[design]]
    if config.reproducible:
        results.sort(key=lambda row: numbers[row.design])
    for row in results:
        population.tell(row.design, row.score)
        learner.tell(row.design, population)
    plan = learner.plan(known)
    known.apply(plan, MEASURED, run.id, len(population.scores))
    return len(plan)


def _joined(used: Iterable[Mapping[str, tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    joined: dict[str, tuple[int, int]] = {}
    for each in used:
        for source, (uses, wins) in each.items():
            before = joined.get(source, (0, 0))
            joined[source] = before[0] + uses, before[1] + wins
    return joined


def _is_enough(subject: Subject, tally: Tally) -> bool:
    return tally.n >= (1 if subject[0] == TACTIC else LEAST)


def _said(tally: Tally) -> str:
    found = tally.estimate()
    return f"{found.mean:+.3f}" + (f" [{found.low:+.3f}, {found.high:+.3f}]" if found.interval else "")


def _certain(tally: Tally) -> int:
    """The sign of an effect whose interval leaves zero out; else 0."""
    found = tally.estimate()
    return 0 if found.interval is None else int(found.low > 0) - int(found.high < 0)
