"""Scoring expressions over a record: drawn, mutated, crossed and simplified as syntax trees."""

from __future__ import annotations

import ast
import copy

import numpy as np

FEATURES = (
    "relevance",
    "record.gain",
    "record.mean_gain",
    "record.mean_score",
    "record.win_rate",
    "record.count",
    "record.position",
    "record.last",
    "record.length",
    "overlap(record.text, query.task.goal)",
    "overlap(record.text, query.observation)",
)
BINARY = (ast.Add, ast.Sub, ast.Mult)
CALLS = ("min", "max", "ratio")
LARGEST = 25
"""Nodes of an expression, features and constants counted as one."""


def feature(rng: np.random.Generator) -> ast.expr:
    """A random feature of a record."""
    return _parse(FEATURES[int(rng.integers(len(FEATURES)))])


def constant(rng: np.random.Generator) -> ast.expr:
    """A random positive number around 1."""
    return ast.Constant(float(f"{np.exp(rng.normal(0.0, 1.2)):.2g}"))


def draw(rng: np.random.Generator, depth: int = 2) -> ast.expr:
    """A random expression of at most `depth` operators in a row, most often with a feature in it."""
    if depth == 0 or rng.random() < 0.25:
        return feature(rng) if rng.random() < 0.8 else constant(rng)
    left, right = draw(rng, depth - 1), draw(rng, depth - 1)
    pick = rng.random()
    if pick < 0.65:
        return ast.BinOp(left, BINARY[int(rng.integers(len(BINARY)))](), right)
    if pick < 0.9:
        return ast.Call(ast.Name(CALLS[int(rng.integers(len(CALLS)))]), [left, right], [])
    test = ast.Compare(feature(rng), [ast.Gt()], [constant(rng)])
    return ast.IfExp(test, left, right)


def begin(rng: np.random.Generator) -> ast.expr:
    """A first expression, most often one feature up or down: what is simple is tried first, and grows by mutation."""
    pick = rng.random()
    if pick < 0.35:
        return feature(rng)
    return ast.UnaryOp(ast.USub(), feature(rng)) if pick < 0.7 else draw(rng)


def mutate(tree: ast.expr, rng: np.random.Generator) -> tuple[ast.expr, str]:
    """Another expression, made by one change to this one, and the name of the change."""
    changes = {"grow": _grow, "replace": _replace, "shrink": _shrink, "retune": _retune, "turn": _turn}
    names = list(changes)
    for _ in range(20):
        name = names[int(rng.integers(len(names)))]
        changed = changes[name](copy.deepcopy(tree), rng)
        if changed is not None and size(changed) <= LARGEST and ast.unparse(changed) != ast.unparse(tree):
            return changed, name
    return draw(rng), "redraw"


def graft(tree: ast.expr, donor: ast.expr, rng: np.random.Generator) -> ast.expr:
    """A random subtree of `tree` replaced by one of `donor`; the whole donor where that grows too large."""
    piece = copy.deepcopy(_pick(donor, rng))
    grafted = _put(copy.deepcopy(tree), piece, rng)
    return grafted if size(grafted) <= LARGEST else copy.deepcopy(donor)


def size(tree: ast.expr) -> int:
    """Operators, features and constants in an expression."""
    return len(places(tree)) + 1


def places(tree: ast.expr) -> list[tuple[ast.AST, str, int | None]]:
    """All (parent, field, index) where a subexpression hangs; features are leaves."""
    found: list[tuple[ast.AST, str, int | None]] = []
    if _is_leaf(tree):
        return found
    for name, value in ast.iter_fields(tree):
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if isinstance(child, ast.expr) and not (isinstance(tree, ast.Call) and name == "func"):
                if not isinstance(child, ast.Compare):  # a comparison is changed inside, never put elsewhere
                    found.append((tree, name, index if isinstance(value, list) else None))
                found.extend(places(child))
    return found


def _is_leaf(tree: ast.expr) -> bool:
    return isinstance(tree, ast.Constant | ast.Name | ast.Attribute) or (
        isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "overlap"
    )


def _parse(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _get(place: tuple[ast.AST, str, int | None]) -> ast.expr:
    parent, name, index = place
    value = getattr(parent, name)
    found: ast.expr = value if index is None else value[index]
    return found


def _set(place: tuple[ast.AST, str, int | None], new: ast.expr) -> None:
    parent, name, index = place
    if index is None:
        setattr(parent, name, new)
    else:
        getattr(parent, name)[index] = new


def _pick(tree: ast.expr, rng: np.random.Generator) -> ast.expr:
    nodes = [tree, *(_get(place) for place in places(tree))]
    return nodes[int(rng.integers(len(nodes)))]


def _put(tree: ast.expr, new: ast.expr, rng: np.random.Generator) -> ast.expr:
    spots = places(tree)
    at = int(rng.integers(len(spots) + 1))
    if at == len(spots):
        return new
    _set(spots[at], new)
    return tree


def _grow(tree: ast.expr, rng: np.random.Generator) -> ast.expr:
    operator = BINARY[int(rng.integers(len(BINARY)))]()
    addition: ast.expr = ast.BinOp(constant(rng), ast.Mult(), feature(rng)) if rng.random() < 0.7 else draw(rng, 1)
    return ast.BinOp(tree, operator, addition)


def _replace(tree: ast.expr, rng: np.random.Generator) -> ast.expr:
    return _put(tree, draw(rng, 1), rng)


def _shrink(tree: ast.expr, rng: np.random.Generator) -> ast.expr | None:
    spots = places(tree)
    return _get(spots[int(rng.integers(len(spots)))]) if spots else None


def _retune(tree: ast.expr, rng: np.random.Generator) -> ast.expr | None:
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    if not constants:
        return None
    chosen = constants[int(rng.integers(len(constants)))]
    assert isinstance(chosen.value, int | float)
    chosen.value = float(f"{chosen.value * np.exp(rng.normal(0.0, 0.7)):.2g}")
    return tree


def _turn(tree: ast.expr, rng: np.random.Generator) -> ast.expr | None:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp)]
    if not nodes:
        return tree.operand if isinstance(tree, ast.UnaryOp) else ast.UnaryOp(ast.USub(), tree)
    chosen = nodes[int(rng.integers(len(nodes)))]
    others = [operator for operator in BINARY if not isinstance(chosen.op, operator)]
    chosen.op = others[int(rng.integers(len(others)))]()
    return tree
