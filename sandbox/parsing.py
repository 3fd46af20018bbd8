"""The child of `source.SourceChecker`: reads sources from stdin and describes them. It never runs them."""

from __future__ import annotations

import ast
import gc
import hashlib
import os
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Any

from sandbox import guest
from sandbox.guest.channel import Channel
from sandbox.guest.design import MemoryDesign
from sandbox.reach import building_code

HASH_VERSION = "1"
MAX_LEVELS = 100
MAX_FORMATTED = 128 * 1024
"""Characters of a formatted source; indentation can make many of few."""

_OURS = frozenset({"sandbox", "evolve", "domains", "archive"})
_MEMORY = 512 * 1024 * 1024
_MAX_SUMMARY = 200

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class RejectedError(Exception):
    """Why a source is no design."""


def describe(source: str) -> dict[str, Any]:
    """The hash, class, summary and layout of a design's source, or the reason why it is none."""
    try:
        tree = ast.parse(source)
        nodes = _nodes(tree)
        compile(tree, "design.py", "exec", dont_inherit=True)
        _check_imports(tree, nodes)
        design = _only_design(tree)
        summary = ast.get_docstring(design) or ast.get_docstring(tree) or ""
        formatted = ast.unparse(tree)
        code = _normalised(tree, nodes)
        return {
            "hash": _hash(code),
            "build_hash": _hash(building_code(tree, design) or code),
            "form_hash": _hash(_form(tree)),
            "class_name": design.name,
            "summary": summary.strip().partition("\n")[0][:_MAX_SUMMARY],
            "formatted": formatted if len(formatted) <= MAX_FORMATTED else "",
        }
    except SyntaxError as error:
        return {"reason": f"it does not parse: {error.msg} (line {error.lineno})"}
    except RejectedError as error:
        return {"reason": str(error)}
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return {"reason": f"it cannot be read: {type(error).__name__}: {str(error)[:200]}"}


def _nodes(tree: ast.Module) -> list[ast.AST]:
    """Every node of a tree that is not too deep."""
    nodes: list[ast.AST] = []
    level: list[ast.AST] = [tree]
    for _ in range(MAX_LEVELS + 1):
        nodes += level
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return nodes
    line = next((node.lineno for node in level if isinstance(node, ast.expr | ast.stmt)), "unknown")
    raise RejectedError(f"it is nested deeper than {MAX_LEVELS} levels (line {line})")


def _check_imports(tree: ast.Module, nodes: list[ast.AST]) -> None:
    top = set(map(id, tree.body))
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.module == "sandbox.guest" and node.level == 0 and id(node) in top:
                continue
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        for name in names:
            if name.startswith(".") or name.partition(".")[0] in _OURS:
                raise RejectedError(
                    f"it imports {name} (line {node.lineno}); "
                    "of ours a design may only use `from sandbox.guest import ...` at the top"
                )


def _only_design(tree: ast.Module) -> ast.ClassDef:
    """The one class statement whose bases lead to `MemoryDesign`."""
    bases = {name for name, value in vars(guest).items() if isinstance(value, type) and issubclass(value, MemoryDesign)}
    known = {alias.asname or alias.name for node in _imports(tree) for alias in node.names if alias.name in bases}
    if any(alias.name == "*" for node in _imports(tree) for alias in node.names):
        known |= bases
    found: list[ast.ClassDef] = []
    for node in _classes(tree.body):
        if any(isinstance(base, ast.Name) and base.id in known for base in node.bases):
            known.add(node.name)
            found.append(node)
    if len(found) != 1:
        names = ", ".join(f"{node.name} (line {node.lineno})" for node in found) or "none"
        raise RejectedError(f"it must define exactly one subclass of MemoryDesign, and defines {names}")
    return found[0]


def _imports(tree: ast.Module) -> Iterator[ast.ImportFrom]:
    return (node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "sandbox.guest")


def _classes(body: list[ast.stmt]) -> Iterator[ast.ClassDef]:
    """Class statements of the module itself, also under `if` and `try`."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield node
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from _classes([child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)])


def _normalised(tree: ast.Module, nodes: list[ast.AST]) -> str:
    """The code as it would be written without comments and docstrings, which leave the tree."""
    for node in nodes:
        if isinstance(node, Documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _form(tree: ast.Module) -> str:
    """The code with every constant the same; it is called last, for it spoils the tree."""

    class Blank(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.Constant:
            return ast.Constant(0)

        def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
            if isinstance(node.operand, ast.Constant):  # a negative number is a constant too
                return ast.Constant(0)
            return self.generic_visit(node)

        def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
            parts = [self.visit(part) for part in node.values if not isinstance(part, ast.Constant)]
            return ast.Tuple(parts, ast.Load())

    return ast.dump(Blank().visit(tree))


def _hash(code: str) -> str:
    return f"{HASH_VERSION}-{hashlib.sha256(code.encode()).hexdigest()}"


def main() -> None:
    """Serve until stdin is closed; an alarm ends a check that takes too long, even if nobody waits for it any more."""
    seconds = int(sys.argv[1])
    host = Channel(0, os.dup(1))
    os.dup2(2, 1)
    gc.disable()  # a syntax tree holds no cycles
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    host.send({"ready": 1})
    while True:
        try:
            request = host.receive()
        except EOFError:
            return
        signal.alarm(seconds)
        answer = describe(request["source"])
        signal.alarm(0)
        host.send(answer)


if __name__ == "__main__":
    main()
