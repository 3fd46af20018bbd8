"""The journal of a built memory: what made it, so that the same memory can be made again in any fresh guest.

It holds the seed and, in their order, the calls that change the memory, each with what the host answered meanwhile to
calls of the toolkit. `observe` and `retrieve` are not among them: they run in an episode's forked child, whose changes
die with it. Rebuilding is replaying; nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.backend import DesignFault
from sandbox.guest import frames
from sandbox.guest.design import Trajectory

if TYPE_CHECKING:
    from sandbox.session import DesignSession, Loaded

VERSION = 1
LLM_CALLS = frozenset({"llm", "has_llm"})
OPS = frozenset({"load", "update", "manage", "dump", "restore"})
"""The calls that can change the memory; `dump` runs the design's own code, so it is one of them."""

Answer = Callable[[dict[str, Any]], dict[str, Any]]
"""Answers a toolkit call with `{"result": ...}` or `{"error": ...}`."""

_MAX_LABEL = 120


class ReplayError(Exception):
    """A replayed call asks the host for something else than it did when it was recorded."""


class JournalError(ValueError):
    """A text that is no journal."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A toolkit call and its answer. Of the request only a hash is kept, and a label to name it by."""

    label: str
    digest: str
    answer: bytes
    """JSON as it went to the guest: `{"result": ...}` or `{"error": ...}`, and what addresses it."""

    @classmethod
    def of(cls, request: dict[str, Any], answer: bytes) -> ToolCall:
        """The record of a request that was answered."""
        return cls(label(request), digest(request), answer)

    @property
    def asks_llm(self) -> bool:
        """Whether it asks for a language model, or whether there is one."""
        return self.label.partition("(")[0] in LLM_CALLS

    def answered(self) -> dict[str, Any]:
        """The answer as a JSON object."""
        reply = frames.decode(self.answer)
        return {key: reply[key] for key in ("result", "error") if key in reply}


@dataclass(frozen=True, slots=True)
class Entry:
    """One call that changes the memory: its argument, its toolkit calls, and its fault's kind where it raised one."""

    op: str
    argument: Any = None
    """The trajectory of an `update`, the state of a `restore`."""
    calls: tuple[ToolCall, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Journal:
    """How a memory was built. `asides` are the toolkit calls of its episodes: no part of it, but what it was told."""

    seed: int
    entries: tuple[Entry, ...]
    asides: tuple[ToolCall, ...] = ()

    @property
    def asked_llm(self) -> bool:
        """Whether the design asked for a language model, or whether there is one, while it was built."""
        return any(call.asks_llm for entry in self.entries for call in entry.calls)


def digest(request: dict[str, Any]) -> str:
    """The address of what a toolkit call asks, whichever episode asks it."""
    asked = {key: value for key, value in request.items() if key != "episode"}
    return hashlib.blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=16).hexdigest()


def label(request: dict[str, Any]) -> str:
    """A toolkit call in a few words."""
    match request:
        case {"call": "llm", "prompt": str(prompt)}:
            text = f"llm({prompt[:_MAX_LABEL]!r})"
        case {"call": "embed", "texts": [str(first), *rest]}:
            text = f"embed({len(rest) + 1} texts, the first {first[:_MAX_LABEL]!r})"
        case {"call": "llm" | "embed" | "has_llm" as name}:
            text = name
        case _:
            text = "a call that does not exist"
    return text[:_MAX_LABEL]


class Recorded:
    """Answers toolkit calls as one entry recorded them: the same calls in the same order, or `ReplayError`."""

    def __init__(self, entry: Entry, at: str) -> None:
        self._calls = entry.calls
        self._at = at
        self._made = 0

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """The recorded answer to the next call."""
        self._made += 1
        if self._made > len(self._calls):
            raise ReplayError(f"{self._place()}, {label(request)}, was not made when the memory was built")
        call = self._calls[self._made - 1]
        if call.digest != digest(request):
            raise ReplayError(f"{self._place()} is {label(request)}; when the memory was built it was {call.label}")
        return call.answered()

    def check_complete(self) -> None:
        """Raise `ReplayError` where recorded calls were not made again."""
        if self._made < len(self._calls):
            missing = self._calls[self._made].label
            raise ReplayError(f"{self._at} made {self._made} of its {len(self._calls)} toolkit calls, not {missing}")

    def _place(self) -> str:
        return f"toolkit call {self._made} of {self._at}"


