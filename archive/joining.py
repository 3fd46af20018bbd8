"""Several modules made one: what is wanted of them and all that it needs, each under a name of its own."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from archive.parts import Import, Module, Part, own

GUEST = "sandbox.guest"
CARRIED = "archive.carried"


@dataclass(frozen=True, slots=True)
class Defined:
    """A name that one of our modules defines."""

    module: str
    name: str


Entity = Defined | Import
_BUILTINS = frozenset(dir(builtins))
_LAST = (f"{CARRIED}.memory", f"{CARRIED}.selftest")
"""Modules whose parts follow the design."""


class Joined:
    """Chooses parts, and names them so that no two things share a name; those of the design are its own to choose."""

    def __init__(
        self,
        design: Module,
        wanted: Iterable[Defined],
        instead: Mapping[Defined, Defined],
        given: Mapping[Defined, str],
        values: Mapping[Defined, str],
    ) -> None:
        """`instead` puts one definition in the place of another, `values` another value in that of a constant.

        `given` names what the design itself defines.
        """
        self._instead = instead
        self._values = values
        self._names: dict[Entity, str] = dict(given.items())
        self._parts: dict[str, list[Part]] = {}
        self.imports: dict[str, Import] = {name: each for name, each in design.imports.items() if not is_ours(each)}
        """What the joined module imports, by the name that it has there."""
        self._shadowed = _BUILTINS & {*design.bound, *self.imports}
        others = {name for name, each in design.imports.items() if is_ours(each) and each.name not in (name, "*")}
        self._taken = {*design.bound, *others, *self.imports, *_BUILTINS}
        reached = self._reached([self._substituted(each) for each in wanted])
        for module in _ordered({entity.module for entity in reached}):
            chosen = {entity.name for entity in reached if entity.module == module}
            self._parts[module] = [part for part in own(module).parts if chosen.intersection(part.names)]
            for entity in (Defined(module, name) for part in self._parts[module] for name in part.names):
                self._names[entity] = self._names.get(entity) or self._free(entity.name, another_name(entity))
        for module, parts in self._parts.items():
            for part in parts:
                self._import(module, part)

    def name(self, entity: Defined) -> str:
        """What a definition is called in the joined module."""
        return self._names[self._substituted(entity)]

    def defined(self) -> dict[str, Defined]:
        """What each name of a definition stands for."""
        return {name: entity for entity, name in self._names.items() if isinstance(entity, Defined)}

    def sections(self, *, last: bool) -> Iterator[tuple[str, str]]:
        """The title and text of each module's chosen parts: of those before the design, or of those after it."""
        for module, parts in self._parts.items():
            if parts and (module in _LAST) == last:
                yield own(module).title, "".join(self._texts(module, parts))

    def _texts(self, module: str, parts: Sequence[Part]) -> Iterator[str]:
        for_types = [part for part in parts if part.for_types]
        before: Part | None = None
        if for_types:
            inner = "\n".join(self._text(module, part) for part in for_types)
            yield "if TYPE_CHECKING:\n" + "".join(f"    {line}\n" for line in inner.split("\n"))
            before = for_types[-1]
        for part in (part for part in parts if not part.for_types):
            if before is not None:
                close = not (part.is_block or before.is_block)
                yield "\n" * (2 if not close else int(before.for_types or not _follows(before, part)))
            yield self._text(module, part) + "\n"
            before = part

    def _text(self, module: str, part: Part) -> str:
        resolved = {name: self._resolved(module, name) for name in part.needs}
        text = part.renamed({name: self._names[entity] for name, entity in resolved.items() if entity is not None})
        value = self._values.get(Defined(module, part.names[0])) if part.names else None
        if value is None:
            return text
        name, _, after = text.partition(" = ")
        return "\n".join([f"{name} = {value}", *after.split("\n")[1:]])

    # What is chosen

    def _reached(self, wanted: Iterable[Defined]) -> set[Defined]:
        reached: set[Defined] = set()
        waiting = list(wanted)
        while waiting:
            entity = waiting.pop()
            if entity in reached or entity in self._names:
                continue
            reached.add(entity)
            for part in own(entity.module).parts:
                if entity.name in part.names:
                    found = (self._resolved(entity.module, name) for name in {*part.needs, *part.names})
                    waiting += [each for each in found if isinstance(each, Defined)]
        return reached

    def _resolved(self, module: str, name: str) -> Entity | None:
        """What a name means in one of our modules; nothing where it is a builtin that nobody hides."""
        known = own(module)
        if (elsewhere := known.imports.get(name)) is not None:
            return resolve(elsewhere.module, elsewhere.name, self._instead) if is_ours(elsewhere) else elsewhere
        if name in known.bound:
            return self._substituted(Defined(module, name))
        return Import("builtins", name) if name in self._shadowed else None

    def _substituted(self, entity: Defined) -> Defined:
        return self._instead.get(entity, entity)

    # What it is called

    def _import(self, module: str, part: Part) -> None:
        for name in sorted(part.needs):
            entity = self._resolved(module, name)
            if not isinstance(entity, Import):
                continue
            held = next((local for local, each in self.imports.items() if each == entity), "")
            held = held or self._free(name, f"{entity.module.replace('.', '_')}_{entity.name or 'module'}")
            if held not in self.imports or self.imports[held].for_types:
                self.imports[held] = entity
            self._names[entity] = held

    def _free(self, name: str, other: str) -> str:
        chosen = other if name in self._taken else name
        while chosen in self._taken:
            chosen += "_"
        self._taken.add(chosen)
        return chosen


