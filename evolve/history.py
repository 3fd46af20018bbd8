"""What a run has come to, for whoever writes its next design: a proposer, a person, another program. It only reads.

Of episodes it knows those of reflection and collection tasks alone. What selects a design is seen as scores by task,
never as what happened in the game; of what confirms or tests it nothing is seen.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archive.history import Listed, Recorded, beginning, listing, recorded, sources, trajectories
from archive.tables import State
from domains.base import Role
from evolve.errors import InputError
from evolve.plan import COLLECTION_SEEDS
from evolve.results import baseline_scores, task_scores
from evolve.statistics import Scores, paired
from sandbox.guest import Trajectory, frames

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Design, Event
    from evolve.config import RunConfig
    from evolve.plan import Plan
    from evolve.statistics import Estimate

FINALS = frozenset({State.FINALIST, State.BEST})
"""Places that confirmation tasks decided, which are not to be searched for."""
COLLECTION = "collection"
"""What stands for a design's id where the episodes are meant that were played without memory."""


@dataclass(frozen=True, slots=True)
class Flips:
    """The tasks on which one design does better than another, and worse, each with both scores: theirs, ours."""

    better: dict[str, tuple[float, float]]
    worse: dict[str, tuple[float, float]]
    equal: int


@dataclass(frozen=True, slots=True)
class Account:
    """All that is known of one design."""

    design: Design
    line: Listed
    life: Sequence[Event]
    scores: Scores
    gain: Estimate | None
    """Over no memory, paired by task."""
    parents: Sequence[Listed]
    children: Sequence[Listed]
    over_parent: Estimate | None
    flips: Flips | None
    """Against its first parent."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How design `b` differs from design `a`, in code and in scores."""

    a: Listed
    b: Listed
    text: str
    """A unified diff."""
    gain: Estimate | None
    flips: Flips | None


@dataclass(frozen=True, slots=True)
class Watched:
    """One recorded episode; `design` is empty where it was played without memory."""

    design: str
    repeat: int
    trajectory: Trajectory

    @property
    def name(self) -> str:
        """What tells it apart among the episodes of its design."""
        return f"{self.trajectory.task.id} repeat {self.repeat}"


class History:
    """Reads one run of an archive; without its plan the collection is unknown.

    Where it is given which designs are `known`, there are no others.
    """

    def __init__(
        self, archive: Archive, run_id: int, plan: Plan | None = None, known: Collection[str] | None = None
    ) -> None:
        self.archive = archive
        self.run_id = run_id
        self._plan = plan
        self._known = known

    # Designs

    def designs(self) -> list[Listed]:
        """All designs, those of people first, then in the order of proposal."""
        return self._lines(None)

    def _lines(self, designs: Sequence[str] | None) -> list[Listed]:
        lines = listing(self.archive, self.run_id, Role.DEPLOYMENT, designs)
        return [
            line._replace(state=State.EVALUATED, reason="") if line.state in FINALS else line
            for line in lines
            if self._knows(line.design)
        ]

    def _knows(self, design: str) -> bool:
        return self._known is None or design in self._known

    def top(self, count: int) -> list[Listed]:
        """The best of the candidates, the best first."""
        return ranked(self.designs())[:count]

    def frontier(self) -> list[Listed]:
        """The candidates that none beats both in score and in tokens told: the best first, then ever cheaper ones."""
        return frontier(self.designs())

    def find(self, prefix: str) -> str:
        """The id of the run's design that begins like this; raises `InputError`."""
        found = [design for design in beginning(self.archive, self.run_id, prefix) if self._knows(design)]
        if not prefix or len(found) != 1:
            problem = "more than one design" if found else "no design"
            raise InputError(f"run {self.run_id} has {problem} whose id begins with {prefix!r}")
        return found[0]

    def show(self, prefix: str) -> Account:
        """All that is known of a design; raises `InputError` where the run has none that begins like this."""
        archive, run_id, design = self.archive, self.run_id, self.find(prefix)
        family = [*archive.parents_of(run_id, design), *archive.children_of(run_id, design)]
        listed = {line.design: line for line in self._lines([design, *family])}
        return self._account(listed[design], listed, self._without_memory())

    def accounts(self) -> Iterator[Account]:
        """All that is known of each design, in the order of `designs`."""
        listed = {line.design: line for line in self.designs()}
        without = self._without_memory()
        return (self._account(line, listed, without) for line in listed.values())

    def _without_memory(self) -> Scores:
        return baseline_scores(self.archive, self.run_id).get("no_memory", {})

    def _account(self, line: Listed, listed: Mapping[str, Listed], without: Scores) -> Account:
        archive, run_id, design = self.archive, self.run_id, line.design
        parents = [listed[parent] for parent in archive.parents_of(run_id, design) if parent in listed]
        children = [listed[child] for child in archive.children_of(run_id, design) if child in listed]
        scores = task_scores(archive, run_id, design)
        before = task_scores(archive, run_id, parents[0].design) if parents else {}
        return Account(
            archive.exactly(design),
            line,
            before_finals(archive.life(run_id, design)),
            scores,
            _gain(scores, without),
            parents,
            children,
            _gain(scores, before),
            flips(scores, before) if scores and before else None,
        )

    def diff(self, a: str, b: str) -> Difference:
        """How the second design differs from the first; raises `InputError`."""
        first, second = (self._lines([self.find(prefix)])[0] for prefix in (a, b))
        sources = [self.archive.exactly(line.design).source for line in (first, second)]
        theirs, ours = (task_scores(self.archive, self.run_id, line.design) for line in (first, second))
        text = unified_diff(sources[0], sources[1], first.design[:10], second.design[:10])
        return Difference(first, second, text, _gain(ours, theirs), flips(ours, theirs) if ours and theirs else None)

    def sources(self) -> Iterator[tuple[str, str]]:
        """Pairs of id and source of all designs, in the order of proposal."""
        return ((design, source) for design, source in sources(self.archive, self.run_id) if self._knows(design))

    # Episodes

    def episodes(self, prefix: str) -> list[Watched]:
        """The recorded episodes of a design on reflection tasks, or of the collection; the worst first."""
        if prefix == COLLECTION:
            return sorted(self.collection(), key=_score)
        return sorted(self.watch(self.recorded([self.find(prefix)])), key=_score)

    def recorded(self, designs: Sequence[str] | None = None) -> list[Recorded]:
        """Which episodes on reflection tasks were recorded, of all designs or of some; the oldest first."""
        rows = recorded(self.archive, self.run_id, Role.REFLECTION, designs)
        return [row for row in rows if self._knows(row.design)]

    def watch(self, rows: Sequence[Recorded]) -> Iterator[Watched]:
        """Recorded episodes, whole."""
        of_key: dict[bytes, list[Recorded]] = {}
        for row in rows:
            of_key.setdefault(row.key, []).append(row)
        for key, value in trajectories(self.archive, list(of_key)):
            trajectory = frames.unpack(Trajectory, value)
            yield from (Watched(row.design, row.repeat, trajectory) for row in of_key[key])

    def collection(self) -> Iterator[Watched]:
        """The episodes that fill every memory, as far as they are played."""
        collected = self.collected()
        for key, value in trajectories(self.archive, list(collected)):
            yield Watched("", collected[key][1], frames.unpack(Trajectory, value))

    def collected(self) -> dict[bytes, tuple[str, int]]:
        """The keys of these, played or not, with their tasks and repeats."""
        if self._plan is None:
            return {}
        first = self._plan.first_seed + COLLECTION_SEEDS
        return {order.key: (order.spec.id, order.seed - first) for order in self._plan.collect()}


