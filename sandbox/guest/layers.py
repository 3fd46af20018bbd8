"""A design made of layers: encoders, a store, a retriever, managers, and two expressions that rank what is found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sandbox.guest.design import Memory, MemoryDesign, Query, Toolkit, Trajectory
from sandbox.guest.encode import Encoder
from sandbox.guest.manage import Manager
from sandbox.guest.records import Record
from sandbox.guest.retrieve import Retriever
from sandbox.guest.store import Store


class LayeredDesign(MemoryDesign):
    """Encode, store, retrieve, manage. A subclass sets the layers in `__init__` and may override the two expressions.

    Of what the retriever finds, the `lines` records of the highest `worth` are told, the lowest `place` first. Encoders
    and the store hold the memory; retrievers and managers only work on it, so that `dump` leaves them out.
    """

    encoders: Sequence[Encoder]
    store: Store
    retriever: Retriever
    managers: Sequence[Manager] = ()
    lines: int = 20

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)

    def update(self, trajectory: Trajectory) -> None:
        """Encode the episode into the store."""
        for encoder in self.encoders:
            self.store.extend(encoder.encode(trajectory))

    def manage(self) -> None:
        """Take in what the encoders held back, then let each manager work in turn."""
        for encoder in self.encoders:
            self.store.extend(encoder.finish())
        for manager in self.managers:
            manager.manage(self.store)
        self.store.settle()

    def retrieve(self, query: Query) -> Memory:
        """Rank what the retriever finds."""
        found = self.retriever.retrieve(self.store, query)
        ranked = sorted(found, key=lambda pair: -self.worth(pair[1], pair[0], query))[: self.lines]
        ordered = sorted(ranked, key=lambda pair: self.place(pair[1], pair[0], query))
        return Memory(record.item() for _, record in ordered)

    def worth(self, record: Record, relevance: float, query: Query) -> float:
        """How much a record deserves to be told; by default its relevance."""
        return relevance

    def place(self, record: Record, relevance: float, query: Query) -> float:
        """Where it is told, the lowest first; by default the most relevant first."""
        return -relevance

    def dump(self) -> dict[str, Any] | None:
        """The built memory as JSON types: what encoders and store hold, and the design's own attributes.

        None where one of those is no JSON value; such a design needs a `dump` and a `load` of its own.
        """
        own = {name: value for name, value in vars(self).items() if name not in _LAYERS}
        if not _is_json(own):
            return None
        encoders = [encoder.dump() for encoder in self.encoders]
        return {"encoders": encoders, "store": self.store.dump(), "own": own}

    def load(self, state: dict[str, Any]) -> None:
        """The inverse of `dump`, for a new instance of the same layers."""
        for encoder, held in zip(self.encoders, state["encoders"], strict=True):
            encoder.load(held)
        self.store.load(state["store"])
        vars(self).update(state["own"])


_LAYERS = frozenset({"toolkit", "encoders", "store", "retriever", "managers", "lines"})


def _is_json(value: object) -> bool:
    """Whether JSON gives a value back as it is."""
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError, RecursionError):
        return False
