"""Built memories that one design leaves for another, and the guests in which designs are built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from domains import registry as domains
from domains.base import Role
from evolve.agents import registry as agents
from evolve.building import Memories, fill, load
from evolve.evaluator import Evaluator
from evolve.jobs import BuildJob, Built, Recipe
from evolve.play import play
from evolve.proposers import genome
from evolve.proposers.genetic import fresh
from sandbox.backend import DesignFault
from sandbox.backends import make
from sandbox.embedding import Embedder
from sandbox.guest import Query
from sandbox.metering import Completion, RefusedError
from sandbox.pool import Pool
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


# --- free code: its model's replies are used again, and nothing else of its memory


def asking(question: str = "a lesson", told: str = "self.said", more: str = "pass") -> str:
    """A design that asks the model about each episode."""
    return f"""
from sandbox.guest import MemoryDesign
class Asking(MemoryDesign):
    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.said = []
    def update(self, trajectory):
        self.said.append(self.toolkit.llm({question!r} + " of " + trajectory.task.id))
    def manage(self):
        self.said.append(str(self.toolkit.embed(["x"])[0][0]))
        {more}
    def retrieve(self, query):
        return {told}
    def dump(self):
        return ["forged"]
    def load(self, state):
        self.said = state
"""


class Model:
    """A scripted model that never says the same twice; it knows what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, prompt: str, schema: dict[str, Any] | None, longest: int) -> Completion:
        self.asked.append(prompt)
        if prompt.startswith("refuse"):
            raise RefusedError("it will not say")
        return Completion(f"{prompt}: {len(self.asked)}", 20, 3, 0.25)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def pool(model: Model) -> Iterator[Pool]:
    with Pool(make("process"), embed=Embedder(), llm=model) as made:
        yield made


@dataclass(frozen=True)
class Filled:
    """What a design tells after it was filled, and what that was charged."""

    told: list[str]
    tokens: int
    calls: int
    dollars: float | None


def recipe(source: str, **rest: Any) -> Recipe:
    with SourceChecker() as checker:
        return replace(Recipe(source, 0, checker.check(source).build_hash, by_replay=True), **rest)


def filled(pool: Pool, memories: Memories, source: str, **rest: Any) -> Filled:
    with pool.lease() as session:
        load(session, source, 0)
        fill(session, recipe(source, **rest), COLLECTION[:4], memories)
        with session.episode() as episode:
            items = episode.retrieve(Query(COLLECTION[0].task, ""))
        return Filled([item.text for item in items], session.tokens_llm, session.toolkit_calls, session.dollars)


def test_what_changes_only_retrieval_asks_the_model_nothing_again(pool: Pool, model: Model) -> None:
    memories = Memories()
    parent = filled(pool, memories, asking())
    assert len(model.asked) == 4
    for told in ("self.said[::-1]", "list(self.said)"):
        child = filled(pool, memories, asking(told=told), design="a child")
        assert sorted(child.told) == sorted(parent.told)
        assert replace(child, told=[]) == replace(parent, told=[]) == Filled([], 4 * 23, 5, 1.0)
    assert len(model.asked) == 4


@pytest.mark.parametrize(
    ("source", "rest", "asked"),
    [
        (asking(question="a rule"), {}, 4),
        (asking(more="self.said.append('more')"), {}, 4),
        (asking(), {"seed": 1}, 4),
        (asking(), {"collected": frozenset(each.task.id for each in COLLECTION[:2])}, 2),
    ],
    ids=["update", "manage", "seed", "collected"],
)
def test_what_changes_the_memory_asks_anew(
    pool: Pool, model: Model, source: str, rest: dict[str, Any], asked: int
) -> None:
    memories = Memories()
    filled(pool, memories, asking())
    filled(pool, memories, source, **rest)
    assert len(model.asked) == 4 + asked


def test_from_the_first_request_that_differs_the_model_is_asked(pool: Pool, model: Model) -> None:
    memories = Memories()
    filled(pool, memories, asking())
    kept = memories.take(recipe(asking()))
    kept[2][0] = "the address of another request"
    memories.put(recipe(asking()), kept)
    again = filled(pool, memories, asking())
    assert model.asked[4:] == model.asked[2:4]
    assert [text.rpartition(": ")[2] for text in again.told[:4]] == ["1", "2", "5", "6"]
    assert filled(pool, memories, asking()) == again
    assert len(model.asked) == 6


def test_a_refusal_is_remembered_and_a_failed_building_pays_once(pool: Pool, model: Model) -> None:
    memories = Memories()
    for source, fault, asked in ((asking(question="refuse"), "it will not say", 1), (asking(more="1 / 0"), "Zero", 5)):
        for _ in range(2):
            with pytest.raises(DesignFault, match=fault):
                filled(pool, memories, source)
        assert len(model.asked) == asked


def test_what_is_kept_of_composed_and_of_free_code_is_never_mixed(pool: Pool, model: Model) -> None:
    memories = Memories()
    filled(pool, memories, asking(), by_replay=False)
    assert "forged" not in filled(pool, memories, asking()).told
    assert len(model.asked) == 8
    assert filled(pool, memories, asking(), by_replay=False).told == ["forged"]


def test_a_design_that_is_not_known_by_what_builds_it_leaves_nothing(pool: Pool) -> None:
    memories = Memories()
    filled(pool, memories, asking(), building_hash="")
    assert memories.take(recipe(asking(), building_hash="")) is None
