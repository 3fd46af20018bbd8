"""The constant baseline on real episodes of `recall`."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import pytest

from domains import registry
from evolve import constant
from evolve.agents.lexical import LexicalAgent
from evolve.config import RunConfig
from evolve.plan import Plan, make_plan
from evolve.play import play
from sandbox.guest import Trajectory, count_tokens
from sandbox.source import SourceChecker

DOMAIN = registry.load("recall")
AGENT = LexicalAgent()


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(RunConfig(domain="recall", collection=20, collection_repeats=2), DOMAIN, AGENT)


@pytest.fixture(scope="module")
def collection(plan: Plan) -> list[Trajectory]:
    return [play(DOMAIN, order.spec, AGENT, order.seed) for order in plan.collect()]


def found(plan: Plan, collection: list[Trajectory], budget: int, episodes: int) -> tuple[list[str], list[float], int]:
    """The lines, the mean scores on the way, and the episodes that were played."""
    search = constant.find(plan, collection, budget, episodes)
    means: list[float] = []
    played = 0
    scores: dict[bytes, float] | None = None
    while True:
        try:
            need = next(search) if scores is None else search.send(scores)
        except StopIteration as end:
            return end.value, means, played
        scores = {order.key: play(DOMAIN, order.spec, AGENT, order.seed, order.items).score for order in need.orders}
        played += len(scores)
        means.append(fmean(scores.values()))


def test_it_finds_lines_that_help_within_its_episodes(plan: Plan, collection: list[Trajectory]) -> None:
    lines, means, played = found(plan, collection, budget=1000, episodes=32)
    assert 0 < played <= 32
    assert max(means) > fmean(trajectory.score for trajectory in collection)
    assert set(lines) <= {step.action for trajectory in collection for step in trajectory.steps}


def test_it_keeps_to_the_budget(plan: Plan, collection: list[Trajectory]) -> None:
    lines, _, _ = found(plan, collection, budget=30, episodes=32)
    assert lines
    assert sum(map(count_tokens, lines)) <= 30


def test_where_nothing_was_gained_it_says_nothing(plan: Plan, collection: list[Trajectory]) -> None:
    fruitless = [replace(trajectory, steps=()) for trajectory in collection]
    assert found(plan, fruitless, budget=1000, episodes=32) == ([], [], 0)


def test_what_it_writes_is_a_design_that_tells_just_that() -> None:
    lines = ['say "so"', "nothing else", "\u00fcber\\all"]
    with SourceChecker() as checker:
        assert checker.check(constant.write(lines)).class_name == "Constant"
        assert checker.check(constant.write([])).class_name == "Constant"
    module: dict[str, object] = {}
    exec(constant.write(lines), module)
    assert module["LINES"] == lines
