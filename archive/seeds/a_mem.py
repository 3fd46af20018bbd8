"""A-MEM (arXiv 2502.12110): notes with keywords, tags, a context and links, which later notes change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sandbox.guest import (
    TEXTS,
    Item,
    Key,
    Memory,
    MemoryDesign,
    Query,
    Toolkit,
    Trajectory,
    ask,
    key_steps,
    keys,
    nearest,
    texts,
    words,
)

NEIGHBOURS = 5
CLOSE = 0.4
"""Likeness from which the variant without a model links two notes."""
TOLD = 10
NOTES = 6
"""Notes that one episode may add."""
CAPACITY = 300
EVOLUTIONS = 100
"""Evolutions after which the changed notes are embedded anew."""
ABOUT = {"keywords": TEXTS, "tags": TEXTS, "context": {"type": "string"}}
NEIGHBOUR = {"type": "object", "properties": {"id": {"type": "string"}, "link": {"type": "boolean"}, **ABOUT}}
ASKED = (
    "Give the new note keywords, tags and a context of one sentence. "
    "For each neighbour that it sheds light on: whether to link it, new tags, context."
)


@dataclass(slots=True)
class Note:
    """One thing learned. `links` are ids of other notes."""

    content: str
    context: str
    keywords: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it is found by."""
        return "\n".join([self.content, self.context, *self.keywords, *self.tags])


class AMem(MemoryDesign):
    """Each new note is linked with its neighbours and changes their tags and context; links are followed on reading."""

    instructions = "Notes from earlier episodes, the most fitting first, of what worked: do what fits."

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.notes: dict[str, Note] = {}
        self.keys: dict[str, Key] = {}
        self.frequency: Counter[str] = Counter()
        self.stale: set[str] = set()
        self.made = self.evolutions = 0

    def update(self, trajectory: Trajectory) -> None:
        """Write the notes of an episode, the oldest giving way."""
        known = {note.content for note in self.notes.values()}
        contents = [content for content in key_steps(trajectory, NOTES) if content not in known]
        for content in contents:
            self.frequency.update(set(words(content)))
        new = [self._noted(content, trajectory.task.goal[:200]) for content in contents]
        for note, key in zip(new, keys(self.toolkit, [note.text for note in new]), strict=True):
            self._write(note, key)
        for name in list(self.notes)[:-CAPACITY]:
            del self.notes[name], self.keys[name]

    def manage(self) -> None:
        """Consolidate: embed anew what evolved, once that is much."""
        if self.evolutions >= EVOLUTIONS:
            stale = [name for name in self.notes if name in self.stale]
            new = keys(self.toolkit, [self.notes[name].text for name in stale])
            self.keys.update(zip(stale, new, strict=True))
            self.evolutions, self.stale = 0, set()

    def retrieve(self, query: Query) -> Memory:
        """The notes nearest to the goal and observation, and those that they link to."""
        asked = keys(self.toolkit, [f"{query.task.goal}\n{query.observation}"])[0]
        found = nearest(asked, self.keys, TOLD)
        linked = (other for name in found for other in self.notes[name].links if other in self.notes)
        names = dict.fromkeys([*found, *linked])
        return Memory(Item(name, self._told(self.notes[name])) for name in names).within(query.budget)

    def _told(self, note: Note) -> str:
        return f"{note.content} ({note.context})" if self.toolkit.has_llm else note.content

    def _noted(self, content: str, goal: str) -> Note:
        """A note with its rarest words as keywords, and as tags those of them that the goal names."""
        rare = sorted(set(words(content)), key=lambda word: (self.frequency[word], word))
        return Note(content, goal, rare[:3], [word for word in rare if word in words(goal)][:3])

    def _write(self, note: Note, key: Key) -> None:
        """Link a note with its neighbours and change those: as the model says, or else by likeness and words."""
        near = nearest(key, self.keys, NEIGHBOURS)
        self.made += 1
        name = f"n{self.made}"
        self.notes[name], self.keys[name] = note, key
        if self._evolved(name, near):
            return
        for other in (each for each in near if near[each] >= CLOSE):
            common = [word for word in note.keywords if word in self.keys[other].words] or note.keywords[:1]
            self._change(other, {"tags": [*self.notes[other].tags, *common]})
            self._link(name, other)

    def _evolved(self, name: str, near: Collection[str]) -> bool:
        """Let the model describe a note and say how its neighbours change; False where it gives no usable answer."""
        listed = "\n".join(f"{other}: {self.notes[other].text!r}" for other in near)
        prompt = f"New note: {self.notes[name].text!r}\nNeighbours:\n{listed}\n\n{ASKED}"
        answer = ask(self.toolkit, prompt, **ABOUT, neighbours={"type": "array", "items": NEIGHBOUR})
        if not answer:
            return False
        self._change(name, answer)
        rows = answer.get("neighbours")
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and isinstance(other := row.get("id"), str) and other in near:
                self._change(other, row)
                if row.get("link") is True:
                    self._link(name, other)
        return True

    def _change(self, name: str, about: dict[str, Any]) -> None:
        """Give a note what is said of it, as far as it has the right form."""
        note, context = self.notes[name], texts([about.get("context")], 1)
        note.keywords = texts(about.get("keywords"), 8) or note.keywords
        note.tags = texts(about.get("tags"), 8) or note.tags
        note.context = context[0] if context else note.context
        self.stale.add(name)
        self.evolutions += 1

    def _link(self, name: str, other: str) -> None:
        for one, two in ((name, other), (other, name)):
            links = self.notes[one].links
            self.notes[one].links = [*(link for link in links if link != two), two][-NEIGHBOURS:]
