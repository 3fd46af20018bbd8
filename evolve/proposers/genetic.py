"""The genetic proposer: writes designs without a language model, by editing its parents' syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from evolve.errors import InputError
from evolve.proposers import blocks, expressions
from evolve.proposers.base import Brief, Proposal
from evolve.proposers.features import worth
from evolve.proposers.genome import Genome, read, write


class Operator(Protocol):
    """Edits a genome in place, given the other parents, and says what it did; None where it does not apply."""

    def __call__(
        self, genome: Genome, others: Sequence[Genome], rng: np.random.Generator, part: str = ""
    ) -> str | None:
        """With a part named, only that one is touched."""


MOST_LAYERS = 4
MOST_EDITS = 4
RECOMPOSE = "recompose"
"""Drawn in place of an operator: leave the parent, so that a search is not held by the neighbourhood it began in."""
CANDIDATES = 4
"""Designs that are drawn, of which one is taken by what the brief says of their blocks."""
PATIENCE = 50
"""Draws of operators that do not apply, after which the weights that a brief gives are left aside, then its part."""


class GeneticProposer:
    """Composes a fresh design from nothing, edits one parent, or crosses several."""

    def write(self, parents: Sequence[str], brief: Brief, rng: np.random.Generator) -> Proposal:
        """Apply one operator, at times more, drawn by the brief's weights, `DEFAULT_WEIGHTS` where it has none.

        Where the brief names a part, only that is changed, and the parent is not left. Where it has weights of blocks,
        several designs are drawn, and one of them by what these come to.
        """
        drawn = [self._draw(parents, brief, rng) for _ in range(CANDIDATES if brief.blocks else 1)]
        odds = np.array([worth(genome, brief.blocks) for genome, _, _ in drawn]) if brief.blocks else np.ones(1)
        taken = int(rng.choice(len(drawn), p=odds / odds.sum())) if len(drawn) > 1 else 0
        genome, change, descends = drawn[taken]
        return Proposal(write(genome, describe(genome)), change, "composed", descends)

    def _draw(self, parents: Sequence[str], brief: Brief, rng: np.random.Generator) -> tuple[Genome, str, bool]:
        """A genome, what was changed to make it, and whether it descends from the parents."""
        names = [self._operator(brief, rng) for _ in range(min(MOST_EDITS, int(rng.geometric(0.5))))]
        if not parents or RECOMPOSE in names:
            return (
                fresh(rng),
                "composed afresh, leaving the parent" if parents else "composed from building blocks",
                False,
            )
        genome, *others = map(_taken_apart, parents)
        if genome is None:
            return fresh(rng), "composed afresh, for the parent is not made of layers", False
        donors = [donor for donor in others if donor is not None]
        changes = [self._edit(genome, name, donors, brief, rng) for name in names]
        return genome, "; ".join(changes), True

    def _operator(self, brief: Brief, rng: np.random.Generator) -> str:
        names = [name for name in DEFAULT_WEIGHTS if brief.part not in FIELDS or brief.part in TOUCHED[name]]
        weights = np.array([brief.operators.get(name, DEFAULT_WEIGHTS[name]) for name in names])
        if not weights.any():
            weights = np.ones(len(names))
        return names[int(rng.choice(len(names), p=weights / weights.sum()))]

    def _edit(self, genome: Genome, name: str, others: Sequence[Genome], brief: Brief, rng: np.random.Generator) -> str:
        """Apply the named operator, or where it does not apply another one."""
        for less in (brief, Brief(part=brief.part), Brief()):
            part = less.part if less.part in FIELDS else ""
            for _ in range(PATIENCE):
                if name != RECOMPOSE and (change := OPERATORS[name](genome, others, rng, part)) is not None:
                    return change
                name = self._operator(less, rng)
        return "changed nothing, for no operator applied"


def _taken_apart(source: str) -> Genome | None:
    """A parent taken apart; none where a person or a model wrote it freely."""
    try:
        genome = read(source)
    except InputError:
        return None
    layers = [("encoder", genome.encoders), ("store", [genome.store]), ("retriever", [genome.retriever])]
    layers.append(("manager", genome.managers))
    known = all(blocks.is_known(call, kind) for kind, calls in layers for call in calls)
    return genome if known and genome.encoders else None


def fresh(rng: np.random.Generator) -> Genome:
    """A random composition of building blocks; half of all tell what they find in the order of its relevance."""
    return Genome(
        encoders=[blocks.draw("encoder", rng) for _ in range(int(rng.integers(1, 3)))],
        store=blocks.draw("store", rng),
        retriever=blocks.draw("retriever", rng),
        managers=[blocks.draw("manager", rng) for _ in range(int(rng.integers(0, 3)))],
        lines=int(blocks.LINES.draw(rng)),
        worth=ast.Name("relevance") if rng.random() < 0.5 else expressions.begin(rng),
        place=ast.UnaryOp(ast.USub(), ast.Name("relevance")) if rng.random() < 0.5 else expressions.begin(rng),
    )


def describe(genome: Genome) -> str:
    """One line on what a design is made of."""
    encoders = ", ".join(_names(call) for call in genome.encoders)
    managers = ", ".join(_names(call) for call in genome.managers) or "nothing"
    kept = f"{encoders} kept in {_names(genome.store)}"
    return f"{kept}, found by {_names(genome.retriever)}, managed by {managers}."


def swap_block(genome: Genome, others: Sequence[Genome], rng: np.random.Generator, part: str = "") -> str | None:
    """Put another block of the same kind in the place of one."""
    spots = _spots(genome, part)
    if not spots:
        return None
    field, index = spots[int(rng.integers(len(spots)))]
    old = _call(genome, field, index)
    kind = blocks.KIND_OF[blocks.name_of(old)]
    new = blocks.draw(kind, rng)
    if blocks.name_of(new) == blocks.name_of(old):
        return None
    _put(genome, field, index, new)
    return f"swapped {_names(old)} for {_names(new)}"


def change_parameter(genome: Genome, others: Sequence[Genome], rng: np.random.Generator, part: str = "") -> str | None:
    """Move one number of one block, or the number of lines told."""
    tunable = [
        (node, keyword, values)
        for field, index in _spots(genome, part, ("encoders", "retriever", "managers"))
        for node in ast.walk(_call(genome, field, index))
        if isinstance(node, ast.Call) and blocks.name_of(node) in blocks.BY_NAME
        for keyword, (_, values) in zip(node.keywords, blocks.BY_NAME[blocks.name_of(node)].parameters, strict=True)
    ]
    tells = part in ("", "retrieve")
    if not tunable and not tells:
        return None
    at = int(rng.integers(len(tunable) + tells))
    if at == len(tunable):
        return change_lines(genome, others, rng)
    node, keyword, values = tunable[at]
    assert isinstance(keyword.value, ast.Constant)
    old = keyword.value.value
    assert isinstance(old, int | float)
    keyword.value = ast.Constant(values.near(old, rng))
    return f"moved {keyword.arg} of {blocks.name_of(node)} from {old} to {ast.unparse(keyword.value)}"


def change_lines(genome: Genome, others: Sequence[Genome], rng: np.random.Generator, part: str = "") -> str | None:
    """Tell more or fewer lines."""
    old, genome.lines = genome.lines, int(blocks.LINES.near(genome.lines, rng))
    return f"tells {genome.lines} lines instead of {old}"


def mutate_worth(genome: Genome, others: Sequence[Genome], rng: np.random.Generator, part: str = "") -> str | None:
    """Change the expression that decides what is told."""
    genome.worth, kind = expressions.mutate(genome.worth, rng)
    return f"worth ({kind}) is now {ast.unparse(genome.worth)}"


def mutate_place(genome: Genome, others: Sequence[Genome], rng: np.random.Generator, part: str = "") -> str | None:
    """Change the expression that decides what is told first."""
    genome.place, kind = expressions.mutate(genome.place, rng)
    return f"place ({kind}) is now {ast.unparse(genome.place)}"


def add_layer(genome: Genome, others: Sequence[Genome], rng: np.random.Generator, part: str = "") -> str | None:
    """Add an encoder or a manager."""
    kind, calls = _layers(genome, rng, part)
    if len(calls) >= MOST_LAYERS:
        return None
    new = blocks.draw(kind, rng)
    calls.insert(int(rng.integers(len(calls) + 1)), new)
    return f"added {_names(new)}"


def drop_layer(genome: Genome, others: Sequence[Genome], rng: np.random.Generator, part: str = "") -> str | None:
    """Drop an encoder, if it is not the only one, or a manager."""
    kind, calls = _layers(genome, rng, part)
    if len(calls) <= (1 if kind == "encoder" else 0):
        return None
    return f"dropped {_names(calls.pop(int(rng.integers(len(calls)))))}"


def wrap_encoder(genome: Genome, others: Sequence[Genome], rng: np.random.Generator, part: str = "") -> str | None:
    """Put slots for rare words into an encoder's lines, or take them out."""
    at = int(rng.integers(len(genome.encoders)))
    old = genome.encoders[at]
    if isinstance(old, ast.Call) and blocks.name_of(old) == "Templates":
        genome.encoders[at] = old.args[0]
        return f"took the slots from {_names(old)}"
    genome.encoders[at] = blocks.call(blocks.BY_NAME["Templates"], rng, [old])
    return f"put slots into {_names(old)}"


