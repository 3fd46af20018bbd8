"""What can be taken out of a design: every cut leaves something that parses, and foreign text hurts nobody."""

from __future__ import annotations

import ast
from importlib.resources import files

import pytest

from archive.limited import TextError
from evolve.cuts import apply, found, outline, without

SOURCE = '''
"""A module."""
from __future__ import annotations
import re
from sandbox.guest import Memory, MemoryDesign, words

LIMIT = 9

class Design(MemoryDesign):
    """It tells what it saw."""

    def update(self, trajectory):
        with open("x") as file:
            pass
        if trajectory.score > 0 and trajectory.steps:
            self.layers = [words("a"), *re.findall("b", "c")]
        else:
            return

    def retrieve(self, query):
        return Memory([text for text in self.seen if text if LIMIT], key=1 + LIMIT) if self.seen else []
'''


def labels(how: str) -> list[str]:
    return [cut.label for cut in outline(SOURCE).cuts if cut.how == how]


def test_statements_come_by_level() -> None:
    levels = [(cut.level, cut.label) for cut in outline(SOURCE).cuts if cut.how == "statement"]
    assert levels[:4] == [
        (0, "LIMIT = 9"),
        (0, "class Design"),
        (1, "def update"),
        (2, 'with open("x") as file: pass'.replace('"', "'")),
    ]
    assert {label for level, label in levels if level == 3} == {
        "self.layers = [words('a'), *re.findall('b', 'c')]",
        "return",
    }


def test_layers_branches_and_operands_can_go() -> None:
    assert {"words('a')", "*re.findall('b', 'c')", "key=1 + LIMIT", "trajectory.steps", "LIMIT"} <= set(
        labels("element")
    )
    assert labels("orelse") == [
        "the first branch of: trajectory.score > 0 and trajectory.steps",
        "the first case of: Memory([text for text in self.seen if text if LIMIT], key ...",
    ]
    assert labels("left") == ["right of: 1 + LIMIT"]


def test_what_is_left_parses_and_imports_only_what_it_names() -> None:
    made = outline(SOURCE)
    for cut in made.cuts:
        tree = ast.parse(made.source)
        apply(tree, [(cut.path, cut.how)])
        compile(ast.unparse(ast.fix_missing_locations(tree)), "design.py", "exec")
    layers = [cut for cut in made.cuts if cut.label.startswith("self.layers")]
    left = without(made.source, layers)
    assert "import re" not in left
    assert "from sandbox.guest import Memory, MemoryDesign\n" in left
    assert "from __future__ import annotations" in left
    assert "trajectory.steps:\n            pass\n        else:" in left


@pytest.mark.parametrize("name", ["a_mem.py", "ace.py", "g_memory.py", "mem_rl.py"])
def test_every_cut_of_a_real_design_parses(name: str) -> None:
    source = ast.unparse(ast.parse(files("archive.seeds").joinpath(name).read_text("utf-8")))
    cuts = list(found(ast.parse(source)))
    assert len(cuts) > 50
    for cut in cuts[::3]:
        tree = ast.parse(source)
        apply(tree, [(cut.path, cut.how)])
        compile(ast.unparse(ast.fix_missing_locations(tree)), "design.py", "exec")


@pytest.mark.parametrize("source", ["x = (", "(" * 5000, "\0", "-" * 200_000 + "1", "a" + ".b" * 50_000])
def test_foreign_text_ends_a_child_at_most(source: str) -> None:
    with pytest.raises(TextError):
        outline(source)
