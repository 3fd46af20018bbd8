"""`evolve log`: what happened in a run, a line each, and on and on while it runs."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.commands.show import say, say_json, time_text
from evolve.commands.tables import chosen_run, config_of, reading
from evolve.texts import one_line

if TYPE_CHECKING:
    from archive.log import Happening, Log

POLL = 0.5
"""Seconds between two looks at the archive, each of which costs microseconds where nothing was committed."""
BATCH = 100
"""Lines that are written at once."""
LONGEST = 300
"""Characters of a reason."""


def show_log(path: Path, number: int | None, *, follow: bool, count: int | None, as_json: bool) -> None:
    """All that happened in a run, or the last of it; with `follow` also what happens from then on, until it ends."""
    from archive.log import Log
    from archive.store import connect

    with reading(path) as archive:
        run = chosen_run(archive, number)
        config = config_of(run)
    assert run.id is not None
    tell = _tell_json if as_json else _tell
    if not as_json:
        say(f"run {run.id}: {config.strategy} on {config.domain}, seed {config.seed}, begun {time_text(run.created)}")
    with closing(connect(path, "ro")) as connection:
        log = Log(connection, path, run.id)
        log.has_changed()
        status = _status(path, log)
        tell(deque(log.new(), count))
        while follow and status == "running":
            time.sleep(POLL)
            status = _status(path, log)  # asked first, so that what was committed before the end is read as well
            if log.has_changed():
                tell(log.new())
    if as_json:
        say_json({"time": None, "kind": "status", "status": status}, indent=None)
    else:
        say(f"run {run.id}: {status}")


def _status(path: Path, log: Log) -> str:
    """Running, interrupted or done; a run that was killed counts as interrupted."""
    from archive.opening import is_being_written

    status = log.status()
    return "interrupted" if status == "running" and not is_being_written(path) else status


def _tell_json(happenings: Iterable[Happening]) -> None:
    for each in happenings:
        when = time_text(each.time) if each.time is not None else None
        say_json({"time": when, "kind": each.kind, **each.facts}, indent=None)
    sys.stdout.flush()


def _tell(happenings: Iterable[Happening]) -> None:
    lines = map(_line, happenings)
    while some := list(islice(lines, BATCH)):
        say("\n".join(some))
    sys.stdout.flush()


def _line(each: Happening) -> str:
    when = time_text(each.time) if each.time is not None else " " * len("2000-01-01T00:00:00Z")
    name = each.facts["state"] if each.kind == "event" else each.kind
    return f"{when}  {name:9}  {_subject(each.facts)}{one_line(_TELLERS[each.kind](each.facts), LONGEST)}".rstrip()


def _subject(facts: Mapping[str, Any]) -> str:
    """The design that it is about: its number in the run and its id; or which baseline it is."""
    if "design" not in facts:
        return ""
    number = "" if facts["number"] is None else str(facts["number"] or facts["change"])
    return f"{number:>4} {facts['design'][:10]}  "


def _event(facts: Mapping[str, Any]) -> str:
    return str(facts["reason"] or (facts["change"] if facts["state"] == "proposed" and facts["number"] else ""))


def _score(facts: Mapping[str, Any]) -> str:
    tokens = f", tells {facts['tokens']:.0f} tokens"
    return f"{facts['role']}: {_number(facts['score'], facts['interval'])}{tokens if facts['tokens'] else ''}"


def _calls(facts: Mapping[str, Any]) -> str:
    roles = ", ".join(f"{role} {count}" for role, count in sorted(facts["roles"].items()))
    parts = [f"{facts['calls']:,} paid" if facts["calls"] else "", f"{facts['hits']:,} known" if facts["hits"] else ""]
    tokens = f"{facts['tokens_in']:,} tokens in, {facts['tokens_out']:,} out"
    price = "at an unknown price" if facts["dollars"] is None else f"${facts['dollars']:.4f}"
    unusable = f"; {facts['unusable']:,} of no use" if facts["unusable"] else ""
    return f"{' and '.join(filter(None, parts))} ({roles}); {tokens}, {price}{unusable}"


def _insight(facts: Mapping[str, Any]) -> str:
    what = facts["what"]
    place = facts["operation"] if what == "add" else ", ".join(map(str, facts["targets"]))
    into = f" into {facts['operation']}" if what == "merge" else ""
    about = f", {facts['about']}" if facts["about"] else ""
    return f"{what} {place}{into}{about}: {facts['reason']} ({facts['author']})"


def _look(facts: Mapping[str, Any]) -> str:
    gain = facts["gain"] or {}
    over = f", gain {_number(gain['mean'], gain['interval'], '+.3f')}" if gain else ""
    return f"number {facts['look']} at the test tasks: {_number(facts['score'])}{over}"


def _number(mean: float | None, interval: Sequence[float] | None = None, form: str = ".3f") -> str:
    if mean is None:
        return "-"
    return f"{mean:{form}}" + (f" [{', '.join(f'{end:{form}}' for end in interval)}]" if interval else "")


_TELLERS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "event": _event,
    "score": _score,
    "calls": _calls,
    "insight": _insight,
    "hint": lambda facts: f"{facts['hint']}: {facts['text']}",
    "look": _look,
    "request": lambda facts: f"{facts['request']} came to no design{': ' if facts['reason'] else ''}{facts['reason']}",
}
