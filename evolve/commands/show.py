"""How commands speak: tables, JSON and sentences. Foreign text passes `safe_text` before it reaches a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from archive.texts import safe_text as safe_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from evolve.statistics import Estimate

WIDTH_OF_FILES = 160
"""Columns of output that goes to no terminal."""


def console(*, stderr: bool = False) -> Console:
    """Standard output or error; rich markup in what is printed is not interpreted."""
    from rich.console import Console

    made = Console(markup=False, highlight=False, emoji=False, stderr=stderr)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = WIDTH_OF_FILES
    return made


def say(text: str = "") -> None:
    """Print foreign or own text, made safe."""
    console().print(safe_text(text), soft_wrap=True)


def complain(sentence: str) -> None:
    """Print a sentence to standard error."""
    try:
        sys.stderr.write(f"evolve: {safe_text(sentence)}\n")
    except OSError:  # it goes to a file on a disk that is full, say; the exit code has to do
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def say_json(value: Any, indent: int | None = 2) -> None:
    """Print one JSON value; on one line where there is no indent."""
    sys.stdout.write(json.dumps(value, indent=indent).replace("\x7f", "\\u007f") + "\n")


def say_heading(text: str) -> None:
    """Print a heading with an empty line before it."""
    console().print(f"\n{safe_text(text)}", style="bold")


def say_code(source: str, language: str = "python") -> None:
    """Print highlighted source."""
    from rich.syntax import Syntax

    say_any(Syntax(safe_text(source), language, theme="ansi_dark", background_color="default", word_wrap=True))


def say_any(renderable: RenderableType) -> None:
    """Print something of rich's, lines without blanks at their ends; what is foreign in it has to be safe already."""
    out = console()
    with out.capture() as capture:
        out.print(renderable)
    sys.stdout.write("".join(line.rstrip() + "\n" for line in capture.get().splitlines()))


def say_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table. A heading that begins with `#` is of numbers, with `~` of texts to cut, with `>` to wrap."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        kind, name = (heading[0], heading[1:]) if heading[:1] in ("#", "~", ">") else ("", heading)
        table.expand |= kind in ("~", ">")
        table.add_column(
            name,
            justify="right" if kind == "#" else "left",
            ratio=1 if kind in ("~", ">") else None,
            overflow="fold" if kind == ">" else "ellipsis",
            no_wrap=kind != ">",
        )
    for row in rows:
        table.add_row(*(Text(safe_text(cell)) for cell in row))
    say_any(table)


ONE_PASS = "One pass through the tasks has no interval, for its tasks depend on each other; --repeats 3 would give one."


def estimate_text(estimate: Estimate | None, *, signed: bool = False) -> str:
    """A mean with its 95 % interval, if it has one: `0.412 [0.352, 0.470]`."""
    if estimate is None:
        return "-"
    form = "+.3f" if signed else ".3f"
    between = [f"{end:{form}}" for end in estimate.interval or ()]
    return f"{estimate.mean:{form}}" + (f" [{', '.join(between)}]" if between else "")


def estimate_json(estimate: Estimate | None) -> dict[str, Any] | None:
    """An estimate as the field set that every `--json` uses: mean, interval, n."""
    if estimate is None:
        return None
    return {"mean": estimate.mean, "interval": _interval_json(estimate), "n": estimate.n}


def score_json(estimate: Estimate | None) -> dict[str, Any]:
    """An estimate as the fields score, interval, n of what it is the score of."""
    if estimate is None:
        return {"score": None, "interval": None, "n": 0}
    return {"score": estimate.mean, "interval": _interval_json(estimate), "n": estimate.n}


def _interval_json(estimate: Estimate) -> list[float] | None:
    return list(estimate.interval) if estimate.interval else None


def time_text(seconds: float) -> str:
    """A point in time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def minutes(seconds: float) -> str:
    """A duration as minutes and seconds: `2:05`, and hours from the first on."""
    whole = int(seconds)
    hours = f"{whole // 3600}:{whole // 60 % 60:02d}" if whole >= 3600 else str(whole // 60)
    return f"{hours}:{whole % 60:02d}"
