"""Empirical-MCTS: its formulas by hand, visits that are real, comparisons from the archive's rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from math import exp, inf, log, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.comparisons import comparisons
from archive.opening import open_archive
from archive.store import Archive, pack
from archive.tables import Design, Evaluation, Member, Run
from evolve.comparing import CRITERIA, MEASURED, SCORE, Comparer, Weighing, is_certain
from evolve.population import Population
from evolve.proposers.base import Brief
from evolve.proposers.credit import operators_of, shifted, weights
from evolve.proposers.genetic import DEFAULT_WEIGHTS, GeneticProposer
from evolve.statistics import Estimate
from evolve.strategies.base import Propose
from evolve.strategies.evidence import Evidence
from evolve.strategies.mcts import EmpiricalMcts
from evolve.strategies.values import backed_up, local_value, rewards, upper_bounds, visits

TREE = [-1, 0, 0, 1]
"""A root, its two children, and a child of the first of these."""


def test_values_by_hand() -> None:
    """Totals 7 against 6: exp(7) / (exp(7) + exp(6)) = .7310586. With ranks 0, 1, 1/3, 2/3 and alpha .9:

    R = 10 (.9 global + .1 local); then the latest child first, with gamma .1: node 3 into 1, 2 into 0, 1 into 0.
    """
    assert local_value(7, 6) == pytest.approx(exp(7) / (exp(7) + exp(6)))
    reward = rewards(np.array([0, 1, 1 / 3, 2 / 3]), np.array([0.5, 0.7310586, 0.5, 0.5]), 0.9)
    assert reward == pytest.approx([0.5, 9.7310586, 3.5, 6.5])
    one = 0.9 * 9.7310586 + 0.1 * 6.5
    root = 0.9 * (0.9 * 0.5 + 0.1 * 3.5) + 0.1 * one
    assert backed_up(reward, TREE, 0.1) == pytest.approx([root, one, 3.5, 6.5])


def test_bounds_by_hand() -> None:
    """Requests 2, 1, 3 and 0: the root was visited 1 + 6 times, its first child 1 + 1, the other 1 + 3, the last 1."""
    visited = visits([2, 1, 3, 0], TREE)
    assert list(visited) == [7, 2, 4, 1]
    found = upper_bounds(np.array([5.0, 6.0, 4.0, 8.0]), visited, TREE, total=9, exploration=1.4)
    above = [9, 7, 7, 2]
    by_hand = [
        value + 1.4 * sqrt(log(parent + 1) / (own + 1e-5))
        for value, own, parent in zip([5, 6, 4, 8], visited, above, strict=True)
    ]
    assert found == pytest.approx(by_hand)


@given(st.data())
def test_visits_count_whole_subtrees(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 12))
    parents = [data.draw(st.integers(-1, place - 1)) for place in range(size)]
    requests = [data.draw(st.integers(0, 4)) for _ in range(size)]

    def counted(node: int) -> int:
        return requests[node] + sum(counted(child) for child in range(size) if parents[child] == node)

    assert list(visits(requests, parents)) == [1 + counted(node) for node in range(size)]


def test_an_account_of_a_change_names_its_operators() -> None:
    proposer, source, seen = GeneticProposer(), "", set()
    other = proposer.write([], Brief(), np.random.default_rng(0)).source
    source = proposer.write([], Brief(), np.random.default_rng(1)).source
    for seed in range(400):
        change = proposer.write([source, other], Brief(), np.random.default_rng(seed)).change
        found = operators_of(change)
        assert found or change.startswith("changed nothing"), change
        seen |= set(found)
    assert seen == set(DEFAULT_WEIGHTS)


def test_operators_gain_by_what_they_did_within_bounds() -> None:
    factors: Mapping[str, float] = {}
    for _ in range(5):
        factors = shifted(factors, ["add_layer"], 1.0)
    assert factors == {"add_layer": 4.0}
    assert shifted({}, ["add_layer"], 0.0) == {"add_layer": 0.5}
    assert shifted({}, ["add_layer"], 0.5) == {"add_layer": 1.0}
    assert weights({"add_layer": 2.0}) == {"add_layer": 2 * DEFAULT_WEIGHTS["add_layer"]}


@pytest.mark.parametrize(("low", "high", "certain"), [(0.1, 0.3, True), (-0.3, -0.1, True), (-0.1, 0.3, False)])
def test_what_leaves_zero_out_is_certain(low: float, high: float, certain: bool) -> None:
    assert is_certain(Estimate(0.1, low, high, 8)) == certain
    assert not is_certain(Estimate(0.1, -inf, inf, 1))


def test_weights_are_learned_from_pairs() -> None:
    """x = -.4, -.2 and y = .2, .1: r = -1, believed by 2 / (2 + 5)."""
    weighing = Weighing()
    weighing.learn({"empty": -0.4, "cut": 0.0}, 0.2)
    weighing.learn({"empty": -0.2, "cut": 0.0}, 0.1)
    assert weighing.worth("empty") == pytest.approx(-2 / 7)
    assert weighing.worth("cut") == weighing.worth("never seen") == 0


# With an archive

ROOT, BETTER, ALIKE = "root", "better", "alike"
TASKS = {
    ROOT: ([0.2, 0.3, 0.2, 0.4, 0.3, 0.2], 400),
    BETTER: ([0.7, 0.8, 0.8, 0.9, 0.7, 0.9], 100),
    ALIKE: ([0.7, 0.9, 0.7, 0.9, 0.8, 0.8], 800),
}
"""Scores by task, and tokens told: the second is surely better than the first, the third told more for nothing."""
ASKED = [(), (ROOT,), (BETTER, ROOT)]


def enter(archive: Archive, name: str, number: int, scores: Sequence[float], tokens: int, change: str) -> None:
    design = Design(id=name, source="", summary="", origin="composed", created=0.0)
    archive.add_design(design, Member(run_id=1, design_id=name, number=number, role="candidate", change=change), ())
    mean = sum(scores) / len(scores)
    row = Evaluation(
        run_id=1,
        design_id=name,
        role="deployment",
        score=mean,
        low=0.0,
        high=1.0,
        n=len(scores),
        tokens=tokens,
        cut=0,
        calls=0,
        seconds=0.0,
        created=0.0,
    )
    key = name.encode()
    outcomes = [
        {"task_id": str(task), "repeat": 0, "score": score, "episode": key, "told": key, "tokens": tokens}
        for task, score in enumerate(scores)
    ]
    archive.add_evaluation(row, outcomes, {key: pack(["go north", "take the lamp"])})


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with closing(open_archive(tmp_path / "a.db", write=True)) as made:
        made.save(Run(identity="x", config="{}", domain_version="1", agent_version="1", sandbox="", created=0.0))
        for number, (name, (scores, tokens)) in enumerate(TASKS.items(), 1):
            enter(made, name, number, scores, tokens, "added Contrast" if name == BETTER else "tells 9 lines instead")
        yield made


def told(count: int = 3, asked: Sequence[tuple[str, ...]] = ASKED) -> Population:
    made = Population(baseline=0.1)
    for parents in asked:
        made.ask(parents)
    for name in list(TASKS)[:count]:
        made.tell(name, sum(TASKS[name][0]) / 6)
    return made


def evidence(archive: Archive) -> Evidence:
    return Evidence(archive, 1, counted=True, budget=1000)


def test_scores_that_differ_for_certain_decide(archive: Archive) -> None:
    """Means .8 and .2667: totals 1 + 9 x .8 = 8.2 and 3.4, the only criterion being the score."""
    comparer, population = Comparer(evidence(archive)), told()
    assert comparer.tell(ROOT, population) is None
    found = comparer.tell(BETTER, population)
    assert found is not None
    assert (found.rival, found.decided_by) == (ROOT, MEASURED)
    assert (found.ours, found.theirs) == pytest.approx((8.2, 3.4))
    assert [(each.name, each.weight) for each in found.criteria] == [(SCORE, 1.0)]
    assert found.operators == pytest.approx({"add_layer": 2 ** (2 * local_value(8.2, 3.4) - 1)}, abs=1e-6)


def test_else_criteria_decide_by_what_earlier_pairs_taught(archive: Archive) -> None:
    """Where less of the budget went with higher scores, the longer of two equal memories loses. By one pair r = -1 / 6:

    weights 1 and 1/6 of 7/6; the score is .8 of both, of the budget .8 and .1 are used, so that less is given 2.8, 9.1.
    """
    comparer, population = Comparer(evidence(archive)), told()
    for name in (ROOT, BETTER):
        comparer.tell(name, population)
    found = comparer.tell(ALIKE, population)
    assert found is not None
    assert found.decided_by == CRITERIA
    assert {each.name: each.weight for each in found.criteria} == pytest.approx({SCORE: 6 / 7, "full": 1 / 7})
    assert (found.ours, found.theirs) == pytest.approx((6 / 7 * 8.2 + 2.8 / 7, 6 / 7 * 8.2 + 9.1 / 7))
    assert found.operators["add_layer"] > 1 > found.operators["change_lines"]


def test_what_was_dropped_is_compared_on_the_tasks_that_it_played(archive: Archive) -> None:
    """On the first two tasks the means are .8 and .75; on all of them the parent's is .8 too."""
    enter(archive, "dropped", 4, [0.7, 0.9], 100, "added Contrast")
    comparer, population = Comparer(evidence(archive)), told()
    population.ask((BETTER,))
    population.tell("dropped", 0.8)
    found = comparer.tell("dropped", population)
    assert found is not None
    assert found.difference.mean == pytest.approx(0.05)
    assert [(each.ours, each.theirs) for each in found.criteria] == [pytest.approx((8.2, 7.75))]


