"""Foreign text: what designs, games and models wrote, made fit to be shown."""

from __future__ import annotations

import unicodedata

LONGEST = 200_000


def safe_text(text: str, longest: int = LONGEST) -> str:
    r"""Text without control, format and surrogate characters but line ends and tabs, cut to a length.

    >>> safe_text("a\x07b\x1b[31mred")
    'ab[31mred'
    """
    kept = "".join(c for c in text[:longest] if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    return kept + (" ..." if len(text) > longest else "")