def history_of(archive: Archive, run_id: int, config: RunConfig, known: Collection[str] | None = None) -> History:
    """The history of a run whose domain may or may not be installed here; without it the collection is unknown."""
    from domains import registry as domains
    from domains.base import DomainError
    from evolve.agents import registry as agents
    from evolve.llm.roles import AGENT, settings_of
    from evolve.plan import make_plan

    try:
        agent = agents.load(config.agent, settings=settings_of(config, AGENT))
        plan = make_plan(config, domains.load(config.domain), agent)
    except (DomainError, InputError):
        return History(archive, run_id, None, known)
    return History(archive, run_id, plan, known)


def before_finals(life: Sequence[Event]) -> list[Event]:
    """A design's events but those that the finals decided."""
    first = next((place for place, event in enumerate(life) if event.state in FINALS), len(life))
    return [event for place, event in enumerate(life) if place < first or event.state == State.FAILED]


def ranked(lines: Sequence[Listed]) -> list[Listed]:
    """The candidates with a score, the best first."""
    scored = [line for line in lines if line.number and line.is_scored]
    return sorted(scored, key=lambda line: (-(line.score or 0.0), line.number))


def frontier(lines: Sequence[Listed]) -> list[Listed]:
    """The Pareto frontier of score up and retrieved tokens down; of equals the first proposed stands for all."""
    found: list[Listed] = []
    fewest = float("inf")
    for line in sorted(ranked(lines), key=lambda line: (-(line.score or 0.0), line.tokens or 0.0, line.number)):
        if (line.tokens or 0.0) < fewest:
            fewest = line.tokens or 0.0
            found.append(line)
    return found


def flips(ours: Scores, theirs: Scores) -> Flips:
    """Where the scores of two designs differ by task, the largest difference first."""
    pairs = {task: (theirs[task], ours[task]) for task in sorted(ours.keys() & theirs.keys())}
    differing = sorted(pairs.items(), key=lambda item: -abs(item[1][1] - item[1][0]))
    better = {task: pair for task, pair in differing if pair[1] > pair[0]}
    worse = {task: pair for task, pair in differing if pair[1] < pair[0]}
    return Flips(better, worse, len(pairs) - len(better) - len(worse))


def unified_diff(a: str, b: str, name_of_a: str, name_of_b: str) -> str:
    """What differs between two sources."""
    return "\n".join(difflib.unified_diff(a.splitlines(), b.splitlines(), name_of_a, name_of_b, lineterm=""))


def _gain(ours: Scores, theirs: Scores) -> Estimate | None:
    return paired(ours, theirs) if ours.keys() & theirs.keys() else None


def _score(watched: Watched) -> tuple[float, str]:
    return watched.trajectory.score, watched.name
