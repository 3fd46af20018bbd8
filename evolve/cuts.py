"""What can be taken out of a design, as edits of its syntax tree; a limited child parses it, never the driver."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from archive import limited

How = Literal["statement", "element", "body", "orelse", "left", "right"]
"""A statement or an element of a list goes; or a branch, or an operand, takes the place of the whole."""
Path = tuple[str | int, ...]
"""Fields and places in them, from the module down."""
LONGEST = 80
"""Characters of a label."""
_STATEMENTS = frozenset({"body", "orelse", "finalbody"})
_ELEMENTS = {
    "elts": (ast.List, ast.Set, ast.Tuple),
    "values": (ast.BoolOp,),
    "keywords": (ast.Call,),
    "ifs": (ast.comprehension,),
}
_NOTES = frozenset({"annotation", "returns", "decorator_list", "targets", "target"})
"""Fields that hold nothing to take out."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One thing that can be taken out of a source; paths are those of the source that it was found in."""

    path: Path
    how: How
    level: int
    """How many statements it stands in; 0 at the top of the module."""
    label: str
    line: int


class Outline(NamedTuple):
    """A source in the layout of `ast.unparse`, with all that can be taken out of it."""

    source: str
    cuts: tuple[Cut, ...]


def outline(source: str) -> Outline:
    """All that can be taken out of a design, in the order of its code; raises `TextError`."""
    told = limited.ask("evolve.cuts", [source, []])
    return Outline(told["source"], tuple(Cut(**{**cut, "path": tuple(cut["path"])}) for cut in told["cuts"]))


def without(source: str, cuts: Sequence[Cut]) -> str:
    """The source with some taken out, and the imports that nothing needs any more; raises `TextError`."""
    told = limited.ask("evolve.cuts", [source, [[cut.path, cut.how] for cut in cuts]])
    return str(told["source"])


# In the child


def found(tree: ast.Module) -> Iterator[Cut]:
    """Every cut, an outer one before those within."""
    yield from _within(tree, (), 0)


def apply(tree: ast.Module, cuts: Sequence[tuple[Path, How]]) -> None:
    """Take out of a tree what `found` found in it."""
    marked = {id(_at(tree, path)): how for path, how in cuts}
    _Edit(marked).visit(tree)
    _drop_unused(tree)


def _within(node: ast.AST, path: Path, level: int) -> Iterator[Cut]:
    for name, value in ast.iter_fields(node):
        if name in _NOTES:
            continue
        children = value if isinstance(value, list) else [value]
        for place, child in enumerate(children):
            if isinstance(child, ast.AST):
                at = (*path, name, place) if isinstance(value, list) else (*path, name)
                inner = level + (isinstance(child, ast.stmt) and isinstance(node, ast.stmt))
                yield from _of(node, name, child, at, inner, len(children))
                yield from _within(child, at, inner)


def _of(parent: ast.AST, name: str, node: ast.AST, path: Path, level: int, count: int) -> Iterator[Cut]:
    """The cuts at one place."""
    line = getattr(node, "lineno", getattr(parent, "lineno", 0))

    def cut(how: How, what: str) -> Cut:
        return Cut(path, how, level, what if len(what) <= LONGEST else f"{what[: LONGEST - 4]} ...", line)

    text = " ".join(ast.unparse(node).split()) if not isinstance(node, ast.Module) else ""
    if isinstance(node, ast.stmt) and name in _STATEMENTS:
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) and not _is_text(node):
            yield cut("statement", _named(node) or text)
    elif isinstance(parent, _ELEMENTS.get(name, ())) and (count > 1 or name != "values"):
        yield cut("element", text)
    match node:
        case ast.If(orelse=[_, *_]):
            yield cut("body", f"the choice: {ast.unparse(node.test)}")
            yield cut("orelse", f"the first branch of: {ast.unparse(node.test)}")
        case ast.If() | ast.With() | ast.Try():
            yield cut("body", f"the condition around: {text}")
        case ast.IfExp():
            yield cut("body", f"the other case of: {text}")
            yield cut("orelse", f"the first case of: {text}")
        case ast.BinOp():
            yield cut("left", f"right of: {text}")
            yield cut("right", f"left of: {text}")


def _named(node: ast.stmt) -> str:
    match node:
        case ast.ClassDef(name=name):
            return f"class {name}"
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return f"def {name}"
    return ""


class _Edit(ast.NodeTransformer):
    """Carries out the marked cuts."""

    def __init__(self, marked: dict[int, How]) -> None:
        self._marked = marked

    def visit(self, node: ast.AST) -> Any:
        how = self._marked.get(id(node))
        if how in ("statement", "element"):
            return None
        self.generic_visit(node)
        if how is not None:
            return getattr(node, how)  # of a statement a list, which takes its place
        for name in ("body", "finalbody"):
            if getattr(node, name, None) == [] and (name == "body" or not getattr(node, "handlers", True)):
                setattr(node, name, [ast.Pass()])
        if isinstance(node, ast.BoolOp) and len(node.values) < 2:
            return node.values[0] if node.values else ast.Constant(True)
        return node


def _drop_unused(tree: ast.Module) -> None:
    """Leave out the imports of names that nothing mentions."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        for name in _STATEMENTS:
            body = getattr(node, name, None)
            if isinstance(body, list):
                kept: list[ast.stmt] = [each for each in body if _imports_some(each, used)]
                setattr(node, name, [ast.Pass()] if body and not kept and name == "body" else kept)


def _imports_some(statement: ast.stmt, used: set[str]) -> bool:
    """Whether anything is left of a statement without the unused names, which leave it if it imports any."""
    if not isinstance(statement, ast.Import | ast.ImportFrom) or getattr(statement, "module", "") == "__future__":
        return True
    statement.names = [
        alias
        for alias in statement.names
        if alias.name == "*" or (alias.asname or alias.name).partition(".")[0] in used
    ]
    return bool(statement.names)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _at(tree: ast.AST, path: Path) -> Any:
    value: Any = tree
    for step in path:
        value = value[step] if isinstance(step, int) else getattr(value, step)
    return value


def _respond(request: Any) -> dict[str, Any]:
    source, cuts = request
    tree = ast.parse(source)
    if cuts:
        apply(tree, [(tuple(path), how) for path, how in cuts])
        return {"source": ast.unparse(ast.fix_missing_locations(tree)) + "\n"}
    return {"source": ast.unparse(tree) + "\n", "cuts": [asdict(cut) for cut in found(tree)]}


if __name__ == "__main__":
    limited.answer(_respond)
