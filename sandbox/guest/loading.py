"""From source text to a design: run the module, find its one class, and describe what goes wrong."""

from __future__ import annotations

import linecache
import sys
import traceback
from types import ModuleType
from typing import Any

from sandbox.guest.design import MemoryDesign

MODULE = "design"
FILE = "design.py"
PHASES = frozenset({"begin", "step"})

_MESSAGE = 500
_TRACEBACK = 4000


class DesignError(Exception):
    """A module that holds no usable design; the message says what to change."""


def load_class(source: str) -> type[MemoryDesign]:
    """Run the source as a module and return the one `MemoryDesign` subclass that it defines."""
    module = ModuleType(MODULE)
    module.__file__ = FILE
    sys.modules[MODULE] = module
    linecache.cache[FILE] = (len(source), None, source.splitlines(keepends=True), FILE)
    exec(compile(source, FILE, "exec"), vars(module))
    found = list(dict.fromkeys(value for value in vars(module).values() if _is_own_design(value)))
    if len(found) != 1:
        names = ", ".join(each.__name__ for each in found) or "none"
        raise DesignError(f"a design module must define exactly one subclass of MemoryDesign; this one defines {names}")
    design: type[MemoryDesign] = found[0]
    return design


def _is_own_design(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, MemoryDesign) and value.__module__ == MODULE


def describe_class(design: type[MemoryDesign]) -> dict[str, Any]:
    """The JSON answer to `load`: name, instructions and phases, checked."""
    if not isinstance(design.instructions, str):
        raise DesignError(f"instructions must be a string, not {type(design.instructions).__name__}")
    phases = set(design.phases)
    if isinstance(design.phases, str) or not phases <= PHASES:
        raise DesignError(f'phases must be a set made of "begin" and "step", not {design.phases!r}')
    return {"name": design.__name__, "instructions": design.instructions, "phases": sorted(phases)}


def describe_error(error: BaseException) -> dict[str, str]:
    """An exception of the design as JSON values of limited size; its own `__str__` may fail too."""
    try:
        message = _valid(str(error))[:_MESSAGE]
    except BaseException:  # noqa: BLE001  the design's own code runs here
        message = "(its message could not be read)"
    name = type.__dict__["__name__"].__get__(type(error))  # a metaclass may hide it
    return {"kind": _valid(name)[:100], "message": message, "traceback": _traceback(error)}


def _traceback(error: BaseException) -> str:
    try:
        tail = error.__traceback__
        while tail is not None and tail.tb_frame.f_code.co_filename != FILE:
            tail = tail.tb_next
        lines = traceback.format_exception(type(error), error, tail, limit=-12)
        return _valid("".join(lines))[-_TRACEBACK:]
    except BaseException:  # noqa: BLE001  out of memory, or a hostile exception class
        return ""


def _valid(text: str) -> str:
    return str.encode(text, "utf-8", "replace").decode("utf-8")  # its class may have an `encode` of its own
