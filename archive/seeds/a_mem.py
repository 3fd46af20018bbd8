"""A-MEM (arXiv 2502.12110): notes with keywords, tags, a context and links, which later notes change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import mul
from typing import Any

from sandbox.guest import Item, Memory, MemoryDesign, Query, ToolError, Toolkit, Trajectory, words

NEIGHBOURS = 5
CLOSE = 0.5
"""Likeness from which the variant without a model links two notes."""
TOLD = 10
NOTES = 6
"""Notes that one episode may add."""
CAPACITY = 300
EVOLUTIONS = 100
"""Evolutions after which the changed notes are embedded anew."""
LONGEST = 200
TEXTS = {"type": "array", "items": {"type": "string"}}
ABOUT = {"keywords": TEXTS, "tags": TEXTS, "context": {"type": "string"}}
NEIGHBOUR = {"type": "object", "properties": {"id": {"type": "string"}, "link": {"type": "boolean"}, **ABOUT}}
SCHEMA = {"type": "object", "properties": {**ABOUT, "neighbours": {"type": "array", "items": NEIGHBOUR}}}


@dataclass(slots=True)
class Note:
    """One thing learned. `links` are ids of other notes."""

    content: str
    context: str
    keywords: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    vector: list[float] | None = None
    is_stale: bool = False

    @property
    def text(self) -> str:
        """What it is found by."""
        return "\n".join([self.content, self.context, *self.keywords, *self.tags])

    def likeness(self, vector: list[float] | None, asked: frozenset[str]) -> float:
        """Cosine where both are embedded, else the share of what is asked that the note holds."""
        if self.vector and vector:
            return float(sum(map(mul, self.vector, vector)))
        return len(asked.intersection(words(self.text))) / max(1, len(asked))


class AMem(MemoryDesign):
    """Each new note is linked with its neighbours and changes their tags and context; links are followed on reading."""

    instructions = "Notes from earlier episodes, the most fitting first, of what worked: do what fits."

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.notes: dict[str, Note] = {}
        self.frequency: Counter[str] = Counter()
        self.made = self.evolutions = 0

    def update(self, trajectory: Trajectory) -> None:
        """Write the notes of an episode, the oldest giving way."""
        known = {note.content for note in self.notes.values()}
        contents = [content for content in key_steps(trajectory) if content not in known][:NOTES]
        for content in contents:
            self.frequency.update(set(words(content)))
        new = [self._noted(content, trajectory.task.goal[:LONGEST]) for content in contents]
        for note, vector in zip(new, self._embedded([note.text for note in new]), strict=True):
            note.vector = vector
            self._evolve(note)
        for name in list(self.notes)[:-CAPACITY]:
            del self.notes[name]

    def manage(self) -> None:
        """Consolidate: embed anew what evolved, once that is much."""
        if self.evolutions >= EVOLUTIONS:
            self.evolutions = 0
            stale = [note for note in self.notes.values() if note.is_stale]
            for note, vector in zip(stale, self._embedded([note.text for note in stale]), strict=True):
                note.vector, note.is_stale = vector or note.vector, False

    def retrieve(self, query: Query) -> Memory:
        """The notes nearest to the goal and observation, and those that they link to."""
        asked = f"{query.task.goal}\n{query.observation}"
        nearest = self._nearest(asked, self._embedded([asked])[0], TOLD)
        linked = (other for name in nearest for other in self.notes[name].links if other in self.notes)
        names = list(dict.fromkeys([*nearest, *linked]))
        items = [Item(name, self._told(self.notes[name])) for name in names]
        spent = accumulate(self.toolkit.count_tokens(item.text) for item in items)
        return Memory(item for item, tokens in zip(items, spent, strict=True) if tokens <= query.budget)

    def _told(self, note: Note) -> str:
        return f"{note.content} ({note.context})" if self.toolkit.has_llm else note.content

    def _noted(self, content: str, goal: str) -> Note:
        """A note with its rarest words as keywords, and as tags those of them that the goal names."""
        rare = sorted(set(words(content)), key=lambda word: (self.frequency[word], word))
        return Note(content, goal, rare[:3], [word for word in rare if word in words(goal)][:3])

    def _evolve(self, note: Note) -> None:
        """Link a note with its neighbours and change those: as the model says, or else by likeness and words."""
        near = self._nearest(note.text, note.vector, NEIGHBOURS)
        self.made += 1
        self.notes[name := f"n{self.made}"] = note
        if self.toolkit.has_llm and self._evolved(name, near):
            return
        for other in (each for each in near if near[each] >= CLOSE):
            common = [word for word in note.keywords if word in words(self.notes[other].text)]
            self._change(other, {"tags": [*self.notes[other].tags, *(common or note.keywords[:1])]})
            self._link(name, other)

    def _evolved(self, name: str, near: dict[str, float]) -> bool:
        """Let the model describe a note and say how its neighbours change; False where it gives no usable answer."""
        listed = "\n".join(f"{other}: {self.notes[other].text!r}" for other in near)
        prompt = (
            f"New note: {self.notes[name].text!r}\nNeighbours:\n{listed}\n\nGive the new note keywords, tags and a "
            "context of one sentence. For each neighbour that it sheds light on: whether to link it, new tags, context."
        )
        try:
            answer = self.toolkit.llm(prompt, SCHEMA)
        except ToolError:
            return False
        if not isinstance(answer, dict):
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
        note = self.notes[name]
        note.keywords = strings(about.get("keywords")) or note.keywords
        note.tags = strings(about.get("tags")) or note.tags
        if isinstance(context := about.get("context"), str) and context.strip():
            note.context = context.strip()[:LONGEST]
        note.is_stale = True
        self.evolutions += 1

    def _link(self, name: str, other: str) -> None:
        for one, two in ((name, other), (other, name)):
            links = self.notes[one].links
            self.notes[one].links = [*(link for link in links if link != two), two][-NEIGHBOURS:]

    def _nearest(self, text: str, vector: list[float] | None, limit: int) -> dict[str, float]:
        """The notes most like a text, with their likeness, the most alike first."""
        asked = frozenset(words(text))
        alike = {name: note.likeness(vector, asked) for name, note in self.notes.items()}
        best = sorted((name for name in alike if alike[name] > 0), key=lambda name: -alike[name])[:limit]
        return {name: alike[name] for name in best}

    def _embedded(self, texts: Sequence[str]) -> list[Any]:
        try:
            return list(self.toolkit.embed([text[:2000] for text in texts]))
        except ToolError:
            return [None] * len(texts)


def key_steps(trajectory: Trajectory) -> list[str]:
    """The distinct actions that were rewarded; where a success was rewarded once only, those that led to it."""
    rewarded = [step.action for step in trajectory.steps if step.reward > 0]
    if trajectory.success and len(rewarded) < 2:
        rewarded = [step.action for step in trajectory.steps[-NOTES:]]
    return list(dict.fromkeys(action[:LONGEST] for action in rewarded if action.strip()))


def strings(value: Any) -> list[str]:
    """The short texts of a list; nothing of what is none."""
    listed = value if isinstance(value, list) else []
    return list(dict.fromkeys(text.strip()[:40] for text in listed if isinstance(text, str) and text.strip()))[:8]
