"""Breadth-first search through the levels of the Baba game: how one is won, and that it takes the rule changes.

A level names the stages of its intended solution. Each is searched for in turn while only the words that it is about
may be moved, which keeps the search small; a way found so is a way in the full game, where more may be moved.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from domains.baba_rules import DIRECTIONS, WORDS, Board, Rules, Sentence, rules_of

NO_WORDS: frozenset[str] = frozenset()


class Stage(NamedTuple):
    """A step of a solution: a sentence to make or to break, or a thing to go to."""

    verb: str
    """`make`, `break` or `goto`."""
    noun: str
    said: str = ""
    """What the sentence says of the noun."""
    free: tuple[frozenset[str], ...] = (NO_WORDS,)
    """Sets of words of which one may be moved for it, the likeliest first."""

    def __str__(self) -> str:
        return f"{self.verb}[{self.noun} is {self.said}]" if self.said else f"{self.verb}[{self.noun}]"

    def reached(self, rules: Rules) -> bool:
        """Whether the rules say so; going somewhere they never tell."""
        return self.verb != "goto" and ((self.noun, self.said) in rules.sentences) == (self.verb == "make")

    def applied(self, sentences: Iterable[Sentence]) -> tuple[Sentence, ...]:
        """The sentences as if the stage were reached."""
        kept = [sentence for sentence in sentences if sentence != (self.noun, self.said)]
        return (*kept, (self.noun, self.said)) if self.verb == "make" else tuple(kept)


class Way(NamedTuple):
    """How a stage is reached, and where that leads to."""

    directions: tuple[str, ...]
    board: Board
    won: bool


def search(start: Board, reached: Callable[[Rules], bool], free: frozenset[str] = WORDS) -> Way | None:
    """A shortest way to win, or to rules that `reached` accepts, while no words but the `free` ones are moved."""
    held = WORDS - free
    origins: dict[tuple[tuple[str, ...], ...], tuple[Board, str] | None] = {tuple(start.cells): None}
    waiting = deque([start])
    while waiting:
        board = waiting.popleft()
        for direction in DIRECTIONS:
            after = board.copy()
            moved, won, lost = after.advance(direction, held)
            key = tuple(after.cells)
            if not moved or (lost and not won) or key in origins or not after.yous():
                continue
            origins[key] = (board, direction)
            if won or reached(after.rules):
                return Way(_back(origins, after), after, won)
            waiting.append(after)
    return None


def _back(origins: dict[tuple[tuple[str, ...], ...], tuple[Board, str] | None], board: Board) -> tuple[str, ...]:
    directions: list[str] = []
    while origin := origins[tuple(board.cells)]:
        board, direction = origin
        directions.append(direction)
    return tuple(reversed(directions))


def solve(board: Board, stages: Sequence[Stage]) -> tuple[str, ...] | None:
    """Directions that win by way of the stages not yet reached, a shortest way to each; None if there are none such."""
    ahead = [stage for stage in stages if not stage.reached(board.rules)]
    for free in ahead[0].free:
        way = search(board, ahead[0].reached, free)
        if way is None:
            continue
        rest = () if way.won else solve(way.board, ahead[1:])
        if rest is not None:
            return way.directions + rest
    return None


def winnable_as_is(board: Board, sentences: tuple[Sentence, ...]) -> bool:
    """Whether YOU could win if these sentences held all the time and no word were in the way.

    That allows more than any play in which the rules do not change, so where it is false a rule must be changed.
    """
    rules = rules_of(sentences)
    stop = rules.solid - WORDS
    waiting = [at for at, cell in enumerate(board.cells) if not rules.you.isdisjoint(cell)]
    seen = set(waiting)
    while waiting:
        at = waiting.pop()
        if not rules.win.isdisjoint(board.cells[at]):
            return True
        near = {at + board.delta(direction) for direction in DIRECTIONS} - seen
        open_cells = {cell for cell in near if stop.isdisjoint(board.cells[cell])}
        seen |= open_cells
        waiting.extend(open_cells)
    return False


def every_change_is_needed(board: Board, stages: Sequence[Stage]) -> bool:
    """Whether, of the sentences that the stages make and break, none can be left as it is."""
    changes = [stage for stage in stages if stage.verb != "goto"]
    for left_out in changes:
        sentences = board.rules.sentences
        for stage in changes:
            if stage != left_out:
                sentences = stage.applied(sentences)
        if winnable_as_is(board, sentences):
            return False
    return True
