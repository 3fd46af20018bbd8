"""The small rung on real evaluations of `recall`: who is dropped, by which episodes, and what is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import col, update

from archive.tables import Evaluation, Outcome, State
from domains.base import Role
from evolve.config import RunConfig
from evolve.judging import Trial
from evolve.loop import Search
from evolve.proposers.base import Proposal
from evolve.rungs import Audit, SmallRung, audit, small_rung
from evolve.session import sit_down

CONFIG = RunConfig(domain="recall", collection=20, collection_repeats=1, small=12, sandbox="process", workers=0)
LEARNER = '''"""Tells what it learned of each cue, in an order, and as a turn of the colours has it."""

import re

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory

COLOURS = ["amber", "black", "green", "violet", "white"]


class Learner(MemoryDesign):
    """Remembers answers."""

    phases = frozenset({phases})

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.answers = {{}}

    def update(self, trajectory: Trajectory) -> None:
        """Note each answer."""
        for step in trajectory.steps:
            for cue, colour in re.findall(r"the (\\w+) is (\\w+)[.]", step.observation):
                self.answers[cue] = COLOURS[(COLOURS.index(colour) + {turn}) % 5]

    def retrieve(self, query: Query) -> Memory:
        """Tell them all."""
        return Memory(sorted((f"call the {{c}} {{a}}" for c, a in self.answers.items()), reverse={reverse}))
'''


def learner(turn: int = 0, *, phase: str = "begin", reverse: bool = False) -> str:
    return LEARNER.format(phases={phase}, turn=turn, reverse=reverse)


RIGHT, TWIN = learner(), learner(reverse=True)
WRONG = [learner(turn) for turn in (1, 2, 3)]


class Table:
    """A run whose designs the test writes."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.archive, self.judge, self.run_id = search.archive, search.judge, search.run_id
        specs = search.prepare(Role.DEPLOYMENT, CONFIG.deployment)
        search.evaluate_baselines(Role.DEPLOYMENT, specs, CONFIG.repeats)
        self.trial = Trial(Role.DEPLOYMENT, specs, CONFIG.repeats)
        rung = small_rung(CONFIG, self.judge, specs, search.baselines["no_memory"])
        assert rung is not None
        self.rung: SmallRung = rung
        self.tasks = {spec.id for spec in rung.specs}
        self.right = self.evaluate(RIGHT, rung=False)

    def evaluate(self, source: str, parent: str | None = None, *, audit: bool = False, rung: bool = True) -> str:
        number = len(self.archive.members(self.run_id))
        design = self.judge.enter(Proposal(source, "written", "untrusted"), number, [parent] if parent else [])
        assert design is not None
        climb = partial(self.rung.climb, parent=parent, audit=audit) if rung else None

        def judging() -> Iterator[object]:
            yield from self.judge.judge(design, self.trial, None, climb)

        self.search.drain([judging()])  # type: ignore[list-item]
        return design

    def life(self, design: str) -> list[str]:
        return [event.state for event in self.archive.life(self.run_id, design)]

    def row(self, design: str) -> Evaluation:
        row = self.archive.evaluation(self.run_id, design, "deployment")
        assert row is not None
        return row


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    with sit_down(CONFIG, tmp_path / "rungs.db", lambda progress: None, allow_unsafe=True) as sitting:
        yield Table(sitting.search)


def test_a_design_surely_worse_than_its_parent_is_dropped_with_the_score_it_has(table: Table) -> None:
    played = table.search.scheduler.played
    child = table.evaluate(WRONG[0], table.right)
    assert table.life(child) == ["proposed", "smoke", "small", "dropped"]
    assert table.judge.scores(child, Role.DEPLOYMENT).keys() == table.tasks
    row = table.row(child)
    assert (row.n, row.score < table.row(table.right).score) == (12, True)
    reason = table.archive.states(table.run_id)[child][1]
    assert reason.startswith(f"{row.score:.3f} on 12 tasks; -")
    assert reason.endswith("against its parent playing again on 12 tasks")
    assert table.search.scheduler.played - played == 24, "twelve of its own, and twelve of its parent"


