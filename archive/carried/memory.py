"""The memory as an agent uses it: it learns, is asked, and outlives the process in a JSON file."""

from __future__ import annotations

import copy
import copyreg
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from archive.carried.toolkit import Complete, Embed, Toolkit
from archive.seeds.no_memory import NoMemory as Design
from sandbox.guest.design import Item, Memory, MemoryDesign, Query, Retrieved, Step, Task, Trajectory

FORMAT = 1
DESIGN_ID = ""
"""Which design this is, by the hash of its code."""
_OFTEN = 64
"""Calls after which the record of a memory is made short, where its design can dump what it knows."""


class AgentMemory:
    """What the design learned, and how it learned it.

    `update` takes in a finished episode, `manage` consolidates. `retrieve` with a query of step 0 begins an episode,
    which `observe` and later queries belong to; what happens in it changes nothing that the next one is told.
    """

    def __init__(self, llm: Complete | None = None, embed: Embed | None = None, seed: int = 0) -> None:
        self._made_of = (llm, embed, seed)
        self._toolkit = Toolkit(llm, embed, seed)
        self._design: MemoryDesign | None = Design(self._toolkit)
        self._episode: MemoryDesign | None = None
        self._entries: list[dict[str, Any]] = []
        self._note({"op": "init"})

    @property
    def instructions(self) -> str:
        """How the agent should use what it is told."""
        return self._current().instructions

    def update(self, trajectory: Trajectory) -> None:
        """Take in a finished episode."""
        self._do({"op": "update", "episode": trajectory})

    def manage(self) -> None:
        """Consolidate, merge or forget between episodes."""
        self._do({"op": "manage"})

    def retrieve(self, query: Query) -> Memory:
        """Items for the agent, best first."""
        if query.step == 0 or self._episode is None:
            self._episode = self.episode()
        return Memory(self._episode.retrieve(query))

    def observe(self, step: Step) -> None:
        """See one step of the running episode."""
        if self._episode is None:
            self._episode = self.episode()
        self._episode.observe(step)

    def episode(self) -> MemoryDesign:
        """A copy of the design for one episode of several at once, to be asked and shown its steps."""
        if "sqlite3" in sys.modules:  # which alone is not copied otherwise
            copyreg.pickle(sys.modules["sqlite3"].Connection, _database)
        shared = {id(part): part for entry in self._entries for part in _unchanging(entry.get("episode"))}
        try:
            return copy.deepcopy(self._current(), shared)
        except (TypeError, copy.Error, RecursionError):  # it holds what cannot be copied, a generator say
            return _rebuilt(Toolkit(*self._made_of), self._entries)

    def save(self, path: str | Path) -> None:
        """Write the memory as JSON; the file is whole or as it was."""
        path = Path(path)
        written = path.with_name(f"{path.name}.{os.getpid()}.part")
        written.write_text(json.dumps(self.dump(), allow_nan=False), encoding="utf-8")
        written.replace(path)

    @classmethod
    def load(cls, path: str | Path, llm: Complete | None = None, embed: Embed | None = None) -> AgentMemory:
        """The memory of a file that `save` wrote. Vectors are kept or asked for anew: give it the same embedder."""
        return cls.restored(json.loads(Path(path).read_text(encoding="utf-8")), llm, embed)

    @classmethod
    def trained(cls, llm: Complete | None = None, embed: Embed | None = None) -> AgentMemory:
        """The memory that lies beside this module, if it was exported with one."""
        return cls.load(Path(__file__).with_suffix(".json"), llm, embed)

    def dump(self) -> dict[str, Any]:
        """The memory as a JSON value."""
        self._shorten()
        entries = [{**entry, "episode": _packed(entry.get("episode"))} for entry in self._entries]
        return {"format": FORMAT, "design": DESIGN_ID, "seed": self._made_of[2], "entries": entries}

    @classmethod
    def restored(cls, state: dict[str, Any], llm: Complete | None = None, embed: Embed | None = None) -> AgentMemory:
        """The inverse of `dump`."""
        if state.get("format") != FORMAT or state.get("design") != DESIGN_ID:
            raise ValueError(
                f"this is a memory of design {state.get('design')} in format {state.get('format')}; design {DESIGN_ID}"
                f" reads its own, in format {FORMAT}"
            )
        memory = cls(llm, embed, state["seed"])
        memory._entries = [{**entry, "episode": _episode(entry["episode"])} for entry in state["entries"]]
        memory._design = None
        memory._current()
        return memory

    # How it is kept: the calls that made it, with what the toolkit answered; or what the design dumps

    def _do(self, entry: dict[str, Any]) -> None:
        design = self._current()
        self._design = self._episode = None  # a call that fails leaves the memory as it was: it is then built again
        _apply(design, self._toolkit, entry)
        self._design = design
        self._note(entry)
        if len(self._entries) % _OFTEN == 0:
            self._shorten()

    def _note(self, entry: dict[str, Any]) -> None:
        self._entries.append({**entry, "answers": self._toolkit.noted, "had_llm": self._toolkit.has_llm})
        self._toolkit.noted = []
        self._episode = None

    def _shorten(self) -> None:
        """Put what the design dumps in the place of the calls that made it."""
        design = self._current()
        dump = getattr(design, "dump", None)
        if len(self._entries) < 2 or not callable(dump) or not hasattr(design, "load"):
            return
        state = dump()
        if state is None or not _is_json(state):
            return
        version, numbers, gauss = self._toolkit.rng.getstate()
        entry = {"op": "load", "state": state, "random": [version, list(numbers), gauss]}
        self._entries = [self._entries[0], {**entry, "answers": [], "had_llm": False}]

    def _current(self) -> MemoryDesign:
        if self._design is None:
            self._toolkit = Toolkit(*self._made_of)
            self._design = _rebuilt(self._toolkit, self._entries)
        return self._design


