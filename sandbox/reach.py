"""Which part of a design's module can shape its built memory? Designs that share that part can share the memory.

A name is taken to mean everything that bears it: whatever the building code mentions is reached, as are all statements
that run when the module is loaded. Only what is understood is ever left out; a name that reaches others by text
(`getattr`, `exec`, a double-underscored one) makes the whole module count.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeGuard

from sandbox import guest
from sandbox.guest.design import MemoryDesign

ROOTS = frozenset({"__init__", "update", "manage", "observe", "dump", "load"})
"""The methods that build a memory, and those that carry a built one over."""

_DYNAMIC = frozenset(
    {"attrgetter", "methodcaller", "getattr", "hasattr", "setattr", "delattr", "vars", "dir", "globals", "locals"}
    | {"eval", "exec", "compile", "breakpoint", "format", "format_map", "get_type_hints", "ctypes", "gc", "importlib"}
    | {"inspect", "linecache", "marshal", "pickle", "sys", "traceback"}
)
_PLAIN_DUNDERS = frozenset(
    {"__all__", "__call__", "__contains__", "__eq__", "__future__", "__getitem__", "__hash__", "__init__", "__iter__"}
    | {"__len__", "__lt__", "__post_init__", "__repr__", "__str__"}
)
_PLAIN_DECORATORS = frozenset({"property", "staticmethod", "classmethod", "abstractmethod"})
_OF_THE_CLASS = frozenset({"instructions", "phases"})
_ACTS = (ast.Call, ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.Lambda, ast.comprehension)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def building_code(tree: ast.Module, design: ast.ClassDef) -> str | None:
    """The text of all that can shape the memory; None where that cannot be told from the rest."""
    imported = _imported(tree)
    bases = [imported.get(base.id, "") if isinstance(base, ast.Name) else "" for base in design.bases]
    if design.decorator_list or design.keywords or not all(base in _our_classes() for base in bases):
        return None
    parts = _Parts(tree, imported)
    for base in bases:
        parts.inherit(base)
    parts.read(tree, design)
    ours, base_code = parts.reached()
    if any(_is_dynamic(name) for node in ours for name in _mentions(node)):
        return None
    return "\n".join([*bases, *map(ast.unparse, base_code), *map(ast.unparse, ours)])


class _Parts:
    """A module in two: what always counts, and what counts once its name is mentioned."""

    def __init__(self, tree: ast.Module, imported: dict[str, str]) -> None:
        self._always: list[ast.AST] = []
        self._by_name: dict[str, list[ast.AST]] = {}
        self._inherited: list[ast.AST] = []
        self._layers: set[str] = set()
        self._blocks = imported.keys() - set(_bound_names(tree))

    def inherit(self, name: str) -> None:
        """Take one of our own base classes in; the attributes that it annotates are layers that a design may set."""
        for node in _our_classes()[name]:
            for statement in node.body:
                if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                    self._layers |= {statement.target.id} - _OF_THE_CLASS
                self._sort(statement, in_design=True)
                self._inherited += ast.walk(statement)

    def read(self, tree: ast.Module, design: ast.ClassDef) -> None:
        """Take the module in."""
        for statement in tree.body:
            if _is_of_guest(statement):
                for alias in statement.names:
                    self._define(alias.asname or alias.name, alias)
            elif statement is not design:
                self._sort(statement)
        for statement in design.body:
            self._sort(statement, in_design=True)

    def reached(self) -> tuple[list[ast.AST], list[ast.AST]]:
        """What can shape the memory, in the order of its text: of the module, and of the base classes."""
        waiting, seen, found = [*self._always], set[str](), dict[int, ast.AST]()
        while waiting:
            node = waiting.pop()
            found[id(node)] = node
            for name in set(_mentions(node)) - seen:
                seen.add(name)
                waiting += self._by_name.get(name, [])
        base_code = [node for node in self._inherited if id(node) in found]
        for node in base_code:
            del found[id(node)]
        return sorted(found.values(), key=_position), base_code

    def _define(self, name: str, node: ast.AST) -> None:
        self._by_name.setdefault(name, []).append(node)

    def _sort(self, statement: ast.stmt, *, in_design: bool = False) -> None:
        """Put a statement of the module or of the design's class where it belongs."""
        names = _names_bound(statement)
        if in_design and isinstance(statement, Function) and statement.name == "__init__" and _is_plain(statement):
            self._sort_construction(statement)
        elif not names or any(name.startswith("__") or (in_design and name in ROOTS) for name in names):
            self._always.append(statement)
        else:
            for name in names:
                self._define(name, statement)

    def _sort_construction(self, method: Function) -> None:
        """Take `__init__` apart: a layer that nobody mentions while the memory is built does not shape it."""
        self._always.append(method.args)
        for statement in method.body:
            match statement:
                case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value) if (
                    name in self._layers and self._is_inert(value)
                ):
                    self._define(name, statement)
                case _:
                    self._always.append(statement)

    def _is_inert(self, value: ast.expr) -> bool:
        """Whether evaluating it does nothing but construct building blocks of ours."""
        match value:
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                return name in self._blocks and all(
                    map(self._is_inert, [*args, *(keyword.value for keyword in keywords)])
                )
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return all(map(self._is_inert, parts))
            case ast.Name():
                return True
        return _is_literal(value)


