"""The building blocks that the genetic proposer draws from, with the range of each parameter."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Range:
    """Values of a parameter, drawn and changed on a logarithmic scale; whole numbers where `whole`."""

    low: float
    high: float
    whole: bool = False

    def draw(self, rng: np.random.Generator) -> float:
        """Any value of the range."""
        return self._tidy(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))

    def near(self, value: float, rng: np.random.Generator) -> float:
        """A value other than `value`, most often within a factor of two of it."""
        changed = self._tidy(max(value, self.low) * math.exp(rng.normal(0.0, 0.6)))
        if changed == value:
            step = max(1.0, 0.25 * value) if self.whole else 0.25 * value
            changed = self._tidy(value + step if value + step <= self.high else value - step)
        return changed

    def _tidy(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        return round(value) if self.whole else float(f"{value:.2g}")


@dataclass(frozen=True, slots=True)
class Block:
    """One building block: its name, its parameters, and the kind of block that it wraps, if any."""

    name: str
    parameters: tuple[tuple[str, Range], ...] = ()
    wraps: str = ""
    needs_toolkit: bool = False
    weight: float = 1.0
    """How often it is drawn, against the others of its kind: what looks at rewards more often than what does not."""


LINES = Range(8, 120, whole=True)
_LIMIT = ("limit", Range(20, 400, whole=True))

KINDS: dict[str, tuple[Block, ...]] = {
    "encoder": (
        Block("RawSteps", (("limit", Range(5, 50, whole=True)),)),
        Block("CreditedActions", (("window", Range(1, 8, whole=True)), ("decay", Range(0.2, 1.0))), weight=2.0),
        Block("Contrast", (("minimum", Range(1, 6, whole=True)),)),
        Block("ObjectPlaces", (("longest", Range(5, 20, whole=True)),)),
        Block("Templates", (("rare", Range(0.05, 0.6)),), wraps="encoder"),
    ),
    "store": (Block("ListStore"), Block("FullTextStore"), Block("VectorStore", needs_toolkit=True)),
    "retriever": (
        Block("Recent", (_LIMIT,)),
        Block("Lexical", (_LIMIT,)),
        Block("Semantic", (_LIMIT,)),
        Block("ByReward", (_LIMIT, ("trust", Range(0.1, 10.0))), weight=2.0),
        Block("Hybrid", (_LIMIT, ("smoothing", Range(1.0, 100.0))), wraps="retriever"),
    ),
    "manager": (
        Block("DropDuplicates"),
        Block("MergeSimilar", (("threshold", Range(0.3, 0.95)),)),
        Block("Forget", (("minimum", Range(0.001, 0.3)), ("trials", Range(1, 8, whole=True)))),
        Block("Capacity", (("limit", Range(10, 400, whole=True)),)),
    ),
}
BY_NAME = {block.name: block for blocks in KINDS.values() for block in blocks}
KIND_OF = {block.name: kind for kind, blocks in KINDS.items() for block in blocks}

Wrap = Callable[[str, np.random.Generator], list[ast.expr]]


def draw(kind: str, rng: np.random.Generator, *, plain: bool = False) -> ast.expr:
    """A random block of a kind as a constructor call; `plain` ones wrap nothing."""
    choices = [block for block in KINDS[kind] if not (plain and block.wraps)]
    weights = np.array([block.weight for block in choices])
    block = choices[int(rng.choice(len(choices), p=weights / weights.sum()))]
    if not block.wraps:
        return call(block, rng, [])
    count = 1 if kind == "encoder" else 2
    return call(block, rng, [draw(block.wraps, rng, plain=True) for _ in range(count)])


def call(block: Block, rng: np.random.Generator, inner: list[ast.expr]) -> ast.Call:
    """A constructor call of a block around `inner`, its parameters drawn."""
    positional: list[ast.expr] = [ast.Name("toolkit")] if block.needs_toolkit else []
    if inner:
        positional.append(inner[0] if block.name == "Templates" else ast.List(inner))
    keywords = [ast.keyword(name, ast.Constant(values.draw(rng))) for name, values in block.parameters]
    return ast.Call(ast.Name(block.name), positional, keywords)


def name_of(node: ast.expr) -> str:
    """The block that a constructor call makes; empty for any other expression."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def is_known(node: ast.expr, kind: str) -> bool:
    """Whether an expression makes a block of a kind as `call` writes it, which is what may be edited."""
    block = BY_NAME.get(name_of(node))
    if block is None or KIND_OF[block.name] != kind or not isinstance(node, ast.Call):
        return False
    numbers = [isinstance(k.value, ast.Constant) and isinstance(k.value.value, int | float) for k in node.keywords]
    if [keyword.arg for keyword in node.keywords] != [name for name, _ in block.parameters] or not all(numbers):
        return False
    if not block.wraps:
        return [ast.unparse(argument) for argument in node.args] == ["toolkit"] * block.needs_toolkit
    parts = node.args[0].elts if node.args and isinstance(node.args[0], ast.List) else node.args
    return bool(parts) and all(is_known(part, block.wraps) for part in parts)
