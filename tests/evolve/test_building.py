"""Built memories that one design leaves for another, and the guests in which designs are built."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from domains import registry as domains
from domains.base import Role
from evolve.agents import registry as agents
from evolve.building import Memories
from evolve.evaluator import Evaluator
from evolve.jobs import BuildJob, Built, Recipe
from evolve.play import play
from evolve.proposers import genome
from evolve.proposers.genetic import fresh
from sandbox.source import SourceChecker

DOMAIN, AGENT = domains.load("recall"), agents.load("lexical")
SPECS = tuple(DOMAIN.tasks(Role.DEPLOYMENT)[:6])
COLLECTION = tuple(play(DOMAIN, spec, AGENT, 50) for spec in DOMAIN.tasks(Role.COLLECTION)[:12])


def pairs() -> Iterator[tuple[str, str]]:
    """Composed designs, each with another that differs in what it tells of the same memory."""
    rng = np.random.default_rng(3)
    for _ in range(6):
        first = fresh(rng)
        second = first.copy()
        other = fresh(rng)
        second.retriever, second.lines, second.place = other.retriever, first.lines + 5, other.place
        yield genome.write(first, "One."), genome.write(second, "Another.")


@pytest.fixture
def evaluator() -> Iterator[Evaluator]:
    made = Evaluator("recall", "lexical", "process")
    yield made
    made.close()


def build(evaluator: Evaluator, recipe: Recipe) -> Built:
    built = evaluator.run(BuildJob(recipe, SPECS, smoke=2, budget=200), COLLECTION)
    assert isinstance(built, Built)
    assert not built.failure
    return built


def test_a_memory_that_another_design_built_is_as_good_as_ones_own(evaluator: Evaluator) -> None:
    with SourceChecker() as checker:
        for first, second in pairs():
            shared = checker.check(first).build_hash
            assert shared == checker.check(second).build_hash
            own = build(evaluator, Recipe(second, 0))
            build(evaluator, Recipe(first, 0, shared))
            assert evaluator.memories.take(Recipe(second, 0, shared, frozenset())) is None
            assert build(evaluator, Recipe(second, 0, shared)).deliveries == own.deliveries
            assert evaluator.memories.take(Recipe(second, 0, shared)) is not None


def test_a_memory_that_cannot_be_restored_is_built(evaluator: Evaluator) -> None:
    source, _ = next(pairs())
    evaluator.memories.put(Recipe(source, 0, "same"), {"nonsense": 1})
    assert build(evaluator, Recipe(source, 0, "same")).deliveries == build(evaluator, Recipe(source, 0)).deliveries


def test_what_was_not_used_for_longest_goes_first() -> None:
    memories = Memories(most=2)
    recipes = [Recipe("", 0, name) for name in ("a", "b", "c")]
    for recipe in recipes[:2]:
        memories.put(recipe, recipe.building_hash)
    memories.put(recipes[0], memories.take(recipes[0]))
    memories.put(recipes[2], "c")
    assert [memories.take(recipe) for recipe in recipes] == ["a", None, "c"]