@lru_cache(maxsize=1)
def _our_classes() -> dict[str, list[ast.ClassDef]]:
    """The syntax trees of the classes that a design can derive from, each with those above it."""
    found: dict[str, list[ast.ClassDef]] = {}
    for name, value in vars(guest).items():
        if isinstance(value, type) and issubclass(value, MemoryDesign):
            above = [each for each in value.__mro__ if issubclass(each, MemoryDesign)]
            trees = [ast.parse(textwrap.dedent(inspect.getsource(each))).body[0] for each in above]
            found[name] = [tree for tree in trees if isinstance(tree, ast.ClassDef)]
    return found


def _is_of_guest(statement: ast.stmt) -> TypeGuard[ast.ImportFrom]:
    return isinstance(statement, ast.ImportFrom) and statement.module == "sandbox.guest"


def _imported(tree: ast.Module) -> dict[str, str]:
    """What the module imports of ours: the name there, and ours."""
    aliases = (alias for statement in tree.body if _is_of_guest(statement) for alias in statement.names)
    return {alias.asname or alias.name: alias.name for alias in aliases}


def _bound_names(tree: ast.Module) -> Iterator[str]:
    """Every name that anything but an import of ours binds, wherever it does."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                if not (isinstance(node, ast.stmt) and _is_of_guest(node)):
                    yield from (alias.asname or alias.name for alias in aliases)


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _names_bound(statement: ast.stmt) -> list[str]:
    """The names that a statement binds and does nothing else; none where it may do more."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() if _is_plain(statement):
            return [statement.name]
        case ast.ClassDef(decorator_list=[], keywords=[], body=body, bases=bases):
            parts = [_names_bound(each) or ([""] if isinstance(each, ast.Pass) else []) for each in body]
            named = all(isinstance(base, ast.Name) for base in bases)
            if named and all(parts) and not any(_is_dynamic(name) for names in parts for name in names):
                return [statement.name]
        case ast.Assign(targets=targets, value=value) if _is_literal(value):
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            return names if len(names) == len(targets) else []
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            if not _acts(annotation) and (value is None or _is_literal(value)):
                return [name]
    return []


def _is_plain(function: Function) -> bool:
    """Whether defining it runs nothing of note: known decorators, literal defaults, annotations without calls."""
    arguments = function.args
    defaults = [*arguments.defaults, *(each for each in arguments.kw_defaults if each is not None)]
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    notes = [function.returns, *(each.annotation for each in every if each is not None)]
    return (
        all(isinstance(each, ast.Name) and each.id in _PLAIN_DECORATORS for each in function.decorator_list)
        and all(map(_is_literal, defaults))
        and not any(_acts(note) for note in notes if note is not None)
    )


def _is_literal(value: ast.expr) -> bool:
    match value:
        case ast.Constant() | ast.UnaryOp(operand=ast.Constant()):
            return True
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return all(map(_is_literal, parts))
        case ast.Dict(keys=keys, values=values):
            return all(key is not None and _is_literal(key) for key in keys) and all(map(_is_literal, values))
        case ast.Call(func=ast.Name(id="frozenset"), args=args, keywords=[]):
            return all(map(_is_literal, args))
    return False


def _acts(node: ast.AST) -> bool:
    return any(isinstance(each, _ACTS) for each in ast.walk(node))


def _mentions(node: ast.AST) -> Iterator[str]:
    """Every identifier in a tree, as its fields hold them; the text of literals is none."""
    for each in ast.walk(node):
        if isinstance(each, ast.Constant):
            continue
        for _, value in ast.iter_fields(each):
            for text in _strings(value):
                yield from text.split(".")


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _is_dynamic(name: str) -> bool:
    return name in _DYNAMIC or (name.startswith("__") and name.endswith("__") and name not in _PLAIN_DUNDERS)
