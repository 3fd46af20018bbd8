"""What a player of MiniHack reads: what is on the screen, how far it is and in which direction, in words.

Words, distances and order are those of the NLE language wrapper (N. Goodger, MIT licence), whose text BALROG
(arXiv 2411.13543) gives to language models: things of note from the whole screen; walls, doorways and the like only
along the eight straight lines from the player. A name stands once for each distance, with all its directions.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = 79
ROWS = 21
RAY = 9
"""How far a straight line is followed."""

COMPASS = {
    "north": (0, -1),
    "northeast": (1, -1),
    "east": (1, 0),
    "southeast": (1, 1),
    "south": (0, 1),
    "southwest": (-1, 1),
    "west": (-1, 0),
    "northwest": (-1, -1),
}

DISTANCES = ("very far", "far", "near", "very near", "adjacent")
DIRECTIONS = (
    *("north", "northnortheast", "northeast", "eastnortheast", "east", "eastsoutheast", "southeast"),
    *("southsoutheast", "south", "southsouthwest", "southwest", "westsouthwest", "west", "westnorthwest"),
    *("northwest", "northnorthwest"),
)

CMAP = (
    *("dark area", "vertical wall", "horizontal wall", "northwest room corner", "northeast room corner"),
    *("southwest corner", "southeast corner", "cross wall", "t up wall", "t down wall", "t west wall", "t east wall"),
    *("doorway", "vertical open door", "horizontal open door", "vertical closed door", "horizontal closed door"),
    *("bars", "tree", "room floor", "dark room floor", "corridor floor", "lit corridor floor", "stairs up"),
    *("stairs down", "ladder up", "ladder down", "alter", "grave", "throne", "sink", "fountain", "pool", "ice", "lava"),
    *("vertical lowered drawbridge", "horizontal lowered drawbridge", "vertical raised drawbridge"),
    *("horizontal raised drawbridge", "air floor", "cloud floor", "water floor", "arrow trap", "dart trap"),
    *("falling rock trap", "squeaky board", "bear trap", "land mine", "rolling boulder trap", "sleeping gas trap"),
    *("rust trap", "fire trap", "pit", "spiked pit", "hole", "trap door", "teleportation trap", "level teleporter"),
    *("magic portal", "web", "statue trap", "magic trap", "anti magic trap", "polymorph trap", "vibrating square"),
    *("vertical beam", "horizontal beam", "left slant beam", "right slant beam", "dig beam", "flash beam"),
    *("boom left", "boom right", "shield 1", "shield 2", "shield 3", "shield 4", "poison cloud", "valid position"),
    *("swallow top left", "swallow top center", "swallow top right", "swallow middle left", "swallow middle right"),
    *("swallow bottom left", "swallow bottom center", "swallow bottom right"),
)
"""NetHack's map symbols, in the order of its `defsym.h`, in the wrapper's words."""

_FLOORS = frozenset({"room floor", "dark room floor", "corridor floor", "lit corridor floor"})
_OF_NOTE = frozenset(
    {"horizontal closed door", "vertical closed door", "bars", "tree", "stairs up", "stairs down", "ladder up"}
    | {"ladder down", "alter", "grave", "throne", "sink", "fountain", "pool", "ice", "lava"}
    | {"vertical raised drawbridge", "horizontal raised drawbridge"}
)
_OPAQUE = frozenset(name for name in CMAP[:12] if name not in _OF_NOTE)
_SAME_IN_PLURAL = ("boots", "shoes", "scales", "lenses", "bars")
_FIRST_WORD_IN_PLURAL = ("boom", "shield", "swallow", "scroll", "worthless piece", "unknown creature")
_HEIGHTS = ("top", "middle", "bottom")
_SIDES = ("left", "center", "right")
_BEAMS = ("horizontal zap beam", "vertical zap beam", "left slant zap beam", "right slant zap beam")


class Names(NamedTuple):
    """What glyphs are called, by number; empty where a glyph is not named."""

    anywhere: list[str]
    """Named wherever it is on the screen."""
    nearby: list[str]
    """Named only on a straight line from the player."""
    notable: NDArray[Any]
    """Which glyphs are in `anywhere`, for picking them out at once."""


@lru_cache(maxsize=1)
def names() -> Names:
    """The names of all glyphs."""
    import numpy as np
    from nle import nethack

    anywhere = [_name(glyph) for glyph in range(nethack.MAX_GLYPH)]
    nearby = [""] * nethack.MAX_GLYPH
    for number, name in enumerate(CMAP):
        if name not in _OF_NOTE | _FLOORS:
            nearby[nethack.GLYPH_CMAP_OFF + number] = name
    return Names(anywhere, nearby, np.array([bool(name) for name in anywhere]))


def seen(glyphs: NDArray[Any], x: int, y: int) -> list[str]:
    """A line for each thing that a player at column `x` and row `y` sees, the farthest first."""
    import numpy as np

    table = names()
    here = y * COLUMNS + x
    flat = glyphs.ravel()
    found = [
        (*_bearing(cell % COLUMNS - x, cell // COLUMNS - y), table.anywhere[glyph])
        for cell, glyph in zip(*_picked(np.flatnonzero(table.notable[flat]), flat), strict=True)
        if cell != here
    ]
    found += _rays(flat.tolist(), x, y, table)
    found.sort(key=lambda thing: thing[:2])
    return _lines(found)


def _picked(cells: NDArray[Any], flat: NDArray[Any]) -> tuple[list[int], list[int]]:
    return cells.tolist(), flat[cells].tolist()


def _rays(glyphs: list[int], x: int, y: int, table: Names) -> list[tuple[int, int, str]]:
    """What lies on the eight straight lines, each up to what hides the rest."""
    found = []
    for dx, dy in _RAYS:
        for offset in range(1, RAY + 1):
            column, row = x + dx * offset, y + dy * offset
            if not (0 <= column < COLUMNS and 0 <= row < ROWS):
                break
            name = table.nearby[glyphs[row * COLUMNS + column]]
            if name:
                found.append((*_bearing(dx * offset, dy * offset), name))
                if name in _OPAQUE:
                    break
    return found


_RAYS = tuple(COMPASS[name] for name in (*DIRECTIONS[4::2], *DIRECTIONS[:4:2]))
"""From east onward, clockwise: the wrapper's order."""


