"""The actions that make sense on a NetHack screen, in words, with the keys that do them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from domains.minihack_engine import View
from domains.minihack_text import CMAP, COLUMNS, COMPASS, ROWS

KEYS = dict(zip(COMPASS, b"kulnjbhy", strict=True))
SEARCH = "search"
ZAP_RANGE = 7


class Command(NamedTuple):
    """Keys to type, and answers to what the game asks then."""

    keys: bytes
    answers: bytes = b""


class Kind(Enum):
    """What a glyph means to who wants to go there."""

    FREE = auto()
    DOORWAY = auto()
    """An open door: entered and left straight, never diagonally."""
    CLOSED = auto()
    BOULDER = auto()
    CREATURE = auto()
    LIQUID = auto()
    UNKNOWN = auto()
    SOLID = auto()


def commands(view: View, under: int, on_thing: bool, verbs: Collection[str]) -> dict[str, Command]:
    """What may be done now. `under` is the glyph under the player, `verbs` are those that the task calls for."""
    listed: dict[str, Command] = {}
    for name in COMPASS:
        listed.update(_towards(view, name, kind(under) is Kind.DOORWAY, verbs))
    if on_thing and "take" in verbs:
        listed["pick up"] = Command(b",", b",\r")
    if on_thing and "eat" in verbs:
        listed["eat apple"] = Command(b"e", b"y")
    if "zap" in verbs:
        listed.update(_zaps(view))
    listed[SEARCH] = Command(b"10s")  # ten turns: one finds a hidden door in seven tries or so
    return listed


@lru_cache(maxsize=8192)
def kind(glyph: int) -> Kind:
    """What a glyph means to who wants to go there."""
    from nle import nethack

    if nethack.glyph_is_cmap(glyph) and glyph < nethack.GLYPH_EXPLODE_OFF:
        return _TERRAIN.get(CMAP[glyph - nethack.GLYPH_CMAP_OFF], Kind.FREE)
    if nethack.glyph_is_statue(glyph):
        return Kind.SOLID
    if nethack.glyph_is_body(glyph):
        return Kind.FREE
    if nethack.glyph_is_normal_object(glyph):
        boulder = nethack.objdescr.from_idx(glyph - nethack.GLYPH_OBJ_OFF).oc_name == "boulder"
        return Kind.BOULDER if boulder else Kind.FREE
    return Kind.CREATURE


_TERRAIN = {
    "dark area": Kind.UNKNOWN,
    **dict.fromkeys((*CMAP[1:12], "bars", "tree"), Kind.SOLID),
    **dict.fromkeys(("vertical raised drawbridge", "horizontal raised drawbridge"), Kind.SOLID),
    **dict.fromkeys(("vertical open door", "horizontal open door"), Kind.DOORWAY),
    **dict.fromkeys(("vertical closed door", "horizontal closed door"), Kind.CLOSED),
    **dict.fromkeys(("pool", "lava", "water floor"), Kind.LIQUID),
}


def ray(view: View, name: str) -> Iterator[Kind]:
    """What lies in a direction, from the next cell to the edge of the map."""
    dx, dy = COMPASS[name]
    column, row = view.x + dx, view.y + dy
    while 0 <= column < COLUMNS and 0 <= row < ROWS:
        yield kind(int(view.glyphs[row, column]))
        column, row = column + dx, row + dy


def _towards(view: View, name: str, in_door: bool, verbs: Collection[str]) -> Iterator[tuple[str, Command]]:
    """What may be done to the next cell in a direction."""
    from nle import nethack

    key = bytes([KEYS[name]])
    kinds = ray(view, name)
    first, second = next(kinds, Kind.SOLID), next(kinds, Kind.SOLID)
    diagonal = all(COMPASS[name])
    if first is Kind.CREATURE:
        yield f"fight {name}", Command(b"F" + key)
    elif first is Kind.CLOSED and not diagonal:
        yield f"open {name}", Command(key)
        if "kick" in verbs:
            yield f"kick {name}", Command(b"\x04", key)
        letter = _carried(view, "key") if "unlock" in verbs else ""
        if letter:
            yield f"unlock {name}", Command(b"a", letter.encode("latin-1") + key + b"y")
    elif diagonal and (in_door or first is Kind.DOORWAY):
        return
    elif first is Kind.BOULDER:
        yield f"push {name}", Command(key)
        if second is Kind.FREE:
            yield f"push far {name}", Command(key.upper())
    elif (
        first in (Kind.FREE, Kind.DOORWAY)
        or (first is Kind.UNKNOWN and view.condition & nethack.BL_MASK_BLIND)
        or (first is Kind.LIQUID and view.condition & nethack.BL_MASK_LEV)
    ):
        yield f"go {name}", Command(key)
        if second in (Kind.FREE, Kind.DOORWAY, Kind.UNKNOWN):
            yield f"far {name}", Command(key.upper())


def _zaps(view: View) -> Iterator[tuple[str, Command]]:
    """Wands and horns, towards what they might change."""
    wand, horn = _carried(view, "wand"), _carried(view, "horn")
    if not wand and not horn:
        return
    for name in COMPASS:
        reach = list(ray(view, name))[:ZAP_RANGE]
        if Kind.LIQUID in reach or Kind.CREATURE in reach:
            key = bytes([KEYS[name]])
            if wand:
                yield f"zap wand {name}", Command(b"z", wand.encode("latin-1") + key)
            if horn:
                yield f"play horn {name}", Command(b"a", horn.encode("latin-1") + b"y" + key)


def _carried(view: View, word: str) -> str:
    """The letter of the first thing carried whose name has a word."""
    return next((letter for letter, text in view.inventory.items() if word in text.split()), "")
