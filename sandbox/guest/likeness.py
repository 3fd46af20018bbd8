"""How alike two texts are: by their meaning where the host embeds them, and by their words everywhere."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import TypeVar

from sandbox.guest.design import ToolError, Toolkit
from sandbox.guest.records import words

Name = TypeVar("Name", bound=Hashable)

LONGEST = 2000
"""Characters of a text that count."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a text is found by. Its vector is missing where the host refused to embed it."""

    words: frozenset[str]
    vector: Sequence[float] | None = None

    def likeness(self, other: Key) -> float:
        """Cosine where both are embedded, else the Jaccard index of the words.

        >>> Key(frozenset({"take", "lamp"})).likeness(Key(frozenset({"take", "old", "lamp", "down"})))
        0.5
        """
        if self.vector and other.vector:
            return float(sum(map(mul, self.vector, other.vector)))
        return len(self.words & other.words) / max(1, len(self.words | other.words))


def keys(toolkit: Toolkit, texts: Sequence[str]) -> list[Key]:
    """The keys of texts, embedded by one call; by words alone where the host refuses."""
    short = [text[:LONGEST] for text in texts]
    try:
        vectors: Sequence[Sequence[float] | None] = toolkit.embed(short)
    except ToolError:
        vectors = [None] * len(short)
    return [Key(frozenset(words(text)), vector) for text, vector in zip(short, vectors, strict=True)]


def nearest(key: Key, known: Mapping[Name, Key], limit: int, above: float = 0.0) -> dict[Name, float]:
    """The names of what is most like a key, with the likeness, the most alike first and the earlier of equal ones.

    >>> known = {"a": Key(frozenset({"lamp"})), "b": Key(frozenset({"lamp", "oil"})), "c": Key(frozenset({"sea"}))}
    >>> nearest(Key(frozenset({"oil", "lamp"})), known, 5)
    {'b': 1.0, 'a': 0.5}
    """
    alike = {name: key.likeness(other) for name, other in known.items()}
    best = sorted((name for name in alike if alike[name] > above), key=lambda name: -alike[name])
    return {name: alike[name] for name in best[:limit]}
