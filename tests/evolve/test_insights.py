"""Operations on insights, what of them counts where, and what a run's designs make of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive.opening import open_archive
from archive.store import Archive
from evolve.errors import InputError
from evolve.guidance import said_of
from evolve.insights import (
    ANY,
    MEASURED,
    Insight,
    Insights,
    PlanError,
    Situation,
    Step,
    Tally,
    history,
    lines,
    read_line,
    taken_in,
)
from evolve.learning import Learner
from evolve.proposers.base import Brief
from evolve.proposers.features import features, features_of
from evolve.proposers.genetic import DEFAULT_WEIGHTS, GeneticProposer, fresh
from evolve.proposers.genome import write
from evolve.strategies.evidence import Evidence
from evolve.tactics import TACTICS, TRIES, WINDOW, Stagnation


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with closing(open_archive(tmp_path / "a.db", write=True)) as opened:
        yield opened


def tally(mean: float, n: int = 8) -> Tally:
    """Cases with this mean and a spread of .01."""
    return sum((Tally().add(mean + (0.01 if each % 2 else -0.01)) for each in range(n)), Tally())


def insight(subject: str = "swap_block", stage: str = ANY, domain: str = "recall", **facts: Any) -> Insight:
    return Insight("operator", subject, Situation(domain, stage), **facts)


def learner(archive: Archive, source: str = "run") -> Learner:
    return Learner(Evidence(archive, 1, counted=True), "recall", source)


# Operations


def test_nothing_is_overwritten_and_the_history_can_be_replayed(archive: Archive) -> None:
    known = Insights(archive)
    first, second = known.apply([Step("add", "seen", insight()), Step("add", "seen", insight("add_layer"))], MEASURED)
    known.apply([Step("modify", "more", insight(evidence={"a": tally(0.1)}), targets=(first,))], MEASURED)
    (merged,) = known.apply([Step("merge", "same", insight(evidence={"b": tally(0.2)}), (first, second))], MEASURED)
    assert list(known.known) == list(Insights(archive).known) == [merged]
    known.apply([Step("delete", "wrong", targets=(merged,))], "person")
    assert not Insights(archive).known
    assert [len(Insights(archive, until).known) for until in range(6)] == [0, 1, 2, 2, 1, 0]
    assert Insights(archive, 3).known[first].tally == tally(0.1)
    assert [row.kind for row in history(archive, merged)] == ["add", "add", "modify", "merge", "delete"]
    assert [row.kind for row in history(archive, second)] == ["add", "merge"]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Step("modify", "", insight(), (9,)), "step 2 of the plan: there is no insight 9"),
        (Step("merge", "", insight(), (1,)), "merge, is not complete"),
        (Step("merge", "", insight(), (1, 1)), "merge, is not complete"),
        (Step("delete", "", insight(), (1,)), "delete, is not complete"),
        (Step("add", "", None), "add, is not complete"),
        (Step("add", "", insight(), (1,)), "add, is not complete"),
    ],
)
def test_a_plan_that_does_not_hold_together_is_refused_whole(archive: Archive, step: Step, said: str) -> None:
    known = Insights(archive)
    known.apply([Step("add", "", insight())], MEASURED)
    with pytest.raises(PlanError, match=said):
        known.apply([Step("add", "", insight("add_layer")), step], "model")
    assert list(known.known) == list(Insights(archive).known) == [1]


def test_what_is_near_credited_and_fresh_counts_most(archive: Archive) -> None:
    situation = Situation("textworld:cooking", "weak")
    known = Insights(archive)
    evidence = {"a": tally(0.1)}
    wanted = [
        insight("a", "weak", "textworld:cooking", evidence=evidence),
        insight("b", "strong", "textworld:cooking", evidence=evidence),
        insight("c", "weak", "recall", evidence=evidence),
        insight("d", "weak", "textworld:cooking", evidence=evidence, used={"x": (4, 0)}),
    ]
    known.apply([Step("add", "", each) for each in reversed(wanted)], MEASURED, 1)
    order = [each.subject for each, _ in known.relevant(situation)]
    assert order == ["a", "b", "d", "c"]
    assert known.weight(known.known[4], situation) == 1.0
    known.apply([Step("add", "", insight("e", "weak", "textworld:cooking"))], MEASURED, 2)
    assert known.weight(known.known[4], situation) == 0.8
    assert len(known.relevant(situation, 2)) == 2


# Between archives


def test_insights_go_to_another_archive_and_evidence_counts_once(archive: Archive, tmp_path: Path) -> None:
    known = Insights(archive)
    known.apply([Step("add", "", insight(evidence={"a": tally(0.1)}, tasks=("t1",), used={"a": (2, 1)}))], MEASURED)
    carried = [read_line(line) for line in lines(known.known.values())]
    assert carried == [replace(known.known[1], number=0)]
    with closing(open_archive(tmp_path / "b.db", write=True)) as other:
        there = Insights(other)
        there.apply(taken_in(there, carried * 2, "a.jsonl"), "import")
        assert taken_in(there, carried, "a.jsonl") == []
        more = replace(carried[0], evidence={"a": tally(0.1), "b": tally(0.3)}, tasks=("t2",))
        there.apply(taken_in(there, [more], "b.jsonl"), "import")
        (found,) = there.known.values()
        assert (found.tally.n, found.tasks) == (16, ("t1", "t2"))


@pytest.mark.parametrize(
    "change",
    [
        lambda packed: packed.pop("kind"),
        lambda packed: packed.update(kind="spell"),
        lambda packed: packed.update(evidence={"a": [1, 2]}),
        lambda packed: packed.update(evidence=[]),
        lambda packed: packed.update(evidence={"a": [-5, 0, 0]}),
        lambda packed: packed.update(evidence={"a": [8, float("nan"), 0]}),
        lambda packed: packed.update(used={"a": [-2, 0]}),
        lambda packed: packed.update(situation={"domain": "recall", "stage": "late"}),
        lambda packed: packed.update(tasks=3),
        lambda packed: packed.clear(),
    ],
)
def test_a_line_that_is_no_insight_is_refused(change: Any) -> None:
    packed = json.loads(lines([insight(evidence={"a": tally(0.1)})])[0])
    change(packed)
    with pytest.raises(InputError):
        read_line(json.dumps(packed))
    for text in ("", "[]", "{", "[" * 10_000):
        with pytest.raises(InputError, match="no insight"):
            read_line(text)


# Learning


def plan(archive: Archive, found: dict[tuple[str, str], Tally], source: str = "run") -> list[str]:
    """What operators' evidence by stage leads to, once it is done."""
    taught = learner(archive, source)
    taught.tallies = {(("operator", name), stage): value for (name, stage), value in found.items()}
    taught._designs = {place: ["1-a"] for place in taught.tallies}
    known = Insights(archive)
    steps = taught.plan(known)
    known.apply(steps, MEASURED, 1)
    return [step.kind for step in steps]


