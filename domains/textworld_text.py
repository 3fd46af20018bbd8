"""What a player of a TextWorld game reads, from what the interpreter prints."""

from __future__ import annotations

import re

_STATUS_LINE = re.compile(r"\n>[^\n]*\Z")
_END = re.compile(r"\s*\*\*\* (?:The End|You lost!) \*\*\*.*\Z", re.DOTALL)
_CONTROL = re.compile(r"[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_LINE_ENDS = re.compile(r"\s*\n\s*")


def tidy(text: str) -> str:
    """One paragraph a line, without status line, closing banner or control characters."""
    text = _END.sub("", _STATUS_LINE.sub("", text))
    return _LINE_ENDS.sub("\n", _CONTROL.sub(" ", text)).strip()


def observation(feedback: str, description: str = "", inventory: str = "") -> str:
    """What happened, the room, and what is carried, each said once."""
    lines: list[str] = []
    for part in (tidy(feedback), tidy(description), tidy(inventory)):
        if part and part not in "\n".join(lines):
            lines.append(part)
    return "\n".join(lines)