def fuse_retrievers(genome: Genome, others: Sequence[Genome], rng: np.random.Generator, part: str = "") -> str | None:
    """Fuse the retriever with another by reciprocal ranks, or keep one part of a fusion."""
    old = genome.retriever
    if isinstance(old, ast.Call) and isinstance(parts := old.args[0] if old.args else None, ast.List):
        genome.retriever = parts.elts[int(rng.integers(len(parts.elts)))]
        return f"kept {_names(genome.retriever)} of {_names(old)}"
    other = blocks.draw("retriever", rng, plain=True)
    genome.retriever = blocks.call(blocks.BY_NAME["Hybrid"], rng, [old, other])
    return f"fused {_names(old)} with {_names(other)}"


def cross_parts(genome: Genome, others: Sequence[Genome], rng: np.random.Generator, part: str = "") -> str | None:
    """Take whole parts from another parent."""
    if not others:
        return None
    donor = others[int(rng.integers(len(others)))].copy()
    chosen = [field for field in ("encoders", "store", "retriever", "managers", "lines") if rng.random() < 0.5]
    if part:
        chosen = list(FIELDS[part])
    chosen = [field for field in chosen if _text(getattr(genome, field)) != _text(getattr(donor, field))]
    for field in chosen:
        setattr(genome, field, getattr(donor, field))
    return f"took {', '.join(chosen)} from another parent" if chosen else None


