"""What a proposer is: something that writes a design, given parents and what the strategy would have changed."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from archive.tables import Design
    from evolve.desk import Desk
    from evolve.evaluation import Need

Origin = Literal["composed", "untrusted"]

DRAWS = 30
"""Proposals that a request may draw at once, until one is found that the run does not have."""


PARTS = ("encode", "store", "retrieve", "manage", "instructions")
"""What a design is made of, and so what a brief may ask to have changed."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What the strategy says beside the parents: weights to the genetic proposer, all else to a model as well."""

    operators: Mapping[str, float] = field(default_factory=dict)
    """Weights of the genetic proposer's operators, by name."""
    part: str = ""
    """One of `PARTS`, to be changed alone; empty where any may be."""
    meta_prompt: str = ""
    """How the change is to be gone about, as it evolved with the first parent."""
    notes: tuple[str, ...] = ()
    """Defects, insights, hints, tactics: a line each."""
    descendant: int = 0
    """How many descendants of the first parent were asked for before this one."""
    blocks: Mapping[str, float] = field(default_factory=dict)
    """By building block, or range of one of its numbers: how many times it doubles the odds of a design that has it."""
    sources: tuple[str, ...] = ()
    """What notes and weights come from, to be credited: `insight 12`, `hint 3`, `tactic cross` and its `round 30`."""

    def pack(self) -> dict[str, Any]:
        """As JSON; what is at its default is left out, as in archives from before it was there."""
        packed = {"operators": dict(self.operators), **{name: getattr(self, name) for name in _LATER}}
        return {name: value for name, value in packed.items() if value or name == "operators"}

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Brief:
        """The inverse of `pack`.

        >>> Brief.unpack({"operators": {}, "notes": ["tells too much"]}).notes
        ('tells too much',)
        """
        listed = {name: tuple(packed.get(name, ())) for name in ("notes", "sources")}
        return cls(**{**packed, **listed})


_LATER = ("part", "meta_prompt", "notes", "descendant", "blocks", "sources")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new design's source, one line on what was changed, and where its code comes from."""

    source: str
    change: str
    origin: Origin
    descends: bool = True
    """Whether it was made of its parents; else it has none, and only the strategy knows whom it had asked to change."""


@dataclass(frozen=True, slots=True)
class Commission:
    """What one request has a proposer do, and what it is given for that."""

    number: int
    """Of the request; what is drawn, rotated or sampled for it goes by this alone."""
    parents: Sequence[Design]
    """The first is to be changed, the others may be borrowed from; a fresh design is wanted where there are none."""
    brief: Brief
    rng: np.random.Generator
    """All chance of the proposal comes from here."""
    desk: Desk
    """What the run lends: the archive, a checker, a smoke test, a language model."""

    @property
    def sources(self) -> list[str]:
        """The parents' code."""
        return [parent.source for parent in self.parents]


class Proposer(Protocol):
    """Writes designs. It yields what it needs to find out, and so waits for that without holding anybody up."""

    draws: int
    """How often a request may ask again, where what it was given is in the run already."""

    def propose(self, commission: Commission) -> Generator[Need, Any, Proposal | None]:
        """Write a design; none where nothing came of it, and what there is to say about that is said."""


class Writer(Protocol):
    """Writes designs at once. Equal arguments give equal proposals."""

    def write(self, parents: Sequence[str], brief: Brief, rng: np.random.Generator) -> Proposal:
        """Write a design from the sources of its parents, or a fresh one where there are none."""


class AtOnce:
    """Makes a proposer of a writer, which needs nothing of the run."""

    draws = DRAWS

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    def propose(self, commission: Commission) -> Generator[Need, Any, Proposal]:
        """What the writer writes."""
        yield from ()
        return self.writer.write(commission.sources, commission.brief, commission.rng)
