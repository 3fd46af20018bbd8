"""A design as one plain Python module that stands alone: it carries the building blocks that it uses, and no more."""

from __future__ import annotations

import ast
import json
import sys
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeGuard

from archive import limited
from archive.joining import CARRIED, GUEST, Defined, Joined, import_lines, is_ours, resolve
from archive.parts import Module, imported, own
from archive.scopes import bound, mentions

CONTRACT = (
    "Item",
    "Memory",
    "MemoryDesign",
    "Query",
    "Retrieved",
    "Step",
    "Task",
    "ToolError",
    "Toolkit",
    "Trajectory",
)
"""What every exported module holds, so that an agent can speak with it."""
MEMORY = Defined(f"{CARRIED}.memory", "AgentMemory")
MAIN = Defined(f"{CARRIED}.selftest", "main")
SAMPLE = Defined(f"{CARRIED}.selftest", "SAMPLE")
DESIGN_ID = Defined(f"{CARRIED}.memory", "DESIGN_ID")
DESIGN = Defined("archive.seeds.no_memory", "NoMemory")
"""What stands in the carried code for the design."""
INSTEAD = {Defined(f"{GUEST}.design", "Toolkit"): Defined(f"{CARRIED}.toolkit", "Toolkit")}
BEGIN, END = "# --- The design", "# --- Around the design"
BEGAN_WITH = "# Where it was written it began with:"
UNTITLED = "A memory design."
WIDTH = 118


@dataclass(frozen=True, slots=True)
class Card:
    """What the head of an exported module says of its design: a title, and facts by their names."""

    design: str
    title: str
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Exported:
    """The text of an exported module, and what its design, its memory and the names of the contract are in it."""

    text: str
    design: str
    memory: str
    main: str
    names: Mapping[str, str]
    requires: tuple[str, ...]
    """Packages beside the standard library."""


@dataclass(frozen=True, slots=True)
class Written:
    """A design's source in two: what it imports, and the rest as it was written."""

    module: Module
    preamble: str
    body: str
    features: tuple[str, ...]

    def wanted(self) -> dict[str, Defined]:
        """What it takes of ours, by the name that it gives it."""
        found: dict[str, Defined] = {}
        for name, each in self.module.imports.items():
            if name == "*":
                offered = [local for local, one in own(f"{GUEST}.__init__").imports.items() if is_ours(one)]
                wanted = {local for local, _, _ in mentions(ast.parse(self.body))} - self.module.bound
                found |= {local: resolve(GUEST, local) for local in offered if local in wanted}
            elif is_ours(each):
                found[name] = resolve(each.module, each.name)
        return found


def written(source: str) -> Written:
    """Take a design's source apart; it has been checked to be one."""
    tree = ast.parse(source)
    documented = ast.get_docstring(tree) is not None
    body = tree.body[1:] if documented else tree.body
    first = next((at for at, each in enumerate(body) if not _is_import(each)), len(body))
    taken = [each for at, each in enumerate(body) if _is_import(each) and (at < first or _takes_ours(each))]
    rest = [each for each in body if each not in taken]
    imports = {name: each for statement in taken for name, each in imported(statement) if each.module != "__future__"}
    features = tuple(
        a.name for s in taken if isinstance(s, ast.ImportFrom) and s.module == "__future__" for a in s.names
    )
    out = [*taken, *(tree.body[:1] if documented else [])]
    gone = {line for statement in out for line in range(statement.lineno, (statement.end_lineno or 0) + 1)}
    lines = source.split("\n")  # as the parser counts them
    crowded = gone & {line for statement in rest for line in (statement.lineno, statement.end_lineno or 0)}
    if crowded or any(unicodedata.category(c) in ("Cc", "Cf") for c in source if c not in "\n\t"):
        text = "\n\n".join(map(ast.unparse, rest))  # its layout would mislead, or cannot be kept
    else:
        text = "\n".join(line for number, line in enumerate(lines, 1) if number not in gone)
    module = Module("", imports, (), frozenset(bound(rest)))
    return Written(module, "\n".join(map(_wrapped, taken)), text.strip("\n"), features)


def _wrapped(statement: ast.stmt) -> str:
    """An import as text, a long one over several lines."""
    text = ast.unparse(statement)
    if not isinstance(statement, ast.ImportFrom) or len(text) < WIDTH:
        return text
    names = "".join(f"    {ast.unparse(alias)},\n" for alias in statement.names)
    return f"{text.partition(' import ')[0]} import (\n{names})"


def _is_import(statement: ast.stmt) -> TypeGuard[ast.Import | ast.ImportFrom]:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _takes_ours(statement: ast.Import | ast.ImportFrom) -> bool:
    return any(is_ours(each) for _, each in imported(statement))


