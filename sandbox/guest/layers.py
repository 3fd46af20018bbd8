"""A design made of layers: encoders, a store, a retriever, managers, and two expressions that rank what is found."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.guest.design import Memory, MemoryDesign, Query, Toolkit, Trajectory
from sandbox.guest.encode import Encoder
from sandbox.guest.manage import Manager
from sandbox.guest.records import Record
from sandbox.guest.retrieve import Retriever
from sandbox.guest.store import Store


class LayeredDesign(MemoryDesign):
    """Encode, store, retrieve, manage. A subclass sets the layers in `__init__` and may override the two expressions.

    Of what the retriever finds, the `lines` records of the highest `worth` are told, the lowest `place` first.
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
