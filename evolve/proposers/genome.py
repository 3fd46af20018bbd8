"""A layered design as syntax trees: read from a module's source, edited part by part, written back as a module."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass

from evolve.errors import InputError

PARTS = ("encoders", "store", "retriever", "managers", "lines", "worth", "place")
_CONTRACT = {"LayeredDesign", "Query", "Record", "Toolkit"}


@dataclass(slots=True)
class Genome:
    """The parts of a `LayeredDesign`: lists of calls, calls, a number, and two expressions over a record."""

    encoders: list[ast.expr]
    store: ast.expr
    retriever: ast.expr
    managers: list[ast.expr]
    lines: int
    worth: ast.expr
    place: ast.expr

    def copy(self) -> Genome:
        """An independent copy, whose trees may be edited."""
        return copy.deepcopy(self)


_METHODS = {"__init__", "worth", "place"}


def read(source: str) -> Genome:
    """Take a composed module apart; raises `InputError` where it is not made of layers as `write` writes them."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    if len(classes) != 1:
        raise InputError("a layered design is a module of one class")
    methods = {node.name: node for node in classes[0].body if isinstance(node, ast.FunctionDef)}
    if len(classes[0].body) > 1 + len(_METHODS) or methods.keys() > _METHODS:
        raise InputError("this design is not made of layers alone")
    try:
        layers = _assignments(methods["__init__"])
        lines = ast.literal_eval(layers["lines"])
        return Genome(
            _elements(layers["encoders"]),
            layers["store"],
            layers["retriever"],
            _elements(layers["managers"]),
            int(lines),
            _returned(methods["worth"]),
            _returned(methods["place"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"this design is not made of layers that can be edited: {error} is missing or free-form"
        ) from None


def write(genome: Genome, summary: str) -> str:
    """The module of a genome, formatted."""
    used = {node.id for tree in _trees(genome) for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imports = "\n".join(f"    {name}," for name in sorted((used | _CONTRACT) - _LOCALS, key=_import_order))
    return f'''"""{summary}"""

from sandbox.guest import (
{imports}
)


class Design(LayeredDesign):
    """{summary}"""

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.encoders = {_list(genome.encoders)}
        self.store = {ast.unparse(genome.store)}
        self.retriever = {ast.unparse(genome.retriever)}
        self.managers = {_list(genome.managers)}
        self.lines = {genome.lines}

    def worth(self, record: Record, relevance: float, query: Query) -> float:
        """Of the records found, those of the highest worth are told."""
        return {ast.unparse(genome.worth)}

    def place(self, record: Record, relevance: float, query: Query) -> float:
        """Those of the lowest place are told first."""
        return {ast.unparse(genome.place)}
'''


_SCORING = {"overlap", "ratio"}
"""What expressions may call of the guest package."""
_LOCALS = {"record", "relevance", "query", "toolkit", "min", "max", "abs"}


def _import_order(name: str) -> tuple[bool, str]:
    return name.islower(), name


def _trees(genome: Genome) -> list[ast.expr]:
    return [
        *genome.encoders,
        genome.store,
        genome.retriever,
        *genome.managers,
        genome.worth,
        genome.place,
    ]


def _list(calls: list[ast.expr]) -> str:
    if not calls:
        return "[]"
    inner = "".join(f"            {ast.unparse(call)},\n" for call in calls)
    return f"[\n{inner}        ]"


def _assignments(method: ast.FunctionDef) -> dict[str, ast.expr]:
    found = {}
    for node in method.body:
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Attribute):
            found[target.attr] = node.value
    return found


def _elements(node: ast.expr) -> list[ast.expr]:
    if not isinstance(node, ast.List):
        raise TypeError("a list of layers")
    return node.elts


def _returned(method: ast.FunctionDef) -> ast.expr:
    """The expression that a method returns, of what every composed design may name."""
    last = method.body[-1]
    if not isinstance(last, ast.Return) or last.value is None:
        raise TypeError(f"the expression of {method.name}")
    if {node.id for node in ast.walk(last.value) if isinstance(node, ast.Name)} - _LOCALS - _SCORING:
        raise TypeError(f"an expression of {method.name} without other names")
    return last.value
