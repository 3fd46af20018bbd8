"""Which listed action a model's words mean; and which is taken where they mean none."""

from __future__ import annotations

import random
from collections.abc import Sequence
from difflib import get_close_matches

CLOSE = 0.85
"""How like a listed action, in difflib's measure, a text has to be to be taken for it."""
LONGEST = 400
"""Characters of an answer that are looked at where it is none of the listed actions."""


def matched(said: object, actions: Sequence[str]) -> str | None:
    """The listed action that an answer means; none where it is not clear.

    >>> matched("I `Take the  Lamp`.", ["take the lamp", "take"])
    'take the lamp'
    """
    if not isinstance(said, str):
        return None
    if said in actions:
        return said
    listed = {_plain(action): action for action in reversed(actions)}
    plain = _plain(said[:LONGEST])
    if plain in listed:
        return listed[plain]
    named = [action for action in listed if f" {action} " in f" {plain} "]
    longest = max(named, key=len, default="")
    if longest and all(action in longest for action in named):
        return listed[longest]
    close = [] if named else get_close_matches(plain, listed, 1, CLOSE)
    return listed[close[0]] if close else None


def drawn(actions: Sequence[str], seed: int, turn: int) -> str:
    """An action drawn by the agent's seed, the same in every equal episode."""
    return random.Random(f"{seed} {turn}").choice(actions)


def _plain(text: str) -> str:
    """Letters and digits in lower case, all else one blank."""
    return " ".join("".join(sign if sign.isalnum() else " " for sign in text.casefold()).split())
