"""Which operators a change came from, so that those that led to better designs can be given more weight."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from evolve.desk import TUNING
from evolve.proposers.genetic import DEFAULT_WEIGHTS, RECOMPOSE

SAID = {
    RECOMPOSE: r"composed afresh, leaving the parent",
    "swap_block": r"swapped ",
    "change_parameter": r"moved ",
    "change_lines": r"tells ",
    "cross_expressions": r"(worth|place) \(grafted\)",
    "mutate_worth": r"worth \(",
    "mutate_place": r"place \(",
    "add_layer": r"added ",
    "drop_layer": r"dropped ",
    "wrap_encoder": r"(put slots into|took the slots from) ",
    "fuse_retrievers": r"(fused|kept) ",
    "cross_parts": r"took .* from another parent",
}
"""How the genetic proposer's account of each operator begins; the first that fits decides."""
STEP = 2.0
"""By how much the weight of an operator grows where it won for certain, and shrinks where it lost."""
MOST = 4.0
"""How many times its usual weight an operator may have, or what part of it."""

Factors = Mapping[str, float]
"""By operator, how many times its usual weight it has; 1 where it is left out."""


def operators_of(change: str) -> list[str]:
    """The operators that made a change, in the order in which they did.

    >>> operators_of("tuning: tells 8 lines instead of 5; added CreditedActions")
    ['change_lines', 'add_layer']
    """
    parts = change.removeprefix(TUNING).split("; ")
    found = [next((name for name, said in SAID.items() if re.match(said, part)), "") for part in parts]
    return list(dict.fromkeys(filter(None, found)))


def shifted(factors: Factors, operators: Iterable[str], value: float) -> dict[str, float]:
    """A parent's factors as its child inherits them: moved towards the operators that made it, or away from them.

    `value` in [0, 1] is the child's worth beside its parent's, .5 where they are equal: a factor is multiplied by
    STEP^(2 value - 1).

    >>> shifted({"add_layer": 1.5}, ["add_layer", "swap_block"], 1.0)
    {'add_layer': 3.0, 'swap_block': 2.0}
    """
    moved = dict(factors)
    for name in operators:
        moved[name] = round(min(MOST, max(1 / MOST, moved.get(name, 1.0) * STEP ** (2 * value - 1))), 6)
    return moved


def weights(factors: Factors) -> dict[str, float]:
    """What a brief says of factors."""
    return {name: DEFAULT_WEIGHTS[name] * factor for name, factor in factors.items()}
