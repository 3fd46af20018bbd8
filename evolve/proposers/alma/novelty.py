"""Whether a change is a new one, before anything is spent on it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.embedding import Embedder

NEAR = 0.995
"""Cosine from which two changes of one parent count as the same.

The embedding is a mean over words: `max` for `min` in six lines is .990, one renamed variable .887. So it finds the
same lines with other numbers or in another order, and not the same idea in other words, which only a reader finds.
"""
FEWEST = 2
"""Lines that must be added before their likeness to others says anything."""
REVIVED = 0.5
"""Share of the added lines that may have been taken out by an ancestor before."""
SHORT = 8
"""Characters below which a line is nobody's: `else:`, `return x`."""
_NUMBER = re.compile(r"\b\d+(?:\.\d+)?\b")


def added(source: str, parent: str) -> list[str]:
    """The lines of a source that its parent does not have, without blanks around them."""
    known = set(_lines(parent))
    return [line for line in _lines(source) if line not in known]


def deleted_lines(source: str, ancestors: Sequence[str]) -> list[str]:
    """Lines that an ancestor had, and that neither its successors kept to the end nor the source has now."""
    now = set(_lines(source))
    return list(dict.fromkeys(line for ancestor in ancestors for line in _lines(ancestor) if line not in now))


def twin(source: str, parent: str, tried: Mapping[str, str]) -> str | None:
    """Which of the designs that were tried on the same parent (sources by id) makes nearly the same change."""
    change = added(source, parent)
    if len(change) < FEWEST:
        return None
    embed = _embedder()
    likest, design = 0.0, None
    for other, theirs in tried.items():
        lines = added(theirs, parent)
        if len(lines) < FEWEST:
            continue
        ours, others = embed([_text(change), _text(lines)])
        likeness = sum(a * b for a, b in zip(ours, others, strict=True))
        if likeness > max(likest, NEAR):
            likest, design = likeness, other
    return design


def revived(source: str, parent: str, ancestors: Sequence[str]) -> tuple[list[str], bool]:
    """The added lines that an ancestor had before, and whether they are most of what is added."""
    change = added(source, parent)
    gone = set(deleted_lines(parent, ancestors))
    back = [line for line in change if line in gone]
    return back, len(change) >= FEWEST and len(back) > REVIVED * len(change)


def _text(lines: Sequence[str]) -> str:
    """Lines as they are compared: with other numbers they are the same."""
    return _NUMBER.sub("0", "\n".join(lines))


def _lines(source: str) -> list[str]:
    stripped = (line.strip() for line in source.splitlines())
    return [line for line in stripped if len(line) >= SHORT and not line.startswith(("#", '"""', "import ", "from "))]


@cache
def _embedder() -> Embedder:
    from sandbox.embedding import Embedder

    return Embedder()
