"""Asking the run's model: whatever it answers, a design gets values of the form that it asked for, or none."""

from __future__ import annotations

from typing import Any

from sandbox.guest.design import ToolError, Toolkit

LONGEST = 200
"""Characters of a text that are kept."""
TEXTS = {"type": "array", "items": {"type": "string"}}
ROWS = {"type": "array", "items": TEXTS}


def ask(toolkit: Toolkit, prompt: str, **fields: Any) -> dict[str, Any]:
    """The object that a model answers with, its fields by JSON schemas; empty where there is no such answer.

    That is, where the run has no model, where it refuses, and where its answer is no object.
    """
    if not toolkit.has_llm:
        return {}
    try:
        answer = toolkit.llm(prompt, {"type": "object", "properties": fields})
    except ToolError:
        return {}
    return answer if isinstance(answer, dict) else {}


def texts(value: Any, limit: int) -> list[str]:
    """The distinct texts of a list, stripped and cut; nothing of what is no list of texts.

    >>> texts([" oil the lamp ", "", 7, "oil the lamp"], 3)
    ['oil the lamp']
    """
    listed = value if isinstance(value, list) else []
    stripped = (text.strip()[:LONGEST] for text in listed if isinstance(text, str))
    return list(dict.fromkeys(text for text in stripped if text))[:limit]


def rows(value: Any, width: int, limit: int) -> list[list[str]]:
    """The rows of just so many texts, stripped and cut; others are passed over.

    >>> rows([["ADD", "", "oil the lamp"], ["ADD"], 7], 3, 9)
    [['ADD', '', 'oil the lamp']]
    """
    listed = [row for row in value if isinstance(row, list) and len(row) == width] if isinstance(value, list) else []
    whole = [row for row in listed if all(isinstance(cell, str) for cell in row)]
    return [[cell.strip()[:LONGEST] for cell in row] for row in whole[:limit]]
