"""Edits anchored by the text around them: each names lines that must occur exactly once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

SHOWN = 160
"""Characters of a line that an error shows."""
LIKE = 0.6
"""How like two lines have to be for one to be named as what may have been meant."""


class PatchError(ValueError):
    """An edit does not fit the code; the message says which, why, and what may have been meant."""


def apply(source: str, edits: Sequence[tuple[str, str]]) -> str:
    """The source with each pair (find, replace) applied in turn; raises `PatchError`.

    Blanks at the ends of lines do not count, and neither do empty lines around an anchor.

    >>> apply("a = 1\\nb = 2\\n", [("b = 2", "b = 3")])
    'a = 1\\nb = 3\\n'
    """
    lines = source.splitlines()
    for number, (find, replace) in enumerate(edits, 1):
        anchor = _trimmed(find)
        if not anchor:
            raise PatchError(f"edit {number} names no lines to find")
        places = list(_places(lines, anchor))
        if len(places) != 1:
            raise PatchError(f"edit {number}: {_problem(lines, anchor, places)}")
        lines[places[0] : places[0] + len(anchor)] = _trimmed(replace)
    return "\n".join(lines) + "\n"


def _trimmed(text: str) -> list[str]:
    """A text's lines without blanks at their ends, and without empty lines around them."""
    lines = [line.rstrip() for line in text.splitlines()]
    while lines and not lines[0]:
        del lines[0]
    while lines and not lines[-1]:
        del lines[-1]
    return lines


def _places(lines: Sequence[str], anchor: Sequence[str]) -> Iterator[int]:
    bare = [line.rstrip() for line in lines]
    return (at for at in range(len(bare) - len(anchor) + 1) if bare[at : at + len(anchor)] == anchor)


def _problem(lines: Sequence[str], anchor: Sequence[str], places: Sequence[int]) -> str:
    if places:
        at = ", ".join(str(place + 1) for place in places)
        return f"the lines to find occur {len(places)} times (lines {at}); take in more lines around them"
    missing = next((line for line in anchor if line.strip() and line not in {each.rstrip() for each in lines}), None)
    if missing is None:
        return "each of the lines to find is there, but not one after the other like this"
    like = difflib.get_close_matches(missing, lines, n=1, cutoff=LIKE)
    meant = f"; line {lines.index(like[0]) + 1} is {like[0][:SHOWN]!r}" if like else ""
    return f"there is no line {missing[:SHOWN]!r}{meant}"
