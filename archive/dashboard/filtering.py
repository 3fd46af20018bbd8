"""Filters of tables as people type them, as SQL conditions. What is typed reaches SQL as parameters only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

Condition = tuple[str, Mapping[str, object]]
"""An SQL expression and its parameters."""

_COMPARED = re.compile(r"(>=|<=|>|<|=)?\s*(\S+)")
_BETWEEN = re.compile(r"(\S+?)\s*\.\.\s*(\S+)")
_NOTHING = {"none": "IS NULL", "any": "IS NOT NULL"}


class FilterError(ValueError):
    """What was typed is no filter of that column; the message says what would be."""


def condition(key: str, sql: str, kind: str, text: str) -> Condition:
    """The condition that a column fulfils a filter. Raises `FilterError`.

    >>> condition("score", "e.score", "score", ">0.5")
    ('e.score > :f_score', {'f_score': 0.5})
    """
    name = f"f_{key}"
    if text in _NOTHING:
        return f"{sql} {_NOTHING[text]}", {}
    if kind == "word":
        return f"{sql} = :{name}", {name: text}
    if kind == "name":
        return f"{sql} >= :{name} AND {sql} < :{name}_", {name: text, f"{name}_": text + "\U0010ffff"}
    if kind == "text":
        return f"instr(lower({sql}), lower(:{name})) > 0", {name: text}
    if found := _BETWEEN.fullmatch(text):
        low, high = (_value(kind, end) for end in found.groups())
        return f"{sql} BETWEEN :{name} AND :{name}_", {name: low, f"{name}_": high}
    if found := _COMPARED.fullmatch(text):
        operator, value = found.groups()
        return f"{sql} {operator or '='} :{name}", {name: _value(kind, value)}
    raise FilterError(_help(kind, text))


def _value(kind: str, text: str) -> float:
    try:
        if kind != "time":
            return float(text.replace(",", "").replace("\u2212", "-").removeprefix("$"))
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise FilterError(_help(kind, text)) from error


def _help(kind: str, text: str) -> str:
    example = ">2026-01-31" if kind == "time" else ">0.5, <=3 or 0.2..0.5"
    return f"{text!r} is no filter; write {example}, `none` or `any`"
