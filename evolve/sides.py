"""Searches side by side at equal budget: what each had found by then, over several search seeds.

A side is all runs of one configuration but for the search seed. Sides are compared on the seeds that all of them have,
for a seed draws the tasks; differences are paired by seed and task. Before the first design that scores above no
memory, no memory is the best that a search has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from evolve.config import FREE, RunConfig
from evolve.errors import InputError
from evolve.results import DEPLOYMENT, baseline_scores, candidates, task_scores
from evolve.statistics import Estimate, Scores, crossed, differences, holm, mean, signed_rank, significance

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Run

Axis = Literal["episodes", "designs", "dollars"]
AXES: tuple[str, ...] = get_args(Axis)

GAMES = ("domain", "agent", "mode", "collection", "collection_repeats", "deployment", "repeats", "memory_budget")
MODELS = ("memory_model", "memory_tokens", "embedder")
EQUAL = (*GAMES, *MODELS)
"""Fields that say what is searched for; the others, but for the seed, say how."""
CHOSEN = {"confirmed": "confirmation", "test": "test"}
"""Measures of what a run chose in the end, by the role of their tasks."""
POINTS = 65
"""Of a curve, its start included."""


class Spent(NamedTuple):
    """What a search had spent at some time."""

    episodes: int
    """Scored ones, played or reused; also those that a design is diagnosed by."""
    designs: int
    """That were told of with a score."""
    dollars: float | None
    """Of all models, as if the archive had known no answer before; none where a price is unknown."""

    def on(self, axis: Axis) -> float:
        """As a budget of one kind; raises `InputError` where it is not known."""
        value = self[AXES.index(axis)]
        if value is None:
            raise InputError("the price of a model is not known, so that dollars are not either; give --by episodes")
        return float(value)


class Step(NamedTuple):
    """A design that was better than all before it in its run."""

    spent: Spent
    """It included."""
    design: str
    gain: float
    """In score over no memory, on the tasks that select."""


@dataclass(frozen=True, slots=True)
class Course:
    """How one run went."""

    run: int
    seed: int
    steps: Sequence[Step]
    total: Spent
    without: Scores
    """Without memory."""
    chosen: Mapping[str, Scores]
    """Gains by task of the design that it chose, by role: on confirmation and test tasks, where it played them."""

    def gain(self, axis: Axis, budget: float) -> float:
        """Of the best design by then."""
        return max((step.gain for step in self.steps if step.spent.on(axis) <= budget), default=0.0)

    def best(self, axis: Axis, budget: float) -> str | None:
        """The best design by then."""
        return next((step.design for step in reversed(self.steps) if step.spent.on(axis) <= budget), None)

    def area(self, axis: Axis, budget: float) -> float:
        """Area under the gain of the best so far, divided by the budget: the mean gain on the way."""
        left = [budget - step.spent.on(axis) for step in self.steps]
        before = [0.0, *(step.gain for step in self.steps)]
        risen = zip(left, self.steps, before, strict=False)
        return sum(max(0.0, rest) * (step.gain - gain) for rest, step, gain in risen) / budget if budget else 0.0


@dataclass(frozen=True, slots=True)
class Side:
    """Runs that differ in the search seed alone, in its order."""

    name: str
    courses: Sequence[Course]


class Pair(NamedTuple):
    """How two sides differ, the first less the second."""

    first: str
    second: str
    difference: Estimate
    p: float
    adjusted: float
    """By Holm, over all pairs."""


Rows = Sequence[Scores]
"""What is compared of a side: by task, one row for each search seed."""


def over_seeds(rows: Rows) -> Estimate:
    """Mean with its interval, seeds and tasks both random; of one seed over its tasks."""
    return mean(rows[0]) if len(rows) == 1 else crossed(_table(rows))


def pairs(sides: Mapping[str, Rows]) -> list[Pair]:
    """Every two sides that share tasks, paired by seed and task. Of one seed it is the signed-rank test over tasks."""
    found = []
    for (first, ours), (second, theirs) in combinations(sides.items(), 2):
        gaps = [differences(one, other) for one, other in zip(ours, theirs, strict=True)]
        if not all(gaps):  # finals of another size played other tasks
            continue
        p = significance(_table(gaps)) if len(gaps) > 1 else signed_rank(ours[0], theirs[0])
        found.append(Pair(first, second, over_seeds(gaps), p, p))
    adjusted = holm({f"{number:04d}": pair.p for number, pair in enumerate(found)})
    return [pair._replace(adjusted=adjusted[f"{number:04d}"]) for number, pair in enumerate(found)]


def _table(rows: Rows) -> list[list[float]]:
    """Seeds by tasks; where the seeds drew other tasks, their means alone."""
    tasks = sorted(rows[0])
    if any(row.keys() != rows[0].keys() for row in rows):
        return [[fmean(row.values())] for row in rows]
    return [[row[task] for task in tasks] for row in rows]


# At equal budget


def common_budget(sides: Sequence[Side], axis: Axis) -> float:
    """The most that every run has spent; raises `InputError` where that is nothing."""
    budget = min(course.total.on(axis) for side in sides for course in side.courses)
    if not budget:
        unspent = [c.run for side in sides for c in side.courses if not c.total.on(axis)]
        raise InputError(f"run {unspent[0]} has spent no {axis}, so that there is no equal budget to compare at")
    return budget


def measures(archive: Archive, sides: Sequence[Side], axis: Axis, budget: float) -> dict[str, dict[str, Rows]]:
    """What sides are compared by, each by the side's name.

    `search`: gain of the best design by then, on the tasks that selected it. `area`: mean of that gain on the way.
    `confirmed` and `test`: gain of what the whole run chose, on tasks that chose among its finalists alone, and on
    those that chose nothing; of sides whose runs all played them.
    """
    found: dict[str, dict[str, Rows]] = {"search": {}, "area": {}, **{name: {} for name in CHOSEN}}
    for side in sides:
        found["search"][side.name] = [_selected(archive, course, axis, budget) for course in side.courses]
        found["area"][side.name] = [{"area": course.area(axis, budget)} for course in side.courses]
        for name, role in CHOSEN.items():
            rows = [course.chosen[role] for course in side.courses if role in course.chosen]
            if len(rows) == len(side.courses):
                found[name][side.name] = rows
    return found


def chief(found: Mapping[str, Mapping[str, Rows]]) -> str:
    """The measure that says most: of tasks that had least to do with selection, where all sides played them."""
    return next(name for name in ("test", "confirmed", "search") if len(found[name]) == len(found["search"]))


def _selected(archive: Archive, course: Course, axis: Axis, budget: float) -> Scores:
    design = course.best(axis, budget)
    if design is None:
        return dict.fromkeys(course.without, 0.0)
    return differences(task_scores(archive, course.run, design), course.without)


def curve(side: Side, axis: Axis, budget: float) -> list[tuple[float, Estimate]]:
    """The gain of the best so far along the budget, with its interval over seeds."""
    places = [budget * place / (POINTS - 1) for place in range(POINTS)]
    return [(place, crossed([[course.gain(axis, place)] for course in side.courses])) for place in places]


# Reading runs


def read_sides(archive: Archive, runs: Sequence[Run]) -> tuple[list[Side], list[int]]:
    """The sides that runs form, on the seeds that all have; and the runs that are left out for their seed.

    Raises `InputError` where runs cannot be compared, naming what differs.
    """
    configs = {_number(run): RunConfig.model_validate_json(run.config) for run in runs}
    refuse_unlike(runs, configs)
    grouped: dict[tuple[str, int], dict[int, int]] = {}
    seen: Counter[tuple[str, int]] = Counter()
    for number, config in configs.items():
        how = config.model_dump_json(exclude={*FREE, *EQUAL, "seed"})
        seen[how, config.seed] += 1  # the second of the same seed was started with --fresh, and is a side of its own
        grouped.setdefault((how, seen[how, config.seed]), {})[config.seed] = number
    shared = sorted(set.intersection(*(set(numbers) for numbers in grouped.values())))
    if not shared:
        seeds = ", ".join(f"run {number} has {config.seed}" for number, config in configs.items())
        raise InputError(f"no search seed is common to all sides, and a seed draws the tasks: {seeds}")
    names = _names([configs[next(iter(numbers.values()))] for numbers in grouped.values()])
    sides = [
        Side(name, [course(archive, numbers[seed], configs[numbers[seed]]) for seed in shared])
        for name, numbers in zip(names, grouped.values(), strict=True)
    ]
    return sides, [number for number, config in configs.items() if config.seed not in shared]


def _number(run: Run) -> int:
    assert run.id is not None
    return run.id


def refuse_unlike(runs: Sequence[Run], configs: Mapping[int, RunConfig]) -> None:
    """Refuse runs that search for different things."""
    facts = {
        _number(run): {
            **{field: getattr(configs[_number(run)], field) for field in EQUAL},
            "version of the domain": run.domain_version,
            "version of the agent": run.agent_version,
            "settings of models": {
                role: given.model_dump(exclude_none=True)
                for role, given in configs[_number(run)].roles.items()
                if role in ("agent", "memory")
            },
        }
        for run in runs
    }
    first, *others = facts
    for other in others:
        unlike = [
            f"{name.replace('_', '-')} ({value} and {facts[other][name]})"
            for name, value in facts[first].items()
            if value != facts[other][name]
        ]
        if unlike:
            raise InputError(f"runs {first} and {other} cannot be compared: they differ in {', '.join(unlike)}")


def _names(configs: Sequence[RunConfig]) -> list[str]:
    """A strategy each, with the settings that part it from the others; equal ones are numbered."""
    fields = [name for name in RunConfig.model_fields if name not in {*FREE, *EQUAL, "seed", "strategy"}]
    told = []
    for config in configs:
        alike = [other for other in configs if other.strategy == config.strategy]
        parting = [name for name in fields if any(getattr(config, name) != getattr(other, name) for other in alike)]
        told.append(" ".join([config.strategy, *(_setting(name, getattr(config, name)) for name in parting)]))
    seen: Counter[str] = Counter()
    names = []
    for name in told:
        seen[name] += 1
        names.append(f"{name} ({seen[name]})" if seen[name] > 1 else name)
    return names


def _setting(name: str, value: Any) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"


def course(archive: Archive, run_id: int, config: RunConfig) -> Course:
    """How a run went; raises `InputError` where it has no baseline yet to compare with."""
    from archive.curves import payments, scored
    from archive.tables import SCORED
    from evolve.llm.models import is_spec
    from evolve.llm.roles import AGENT

    without = baseline_scores(archive, run_id).get("no_memory")
    if without is None:
        raise InputError(f"run {run_id} has not evaluated its baselines yet; go on with it first")
    states = {design: state for design, (state, _) in archive.states(run_id).items()}
    rows = scored(archive, run_id, priced=is_spec(config.agent))
    if config.reproducible:  # a strategy was told in this order, whenever the workers were done
        rows = sorted(rows, key=lambda row: row.number)
    floor = fmean(without.values())
    steps, best, episodes, designs = [], 0.0, 0, 0
    paid = _Purse(payments(archive, run_id, AGENT))
    for row in rows:
        episodes, designs = episodes + row.episodes, designs + (row.role == DEPLOYMENT)
        dollars = paid.until(row.created, row.dollars, is_known=not row.unpriced)
        if row.role == DEPLOYMENT and states.get(row.design) in SCORED and row.score - floor > best:
            best = row.score - floor
            steps.append(Step(Spent(episodes, designs, dollars), row.design, best))
    total = Spent(episodes, designs, paid.total)
    chosen = {role: gains for role in CHOSEN.values() if (gains := gains_of(archive, run_id, role))}
    return Course(run_id, config.seed, steps, total, without, chosen)


class _Purse:
    """Dollars so far; unknown from the first price on that is not known."""

    def __init__(self, payments: Iterable[tuple[float, float | None]]) -> None:
        self.total: float | None = 0.0
        self._left = list(payments)[::-1]

    def until(self, moment: float, dollars: float, *, is_known: bool) -> float | None:
        """Pay for episodes, and for the calls until then."""
        self._pay(dollars if is_known else None)
        while self._left and self._left[-1][0] <= moment:
            self._pay(self._left.pop()[1])
        return self.total

    def _pay(self, dollars: float | None) -> None:
        self.total = None if self.total is None or dollars is None else self.total + dollars


def choice(archive: Archive, run_id: int) -> str | None:
    """The design that a run's finals put first; without finals that of the best score."""
    from evolve.finals import ranking

    ranked = ranking(archive, run_id)
    return ranked[0].design if ranked else next((row.design_id for row in candidates(archive, run_id, 1)), None)


def gains_of(archive: Archive, run_id: int, role: str, baseline: str = "no_memory") -> Scores:
    """Gains by task of what a run chose over a baseline, on a role's tasks; empty where either has not played them."""
    chosen, over = choice(archive, run_id), baseline_scores(archive, run_id, role).get(baseline, {})
    return differences(task_scores(archive, run_id, chosen, role), over) if chosen is not None else {}
