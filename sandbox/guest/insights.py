"""Rules that episodes add, edit and vote on, as in ExpeL (arXiv 2308.10144)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Insight:
    """A rule, its votes, and the numbers of the episodes that it was learned from."""

    text: str
    votes: int = 2
    sources: set[int] = field(default_factory=set)


class Insights(dict[str, Insight]):
    """At most so many insights by their names. No name comes twice.

    >>> insights = Insights(most=10)
    >>> insights.apply("ADD", "", "take the lamp first")
    >>> insights.apply("EDIT", "i1", "take a lamp first")
    >>> insights
    {'i1': Insight(text='take a lamp first', votes=3, sources=set())}
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.made = 0

    def apply(self, operation: str, name: str, text: str, sources: Iterable[int] = ()) -> None:
        """ADD a text, or EDIT, AGREE with or REMOVE a known insight; anything else is passed over.

        ADD of a known text agrees with it. A full list takes no new ones, and there REMOVE is worth three votes.
        """
        if operation == "ADD":
            same = next((name for name, known in self.items() if known.text == text), "")
            if text and not same and len(self) < self.most:
                self.made += 1
                self[f"i{self.made}"] = Insight(text, sources=set(sources))
                return
            operation, name = "AGREE", same
        if name in self and operation == "REMOVE":
            self.vote(name, -3 if len(self) >= self.most else -1)
        elif name in self and operation in ("AGREE", "EDIT"):
            self[name].text = text if operation == "EDIT" and text else self[name].text
            self[name].sources.update(sources)
            self.vote(name, 1)

    def vote(self, name: str, votes: int) -> None:
        """Change an insight's votes; without any left it is forgotten."""
        self[name].votes += votes
        if self[name].votes <= 0:
            del self[name]

    def merge(self, kept: str, gone: str) -> None:
        """Make two insights one: the votes and sources of the second go to the first."""
        other = self.pop(gone)
        self[kept].votes += other.votes
        self[kept].sources |= other.sources
