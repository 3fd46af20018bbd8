"""A module taken apart: its imports, and its top-level statements as text, with the names that each needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

from archive.scopes import Mention, bound, mentions

_NOTE = re.compile(r"  # (?:noqa|type: ignore)\b.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Import:
    """A name from elsewhere: `name` of `module`, or the module itself where `name` is empty."""

    module: str
    name: str = ""
    for_types: bool = field(default=False, compare=False)
    """Whether it is wanted by annotations only."""


@dataclass(frozen=True, slots=True)
class Part:
    """A statement, or one with the docstring that follows it; `line` is where its text begins."""

    names: tuple[str, ...]
    text: str
    line: int
    mentions: tuple[Mention, ...]
    for_types: bool = False
    """Whether it stands under `if TYPE_CHECKING`."""

    @property
    def needs(self) -> set[str]:
        """The names that it mentions."""
        return {name for name, _, _ in self.mentions}

    @property
    def is_block(self) -> bool:
        """Whether it is a class or a function."""
        return not self.for_types and self.text.lstrip("#\n ").startswith(("def ", "class ", "@", "async "))

    def renamed(self, names: Mapping[str, str]) -> str:
        """Its text with other names for some."""
        lines = [line.encode() for line in self.text.split("\n")]
        for name, line, column in sorted(self.mentions, key=lambda place: (place[1], -place[2])):
            if (new := names.get(name, name)) != name:
                old = lines[line - 1]
                lines[line - 1] = old[:column] + new.encode() + old[column + len(name.encode()) :]
        return b"\n".join(lines).decode()


@dataclass(frozen=True, slots=True)
class Module:
    """A module's parts in their order; `title` is the first line of its docstring."""

    title: str
    imports: Mapping[str, Import]
    parts: tuple[Part, ...]
    bound: frozenset[str] = field(default=frozenset())
    """Every name that its parts bind, also as a global of a function."""


def read(source: str) -> Module:
    """Take a module apart. The imports of its top level, also those under `if TYPE_CHECKING`, become `imports`."""
    tree = ast.parse(source)
    documented = ast.get_docstring(tree) is not None
    body = tree.body[1:] if documented else tree.body
    imports: dict[str, Import] = {}
    parts = list(_parts(body, source.split("\n"), imports))
    names = bound([statement for statement in body if not isinstance(statement, ast.Import | ast.ImportFrom)])
    title = (ast.get_docstring(tree) or "").partition("\n")[0]
    return Module(title, imports, tuple(parts), frozenset(names - {"TYPE_CHECKING"} - set(imports)))


@lru_cache(maxsize=64)
def own(module: str) -> Module:
    """One of our modules, `sandbox.guest.store` say."""
    package, _, name = module.rpartition(".")
    source = files(package).joinpath(f"{name}.py").read_text("utf-8")
    return read(_NOTE.sub("", source))


def imported(statement: ast.Import | ast.ImportFrom, *, for_types: bool = False) -> Iterator[tuple[str, Import]]:
    """The names that an import binds."""
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            yield alias.asname or alias.name, Import(statement.module or "", alias.name, for_types)
        else:
            local = alias.asname or alias.name.partition(".")[0]
            yield local, Import(alias.name, "", for_types)


def _parts(
    body: Sequence[ast.stmt], lines: list[str], imports: dict[str, Import], *, for_types: bool = False
) -> Iterator[Part]:
    waiting = list(body)
    while waiting:
        statement = waiting.pop(0)
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imports |= imported(statement, for_types=for_types)
            continue
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING" and not statement.orelse:
            yield from _parts(statement.body, lines, imports, for_types=True)
            continue
        last = statement
        if waiting and _is_text(waiting[0]) and isinstance(statement, ast.Assign | ast.AnnAssign):
            last = waiting.pop(0)
        yield _part(statement, last, lines, for_types=for_types)


def _part(statement: ast.stmt, last: ast.stmt, lines: list[str], *, for_types: bool) -> Part:
    first = min([statement.lineno, *(node.lineno for node in getattr(statement, "decorator_list", []))])
    while first > 1 and lines[first - 2][statement.col_offset :].startswith("#"):
        first -= 1
    text = "\n".join(line[statement.col_offset :] for line in lines[first - 1 : last.end_lineno])
    tree = ast.parse(text)
    return Part(tuple(sorted(bound(tree.body))), text, first, (*mentions(tree), *_heads(tree, text)), for_types)


def _heads(tree: ast.Module, text: str) -> Iterator[Mention]:
    """Where the names of the classes and functions themselves stand."""
    lines = text.split("\n")
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found = re.compile(rf"\s*(?:class|def|async\s+def)\s+{re.escape(node.name)}\b").match(
                lines[node.lineno - 1]
            )
            if found is not None:
                yield (
                    node.name,
                    node.lineno,
                    len(lines[node.lineno - 1][: found.end()].encode()) - len(node.name.encode()),
                )


def _is_text(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False
