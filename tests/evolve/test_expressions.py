"""Scoring expressions: whatever is done to them, they stay small, valid and computable."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

import numpy as np
import pytest

from evolve.proposers import expressions
from sandbox.guest import Query, Record, Task, overlap, ratio

RECORD = Record("take the knife", gain=0.5, score=1.0, wins=1, count=3, position=0.25, last=2)
QUERY = Query(Task("t", "d", "Take what you need.", "A knife."), "A knife is here.")


def value(tree: ast.expr) -> float:
    code = compile(ast.unparse(tree), "expression", "eval")
    names = {"record": RECORD, "relevance": 0.5, "query": QUERY, "overlap": overlap, "ratio": ratio}
    found = eval(code, {"__builtins__": {"min": min, "max": max, "abs": abs}}, names)
    assert isinstance(found, int | float)
    return float(found)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def mutants(rng: np.random.Generator, count: int) -> Iterator[tuple[ast.expr, ast.expr, str]]:
    tree = expressions.draw(rng)
    for _ in range(count):
        changed, name = expressions.mutate(tree, rng)
        yield tree, changed, name
        tree = changed


def test_every_drawn_expression_has_a_value(rng: np.random.Generator) -> None:
    drawn = [expressions.draw(rng) for _ in range(300)]
    assert all(math.isfinite(value(tree)) for tree in drawn)
    assert len({ast.unparse(tree) for tree in drawn}) > 150


def test_a_chain_of_mutations_stays_valid_and_small(rng: np.random.Generator) -> None:
    for before, after, _ in mutants(rng, 500):
        assert ast.unparse(before) != ast.unparse(after)
        assert expressions.size(after) <= expressions.LARGEST
        assert math.isfinite(value(after))
        assert ast.unparse(ast.parse(ast.unparse(after), mode="eval").body) == ast.unparse(after)


def test_every_change_happens(rng: np.random.Generator) -> None:
    assert {name for _, _, name in mutants(rng, 300)} >= {"grow", "replace", "shrink", "retune", "turn"}


def test_mutation_leaves_its_input_alone(rng: np.random.Generator) -> None:
    tree = expressions.draw(rng)
    text = ast.unparse(tree)
    for _ in range(50):
        expressions.mutate(tree, rng)
    assert ast.unparse(tree) == text


def test_a_graft_takes_from_its_donor_and_leaves_both_alone(rng: np.random.Generator) -> None:
    tree, donor = (ast.parse(text, mode="eval").body for text in ("relevance + record.count", "record.gain"))
    grafted = {ast.unparse(expressions.graft(tree, donor, rng)) for _ in range(40)}
    assert grafted == {"record.gain", "record.gain + record.count", "relevance + record.gain"}
    assert (ast.unparse(tree), ast.unparse(donor)) == ("relevance + record.count", "record.gain")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("relevance", 1),
        ("overlap(record.text, query.task.goal)", 1),
        ("relevance + 2.0", 3),
        ("min(relevance, record.gain * 2.0)", 5),
    ],
)
def test_size_counts_features_as_one(text: str, size: int) -> None:
    assert expressions.size(ast.parse(text, mode="eval").body) == size


@pytest.mark.parametrize("text", expressions.FEATURES)
def test_every_feature_is_a_number(text: str) -> None:
    assert math.isfinite(value(ast.parse(text, mode="eval").body))