class AsBefore:
    """Answers what has been asked before as it was answered then, each answer once, and leaves the rest to another."""

    def __init__(self, calls: Sequence[ToolCall], otherwise: Answer) -> None:
        self._known: dict[str, Iterator[ToolCall]] = {}
        by_digest: dict[str, list[ToolCall]] = {}
        for call in calls:
            by_digest.setdefault(call.digest, []).append(call)
        self._known = {key: iter(found) for key, found in by_digest.items()}
        self._otherwise = otherwise

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """The next recorded answer to this request, or another's."""
        call = next(self._known.get(digest(request), iter(())), None)
        return call.answered() if call is not None else self._otherwise(request)


def replay(session: DesignSession, source: str, journal: Journal) -> Loaded:
    """Build a journal's memory again in a fresh guest; the host's work is not done again, its answers are recorded.

    Raises `DesignFault`, of kind "Impure" where the design calls the toolkit otherwise than it did, or fails elsewhere.
    """
    loaded: Loaded | None = None
    updates = 0
    for entry in journal.entries:
        updates += entry.op == "update"
        at = f"update {updates}" if entry.op == "update" else entry.op
        recorded = Recorded(entry, at)
        with session.answered_by(recorded):
            fault = ""
            try:
                match entry.op:
                    case "load":
                        loaded = session.load(source, journal.seed)
                    case "update":
                        session.update(entry.argument)
                    case "manage":
                        session.manage()
                    case "dump":
                        session.dump()
                    case "restore":
                        session.restore(entry.argument)
            except DesignFault as raised:
                if raised.kind != entry.fault or not session.alive:
                    raise
                fault = raised.kind
        _check_same(entry, fault, recorded, at)
    if loaded is None:
        raise JournalError("a journal begins with the loading of its design")
    return loaded


def _check_same(entry: Entry, fault: str, recorded: Recorded, at: str) -> None:
    if fault != entry.fault:
        raise DesignFault(entry.op, "Impure", f"{at} raised {entry.fault} when the memory was built, and now does not")
    try:
        recorded.check_complete()
    except ReplayError as error:
        raise DesignFault(entry.op, "Impure", str(error)) from None


# --- as JSON


def dump(journal: Journal) -> dict[str, Any]:
    """A journal as JSON values, trajectories included."""
    return {
        "version": VERSION,
        "seed": journal.seed,
        "entries": [
            {
                "op": entry.op,
                "argument": frames.pack(entry.argument),
                "calls": [_dump_call(call) for call in entry.calls],
                "fault": entry.fault,
            }
            for entry in journal.entries
        ],
        "asides": [_dump_call(call) for call in journal.asides],
    }


def load(value: Any) -> Journal:
    """The inverse of `dump`; raises `JournalError` naming what is wrong."""
    match value:
        case {"version": int(version)} if version != VERSION:
            raise JournalError(f"a journal of version {version}; this program reads version {VERSION}")
        case {"version": int(), "seed": int(seed), "entries": [{"op": "load"}, *_] as entries, "asides": [*asides]}:
            return Journal(seed, tuple(map(_load_entry, entries)), tuple(map(_load_call, asides)))
    raise JournalError("a journal is an object with version, seed, entries (the first of them a load) and asides")


def _dump_call(call: ToolCall) -> dict[str, Any]:
    return {"label": call.label, "digest": call.digest, "answer": call.answered()}


def _load_call(value: Any) -> ToolCall:
    match value:
        case {"label": str(text), "digest": str(address), "answer": {"result": _} | {"error": str()} as answer}:
            return ToolCall(text, address, frames.encode(answer))
    raise JournalError("a toolkit call of a journal is an object with label, digest and answer")


def _load_entry(value: Any) -> Entry:
    match value:
        case {"op": str(op), "argument": argument, "calls": [*calls], "fault": str(fault)} if op in OPS:
            if op == "update":
                try:
                    argument = frames.unpack(Trajectory, argument)
                except frames.FrameError as error:
                    raise JournalError(f"an update of a journal: {error}") from None
            return Entry(op, argument, tuple(map(_load_call, calls)), fault)
    raise JournalError(f"an entry of a journal has op (one of {', '.join(sorted(OPS))}), argument, calls and fault")