def test_words_go_on_to_the_next_generation_where_no_judge_speaks(archive: Archive) -> None:
    comparer, population = Comparer(evidence(archive)), told()
    judged = replace(comparer.measure(BETTER, ROOT), meta_prompt="Tell less.")
    comparer.tell(BETTER, population, judged)
    found = comparer.tell(ALIKE, population)
    assert found is not None
    assert found.meta_prompt == "Tell less."


def test_kept_comparisons_stand_and_are_read_in_the_order_of_telling(archive: Archive) -> None:
    first = Comparer(evidence(archive))
    for count, name in enumerate(TASKS, 1):
        first.keep(name, told(count))
    rows = comparisons(archive, 1)
    assert [(row.design_id, row.rival_id) for row in rows] == [(ROOT, ""), (BETTER, ROOT), (ALIKE, BETTER)]
    second, population = Comparer(evidence(archive)), told()
    for name in TASKS:
        second.keep(name, population)
        assert second.tell(name, population) == first.tell(name, population)
    assert comparisons(archive, 1) == rows


@pytest.mark.parametrize("asked", [[(), (), ()], [(), ("never scored",), ("never scored",)]])
def test_what_was_asked_of_nobody_is_a_root(archive: Archive, asked: list[tuple[str, ...]]) -> None:
    strategy = EmpiricalMcts(1.4, 0.9, 0.1, 2, evidence(archive))
    strategy.take_in(told(asked=asked))
    assert strategy.parents == [-1, -1, -1]