def cross_expressions(genome: Genome, others: Sequence[Genome], rng: np.random.Generator, part: str = "") -> str | None:
    """Graft a piece of another parent's scoring expression."""
    if not others:
        return None
    donor = others[int(rng.integers(len(others)))]
    field = "worth" if rng.random() < 0.6 else "place"
    grafted = expressions.graft(getattr(genome, field), getattr(donor, field), rng)
    if ast.unparse(grafted) == ast.unparse(getattr(genome, field)):
        return None
    setattr(genome, field, grafted)
    return f"{field} (grafted) is now {ast.unparse(grafted)}"


OPERATORS: dict[str, Operator] = {
    "swap_block": swap_block,
    "change_parameter": change_parameter,
    "change_lines": change_lines,
    "mutate_worth": mutate_worth,
    "mutate_place": mutate_place,
    "add_layer": add_layer,
    "drop_layer": drop_layer,
    "wrap_encoder": wrap_encoder,
    "fuse_retrievers": fuse_retrievers,
    "cross_parts": cross_parts,
    "cross_expressions": cross_expressions,
}
DEFAULT_WEIGHTS = {
    "swap_block": 2.0,
    "change_parameter": 1.0,
    "change_lines": 0.5,
    "mutate_worth": 2.0,
    "mutate_place": 2.0,
    "add_layer": 1.5,
    "drop_layer": 0.7,
    "wrap_encoder": 1.0,
    "fuse_retrievers": 0.7,
    "cross_parts": 2.0,
    "cross_expressions": 1.0,
    RECOMPOSE: 2.5,
}
FIELDS = {
    "encode": ("encoders",),
    "store": ("store",),
    "retrieve": ("retriever", "lines", "worth", "place"),
    "manage": ("managers",),
}
"""Of a genome, by the part of a design that they make up."""
_RETRIEVE = frozenset({"retrieve"})
_LISTED = frozenset({"encode", "manage"})
TOUCHED: dict[str, frozenset[str]] = {
    "swap_block": frozenset(FIELDS),
    "change_parameter": _LISTED | _RETRIEVE,
    "change_lines": _RETRIEVE,
    "mutate_worth": _RETRIEVE,
    "mutate_place": _RETRIEVE,
    "add_layer": _LISTED,
    "drop_layer": _LISTED,
    "wrap_encoder": frozenset({"encode"}),
    "fuse_retrievers": _RETRIEVE,
    "cross_parts": frozenset(FIELDS),
    "cross_expressions": _RETRIEVE,
    RECOMPOSE: frozenset(),
}
"""Parts that an operator may be held to."""


def _names(call: ast.expr) -> str:
    """A call by the names of its blocks: `Templates(CreditedActions)`."""
    inner = [
        _names(part)
        for argument in (call.args if isinstance(call, ast.Call) else [])
        for part in (argument.elts if isinstance(argument, ast.List) else [argument])
        if blocks.name_of(part)
    ]
    return blocks.name_of(call) + (f"({', '.join(inner)})" if inner else "")


def _text(part: object) -> str:
    trees = part if isinstance(part, list) else [part]
    return "; ".join(ast.unparse(tree) if isinstance(tree, ast.AST) else str(tree) for tree in trees)


def _layers(genome: Genome, rng: np.random.Generator, part: str) -> tuple[str, list[ast.expr]]:
    encodes = part == "encode" if part else rng.random() < 0.5
    return ("encoder", genome.encoders) if encodes else ("manager", genome.managers)


_SPOTS = ("store", "retriever", "encoders", "managers")


def _spots(genome: Genome, part: str, fields: Sequence[str] = _SPOTS) -> list[tuple[str, int]]:
    """Where a genome holds a block, of all fields or of those of a part."""
    spots = []
    for field in fields:
        if not part or field in FIELDS[part]:
            value = getattr(genome, field)
            spots += [(field, index) for index in range(len(value) if isinstance(value, list) else 1)]
    return spots


def _call(genome: Genome, part: str, index: int) -> ast.expr:
    value = getattr(genome, part)
    found: ast.expr = value[index] if isinstance(value, list) else value
    return found


def _put(genome: Genome, part: str, index: int, new: ast.expr) -> None:
    value = getattr(genome, part)
    if isinstance(value, list):
        value[index] = new
    else:
        setattr(genome, part, new)
