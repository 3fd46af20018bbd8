"""Where the conformance suite builds memories of a design, in real guests, and measures how they grow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import fmean, median
from typing import TYPE_CHECKING

from evolve.experience import Question, lessons, questions
from sandbox.backend import DesignFault
from sandbox.guest import Item, Query

if TYPE_CHECKING:
    from sandbox.pool import Pool
    from sandbox.session import DesignSession, Loaded

LESSONS = 40
"""Episodes that a memory is built from, but where growth is measured."""
QUESTIONS = 6
EPISODES = 1000
"""Episodes after which growth is judged, against a tenth of them."""
LONGER = 10
"""How many times as much the larger of two memories has seen as the smaller."""
TOOLKIT_TEXTS = 200_000
"""Texts that a design may have embedded; the suite shows it more episodes than a run does."""
SEED = 0

_ROUNDS = 9
"""Retrievals of each memory, whose median is its cost."""

Told = tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Growth:
    """One memory of many episodes beside one of a tenth of them; pairs are (of the tenth, of all)."""

    episodes: tuple[int, int]
    resident_bytes: tuple[int, int]
    update_seconds: tuple[float, float]
    retrieve_seconds: tuple[float, float]
    told: list[Told]


class Bench:
    """Builds memories of one design in fresh guests."""

    def __init__(self, source: str, pool: Pool, episodes: int) -> None:
        self.source = source
        self.pool = pool
        self.episodes = episodes
        self.questions = questions(LESSONS, QUESTIONS)
        self.loaded: Loaded | None = None
        self._unbuilt: DesignFault | None = None
        self._told: dict[str, Told] | None = None
        self._growth: Growth | DesignFault | None = None

    @contextmanager
    def fresh(self) -> Iterator[DesignSession]:
        """The design in a guest of its own, before it has seen anything."""
        with self.pool.lease() as session:
            self.loaded = session.load(self.source, SEED)
            yield session

    @contextmanager
    def built(self) -> Iterator[DesignSession]:
        """The design in a guest of its own after all lessons; where these once made a fault, it is raised again."""
        if self._unbuilt is not None:
            raise self._unbuilt
        with self.fresh() as session:
            try:
                for lesson in lessons(LESSONS):
                    session.update(lesson)
                session.manage()
            except DesignFault as fault:
                self._unbuilt = fault
                raise
            yield session

    def told(self) -> dict[str, Told]:
        """What a memory tells of each cue, asked in the order of the questions; built once."""
        if self._told is None:
            self._told = self.told_by_another()
        return self._told

    def told_by_another(self) -> dict[str, Told]:
        """The same of a memory built anew."""
        with self.built() as session:
            return {question.cue: ask(session, question.query()) for question in self.questions}

    @property
    def is_asked_at_steps(self) -> bool:
        """Whether the design wants to be asked during an episode."""
        return self.loaded is not None and "step" in self.loaded.phases

    def growth(self) -> Growth:
        """Measured once, for it takes most of the time; a fault in it is every asking check's."""
        if self._growth is None:
            try:
                self._growth = self._grown()
            except DesignFault as fault:
                self._growth = fault
        if isinstance(self._growth, DesignFault):
            raise self._growth
        return self._growth

    def _grown(self) -> Growth:
        """The smaller memory is built while the larger gets its last episodes, so that costs are of the same minute."""
        few, shown = self.episodes // LONGER, lessons(self.episodes)
        resident: list[int] = []
        seconds: tuple[list[float], list[float]] = ([], [])
        with self.fresh() as small, self.fresh() as large:
            for number, lesson in enumerate(shown, 1):
                at_end = number - (self.episodes - few)
                if at_end > 0:
                    seconds[0].append(_seconds(partial(small.update, shown[at_end - 1])))
                seconds[1].append(_seconds(partial(large.update, lesson)))
                if number % few == 0:
                    large.manage()
                if number in (few, self.episodes):
                    resident.append(large.resident_bytes())
            small.manage()
            answers = [[_timed_answer(session, question) for session in (small, large)] for question in self._rounds()]
        costs = [median(cost for cost, _ in column) for column in zip(*answers, strict=True)]
        return Growth(
            (few, self.episodes),
            (resident[0], resident[1]),
            (fmean(seconds[0]), fmean(seconds[1][-few:])),
            (costs[0], costs[1]),
            [told for _, (_, told) in answers],
        )

    def _rounds(self) -> list[Question]:
        return [self.questions[i % len(self.questions)] for i in range(_ROUNDS)]


def ask(session: DesignSession, query: Query) -> Told:
    """The answer to one query in an episode of its own."""
    with session.episode() as episode:
        return tuple(episode.retrieve(query))


def _seconds(call: Callable[[], None]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def _timed_answer(session: DesignSession, question: Question) -> tuple[float, Told]:
    with session.episode() as episode:
        began = time.monotonic()
        told = tuple(episode.retrieve(question.query()))
        return time.monotonic() - began, told
