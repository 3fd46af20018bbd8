"""Does an exported module tell what its design tells? Both run in the sandbox, on recorded episodes and queries."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evolve.errors import InputError
from evolve.play import cut
from sandbox.backend import DesignFault, Limits
from sandbox.guest import Item, Query, Trajectory, frames

if TYPE_CHECKING:
    from archive.export import Exported
    from sandbox.backend import Backend
    from sandbox.pool import Pool
    from sandbox.session import DesignSession, EpisodeSession

SEED = 0
"""Seed of the toolkit, as in evaluations."""
STEPS = 6
"""Steps of an episode after which a step-phase design is asked again."""
SAMPLES = (4, 12)
"""Episodes that a self-test learns from."""
MOST_STEPS = 8
"""Steps of each of them."""
LIMITS = Limits(frame_bytes=8 * 1024 * 1024, load_seconds=30.0, manage_seconds=60.0, retrieve_seconds=30.0)
_ALLOWANCE = 1_000_000

Told = tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """An episode to be asked about: at its beginning, and after each of its steps where the design wants that."""

    episode: Trajectory
    budget: int = 1000
    recorded: Told | None = None
    """What the archive says was delivered at its beginning, cut at the budget."""

    def query(self, step: int = 0) -> Query:
        """What is asked after so many steps."""
        history = self.episode.steps[:step]
        observation = history[-1].observation if history else self.episode.task.observation
        return Query(self.episode.task, observation, history, step, self.budget)


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared, and found equal."""

    episodes: int
    queries: int
    items: int
    recorded: int
    """Queries whose answer was also that of the archive."""
    seconds: float
    wanted_llm: bool
    """Whether the design would ask a language model, which it had not here."""


class DifferentError(InputError):
    """The exported module does not tell what its design tells; the message says where."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a design told for each question, by step."""

    told: Sequence[Sequence[Told]]
    asked_llm: bool
    state: Any = None
    """The built memory, where it was asked for."""


def guests(backend: Backend, limits: Limits = LIMITS, *, sample: bool = False) -> Pool:
    """Guests for modules; for the self-test's `sample` they embed as an exported module does there."""
    from sandbox.pool import Pool

    if sample:
        from archive.carried.selftest import sample_embed

        return Pool(backend, limits, embed=sample_embed, embed_allowance=_ALLOWANCE)
    from sandbox.embedding import Embedder

    return Pool(backend, limits, size=2, embed=Embedder(), embed_allowance=_ALLOWANCE)


def told_by(pool: Pool, source: str, learned: Sequence[Trajectory], questions: Sequence[Question]) -> Answers:
    """What a design tells, each question an episode of its own; raises `DesignFault`."""
    with pool.lease() as session:
        steps = _build(session, source, learned)
        told = []
        for question in questions:
            with session.episode() as episode:
                told.append(_ask(episode, question, steps))
        return Answers(told, session.asked_llm)


def told_by_module(
    pool: Pool, exported: Exported, learned: Sequence[Trajectory], questions: Sequence[Question], steps: int
) -> Answers:
    """The same of an exported module, which has to keep its episodes apart itself, and its memory as JSON."""
    with pool.lease() as session:
        _build(session, adapter(exported), learned)
        with session.episode() as episode:
            told = [_ask(episode, question, steps) for question in questions]
        return Answers(told, session.asked_llm, _dumped(session))


def prove(
    pool: Pool, source: str, exported: Exported, learned: Sequence[Trajectory], questions: Sequence[Question]
) -> tuple[Proof, Any]:
    """Compare a design with its exported module; the memory that the module built comes with it.

    Raises `DifferentError` where one item differs: from what the design tells now, or from what the archive says.
    """
    began = time.monotonic()
    ours = told_by(pool, source, learned, questions)
    steps = max((len(told) for told in ours.told), default=1) - 1
    try:
        theirs = told_by_module(pool, exported, learned, questions, steps)
    except DesignFault as fault:
        raise DifferentError(f"the exported module fails where its design does not: {fault}") from None
    for question, first, second in zip(questions, ours.told, theirs.told, strict=True):
        for step, (expected, found) in enumerate(zip(first, second, strict=True)):
            _compare(question, step, expected, found, "its design tells")
        if question.recorded is not None and not steps:
            _compare(question, 0, question.recorded, cut(second[0], question.budget)[0], "the archive says")
    answers = [told for each in theirs.told for told in each]
    recorded = sum(question.recorded is not None and not steps for question in questions)
    spent = time.monotonic() - began
    items = sum(map(len, answers))
    return Proof(len(learned), len(answers), items, recorded, spent, ours.asked_llm), theirs.state


def taught(pool: Pool, exported: Exported, lessons: Sequence[Trajectory]) -> Any:
    """What an exported module knows after some episodes, as it saves it; None where that is too large."""
    with pool.lease() as session:
        _build(session, adapter(exported), lessons)
        return _dumped(session)


