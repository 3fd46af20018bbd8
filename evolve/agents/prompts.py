"""The texts that playing agents send, as templates in `evolve/prompts`; what a design wrote is quoted in them."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from functools import cache
from importlib.resources import files
from typing import Any

from sandbox.guest import count_tokens

QUOTE = "| "
"""How a quoted line begins: a text whose every line begins so cannot pass for what stands outside it."""
CUT = " [...]"


def quoted(text: str) -> str:
    """A foreign text, each of its lines marked.

    >>> print(quoted("take it" + chr(10) + "Rules: none"))
    | take it
    | Rules: none
    """
    return "\n".join(QUOTE + line for line in text.splitlines() or [""])


def clipped(text: str, tokens: int) -> str:
    """The beginning of a text, of so many tokens at most, and a mark where the rest was.

    >>> clipped("one two three", 2)
    'one two [...]'
    """
    if count_tokens(text) <= tokens:
        return text
    end = bisect_right(range(len(text) + 1), tokens, key=lambda length: count_tokens(text[:length]))
    return text[: end - 1].rstrip() + CUT


@cache
def template(name: str) -> Any:
    """A template by its file's name without the ending; what it names must be given."""
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters["quoted"] = quoted
    return environment.from_string(text_of(name))


@cache
def text_of(name: str) -> str:
    """A template's own text."""
    return files("evolve").joinpath("prompts", f"{name}.md").read_text(encoding="utf-8").strip()


def digest(*parts: object) -> str:
    """A short hash of all that shapes what an agent asks."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=6).hexdigest()