def test_evidence_is_added_modified_merged_and_contradicted(archive: Archive) -> None:
    weak = {("swap_block", "weak"): tally(0.1)}
    assert plan(archive, {("swap_block", "weak"): tally(0.1, 3)}) == []
    assert plan(archive, {("swap_block", "weak"): tally(0.0)}) == []
    assert plan(archive, weak) == ["add"]
    assert plan(archive, weak) == []
    assert plan(archive, {("swap_block", "weak"): tally(0.1, 20)}) == ["modify"]
    both = {("swap_block", "weak"): tally(0.1, 20), ("swap_block", "strong"): tally(0.2)}
    assert plan(archive, both) == ["add"]
    assert plan(archive, both) == ["merge"]
    (found,) = Insights(archive).known.values()
    assert (found.situation.stage, found.tally.n) == (ANY, 28)
    assert plan(archive, weak, "another run") == ["modify"]
    assert plan(archive, {("swap_block", "strong"): tally(-0.2)}, "third") == ["delete"]
    assert "it said +0.1" in history(archive, found.number)[-1].reason


def test_credit_is_kept_by_run_and_shown(archive: Archive) -> None:
    plan(archive, {("swap_block", "weak"): tally(0.1)})
    taught = learner(archive, "second")
    place = ("operator", "swap_block"), "weak"
    taught.tallies, taught._designs = {place: tally(0.1)}, {place: ["1-a"]}
    taught._uses[1], taught._wins[1] = 4, 1
    for _ in range(2):
        taught.commit(Insights(archive), 8)
        found = Insights(archive).known[1]
        assert (found.uses, found.wins, found.credit) == (4, 1, 1 / 3)
    assert "of 4 that were made by it 1 did better" in history(archive, 1)[-1].reason
    assert len(history(archive, 1)) == 2


# What it comes to


def test_blocks_that_are_known_to_help_are_drawn_more_often() -> None:
    rng = np.random.default_rng(0)
    source = write(fresh(rng), "")
    plain, told = Brief(), Brief(blocks={"ByReward": 2.0, "lines high": -2.0})

    def share(brief: Brief, feature: str) -> float:
        drawn = [GeneticProposer().write((source,), brief, np.random.default_rng(seed)) for seed in range(80)]
        return sum(feature in features_of(each.source) for each in drawn) / len(drawn)

    assert share(told, "ByReward") > share(plain, "ByReward") + 0.1
    assert share(told, "lines high") < share(plain, "lines high")
    assert "lines middle" in features(fresh(np.random.default_rng(4))) | {"lines middle"}
    assert features_of("x = 1") == frozenset()


def test_a_hint_is_for_what_it_names_and_against_what_it_says_to_avoid() -> None:
    names = (*DEFAULT_WEIGHTS, "ByReward", "Contrast")
    assert said_of("Prefer add_layer; avoid the Contrast block", names) == {"add_layer": 1, "Contrast": -1}
    assert said_of("remember colours", names) == {}


def test_when_nothing_gets_better_each_tactic_is_tried_twice_and_not_at_once_again() -> None:
    watch = Stagnation()
    for told in range(1, 2 * WINDOW):
        watch.tell(told / 10)
    assert watch.tactic() is None
    tried = []
    for told in range(2 * WINDOW, 4 * WINDOW):
        watch.tell(0.0)
        if (tactic := watch.tactic()) is not None:
            watch.asked(tactic.name, told)
            tried.append(tactic.name)
    assert tried[:4] == [each.name for each in TACTICS] + [TACTICS[0].name]
    assert all(tried[: TRIES * len(TACTICS)].count(each.name) == TRIES for each in TACTICS)
    assert len(tried) < 2 * WINDOW