def export(source: str, class_name: str, card: Card, sample: Mapping[str, object]) -> Exported:
    """The module of a design, made in a child process; raises `TextError`. `sample` is what its self-test asks."""
    told = limited.ask("archive.export", [source, class_name, asdict(card), sample])
    return Exported(**{**told, "requires": tuple(told["requires"])})


def module_of(source: str, class_name: str, card: Card, sample: Mapping[str, object]) -> Exported:
    """The same in this process, which parses the source: for a child, and for sources of our own."""
    design = written(source)
    joined = join(design, class_name, card.design, sample)
    names = {name: joined.name(resolve(GUEST, name)) for name in CONTRACT}
    memory, main = joined.name(MEMORY), joined.name(MAIN)
    aliases = [
        f"{local} = {joined.name(each)}" for local, each in design.wanted().items() if joined.name(each) != local
    ]
    public = sorted({memory, class_name, *names.values()})
    parts = [
        *import_lines(joined.imports, design.features),
        "__all__ = [\n" + "".join(f'    "{name}",\n' for name in public) + "]",
        *_sections(joined, last=False),
        f"\n{BEGIN}\n#\n{BEGAN_WITH}\n{textwrap.indent(design.preamble, '# ')}",
        "\n".join(aliases),
        f"\n{design.body}",
        f"\n{END}",
        *_sections(joined, last=True),
        f'\nif __name__ == "__main__":\n    raise SystemExit({main}())',
    ]
    code = "\n\n".join(part.rstrip("\n") for part in parts if part.strip())
    needs = requirements(code)
    head = _docstring(card, memory, names, needs)
    text = f"# SPDX-License-Identifier: Apache-2.0\n\n{head}\n\n{code}\n"
    return Exported(text, class_name, memory, main, names, needs)


def join(design: Written, class_name: str, design_id: str, sample: Mapping[str, object]) -> Joined:
    """The design's blocks and the code around it, under names that do not meet the design's own."""
    wanted = {*design.wanted().values(), *(resolve(GUEST, name) for name in CONTRACT), MEMORY, MAIN}
    values = {SAMPLE: _literal(sample), DESIGN_ID: json.dumps(design_id)}
    return Joined(design.module, sorted(wanted, key=str), INSTEAD, {DESIGN: class_name}, values)


def requirements(code: str) -> tuple[str, ...]:
    """The packages beside the standard library that code imports, at the top or where it needs them."""
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import | ast.ImportFrom)]
    tops = {each.module.partition(".")[0] for node in nodes for _, each in imported(node)}
    return tuple(sorted(top for top in tops if top not in sys.stdlib_module_names))


def _sections(joined: Joined, *, last: bool) -> Iterator[str]:
    for title, text in joined.sections(last=last):
        yield f"\n# {title}\n\n\n{text}"


def _literal(sample: Mapping[str, object]) -> str:
    """JSON as a raw string of several lines; quotes in it are escaped, so that it cannot end early."""
    text = json.dumps(sample).replace('}, {"action"', '},\n{"action"').replace('}, {"task"', '},\n{"task"')
    return f'r"""{text}"""'


def _docstring(card: Card, memory: str, names: Mapping[str, str], needs: Sequence[str]) -> str:
    facts = [*card.facts, ("Needs", ", ".join(needs) or "the standard library only")]
    width = max(len(name) for name, _ in facts) + 2
    wrapped = textwrap.TextWrapper(WIDTH, subsequent_indent=" " * width, break_long_words=False, break_on_hyphens=False)
    use = _USE.format(memory=memory, **names)
    text = f"{clean(card.title) or UNTITLED}\n\n" + "\n".join(
        wrapped.fill(f"{name:{width}}{clean(text)}") for name, text in facts
    )
    text += f"\n\n{use}"
    return '"""' + text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"') + '"""'


_USE = """\
    memory = {memory}(llm=..., embed=...)        # functions of yours; it works without, where the design does
    memory.update({Trajectory}({Task}(...), (Step(...), ...), score=0.5, success=False))
    memory.manage()
    items = memory.retrieve({Query}({Task}(...), observation))
    memory.save("memory.json")
    memory = {memory}.load("memory.json", llm=..., embed=...)
"""


def clean(text: str) -> str:
    """One line of plain characters: what a design or a model wrote may hold any."""
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(kept.split())


def _respond(request: Any) -> dict[str, Any]:
    source, class_name, card, sample = request
    return asdict(module_of(source, class_name, Card(**card), sample))


if __name__ == "__main__":
    limited.answer(_respond)
