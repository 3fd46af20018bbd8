"""Levels of the Baba game: the forty kinds of Baba Is AI that the BALROG benchmark plays, drawn from a seed.

Sizes, places and distractors are those of Baba Is AI; the draw is ours. A level is drawn again until the solver has
won it and has shown that each rule change of its solution is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from zlib import crc32

from domains.baba_rules import BORDER, Board, Cell
from domains.baba_solver import Stage, every_change_is_needed, solve

WINNABLE = ("ball", "door", "key")
IN_LINE = 0.5
"""Share of the levels in which a word that is missing from a sentence stands above or below its place, one straight
push away. Baba Is AI has no such rule; without it one who wanders hardly ever makes a sentence, and learns nothing
by it."""

SHORTEST = 4
"""Moves that a solution takes at the least, so that a level is not won by the first step at random."""

Place = tuple[int, int]
"""Column and row; the border is row 0 and column 0."""


@dataclass(frozen=True, slots=True)
class Distractors:
    """What a level holds besides what it needs."""

    thing: bool = False
    """A thing of another kind."""
    word: str = ""
    """A word out of any sentence: of the `other` kind, or of one that is `absent`."""
    sentence: bool = False
    """A sentence that makes an absent kind WIN."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What levels of one name have in common."""

    draw: Callable[[Random, Kind], tuple[Board, tuple[Stage, ...]]]
    extra: Distractors = Distractors()
    make_win: bool = False
    """The sentence that makes the target WIN lacks its first word."""
    stop: bool = False
    """The wall between the rooms cannot be passed."""
    area: str = ""
    """Where the target is, in two rooms: `left`, `right` or `anywhere`."""


@dataclass(frozen=True, slots=True)
class Level:
    """A level, its intended solution, and the directions that win it."""

    board: Board
    stages: tuple[Stage, ...]
    solution: tuple[str, ...]

    @property
    def plan(self) -> str:
        """The stages in the words of Baba Is AI."""
        return ", ".join(map(str, self.stages))


@lru_cache(maxsize=8192)
def draw_level(name: str, seed: int, share: int, shares: int) -> Level:
    """The level of a kind's name and a seed. What it looks like decides to which of the shares it belongs.

    So no two shares have a level in common. Levels are kept: play on a copy of the board.
    """
    kind = KINDS[name]
    rng = Random(f"baba {name} {seed}")
    while True:
        board, stages = kind.draw(rng, kind)
        if crc32(repr(board.cells).encode()) % shares != share or not every_change_is_needed(board, stages):
            continue
        solution = solve(board, stages)
        if solution is not None and len(solution) >= SHORTEST:
            return Level(board, stages, solution)


class Sketch:
    """A level being drawn: it gives things to places, and draws places among the empty ones."""

    def __init__(self, width: int, height: int, rng: Random) -> None:
        self.width, self.height = width, height
        self.rng = rng
        self.held: dict[Place, str] = {}

    def write(self, noun: str, said: str, place: Place) -> None:
        """Write a sentence from left to right."""
        for offset, word in enumerate((noun, "is", said)):
            self.held[place[0] + offset, place[1]] = word.upper()

    def put(self, thing: str, area: Iterable[Place]) -> Place:
        """Put a thing or a word in an empty place of an area."""
        place = self.rng.choice([place for place in area if place not in self.held])
        self.held[place] = thing
        return place

    def displace(self, origin: Place, area: Iterable[Place]) -> None:
        """Move what is in a place to an empty place of an area."""
        self.put(self.held[origin], area)
        del self.held[origin]

    def stray(self, column: int, rows: range, area: Sequence[Place]) -> Sequence[Place]:
        """Where a word may be that belongs in a column: in these rows of it, or in an area."""
        return [(column, row) for row in rows] if self.rng.random() < IN_LINE else area

    def board(self) -> Board:
        """What was drawn, within a border."""
        places = [(x, y) for y in range(self.height) for x in range(self.width)]
        return Board(self.width, [self._cell(place) for place in places])

    def _cell(self, place: Place) -> Cell:
        if place[0] in (0, self.width - 1) or place[1] in (0, self.height - 1):
            return (BORDER,)
        return (self.held[place],) if place in self.held else ()


