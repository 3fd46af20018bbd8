"""How values look in a page. All text is escaped by the templates; foreign text is made plain here before."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from archive.texts import safe_text

NONE = "\u2013"
"""What stands where there is no value."""
CELL = 160
"""Characters of a text in a table."""
_FIELD = re.compile(r"\{(\w+)\}")


def number(value: float | None, form: str = ",.0f") -> str:
    """A count, with commas."""
    return NONE if value is None or not isfinite(value) else f"{value:{form}}"


def score(value: float | None) -> str:
    """A score in [0, 1]."""
    return number(value, ".3f")


def signed(value: float | None) -> str:
    """A difference of scores, with a real minus sign."""
    return number(value, "+.3f").replace("-", "\u2212")


def interval(low: float | None, high: float | None, *, sign: bool = False) -> str:
    """A 95 % interval, or nothing where there is none."""
    if low is None or high is None or not (isfinite(low) and isfinite(high)):
        return ""
    form = signed if sign else score
    return f"[{form(low)}, {form(high)}]"


def dollars(value: float | None) -> str:
    """A price; small ones with more digits."""
    if value is None:
        return "unknown"
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.4f}"


def duration(seconds: float | None) -> str:
    """A time span in its two largest units.

    >>> duration(4), duration(75), duration(7300)
    ('4.0 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds is None:
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def moment(seconds: float | None) -> str:
    """A time in UTC, as ISO 8601 has it."""
    try:
        return NONE if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # no time that a calendar has
        return NONE


def time(seconds: float | None, form: str = "") -> Markup:
    """A time as an element whose text a script may turn into the reader's own; a `clock` shows no date."""
    shown = moment(seconds)
    if shown == NONE:
        return Markup(NONE)
    text = shown[11:19] if form == "clock" else shown[:16].replace("T", " ")
    return Markup('<time class="{}" datetime="{}">{}</time>').format(form, shown, text)


def short(design: str) -> str:
    """The leading characters of a design's id."""
    return safe_text(design)[:10]


def foreign(text: object, longest: int = CELL) -> Markup:
    """Text that others wrote: without control characters, cut, and with its own direction of writing."""
    return Markup('<bdi dir="auto">{}</bdi>').format(safe_text(str(text), longest))


def plain(text: object) -> str:
    """Foreign text at full length, for a block with its own direction of writing."""
    return safe_text(str(text))


def commands(sentence: str) -> Markup:
    """A sentence with what stands between backticks as code."""
    parts = safe_text(sentence).split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))


def quoted(text: object) -> str:
    """Text as a part of an address."""
    return quote(str(text), safe="", errors="replace")


def fill(template: str, row: Mapping[str, Any]) -> str:
    """A link such as `/designs/{design}` with the values of a row, each of them quoted."""
    return _FIELD.sub(lambda field: quoted(row[field[1]]), template)


FILTERS = {
    each.__name__: each
    for each in (
        number,
        score,
        signed,
        interval,
        dollars,
        duration,
        moment,
        time,
        short,
        foreign,
        plain,
        commands,
        quoted,
        fill,
    )
}
"""The filters of all templates."""
