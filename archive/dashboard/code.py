"""Source as people read it on a page: highlighted line by line, and line by line beside another version of it."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from markupsafe import Markup

CONTEXT = 3
"""Equal lines that are shown around a difference."""
LONGEST = 2000
"""Lines of a source that is compared; it takes too long for what no person reads."""

SHOWN = 100_000
"""Characters of a source that are shown; a design that may run has at most 64 KB."""

_ODD = re.compile(r"[^\n\t -~]")


class Line(NamedTuple):
    """A line of a difference, with its number in either source."""

    mark: Literal["same", "removed", "added"]
    old: int | None
    new: int | None
    html: Markup


def visible(text: str) -> str:
    r"""Text with its control and format characters spelled out, so that code reads as it runs.

    >>> visible("x = 1  # \u202etaht")
    'x = 1  # ⟨U+202E⟩taht'
    """
    return _ODD.sub(_spelled, text)


def _spelled(found: re.Match[str]) -> str:
    sign = found.group()
    return f"⟨U+{ord(sign):04X}⟩" if unicodedata.category(sign) in {"Cc", "Cf", "Cs"} else sign


@lru_cache(maxsize=128)
def highlighted(source: str) -> tuple[Markup, ...]:
    """The lines of a Python source as HTML that is safe; its classes are those of `static/pygments.css`."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    text = highlight(visible(source[:SHOWN]), PythonLexer(stripnl=False, ensurenl=False), HtmlFormatter(nowrap=True))
    left = [f"… {len(source) - SHOWN:,} more characters"] if len(source) > SHOWN else []
    return tuple(map(Markup, [*text.removesuffix("\n").split("\n"), *left]))


def difference(old: str, new: str) -> list[list[Line]] | None:
    """What differs between two sources, in groups of lines; none where one is too long to be compared."""
    if max(len(old), len(new)) > SHOWN or max(old.count("\n"), new.count("\n")) > LONGEST:
        return None
    before, after = (visible(source).removesuffix("\n").split("\n") for source in (old, new))
    groups = difflib.SequenceMatcher(None, before, after).get_grouped_opcodes(CONTEXT)
    return [list(_lines(group, highlighted(old), highlighted(new))) for group in groups]


def _lines(
    group: Sequence[tuple[str, int, int, int, int]], old: Sequence[Markup], new: Sequence[Markup]
) -> Iterator[Line]:
    for kind, first, last, begin, end in group:
        if kind == "equal":
            pairs = zip(range(first, last), range(begin, end), strict=True)
            yield from (Line("same", a + 1, b + 1, new[b]) for a, b in pairs)
            continue
        yield from (Line("removed", place + 1, None, old[place]) for place in range(first, last))
        yield from (Line("added", None, place + 1, new[place]) for place in range(begin, end))