def box(left: int, top: int, width: int, height: int) -> list[Place]:
    """The places of a rectangle."""
    return [(x, y) for y in range(top, top + height) for x in range(left, left + width)]


def goto(noun: str) -> Stage:
    """Going to a thing, with all words where they are."""
    return Stage("goto", noun)


def make(noun: str, said: str, *others: str) -> Stage:
    """Making a sentence by moving the noun's word, and the others if they must give way."""
    return Stage("make", noun, said, (frozenset(word.upper() for word in (noun, *others)),))


BREAK_STOP = Stage("break", "wall", "stop", tuple(frozenset({word}) for word in ("STOP", "IS", "WALL")))


def single_room(rng: Random, kind: Kind) -> tuple[Board, tuple[Stage, ...]]:
    """One room of six by six: go to what is WIN, or first make it so."""
    sketch = Sketch(8, 8, rng)
    target, other, absent = rng.sample(WINNABLE, 3)
    sketch.write("baba", "you", (1, 6))
    sketch.write(target, "win", (1, 1))
    if kind.make_win:
        sketch.displace((1, 1), sketch.stray(1, range(2, 5), box(2, 2, 4, 4)))
    if kind.extra.word:  # along the border, where it cannot be brought into a sentence
        noun = absent if kind.extra.word == "absent" else other
        sketch.put(noun.upper(), [*box(4, 1, 3, 1), *box(4, 6, 3, 1), *box(6, 2, 1, 4)])
    for thing in ("baba", target, *[other] * kind.extra.thing):
        sketch.put(thing, box(1, 2, 6, 5))
    return sketch.board(), (*[make(target, "win")] * kind.make_win, goto(target))


WIDTH, HEIGHT = 13, 9
MIDDLE = WIDTH // 2
LAST = HEIGHT - 2
WIN_AT = (WIDTH - 4, 1)
RIGHT_CORNER = [*box(WIDTH - 2, 2, 1, HEIGHT - 4), *box(WIDTH - 5, LAST, 3, 1)]
"""Places along the border from which a word cannot be brought to the upper right, where WIN is written."""
LEFT, RIGHT = box(1, 1, 4, LAST), box(MIDDLE + 1, 2, 4, LAST - 1)
AREAS = {"left": LEFT, "right": RIGHT, "anywhere": box(1, 2, WIDTH - 2, LAST - 1)}


def two_rooms(rng: Random) -> tuple[Sketch, list[str]]:
    """Two rooms and the wall between them; three kinds of things to fill them with."""
    sketch = Sketch(WIDTH, HEIGHT, rng)
    sketch.held.update(dict.fromkeys(box(MIDDLE, 1, 1, LAST), "wall"))
    return sketch, rng.sample(WINNABLE, 3)


def rooms_to_cross(rng: Random, kind: Kind) -> tuple[Board, tuple[Stage, ...]]:
    """Two rooms: break the wall's rule where what is WIN lies behind it, make WIN where nothing is."""
    sketch, (target, other, absent) = two_rooms(rng)
    left, right = box(2, 3, 4, 3), box(MIDDLE + 1, 3, 4, 3)
    extra = kind.extra
    sketch.write("baba", "you", (1, LAST))
    sketch.write("wall", "stop", (1, 2))
    sketch.write(target, "win", WIN_AT)
    if extra.sentence:
        sketch.write(absent, "win", (WIN_AT[0], 4))
    if extra.word == "absent":
        sketch.put(absent.upper(), right)
    elif extra.word:
        sketch.put(other.upper(), RIGHT_CORNER if extra.thing else right)
    if not kind.stop:
        sketch.displace(rng.choice([(2, 2), (3, 2)]), left)
    if kind.make_win:
        sketch.displace(WIN_AT, sketch.stray(WIN_AT[0], range(2, 4), right))
    sketch.put("baba", left)
    column, _ = sketch.put(target, AREAS[kind.area])
    if extra.thing:
        sketch.put(other, AREAS[kind.area])
    crossing = kind.stop and (kind.make_win or column > MIDDLE)
    return sketch.board(), (*[BREAK_STOP] * crossing, *[make(target, "win")] * kind.make_win, goto(target))