def test_the_tree_its_values_and_the_brief(archive: Archive) -> None:
    """The second beats both others: ranks 0, 1, 1/2 by wins, then by score."""
    strategy, population = EmpiricalMcts(1.4, 0.9, 0.1, 2, evidence(archive)), told()
    strategy.take_in(population)
    assert strategy.parents == [-1, 0, 1]
    local = [0.5, *(each.value for each in strategy.comparisons if each is not None)]
    reward = rewards(np.array([0, 1, 0.5]), np.array(local), 0.9)
    values, visited = strategy.values(population)
    assert values == pytest.approx(backed_up(reward, strategy.parents, 0.1))
    assert list(visited) == [3, 2, 1]
    asked = strategy.ask(population, np.random.default_rng(0))
    assert isinstance(asked, Propose)
    assert asked.parents[0] == BETTER
    assert asked.brief.operators["add_layer"] > DEFAULT_WEIGHTS["add_layer"]


def test_a_node_has_so_many_children_and_where_all_have_all_may(archive: Archive) -> None:
    strategy, population = EmpiricalMcts(1.4, 0.9, 0.1, 2, evidence(archive)), told()
    rng, firsts = np.random.default_rng(0), []
    for _ in range(5):
        asked = strategy.ask(population, rng)
        assert isinstance(asked, Propose)
        firsts.append(asked.parents[0])
        population.ask(asked.parents)
    assert sorted(firsts[:4]) == sorted([BETTER, ALIKE, ALIKE, ROOT])  # and one child each of two was there before
    assert firsts[4] in TASKS