def sample_of(backend: Backend, source: str, episodes: Sequence[Trajectory]) -> dict[str, Any]:
    """What a module's self-test asks: a few recorded episodes, and what the design tells of them; raises `DesignFault`.

    More episodes go in where of a few it tells nothing.
    """
    with guests(backend, sample=True) as pool:
        for count in SAMPLES:
            learned = [_short(episode) for episode in _telling(episodes, count)]
            questions = [Question(replace(each, steps=each.steps[:2])) for each in (*episodes[-1:], *learned[:2])]
            answers = told_by(pool, source, learned, questions)
            if any(told for steps in answers.told for told in steps):
                break
    return {
        "learned": [frames.pack(episode) for episode in learned],
        "asked": [
            {
                "episode": frames.pack(question.episode),
                "budget": question.budget,
                "told": [[step, [[item.id, item.text] for item in told]] for step, told in enumerate(steps)],
            }
            for question, steps in zip(questions, answers.told, strict=True)
        ],
    }


def _short(episode: Trajectory) -> Trajectory:
    """An episode without the steps that led nowhere, but for the first."""
    steps = tuple(step for at, step in enumerate(episode.steps) if at < 2 or step.reward)
    return replace(episode, steps=steps[:MOST_STEPS])


def _telling(episodes: Sequence[Trajectory], count: int) -> list[Trajectory]:
    """The episodes that earned most, of equal ones the shorter, in the order in which they were recorded."""
    best = sorted(range(len(episodes)), key=lambda at: (-episodes[at].score, len(str(episodes[at]))))[:count]
    return [episodes[at] for at in sorted(best)]


def _build(session: DesignSession, source: str, learned: Sequence[Trajectory]) -> int:
    """Load a design and fill its memory; the steps after which it wants to be asked."""
    loaded = session.load(source, SEED)
    for trajectory in learned:
        session.update(trajectory)
    session.manage()
    return STEPS if "step" in loaded.phases else 0


def _dumped(session: DesignSession) -> Any:
    snapshot = session.dump()
    return snapshot["memory"] if snapshot is not None else None


def _ask(episode: EpisodeSession, question: Question, steps: int) -> list[Told]:
    told = [tuple(episode.retrieve(question.query()))]
    for step in range(1, min(steps, len(question.episode.steps)) + 1):
        episode.observe(question.episode.steps[step - 1])
        told.append(tuple(episode.retrieve(question.query(step))))
    return told


def _compare(question: Question, step: int, expected: Told, found: Told, who: str) -> None:
    pairs: Iterator[tuple[Item | None, Item | None]] = zip([*expected, None], [*found, None], strict=False)
    for number, (first, second) in enumerate(pairs):
        if first != second:
            raise DifferentError(
                f"the exported module differs from its design: asked about {question.episode.task.id} at step {step},"
                f" item {number} is {_shown(second)}, and {who} {_shown(first)}"
            )


def _shown(item: Item | None) -> str:
    return f"{item.text[:100]!r} (id {item.id!r})" if item is not None else "nothing"


def adapter(exported: Exported, *, checked: bool = True) -> str:
    """A design that does what an exported module does; `checked`, it tells only what a saved and loaded one tells."""
    names = {"memory": exported.memory, "design": exported.design, "names": dict(exported.names)}
    return _ADAPTER.format(module=exported.text, seed=SEED, checked=checked, **names)


_ADAPTER = """\
import json
import sys
from dataclasses import fields, is_dataclass
from types import ModuleType

from sandbox.guest import Item, Memory, MemoryDesign

MODULE = {module!r}
NAMES = {names!r}
CODE = sys.modules["exported"] = ModuleType("exported")
CODE.__file__ = "exported.py"
exec(compile(MODULE, "exported.py", "exec"), vars(CODE))


class OfModule(MemoryDesign):
    instructions = CODE.{design}.instructions
    phases = CODE.{design}.phases

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.functions = toolkit.llm if toolkit.has_llm else None, toolkit.embed
        self.memories = [CODE.{memory}(*self.functions, {seed})]

    def update(self, trajectory):
        self.memories[0].update(self.converted(trajectory))

    def manage(self):
        self.memories[0].manage()

    def dump(self):
        return self.memories[0].dump()

    def load(self, state):
        self.memories = [CODE.{memory}.restored(state, *self.functions)]

    def observe(self, step):
        for memory in self.memories:
            memory.observe(self.converted(step))

    def retrieve(self, query):
        if {checked} and len(self.memories) == 1:
            state = json.loads(json.dumps(self.memories[0].dump(), allow_nan=False))
            self.memories.append(CODE.{memory}.restored(state, *self.functions))
        asked = self.converted(query)
        first, *others = ([(item.id, item.text) for item in each.retrieve(asked)] for each in self.memories)
        for second in others:
            if first != second:
                raise AssertionError(f"saved and loaded again it tells {{second!r}} in place of {{first!r}}")
        return Memory(Item(*item) for item in first)

    def converted(self, value):
        if is_dataclass(value):
            kind = getattr(CODE, NAMES[type(value).__name__])
            return kind(*(self.converted(getattr(value, each.name)) for each in fields(value)))
        return tuple(map(self.converted, value)) if isinstance(value, tuple) else value
"""
