"""Which names of a piece of Python refer to its module's own scope, and not to something local."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

Mention = tuple[str, int, int]
"""A name, the line of the text that it is on, and the byte in that line where it begins."""


def mentions(tree: ast.Module) -> list[Mention]:
    """Every place where a module's own name, or a builtin's, is read or bound."""
    walker = _Walker()
    for statement in tree.body:
        walker.visit(statement)
    return walker.found


def bound(body: list[ast.stmt]) -> set[str]:
    """The names that statements bind in their own scope, and those that functions in them declare global."""
    declared = {name for statement in body for node in ast.walk(statement) for name in _declared(node, ast.Global)}
    return set(_bound(body)) | declared


class _Walker:
    """Collects mentions; `_hidden` are the names of the scopes around, the innermost last."""

    def __init__(self) -> None:
        self.found: list[Mention] = []
        self._hidden: list[set[str]] = []
        self._of_class: set[str] = set()
        """What the class statement just around binds, which its methods do not see."""

    def visit(self, node: ast.AST) -> None:
        match node:
            case ast.Name(id=name):
                if name not in self._of_class and not any(name in names for names in self._hidden):
                    self.found.append((name, node.lineno, node.col_offset))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._all([*node.decorator_list, *_outside(node.args), *([node.returns] if node.returns else [])])
                self._enter(_locals(node), node.body)
            case ast.Lambda():
                self._all(_outside(node.args))
                self._enter(_locals(node), [node.body])
            case ast.ClassDef():
                self._all([*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)])
                around, self._of_class = self._of_class, set(_bound(node.body)) - _names(node.body, ast.Global)
                self._all(node.body)
                self._of_class = around
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                first = node.generators[0].iter
                self.visit(first)
                targets = [each for part in node.generators for each in ast.walk(part.target)]
                inner = [child for child in _children(node) if child is not first]
                self._enter({each.id for each in targets if isinstance(each, ast.Name)}, inner)
            case _:
                self._all(ast.iter_child_nodes(node))

    def _all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _enter(self, names: set[str], inner: Iterable[ast.AST]) -> None:
        around, self._of_class = self._of_class, set()
        self._hidden.append(names)
        self._all(inner)
        self._hidden.pop()
        self._of_class = around


def _children(node: _Comprehension) -> list[ast.AST]:
    """The parts of a comprehension, those of its generators one by one."""
    parts: list[ast.AST] = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    for generator in node.generators:
        parts += [generator.target, generator.iter, *generator.ifs]
    return parts


def _outside(arguments: ast.arguments) -> list[ast.expr]:
    """Defaults and annotations, which are evaluated around the function."""
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    notes = [each.annotation for each in every if each is not None and each.annotation is not None]
    return [*arguments.defaults, *(each for each in arguments.kw_defaults if each is not None), *notes]


def _locals(function: _Function) -> set[str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    names = {each.arg for each in every if each is not None}
    if isinstance(function, ast.Lambda):
        return names
    return (names | set(_bound(function.body))) - _names(function.body, ast.Global)


def _names(body: list[ast.stmt], kind: type[ast.Global]) -> set[str]:
    return {name for node in _own(body) for name in _declared(node, kind)}


def _declared(node: ast.AST, kind: type[ast.Global]) -> list[str]:
    return node.names if isinstance(node, kind) else []


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    for node in _own(body):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case ast.MatchMapping(rest=str(name)):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)


def _own(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The nodes of statements, without what belongs to scopes within them."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, _Comprehension):  # where an assignment expression binds a name around it
            waiting += [child for child in ast.walk(node) if isinstance(child, ast.NamedExpr)]
        elif not isinstance(node, _Function | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
