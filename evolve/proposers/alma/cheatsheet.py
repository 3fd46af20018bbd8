"""What a design is and what it can use, read from the guest package itself, so that there is no second copy."""

from __future__ import annotations

import inspect
import sys
import textwrap
from functools import cache
from types import ModuleType
from typing import Any


@cache
def contract() -> str:
    """The source of the contract between a design and the world."""
    from sandbox.guest import design

    return inspect.getsource(design)


@cache
def cheatsheet() -> str:
    """The building blocks by module: names, signatures, docstrings."""
    from sandbox import guest

    modules: dict[str, list[str]] = {}
    for name in guest.__all__:
        value = getattr(guest, name)
        module = inspect.getmodule(value)
        if module is None:  # a constant
            modules.setdefault("", []).append(f"{name} = {value!r}")
        elif module.__name__ != "sandbox.guest.design":
            modules.setdefault(module.__name__, []).append(_entry(name, value))
    order = [name for name in vars(guest) if isinstance(getattr(guest, name), ModuleType)]
    parts = []
    for module_name, entries in sorted(modules.items(), key=lambda item: _place(item[0], order)):
        heading = _first_line(sys.modules[module_name].__doc__) if module_name else "Constants"
        parts.append("\n".join([f"# {heading}", *entries]))
    return "\n\n".join(parts)


def _entry(name: str, value: object) -> str:
    """A class or a function as it is called, with what its docstring says."""
    about = inspect.cleandoc(inspect.getdoc(value) or "").partition("\n\n>>>")[0]
    if not isinstance(value, type):
        return f"def {name}{_signature(value)}{_indented(about)}"
    lines = [f"class {name}{_bases(value)}{_indented(about)}"]
    for method, function in vars(value).items():
        if inspect.isfunction(function) and (not method.startswith("_") or method == "__init__"):
            lines.append(f"    def {method}{_signature(function)}{_inherited(value, method)}")
    return "\n".join(lines)


def _inherited(owner: type, method: str) -> str:
    """The first line of a method's own docstring, where no base class said it before."""
    said = _first_line(vars(owner)[method].__doc__)
    before = [_first_line(getattr(getattr(base, method, None), "__doc__", "")) for base in owner.__mro__[1:]]
    return f"  # {said}" if said and said not in before else ""


def _bases(value: type) -> str:
    named = [base.__name__ for base in value.__bases__ if base.__module__.startswith("sandbox.guest")]
    return f"({', '.join(named)})" if named else ""


class _Bare(str):
    """An annotation that is shown without quotation marks."""

    def __repr__(self) -> str:
        return str(self)


def _signature(function: Any) -> inspect.Signature:
    signature = inspect.signature(function)
    bare = [each.replace(annotation=_bare(each.annotation)) for each in signature.parameters.values()]
    return signature.replace(parameters=bare, return_annotation=_bare(signature.return_annotation))


def _bare(annotation: Any) -> Any:
    return _Bare(annotation) if isinstance(annotation, str) else annotation


def _indented(about: str) -> str:
    return textwrap.indent(f'\n"""{about}"""', "    ") if about else ""


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _place(name: str, order: list[str]) -> int:
    short = name.rpartition(".")[2]
    return order.index(short) if short in order else -1