def _rebuilt(toolkit: Toolkit, entries: list[dict[str, Any]]) -> MemoryDesign:
    """The design, given again all that it was given, and answered as it was."""
    first, *others = entries
    toolkit.answer_as(first["answers"], had_llm=first["had_llm"])
    design = Design(toolkit)
    for entry in others:
        answers = None if entry["op"] == "load" else entry["answers"]  # what is loaded is embedded anew
        toolkit.answer_as(answers, had_llm=entry["had_llm"])
        _apply(design, toolkit, entry)
    toolkit.answer_as(None)
    toolkit.noted = []
    return design


def _apply(design: Any, toolkit: Toolkit, entry: dict[str, Any]) -> None:
    if entry["op"] == "update":
        design.update(entry["episode"])
    elif entry["op"] == "manage":
        design.manage()
    elif entry["op"] == "load":
        design.load(entry["state"])
        version, numbers, gauss = entry["random"]
        toolkit.rng.setstate((version, tuple(numbers), gauss))


def _unchanging(episode: Trajectory | None) -> tuple[object, ...]:
    """What a copy may share."""
    return (episode, episode.task, episode.steps, *episode.steps) if episode is not None else ()


def _database(connection: Any) -> tuple[Any, ...]:
    """How a database in memory is copied."""
    connection.commit()
    return _database_of, (connection.serialize(),)


def _database_of(image: bytes) -> Any:
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.deserialize(image)
    return connection


def _packed(episode: Trajectory | None) -> dict[str, Any] | None:
    return asdict(episode) if episode is not None else None


def _episode(value: dict[str, Any] | None) -> Trajectory | None:
    if value is None:
        return None
    retrieved = [Retrieved(each["step"], tuple(Item(**item) for item in each["items"])) for each in value["retrieved"]]
    steps = tuple(Step(**step) for step in value["steps"])
    return Trajectory(Task(**value["task"]), steps, value["score"], value["success"], tuple(retrieved))


def _is_json(value: object) -> bool:
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError, RecursionError):
        return False
