"""What players read of the Baba game: the board in words, as the BALROG benchmark puts it, and drawn for people."""

from __future__ import annotations

from functools import lru_cache

from domains.baba_rules import BORDER, DIRECTIONS, WORDS, Board

GOAL = (
    "Reach a thing that is win. The active rules say what each thing is; rule blocks spell them. "
    "Push rule blocks to make a rule or to break one."
)
IDLE = "idle"
CELL = 5
"""Characters that a cell takes in the drawing."""


def describe(board: Board) -> str:
    """The rules in force, and all that lies on the map by its distance from YOU, the first where there are several.

    In Baba Is AI as BALROG plays it words are called rules, and neither the border nor YOU is listed.
    """
    here = board.yous()[0]
    here_row, here_column = divmod(here, board.width)
    rules = [f"{noun} is {said}" for noun, said in board.rules.sentences]
    listed = []
    for at, cell in enumerate(board.cells):
        if not cell or cell[-1] == BORDER:
            continue
        row, column = divmod(at, board.width)
        where = distance(column - here_column, row - here_row)
        listed += [f"{name(thing)} {where}" for thing in (cell[:-1] if at == here else cell)]
    return "\n".join(("Active rules:", *rules, "", "Objects on the map:", *listed))


@lru_cache(maxsize=1024)
def distance(across: int, along: int) -> str:
    """How far something is, in words.

    >>> distance(-2, 1)
    '2 steps to the left and 1 step down'
    """
    parts = []
    if across:
        parts.append(f"{_steps(across)} to the {'right' if across > 0 else 'left'}")
    if along:
        parts.append(f"{_steps(along)} {'down' if along > 0 else 'up'}")
    return " and ".join(parts) or "here"


def _steps(count: int) -> str:
    return f"{abs(count)} step{'s' if abs(count) > 1 else ''}"


@lru_cache(maxsize=64)
def name(thing: str) -> str:
    """What a thing or a word is called."""
    return f"rule `{thing.lower()}`" if thing in WORDS else thing


def moves(board: Board) -> dict[str, str]:
    """The moves that would change something, with their directions, each named by what it does; and staying idle.

    Where several things are YOU, a move is named after the first that can make it.
    """
    named = {}
    yous = board.yous()
    for direction in DIRECTIONS:
        delta = board.delta(direction)
        for at in yous:
            front = board.ahead(at, direction)
            if front is not None:
                pushed = front in board.rules.pushed
                row, column = divmod(at + delta + (delta if pushed else 0), board.width)
                named[_move(direction, front, pushed, column, row)] = direction
                break
    return {**named, IDLE: ""}


@lru_cache(maxsize=4096)
def _move(direction: str, front: str, pushed: bool, column: int, row: int) -> str:
    where = f"row {row}" if direction in ("up", "down") else f"column {column}"
    if pushed:
        return f"push {name(front)} {direction} to {where}"
    return f"go {direction} onto {name(front)}" if front else f"go {direction} to {where}"


def draw(board: Board) -> str:
    """The board for people, with its rows and columns numbered: words in capitals, only the top of each cell."""
    height = len(board.cells) // board.width
    header = "".join(f"{column or '':^{CELL}}" for column in range(board.width - 1))
    rows = []
    for row in range(height):
        cells = board.cells[row * board.width : (row + 1) * board.width]
        drawn = "".join(f"{_tile(cell[-1] if cell else '.'):^{CELL}}" for cell in cells)
        rows.append(f"{row if 0 < row < height - 1 else '':>2} {drawn}".rstrip())
    return "\n".join((f"   {header}".rstrip(), *rows))


def _tile(thing: str) -> str:
    return "#" * CELL if thing == BORDER else thing
