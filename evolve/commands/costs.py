"""`evolve costs`: what the calls of language models come to, which they were, and what was said in one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archive.ledger import Cost, Ledger, LedgerError, Numbered
from evolve.commands.show import say, say_heading, say_json, say_table, time_text
from evolve.errors import InputError

if TYPE_CHECKING:
    from archive.ledger import Spent

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the ledger is asked for: its sums by role and model or by design, or its newest calls."""

    by: str = "role"
    calls: bool = False
    count: int = 50


GROUPS = {"role": ("role", "model"), "design": ("design",)}


def show_costs(path: Path, run: int | None, wanted: Wanted, *, as_json: bool) -> None:
    """What a run's calls come to."""
    if wanted.by not in GROUPS:
        raise InputError(f"costs are shown --by role or --by design, not by {wanted.by!r}")
    with ledger_of(path) as ledger:
        number = _chosen(ledger, path, run)
        if wanted.calls:
            _list_calls(ledger.calls(number, wanted.count), as_json=as_json)
            return
        costs = ledger.costs(number, GROUPS[wanted.by])
    if as_json:
        say_json(costs_json(number, costs, wanted.by))
    elif not costs:
        say(f"run {number} has asked no language model.")
    else:
        print_costs(costs, wanted.by)


def show_call(path: Path, number: int, *, as_json: bool) -> None:
    """What was said in one call."""
    with ledger_of(path) as ledger:
        found = ledger.call(number)
        if found is None:
            raise InputError(f"{path} has no call {number}; `evolve costs RUN --calls` lists them")
        request, reply = ledger.exchange(found.entry.hit_of or number) or (None, None)
    if as_json:
        say_json({**_call_json(found), "request": request, "reply": reply})
        return
    for name, value in _call_json(found).items():
        if value not in (None, ""):
            say(f"{name:12}{round(value, 4) if isinstance(value, float) else value}")
    for heading, told in (("Request", request), ("Reply", reply)):
        say_heading(heading)
        _say_told(told)


@contextmanager
def ledger_of(path: Path) -> Iterator[Ledger]:
    """The ledger of an archive, for reading; the heavy way only where there is something wrong with it, or old."""
    try:
        ledger = Ledger(path)
        ledger.newest_run()
    except LedgerError:
        from archive.opening import open_archive

        open_archive(path).close()
        ledger = Ledger(path)
    with closing(ledger):
        yield ledger


def costs_of(path: Path, run: int) -> list[Cost]:
    """The sums of a run by role and model."""
    with ledger_of(path) as ledger:
        return ledger.costs(run)


def print_costs(costs: Sequence[Cost], by: str = "role") -> None:
    """Print sums, and the sum of them all where there are several."""
    headings = ("role", "model") if by == "role" else ("design",)
    columns = ("#calls", "#hits", "#tokens in", "#cached", "#written", "#tokens out", "#reasoning", "#dollars")
    rows = [(*_shown(cost.group, by), *_numbers(cost), *_latency(cost, by)) for cost in costs]
    if len(costs) > 1:
        blank = [""] * (len(headings) - 1)
        rows.append(("all", *blank, *_numbers(total(costs)), *([""] if by == "role" else [])))
    say_table((*headings, *columns, *(["#median s"] if by == "role" else [])), rows)
    if unusable := total(costs).unusable:
        say(f"\n{unusable} of these calls were paid and had no usable answer.")


def total(costs: Sequence[Cost]) -> Cost:
    """The sum of groups; its dollars are unknown where those of any are."""
    known = [cost.dollars for cost in costs if cost.dollars is not None]
    names = ("calls", "hits", "tokens_in", "tokens_out", "cached", "written", "reasoning", "unpriced", "unusable")
    sums = {name: sum(getattr(cost, name) for cost in costs) for name in names}
    return Cost(group=(), dollars=sum(known) if len(known) == len(costs) else None, seconds=None, **sums)


def costs_json(run: int, costs: Sequence[Cost], by: str = "role") -> dict[str, Any]:
    """The fields of `costs --json`."""
    listed = [{**dict(zip(GROUPS[by], cost.group, strict=True)), **_cost_json(cost)} for cost in costs]
    return {"run": run, **_cost_json(total(costs)), "costs": listed}


def spent_json(spent: Spent) -> dict[str, Any]:
    """The fields by which other commands tell what models cost."""
    return {
        "calls": spent.calls,
        "tokens": spent.tokens,
        "dollars": None if spent.unpriced else spent.dollars,
    }


def spent_text(cost: Mapping[str, Any]) -> str:
    """The same in a table; a dash where no model was asked."""
    if not cost["calls"]:
        return "-"
    return UNKNOWN if cost["dollars"] is None else f"${cost['dollars']:.2f}"


def _chosen(ledger: Ledger, path: Path, run: int | None) -> int:
    number = ledger.newest_run() if run is None else run
    if number is None:
        raise InputError(f"{path} has no runs yet; `evolve run` starts one")
    if not ledger.has_run(number):
        raise InputError(f"{path} has no run {number}; `evolve runs` lists them")
    return number


def _cost_json(cost: Cost) -> dict[str, Any]:
    shown = cost._asdict()
    del shown["group"]
    return shown


def _shown(group: tuple[str, ...], by: str) -> tuple[str, ...]:
    return group if by == "role" else (group[0][:10] or "(no design)",)


def _numbers(cost: Cost) -> tuple[str, ...]:
    tokens = (cost.tokens_in, cost.cached, cost.written, cost.tokens_out, cost.reasoning)
    counts = (cost.calls, cost.hits, *tokens)
    return (*(f"{count:,}" for count in counts), _dollars(cost.dollars))


def _latency(cost: Cost, by: str) -> list[str]:
    if by != "role":
        return []
    return [f"{cost.seconds:.2f}" if cost.seconds is not None else "-"]


def _dollars(dollars: float | None) -> str:
    return UNKNOWN if dollars is None else f"{dollars:.4f}"


def _call_json(found: Numbered) -> dict[str, Any]:
    entry = found.entry._asdict()
    del entry["key"]
    return {"call": found.number, "run": entry.pop("run_id"), **entry, "created": time_text(found.entry.created)}


def _list_calls(calls: Sequence[Numbered], *, as_json: bool) -> None:
    if as_json:
        say_json([_call_json(call) for call in calls])
        return
    rows = []
    for number, entry in calls:
        answered = f"as call {entry.hit_of}" if entry.hit_of is not None else entry.problem or entry.finish
        tokens = (f"{entry.tokens_in:,}", f"{entry.tokens_out:,}")
        seconds = f"{entry.seconds:.2f}" if entry.seconds is not None else ""
        rows.append((str(number), entry.role, entry.design[:10], *tokens, _dollars(entry.dollars), seconds, answered))
    say_table(("#call", "role", "design", "#tokens in", "#tokens out", "#dollars", "#s", "~answered"), rows)


def _say_told(told: Any) -> None:
    """A request or a reply: its texts as they are, the rest as JSON."""
    if not isinstance(told, dict):
        say("(not recorded)")
        return
    for message in told.get("messages", ()):
        say(f"[{message.get('speaker')}] {message.get('text', '')}")
        if "calls" in message:
            say(json.dumps(message["calls"], indent=2, ensure_ascii=False))
    if "text" in told:
        say(told["text"])
    rest = {name: value for name, value in told.items() if name not in ("messages", "text", "kept", "usage")}
    if rest:
        say(json.dumps(rest, indent=2, ensure_ascii=False))