def test_the_parent_plays_again_once_for_all_its_children_and_its_life_does_not_change(table: Table) -> None:
    before = table.life(table.right), table.row(table.right)
    for source in WRONG:
        assert table.life(table.evaluate(source, table.right))[-1] == State.DROPPED
    again = table.archive.evaluations(table.run_id, "deployment:again")
    assert [row.design_id for row in again] == [table.right]
    assert again[0].id is not None
    played = {(each.task_id, each.repeat) for each in table.archive.outcomes(again[0].id)}
    assert played == {(task, 1) for task in table.tasks}
    assert (table.life(table.right), table.row(table.right)) == before


def test_a_design_as_good_as_its_parent_goes_on_and_its_rung_counts(table: Table) -> None:
    child = table.evaluate(TWIN, table.right)
    assert table.life(child) == ["proposed", "smoke", "small", "full", "evaluated"]
    with_rung = table.row(child).model_dump(exclude={"id", "created", "seconds"})
    table.search.drain([table.judge.judge(child, table.trial)])  # type: ignore[list-item]
    assert table.row(child).model_dump(exclude={"id", "created", "seconds"}) == with_rung


def test_a_lucky_parent_is_not_held_against_its_child(table: Table) -> None:
    """Episodes that selected the parent may flatter it; those that decide did not select it."""
    with table.archive.transaction() as session:
        lucky = col(Outcome.evaluation_id) == table.row(table.right).id
        session.exec(update(Outcome).where(lucky).values(score=1.0, episode=b"luck"))
    child = table.evaluate(TWIN, table.right)
    assert table.life(child)[-2:] == ["full", "evaluated"]
    assert len(table.archive.evaluations(table.run_id, "deployment:again")) == 1


def test_an_audit_goes_on_and_is_counted(table: Table) -> None:
    table.evaluate(WRONG[1], table.right)
    child = table.evaluate(WRONG[0], table.right, audit=True)
    assert table.life(child) == ["proposed", "smoke", "small", "audited", "evaluated"]
    assert table.row(child).n == CONFIG.deployment
    assert audit(table.archive, table.run_id, 1) == Audit(audited=1, better=0, among_best=0)
    assert audit(table.archive, table.run_id, 9) == Audit(audited=1, better=0, among_best=1)


def test_a_design_without_a_parent_is_compared_with_no_memory(table: Table) -> None:
    fresh = table.evaluate(WRONG[0])
    assert table.life(fresh)[-1] == State.DROPPED
    assert "against no memory on 12 tasks" in table.archive.states(table.run_id)[fresh][1]
    assert not table.archive.evaluations(table.run_id, "deployment:again")
    assert table.life(table.evaluate(TWIN))[-1] == State.EVALUATED


def test_a_dropped_design_may_be_a_parent(table: Table) -> None:
    dropped = table.evaluate(WRONG[0], table.right)
    assert table.life(table.evaluate(TWIN, dropped))[-1] == State.EVALUATED


def test_a_design_that_is_asked_at_each_step_has_no_small_rung(table: Table) -> None:
    child = table.evaluate(learner(1, phase="step"), table.right)
    assert table.life(child) == ["proposed", "smoke", "full", "evaluated"]


def test_its_tasks_are_drawn_by_the_seed(table: Table) -> None:
    def drawn(**fields: object) -> list[str] | None:
        config = CONFIG.model_copy(update=fields)
        found = small_rung(config, table.judge, table.trial.specs, {})
        return [spec.id for spec in found.specs] if found is not None else None

    first = drawn()
    assert first == [spec.id for spec in table.rung.specs]
    assert first == sorted(first)
    assert drawn(seed=1) not in (first, None)
    assert drawn(small=0) is None
    assert drawn(mode="dynamic") is None
