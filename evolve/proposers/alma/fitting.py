"""Fitting a model's context: what a prompt is made of, what of it goes first where it is too long, and what went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from evolve.agents.prompts import CUT, clipped
from sandbox.guest import count_tokens

WINDOW = 100_000
"""Tokens that a prompt may have where nothing is known of the model; one that finds it too long gets half as many."""
LEAST = 1_000
"""Below this there is no room for what matters."""
WORTH_CLIPPING = 200
"""Fewer tokens of a section say nothing."""


tokens_of = lru_cache(64)(count_tokens)
"""Tokens of a text that is counted again and again: what a conversation grows from."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a prompt."""

    title: str
    text: str
    keep: int = 0
    """The lower, the sooner it goes; what is `ALWAYS` kept does not."""
    clips: bool = False
    """Whether its beginning is of use without its end."""
    kind: str = "data"
    """How foreign text is marked in the prompt, once it is cut; empty for our own."""

    @property
    def tokens(self) -> int:
        """How long it is."""
        return count_tokens(self.title) + tokens_of(self.text)


ALWAYS = 100
_FRAME = count_tokens(CUT)


@dataclass(frozen=True, slots=True)
class Cut:
    """A section that did not fit."""

    section: str
    tokens: int
    kept: int
    """Tokens of it that are left."""


def fit(sections: Sequence[Section], budget: int) -> tuple[list[Section], list[Cut]]:
    """The sections, cut until they are within a budget of tokens, in their order; and what was cut.

    Of those that are equally dear the last one goes first.
    """
    kept = dict(enumerate(sections))
    cuts = []
    over = sum(section.tokens for section in sections) - budget
    for place in sorted(kept, key=lambda place: (kept[place].keep, -place)):
        section = kept[place]
        if over <= 0:
            break
        if section.keep == ALWAYS:
            continue
        left = section.tokens - over
        if section.clips and left >= WORTH_CLIPPING:
            kept[place] = replace(section, text=clipped(section.text, left - _FRAME - count_tokens(section.title)))
            left = kept[place].tokens
        else:
            del kept[place]
            left = 0
        cuts.append(Cut(section.title, section.tokens, left))
        over -= section.tokens - left
    return [kept[place] for place in sorted(kept)], cuts
