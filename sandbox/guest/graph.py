"""A store that links its records: what stood side by side in an episode is brought up together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sandbox.guest.records import Record
from sandbox.guest.store import Scored, Store, Wrapper, best

if TYPE_CHECKING:
    import networkx as nx


class GraphStore(Wrapper):
    """Records as nodes; an edge counts the episodes in which two came next to each other.

    What an inner store finds spreads to its neighbours one hop away, as in G-Memory (arXiv 2506.07398), by the rule of
    Cerebra (MemEvolve, arXiv 2512.18746): the strongest `neighbours` of a find get its relevance * weight * `damping`.
    An edge weighs the share, of the episodes that held either record, that held them side by side.

    >>> store = GraphStore()
    >>> store.extend([Record("open the fridge"), Record("take milk"), Record("sleep")])
    >>> [(round(relevance, 2), record.text) for relevance, record in store.match("fridge", 5)]
    [(0.33, 'open the fridge'), (0.23, 'take milk')]
    """

    def __init__(self, inner: Store | None = None, damping: float = 0.7, neighbours: int = 3) -> None:
        super().__init__(inner)
        self.damping = damping
        self.neighbours = neighbours
        self._links: nx.Graph | None = None

    @property
    def graph(self) -> nx.Graph:
        """The names of linked records, and how often each two came side by side (`beside`)."""
        if self._links is None:
            import networkx

            self._links = networkx.Graph()
        return self._links

    def extend(self, records: Iterable[Record]) -> None:
        """Add the records of an episode, in its order, and link each to the one before it."""
        added = list(records)
        graph = self.graph
        graph.remove_nodes_from([r.name for r in added if r.name in graph and r.name not in self.by_text])
        self.inner.extend(added)
        for before, after in pairwise(record for record in added if not record.key):
            if before.last == after.last:
                self._link(before.name, after.name, 1)

    def remove(self, name: str) -> None:
        """Forget one record and its links."""
        super().remove(name)
        self.graph.remove_nodes_from([name])

    def replace(self, records: Iterable[Record], merged: Mapping[str, str] | None = None) -> None:
        """Keep these records; the links of a merged one go over to the one that took it in."""
        super().replace(records, merged)
        graph = self.graph
        for gone, kept in (merged or {}).items():
            for name, edge in list(graph.adj.get(gone, {}).items()):
                self._link(kept, (merged or {}).get(name, name), edge["beside"])
            graph.remove_nodes_from([gone])
        self._drop_lost()

    def settle(self) -> None:
        """Settle the inner store, and drop links to what it no longer holds."""
        super().settle()
        self._drop_lost()

    def match(self, text: str, limit: int) -> Scored:
        """What the inner store matches, and its neighbours."""
        return self._spread(self.inner.match(text, limit), limit)

    def nearest(self, text: str, limit: int) -> Scored:
        """What the inner store finds near, and its neighbours."""
        return self._spread(self.inner.nearest(text, limit), limit)

    def dump(self) -> Any:
        """The inner store's records, and the edges by the records' numbers."""
        number = {name: at for at, name in enumerate(self.by_text)}
        edges = [
            [*sorted((number[one], number[other])), beside]
            for one, other, beside in self.graph.edges(data="beside")
            if one in number and other in number
        ]
        return {"inner": super().dump(), "edges": sorted(edges)}

    def load(self, state: Any) -> None:
        """The inverse of `dump`."""
        self.graph.clear()
        super().load(state["inner"])
        names = list(self.by_text)
        self.graph.add_edges_from((names[one], names[other], {"beside": n}) for one, other, n in state["edges"])

    def _link(self, one: str, other: str, times: int) -> None:
        if one != other:
            known = self.graph.get_edge_data(one, other, {"beside": 0})["beside"]
            self.graph.add_edge(one, other, beside=known + times)

    def _drop_lost(self) -> None:
        self.graph.remove_nodes_from([name for name in self.graph if name not in self.by_text])

    def _spread(self, found: Scored, limit: int) -> Scored:
        """Finds and their neighbours, each by the better of its own relevance and what reaches it."""
        relevance = {record.name: score for score, record in found}
        for score, record in found:
            for weight, name in self._strongest(record):
                relevance[name] = max(relevance.get(name, 0.0), score * weight * self.damping)
        return best(((score, self.by_text[name]) for name, score in relevance.items()), limit)

    def _strongest(self, record: Record) -> list[tuple[float, str]]:
        """The heaviest edges of a record; of equal ones, those to the names first in the alphabet."""
        edges = []
        for name, edge in self.graph.adj.get(record.name, {}).items():
            if (other := self.by_text.get(name)) is not None:
                either = record.count + other.count - edge["beside"]
                edges.append((min(1.0, edge["beside"] / max(1, either)), name))
        return sorted(edges, key=lambda pair: (-pair[0], pair[1]))[: self.neighbours]
