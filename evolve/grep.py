"""A text looked for in the code of a run's designs and in the episodes that may be seen: literal, in any case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from evolve.errors import InputError
from evolve.texts import episode_text

if TYPE_CHECKING:
    from evolve.history import History, Watched

Where = Literal["code", "traces", "collection"]
PLACES: tuple[Where, ...] = ("code", "traces", "collection")
SHORTEST = 2
"""Characters of a text that is worth looking for."""


class Hit(NamedTuple):
    """One line that holds the text."""

    where: Where
    design: str
    """Empty where it is an episode that was played without memory."""
    episode: str
    line: int
    text: str


def search(
    history: History,
    text: str,
    places: tuple[Where, ...] = PLACES,
    most: int = 100,
    traces: Sequence[Watched] | None = None,
) -> list[Hit]:
    """The lines that hold a text, at most so many, code first; raises `InputError` for a text too short.

    Its `traces` are all that are recorded, where none are given.
    """
    if len(text.strip()) < SHORTEST:
        raise InputError(f"a text of {SHORTEST} characters at the least is looked for, not {text!r}")
    episodes: dict[Where, Callable[[], Iterable[Watched]]] = {
        "traces": lambda: history.watch(history.recorded()) if traces is None else traces,
        "collection": history.collection,
    }
    wanted = text.casefold()
    in_code = _in_code(history, wanted) if "code" in places else ()
    in_episodes = (_in_episodes(place, read(), wanted) for place, read in episodes.items() if place in places)
    return list(islice(chain(in_code, *in_episodes), most))


def _in_code(history: History, text: str) -> Iterator[Hit]:
    for design, source in history.sources():
        yield from (Hit("code", design, "", *line) for line in _lines(source, text))


def _in_episodes(place: Where, episodes: Iterable[Watched], text: str) -> Iterator[Hit]:
    for watched in episodes:
        lines = _lines(episode_text(watched), text)
        yield from (Hit(place, watched.design, watched.name, *line) for line in lines)


def _lines(whole: str, text: str) -> Iterator[tuple[int, str]]:
    if text in whole.casefold():
        yield from ((number, line) for number, line in enumerate(whole.splitlines(), 1) if text in line.casefold())
