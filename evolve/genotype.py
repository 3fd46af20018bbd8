"""A design by its four parts, Encode / Store / Retrieve / Manage (MemEvolve, arXiv 2512.18746, section 3)."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Literal

from evolve.errors import InputError

FREE = "free"
"""What stands for a part that neither names building blocks nor is declared."""
_DECLARED = re.compile(r"^[\s\"']*(Encode|Store|Retrieve|Manage): (\S.*)$", re.MULTILINE)
_NAME = re.compile(r"(?<!class )\b([A-Z]\w+)\(")


@dataclass(frozen=True, slots=True)
class Genotype:
    """What each part is made of, and where that was read."""

    encode: str
    store: str
    retrieve: str
    manage: str
    source: Literal["layers", "declared", "blocks", "free"]
    """`layers`: the code composes them. `declared`: it says so in its docstrings. `blocks`: the building blocks that it
    names. The surest of what was found for any part."""

    def parts(self) -> dict[str, str]:
        """By the name of the part."""
        return {name: text for name, text in asdict(self).items() if name != "source"}


def genotype(source: str, *, composed: bool) -> Genotype:
    """Read a design's parts from its code; only what our own proposer composed is parsed here.

    Other code declares a part by a line such as `Store: a graph of rooms` in its docstring.

    >>> genotype('''"Store: a graph of rooms"''', composed=False).store
    'a graph of rooms'
    """
    if composed:
        try:
            return _layers(source)
        except InputError:
            pass
    declared = {name.lower(): text.strip("\"' ") for name, text in _DECLARED.findall(source)}
    named = _blocks(source)
    known = {part: declared.get(part) or named.get(part) or FREE for part in ("encode", "store", "retrieve", "manage")}
    return Genotype(**known, source="declared" if declared else "blocks" if named else "free")


def _layers(source: str) -> Genotype:
    from evolve.proposers.genome import read

    genome = read(source)
    found, worth, place = (ast.unparse(each) for each in (genome.retriever, genome.worth, genome.place))
    return Genotype(
        ", ".join(map(ast.unparse, genome.encoders)),
        ast.unparse(genome.store),
        f"{found}, {genome.lines} lines of the highest {worth}, the lowest {place} first",
        ", ".join(map(ast.unparse, genome.managers)) or "nothing",
        "layers",
    )


def _blocks(source: str) -> dict[str, str]:
    """The building blocks that a source names, by part, in the order in which it first names them."""
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(_NAME.findall(source)):
        if (part := _parts().get(name)) is not None:
            found.setdefault(part, []).append(name)
    return {part: ", ".join(names) for part, names in found.items()}


@cache
def _parts() -> Mapping[str, str]:
    """Which part each building block of the guest package is for."""
    from sandbox import guest
    from sandbox.guest.encode import Encoder
    from sandbox.guest.manage import Manager
    from sandbox.guest.retrieve import Retriever
    from sandbox.guest.store import Store

    kinds = {Encoder: "encode", Store: "store", Retriever: "retrieve", Manager: "manage"}
    exported = {name: getattr(guest, name) for name in guest.__all__}
    return {
        name: part
        for name, value in exported.items()
        for kind, part in kinds.items()
        if isinstance(value, type) and issubclass(value, kind) and value is not kind
    }
