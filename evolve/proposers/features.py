"""What a composed design is made of, as names: its building blocks, and where each of its numbers lies in its range."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache

from evolve.errors import InputError
from evolve.proposers.blocks import BY_NAME, LINES, Range, name_of
from evolve.proposers.genome import Genome, read

THIRDS = ("low", "middle", "high")
"""Of a range, on the scale on which it is drawn."""


def features(genome: Genome) -> frozenset[str]:
    """Names of what a genome holds, such as `ByReward`, `ByReward.trust high` and `lines low`."""
    found = {f"lines {third(genome.lines, LINES)}"}
    for tree in (*genome.encoders, genome.store, genome.retriever, *genome.managers):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (block := BY_NAME.get(name_of(node))) is not None:
                found.add(block.name)
                ranges = dict(block.parameters)
                for keyword in node.keywords:
                    value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
                    if keyword.arg in ranges and isinstance(value, int | float):
                        found.add(f"{block.name}.{keyword.arg} {third(value, ranges[keyword.arg])}")
    return frozenset(found)


@lru_cache(maxsize=512)
def features_of(source: str) -> frozenset[str]:
    """Those of a composed design's code; none where it is not made of layers."""
    try:
        return features(read(source))
    except InputError:
        return frozenset()


def third(value: float, values: Range) -> str:
    """Where a value lies in its range.

    >>> third(40, Range(8, 120)), third(1, Range(8, 120))
    ('middle', 'low')
    """
    share = math.log(max(value, values.low) / values.low) / math.log(values.high / values.low)
    return THIRDS[min(2, int(3 * share))]


def kind_of(feature: str) -> str:
    """Whether a feature is a `block` or a `range`."""
    return "block" if feature in BY_NAME else "range"


def worth(genome: Genome, weights: Mapping[str, float]) -> float:
    """How much is expected of what a genome holds: 2 to the sum of its features' weights."""
    return float(2.0 ** _bounded(weights.get(feature, 0.0) for feature in features(genome)))


def _bounded(values: Iterable[float]) -> float:
    return max(-8.0, min(8.0, sum(values)))
