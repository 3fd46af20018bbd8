"""From an exported module, which somebody may have edited, back to a design.

Blocks that are as they were are imported from `sandbox.guest` again; an edited one becomes part of the design, and
with it what uses it. The module is only read, never run, and that by a child process of limited means.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache

from archive import limited
from archive.export import BEGAN_WITH, BEGIN, END, Written, join, written
from archive.joining import CARRIED, GUEST, Defined, import_lines, is_ours, resolve
from archive.parts import Import, own, read
from archive.scopes import mentions

MAX_BYTES = 1024 * 1024
_CONTRACT = (f"{GUEST}.design", f"{GUEST}.tokens", f"{CARRIED}.toolkit")
_ID = r"1-[0-9a-f]{64}"


@dataclass(frozen=True, slots=True)
class Restored:
    """A design's source, which design it was exported as and what that was made from, and which blocks were edited."""

    source: str
    design: str
    parents: tuple[str, ...]
    edited: tuple[str, ...]


class NotExportedError(limited.TextError):
    """A text that is no exported module, or one that cannot be a design again; the message says why."""


def restore(text: str) -> Restored:
    """Bring a module back, in a child process; raises `NotExportedError`."""
    try:
        told = limited.ask("archive.reimport", text)
    except limited.TextError as error:
        raise NotExportedError(str(error)) from None
    return Restored(told["source"], told["design"], tuple(told["parents"]), tuple(told["edited"]))


def restored(text: str) -> Restored:
    """The same in this process; raises what the parser does, too."""
    before, began, rest = text.partition(f"\n{BEGIN}\n")
    middle, ended, _ = rest.rpartition(f"\n{END}\n")
    if not began or not ended:
        raise NotExportedError(f'it has no line "{BEGIN}" and after it "{END}", so that the design in it is not found')
    _, _, head = (ast.get_docstring(ast.parse(before)) or "").partition("\n\n")  # the title is the design's to choose
    design = re.search(rf"^Design\s+({_ID})$", head, re.MULTILINE)
    parents = re.search(rf"^Parents\s+({_ID}(?:,\s+{_ID})*)$", head, re.MULTILINE)
    source = _design_source(middle)
    module = _Edited(before, written(source))
    if module.edited:
        source = module.source()
    return Restored(
        source + "\n",
        design[1] if design else "",
        tuple(re.findall(_ID, parents[1])) if parents else (),
        tuple(sorted(module.edited)),
    )


def _design_source(middle: str) -> str:
    """The design as it was before its imports were taken out and its names assigned."""
    lines = middle.strip("\n").split("\n")
    preamble = []
    if BEGAN_WITH in lines:
        at = lines.index(BEGAN_WITH) + 1
        while at < len(lines) and lines[at].startswith("# "):
            preamble.append(lines[at][2:])
            at += 1
        lines = lines[at:]
    imports = "\n".join(preamble)
    ours = {name for name, each in written(imports).module.imports.items() if is_ours(each)}
    body = "\n".join(lines)
    for statement in ast.parse(body).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name()) if name in ours:
                lines[statement.lineno - 1] = ""
            case _:
                break
    return imports + "\n\n\n" + "\n".join(lines).strip("\n")


class _Edited:
    """The carried part of a module, compared with what it was."""

    def __init__(self, before: str, design: Written) -> None:
        self._design = design
        module = read(before)
        joined = join(design, "Design", "", {})
        self._origin = joined.defined()
        self._imports = dict(module.imports)
        self._parts = {part.names: part for part in module.parts if part.names and part.names != ("__all__",)}
        pristine = read("\n\n\n".join(text for _, text in joined.sections(last=False)))
        known = {part.names: _tree(part.text) for part in pristine.parts}
        self.edited = {
            name
            for names, part in self._parts.items()
            if known.get(names, "") not in ("", _tree(part.text))
            for name in names
        }

    def source(self) -> str:
        """The design with the edited blocks, what uses them, and what nobody offers but the module itself."""
        kept = self._using(self.edited)
        imports, kept = self._needed(kept)
        parts = [part for names, part in self._parts.items() if kept.intersection(names)]
        aliases = [
            f"{name} = {final}"
            for name, entity in self._design.wanted().items()
            for final in kept
            if self._origin.get(final) == entity and final != name
        ]
        text = [*import_lines(imports, self._design.features), *(f"\n{part.text}" for part in parts), *aliases]
        return "\n\n".join([*text, f"\n{self._design.body}"])

    def _using(self, names: set[str]) -> set[str]:
        """These and all that could not be what it is without them."""
        found = set(names)
        while more := {n for each, part in self._parts.items() if found & _runs(part.text) for n in each} - found:
            found |= more
        for name in sorted(found):
            origin = self._origin.get(name)
            if origin is not None and (origin.module in _CONTRACT or origin.name == "LayeredDesign"):
                raise NotExportedError(
                    f"{', '.join(sorted(names))} is edited, on which {name} depends, and that belongs to Palimpsest;"
                    " put the change into the design's own class"
                )
        return found

    def _needed(self, kept: set[str]) -> tuple[dict[str, Import], set[str]]:
        """What is to be imported, and what else is to be kept because it cannot be."""
        offered = _offered()
        imports = {name: each for name, each in self._design.module.imports.items() if not is_ours(each)}
        waiting = {name for name, _, _ in mentions(ast.parse(self._design.body))} | set(self._design.wanted())
        waiting = (waiting - kept) | self._mentioned(kept)
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen or name in kept or name in self._design.module.bound:
                continue
            seen.add(name)
            entity = self._design.wanted().get(name) or self._origin.get(name)
            if entity is not None and self._origin_kept(entity, kept):
                continue
            if entity is not None and entity in offered:
                imports[name] = Import(GUEST, offered[entity])
            elif name in self._imports and name not in imports:
                imports[name] = self._imports[name]
            elif any(name in names for names in self._parts):
                kept = kept | {name}
                waiting |= self._mentioned({name})
        return imports, kept

    def _origin_kept(self, entity: Defined, kept: set[str]) -> bool:
        return any(self._origin.get(name) == entity for name in kept)

    def _mentioned(self, names: Iterable[str]) -> set[str]:
        wanted = set(names)
        return {name for each, part in self._parts.items() if wanted.intersection(each) for name in part.needs}


@cache
def _offered() -> Mapping[Defined, str]:
    """What a design may import, by where it is defined."""
    found = {resolve(GUEST, name): name for name, each in own(f"{GUEST}.__init__").imports.items() if is_ours(each)}
    toolkit = Defined(f"{CARRIED}.toolkit", "Toolkit")  # stands for it in a module
    return {**found, toolkit: "Toolkit"}


def _tree(text: str) -> str:
    """What a statement does, whatever its comments, docstrings and layout."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            node.body = [each for each in node.body if not _is_text(each)] or [ast.Pass()]
    return ast.dump(tree)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _runs(text: str) -> set[str]:
    """The module's names that a statement needs when it runs, those in annotations left out."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        match node:
            case ast.arg():
                node.annotation = None
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                node.returns = None
            case ast.AnnAssign():
                node.annotation = ast.Constant(None)
    return {name for name, _, _ in mentions(tree)}


if __name__ == "__main__":
    limited.answer(lambda text: asdict(restored(text)))