def rooms_to_be_in(rng: Random, kind: Kind) -> tuple[Board, tuple[Stage, ...]]:
    """Two rooms and a wall for good: become the thing on the other side, which then goes to what is WIN."""
    sketch, (target, other, _absent) = two_rooms(rng)
    left, right = box(2, 3, 3, 3), box(MIDDLE + 2, 3, 3, 3)
    sketch.write("baba", "you", (1, LAST - 1))
    sketch.write("wall", "stop", (1, 1))
    sketch.write(target, "win", WIN_AT)
    sketch.put(other.upper(), sketch.stray(1, range(3, 6), left))
    if kind.make_win:
        sketch.displace(WIN_AT, sketch.stray(WIN_AT[0], range(2, 6), right))
    sketch.put("baba", left)
    sketch.put(target, RIGHT)
    sketch.put(other, RIGHT)
    return sketch.board(), (make(other, "you", "baba"), *[make(target, "win")] * kind.make_win, goto(target))


def rooms_of_winning_wall(rng: Random, _: Kind) -> tuple[Board, tuple[Stage, ...]]:
    """Two rooms in which only the wall can be made WIN: its word is taken through the wall itself."""
    sketch, (target, other, absent) = two_rooms(rng)
    sketch.write("baba", "you", (1, LAST))
    sketch.write("wall", "stop", (2, 2))
    sketch.write(target, "win", WIN_AT)
    sketch.put(absent.upper(), box(MIDDLE + 2, 3, 3, 3))
    sketch.displace(WIN_AT, RIGHT_CORNER)
    sketch.put("baba", box(2, 3, 3, 3))
    sketch.put(target, RIGHT)
    sketch.put(other, RIGHT)
    return sketch.board(), (BREAK_STOP, make("wall", "win"), goto("wall"))


DISTRACTORS = {
    "": Distractors(),
    "distr_obj": Distractors(thing=True),
    "distr_rule": Distractors(word="other"),
    "distr_obj_rule": Distractors(thing=True, word="other"),
    "distr_obj-irrelevant_rule": Distractors(thing=True, word="absent"),
}
WIN_RULE = {"distr_win_rule": Distractors(thing=True, word="other", sentence=True)}


def _distracted(kind: Kind, name: str, distractors: dict[str, Distractors]) -> dict[str, Kind]:
    """A kind with each of the distractors, named as in Baba Is AI."""
    kinds = {extra: Kind(kind.draw, held, kind.make_win, kind.stop, kind.area) for extra, held in distractors.items()}
    return {f"{name}-{extra}" if extra else name: held for extra, held in kinds.items()}


def _families() -> dict[str, dict[str, Kind]]:
    room, rooms, more = single_room, rooms_to_cross, DISTRACTORS | WIN_RULE
    breaks = {
        "break_stop-goto_win": Kind(rooms, stop=True, area="right"),
        "maybe_break_stop-goto_win": Kind(rooms, stop=True, area="anywhere"),
        "break_stop-make_win": Kind(rooms, make_win=True, stop=True, area="right"),
    }
    return {
        "goto_win": _distracted(Kind(rooms, area="left"), "two_room-goto_win", more)
        | _distracted(Kind(room), "goto_win", DISTRACTORS),
        "make_win": _distracted(Kind(rooms, make_win=True, area="left"), "two_room-make_win", more)
        | _distracted(Kind(room, make_win=True), "make_win", DISTRACTORS),
        **{name: _distracted(kind, f"two_room-{name}", DISTRACTORS) for name, kind in breaks.items()},
        "make_you": {"two_room-make_you": Kind(rooms_to_be_in)},
        "make_you-make_win": {"two_room-make_you-make_win": Kind(rooms_to_be_in, make_win=True)},
        "make_wall_win": {"two_room-make_wall_win": Kind(rooms_of_winning_wall)},
    }


FAMILIES = _families()
"""The kinds of each family: those that want the same of a player."""

KINDS = {name: kind for kinds in FAMILIES.values() for name, kind in kinds.items()}
