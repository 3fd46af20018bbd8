"""What a proposer is: something that writes a design, given parents and what the strategy would have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

Origin = Literal["composed", "untrusted"]


@dataclass(frozen=True, slots=True)
class Brief:
    """What the strategy says beside the parents: for the genetic proposer, weights of its operators by name."""

    operators: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new design's source, one line on what was changed, and where its code comes from."""

    source: str
    change: str
    origin: Origin


class Proposer(Protocol):
    """Writes designs. All chance comes from `rng`, so that equal arguments give equal proposals."""

    def propose(self, parents: Sequence[str], brief: Brief, rng: np.random.Generator) -> Proposal:
        """Write a design from the sources of its parents, or a fresh one where there are none."""