def another_name(entity: Defined) -> str:
    """What a definition is called where its own name is taken."""
    private = "_" if entity.name.startswith("_") else ""
    return f"{private}{entity.module.rpartition('.')[2]}_{entity.name.lstrip('_')}"


def is_ours(entity: Import) -> bool:
    """Whether something is imported from the modules that are to be joined."""
    return entity.module == GUEST or entity.module.startswith((f"{GUEST}.", "archive."))


def resolve(module: str, name: str, instead: Mapping[Defined, Defined] | None = None) -> Defined:
    """Where a name that one of our modules offers is defined."""
    source = f"{GUEST}.__init__" if module == GUEST else module
    elsewhere = own(source).imports.get(name)
    if elsewhere is not None and is_ours(elsewhere):
        return resolve(elsewhere.module, elsewhere.name, instead)
    found = Defined(module, name)
    return (instead or {}).get(found, found)


def _ordered(modules: set[str]) -> list[str]:
    """The contract first, then each module after those that it imports."""
    ordered: dict[str, None] = {}

    def add(module: str) -> None:
        if module not in ordered:
            for each in sorted({each.module for each in own(module).imports.values() if is_ours(each)} - {GUEST}):
                add(each)
            ordered[module] = None

    for module in [f"{GUEST}.design", f"{CARRIED}.toolkit", *sorted(modules - set(_LAST)), *_LAST]:
        add(module)
    return [module for module in ordered if module in modules]


def _follows(first: Part, second: Part) -> bool:
    return second.line <= first.line + first.text.count("\n") + 1


def import_lines(imports: Mapping[str, Import], features: Iterable[str] = ()) -> list[str]:
    """Import statements as formatters write them: the standard library's, others', and those for type checkers."""
    future = sorted({*features, "annotations"})
    blocks = ["\n".join(f"from __future__ import {feature}" for feature in future)]
    for_types = {name: each for name, each in imports.items() if each.for_types}
    running = {name: each for name, each in imports.items() if not each.for_types}
    if for_types:
        running["TYPE_CHECKING"] = Import("typing", "TYPE_CHECKING")
    for standard in (True, False):
        some = {name: each for name, each in running.items() if _is_standard(each) == standard}
        blocks.append("\n".join(_statements(some)))
    blocks.append("".join(f"if TYPE_CHECKING:\n{_indented(_statements(for_types))}" if for_types else ""))
    return [block for block in blocks if block]


def _is_standard(entity: Import) -> bool:
    return entity.module.partition(".")[0] in sys.stdlib_module_names


def _indented(statements: Iterable[str]) -> str:
    return "\n".join(f"    {line}" for statement in statements for line in statement.split("\n"))


def _statements(imports: Mapping[str, Import]) -> Iterator[str]:
    plain = [(each.module, name) for name, each in imports.items() if not each.name]
    for module, name in sorted(plain):
        yield f"import {module}" if name == module.partition(".")[0] else f"import {module} as {name}"
    for module in sorted({each.module for each in imports.values() if each.name}):
        names = [(each.name, name) for name, each in imports.items() if each.name and each.module == module]
        yield from_import(module, names)


def from_import(module: str, names: Iterable[tuple[str, str]]) -> str:
    """`from module import ...` of pairs of a name there and the name here."""
    listed = [name if name == local else f"{name} as {local}" for name, local in sorted(names, key=_import_order)]
    line = f"from {module} import {', '.join(listed)}"
    if len(line) <= 116:
        return line
    return f"from {module} import (\n" + "".join(f"    {each},\n" for each in listed) + ")"


def _import_order(pair: tuple[str, str]) -> tuple[int, str]:
    name = pair[0]
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2), name