def _lines(found: list[tuple[int, int, str]]) -> list[str]:
    """Things of one name and distance in one line; those of which there are several in a direction as a plural."""
    groups: dict[tuple[str, int], list[int]] = {}
    for distance, direction, name in found:
        groups.setdefault((name, distance), []).append(direction)
    lines = []
    for (name, distance), directions in groups.items():
        counts = [(direction, len(list(same))) for direction, same in groupby(directions)]
        for wording, chosen in (
            (name, [direction for direction, count in counts if count == 1]),
            (plural(name), [direction for direction, count in counts if count > 1]),
        ):
            if chosen:
                lines.append(f"{wording} {DISTANCES[distance]} {_listing([DIRECTIONS[number] for number in chosen])}")
    return lines


def _listing(words: list[str]) -> str:
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"


@lru_cache(maxsize=8192)
def _bearing(dx: int, dy: int) -> tuple[int, int]:
    """The numbers of distance and direction of what is `dx` columns to the east and `dy` rows to the south."""
    steps = max(abs(dx), abs(dy))
    distance = 4 if steps == 1 else 3 if steps == 2 else 2 if steps < 6 else 1 if steps < 20 else 0
    straight = "north" if dy < 0 else "south"
    if abs(dx) > abs(dy):
        straight = "east" if dx > 0 else "west"
    if not dx or not dy:
        return distance, DIRECTIONS.index(straight)
    diagonal = ("north" if dy < 0 else "south") + ("east" if dx > 0 else "west")
    return distance, DIRECTIONS.index(diagonal if abs(dx) == abs(dy) else straight + diagonal)


def plural(noun: str) -> str:
    """Several of a thing."""
    for first in _FIRST_WORD_IN_PLURAL:
        if noun.startswith(f"{first} "):
            return f"{first}s{noun.removeprefix(first)}"
    if noun.endswith(_SAME_IN_PLURAL):
        return noun
    if noun in ("ice", "lava"):
        return f"area of {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    if noun.endswith(("s", "x", "z", "sh")):
        return f"{noun}es"
    if noun.endswith("f"):
        return f"{noun.removesuffix('f').removesuffix('f')}ves"
    return f"{noun}s"


def _name(glyph: int) -> str:
    """The wrapper's name of a glyph that is told of wherever it is, by NetHack's ranges of glyphs (`display.h`)."""
    from nle import nethack

    kinds = (
        (nethack.GLYPH_STATUE_OFF, lambda number: f"{_monster(number)} statue"),
        (nethack.GLYPH_WARNING_OFF, lambda number: f"unknown creature causing you {_WORRIES[number]}"),
        (nethack.GLYPH_SWALLOW_OFF, lambda number: CMAP[-8 + number % 8]),
        (nethack.GLYPH_ZAP_OFF, lambda number: _BEAMS[number % 4]),
        (nethack.GLYPH_EXPLODE_OFF, lambda number: f"explosion {_HEIGHTS[number % 9 // 3]} {_SIDES[number % 3]}"),
        (nethack.GLYPH_CMAP_OFF, lambda number: CMAP[number] if CMAP[number] in _OF_NOTE else ""),
        (nethack.GLYPH_OBJ_OFF, _thing),
        (nethack.GLYPH_RIDDEN_OFF, lambda number: f"ridden {_monster(number)}"),
        (nethack.GLYPH_BODY_OFF, lambda number: f"{_monster(number)} corpse"),
        (nethack.GLYPH_DETECT_OFF, lambda number: f"detected {_monster(number)}"),
        (nethack.GLYPH_INVIS_OFF, lambda number: "invisible creature"),
        (nethack.GLYPH_PET_OFF, lambda number: f"tame {_monster(number)}"),
        (nethack.GLYPH_MON_OFF, _monster),
    )
    return next(str(name(glyph - first)) for first, name in kinds if glyph >= first)


_WORRIES = ("worry", "concern", "anxiety", "disquiet", "alarm", "dread")


def _monster(number: int) -> str:
    from nle import nethack

    return str(nethack.permonst(number).mname)


def _thing(number: int) -> str:
    """An object, as it looks to who does not know its kind."""
    from nle import nethack

    entry = nethack.objdescr.from_idx(number)
    name, look = entry.oc_name or "", entry.oc_descr or ""
    kind = nethack.objclass(number).oc_class
    wordings = {
        nethack.ARMOR_CLASS: look or name,
        nethack.TOOL_CLASS: look or name,
        nethack.FOOD_CLASS: name + look,
        nethack.RING_CLASS: f"{look} ring",
        nethack.AMULET_CLASS: look if "Amulet" in look else f"{look} amulet",
        nethack.POTION_CLASS: f"{look} potion",
        nethack.SCROLL_CLASS: f"scroll labeled {look}",
        nethack.SPBOOK_CLASS: f"{look} spellbook",
        nethack.WAND_CLASS: f"{look} wand",
        nethack.GEM_CLASS: name if look in name else f"{look} {name}",
        nethack.VENOM_CLASS: f"splash of {name}",
    }
    return str(wordings.get(ord(kind) if isinstance(kind, str) else kind, name))
