"""One suite for all strategies, and the numbers of each one's formula."""

from __future__ import annotations

import math
import time
from collections import Counter

import numpy as np
import pytest

from evolve.config import RunConfig
from evolve.errors import InputError
from evolve.population import Population
from evolve.strategies.alma import Alma, parent_probabilities
from evolve.strategies.base import Propose, Strategy, Wait
from evolve.strategies.registry import NAMES, make

WITH_PARENTS = [name for name in NAMES if name != "best-of-n"]
GREEDY = ("sequential", "memevolve", "empirical-mcts")


def population(*scores: float, pending: int = 0, failed: int = 0) -> Population:
    """Designs d0, d1, ... that were proposed afresh and evaluated, and proposals that failed or are under way."""
    made = Population(baseline=0.2)
    for _ in range(len(scores) + pending + failed):
        made.ask(())
    for number, score in enumerate(scores):
        made.tell(f"d{number}", score)
    for _ in range(failed):
        made.tell("", None)
    return made


def ask(strategy: Strategy, state: Population, seed: int) -> Propose:
    found = strategy.ask(state, np.random.default_rng(seed))
    assert isinstance(found, Propose)
    return found


@pytest.fixture(params=NAMES)
def strategy(request: pytest.FixtureRequest) -> Strategy:
    return make(RunConfig(strategy=request.param))


def test_an_unknown_strategy_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(InputError, match=f"no strategy 'greedy'; choose one of {', '.join(NAMES)}"):
        make(RunConfig(strategy="greedy"))


def test_the_first_design_is_written_from_nothing(strategy: Strategy) -> None:
    assert ask(strategy, Population(), 0).parents == ()


def test_equal_chance_gives_equal_requests(strategy: Strategy) -> None:
    state = population(0.1, 0.5, 0.3, 0.9)
    for seed in range(20):
        assert ask(strategy, state, seed) == ask(strategy, state, seed)


def test_asking_changes_nothing(strategy: Strategy) -> None:
    state = population(0.1, 0.5, pending=2)
    before = (dict(state.scores), Counter(state.visits), list(state.asked), state.pending)
    ask(strategy, state, 1)
    assert before == (state.scores, state.visits, state.asked, state.pending)


def test_parents_are_evaluated_designs_and_different_ones(strategy: Strategy) -> None:
    state = population(0.1, 0.5, 0.3, pending=3, failed=2)
    for seed in range(50):
        parents = ask(strategy, state, seed).parents
        assert set(parents) <= set(state.scores)
        assert len(set(parents)) == len(parents)


@pytest.mark.parametrize("name", WITH_PARENTS)
def test_it_waits_for_the_first_result_and_starts_again_where_there_is_none(name: str) -> None:
    strategy = make(RunConfig(strategy=name))
    assert isinstance(strategy.ask(population(pending=1), np.random.default_rng(0)), Wait)
    assert ask(strategy, population(failed=1), 0).parents == ()


@pytest.mark.parametrize("name", [name for name in WITH_PARENTS if name not in GREEDY])
def test_every_design_may_become_a_parent(name: str) -> None:
    state = population(0.0, 1.0, 0.5)
    firsts = {ask(make(RunConfig(strategy=name)), state, seed).parents[0] for seed in range(200)}
    assert firsts == set(state.scores)


def test_best_of_n_never_has_a_parent() -> None:
    assert ask(make(RunConfig(strategy="best-of-n")), population(0.5, 0.9), 0).parents == ()


def test_random_does_not_look_at_scores() -> None:
    state = population(0.0, 1.0)
    firsts = Counter(ask(make(RunConfig(strategy="random")), state, seed).parents[0] for seed in range(1000))
    assert 430 < firsts["d0"] < 570


def test_sequential_draws_from_the_best_alone() -> None:
    state = population(0.1, 0.9, 0.3, 0.8)
    drawn = {ask(make(RunConfig(strategy="sequential", elite=2)), state, seed).parents for seed in range(50)}
    assert drawn == {("d1", "d3"), ("d3", "d1")}


def test_alma_probabilities_by_hand() -> None:
    """Two designs, scores .6 and .2 over a baseline of .2, the first used as parent once.

    J1 = 1 / (1 + exp(-.4)) - .5 ln 2 = .5986877 - .3465736 = .2521141;  J2 = .5
    p1 = 1 / (1 + exp((.5 - .2521141) / .5)) = 1 / (1 + exp(.4957718)) = .3785348
    """
    found = parent_probabilities(np.array([0.6, 0.2]), np.array([1.0, 0.0]), baseline=0.2)
    assert found == pytest.approx([0.3785348, 0.6214652], abs=1e-7)


def test_alma_parameters_are_those_of_the_formula() -> None:
    scores, visits = np.array([0.9, 0.4, 0.1]), np.array([3.0, 0.0, 1.0])
    lam, alpha, temperature, baseline = 2.0, 0.3, 0.7, 0.35
    odds = [
        math.exp((1 / (1 + math.exp(-lam * (f - baseline))) - alpha * math.log(1 + t)) / temperature)
        for f, t in zip(scores, visits, strict=True)
    ]
    found = parent_probabilities(scores, visits, baseline, lam, alpha, temperature)
    assert found == pytest.approx([each / sum(odds) for each in odds])


def test_alma_visits_outweigh_scores() -> None:
    """The gain term spans about .27 to .73, a first visit costs .35: close to round-robin, as the paper's code is."""
    found = parent_probabilities(np.array([1.0, 0.0]), np.array([2.0, 0.0]), baseline=0.2)
    assert found[0] < found[1]


def test_alma_is_not_upset_by_extremes() -> None:
    found = parent_probabilities(np.array([1.0, 0.0]), np.array([0.0, 1e9]), 0.0, temperature=1e-3)
    assert found == pytest.approx([1.0, 0.0])


def test_alma_draws_without_replacement_within_a_step() -> None:
    strategy = Alma(1.0, 0.5, 0.5, step_size=5)
    state = population(0.1, 0.2, 0.3, 0.4, 0.5)
    state.asked.clear()
    state.ask(())
    firsts = []
    for seed in range(5):
        parents = ask(strategy, state, seed).parents
        state.ask(parents)
        firsts.append(parents[0])
    assert sorted(firsts) == ["d0", "d1", "d2", "d3", "d4"]


def test_pending_requests_count_as_visits() -> None:
    state = population(0.5, 0.5)
    state.ask(("d0", "d1"))
    assert (state.visits["d0"], state.visits["d1"], state.pending) == (1, 0, 1)


def test_columns_follow_scores_and_visits() -> None:
    state = population(0.5, 0.3, 0.9, failed=1)
    for parents in (("d2", "d0"), ("d2", "d1"), ("d0",), ()):
        state.ask(parents)
    state.tell("d1", 0.4)
    given = Population(0.2, dict(state.scores), Counter(state.visits))
    for each in (state, given):
        assert each.designs == list(each.scores) == ["d0", "d1", "d2"]
        assert list(each.score_column) == list(each.scores.values()) == [0.5, 0.4, 0.9]
        assert list(each.visit_column) == [1, 0, 2]


@pytest.mark.parametrize("name", NAMES)
def test_a_choice_among_ten_thousand_takes_milliseconds(name: str) -> None:
    state, chosen = population(*np.random.default_rng(0).random(10_000)), make(RunConfig(strategy=name))
    ask(chosen, state, 0)  # which takes all of them in
    began = time.process_time()
    for seed in range(10):
        ask(chosen, state, seed)
    assert (time.process_time() - began) / 10 < 0.010
