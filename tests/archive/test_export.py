"""Exported modules: they stand alone, tell what their designs tell, and come back as the designs that they were."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import pytest

from archive.export import CONTRACT, Card, Exported, module_of
from archive.packaging import module_in, module_name, write_package
from archive.reimport import NotExportedError, restore, restored
from archive.scopes import bound, mentions
from evolve.experience import lessons
from evolve.prove import DifferentError, Question, guests, prove, sample_of, taught
from sandbox import guest
from sandbox.backends import make
from sandbox.guest import Encoder, Item, Manager, Retriever, Store
from sandbox.pool import Pool
from sandbox.source import SourceChecker
from tests.archive.compositions import SHARED, everything, layered, link_packages

EVERYTHING = everything()
LESSONS = lessons(12)
ASKED = [Question(episode) for episode in LESSONS[:5]]
BACKEND = make("process")
EMPTY: Mapping[str, object] = {"learned": [], "asked": []}
FACTS = [("Parents", "1-" + "0" * 64), ("Lineage", 'a\nb \\ """ \u202e\x07')]


@pytest.fixture(scope="module")
def checker() -> Iterator[SourceChecker]:
    with SourceChecker() as made:
        yield made


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with guests(BACKEND) as made:
        yield made


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two packages that modules may need, and nothing of ours."""
    folder = tmp_path_factory.mktemp("alone")
    link_packages(folder)
    return folder


def export(checker: SourceChecker, source: str, sample: Mapping[str, object] | None = None) -> Exported:
    checked = checker.check(source)
    card = Card(checked.hash, checked.summary, [("Design", checked.hash), *FACTS])
    return module_of(source, checked.class_name, card, sample or EMPTY)


def run(file: Path, alone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module in a Python that has nothing but the standard library and the folder's packages."""
    command = [sys.executable, "-s", "-S", "-P", str(file), *arguments]
    return subprocess.run(
        command,
        cwd=file.parent,
        env={"PYTHONPATH": str(alone)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def loaded(exported: Exported, name: str = "exported") -> Any:
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(exported.text, f"{name}.py", "exec"), vars(module))
    return module


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_module_stands_alone_and_tells_the_same(
    name: str, checker: SourceChecker, pool: Pool, alone: Path, tmp_path: Path
) -> None:
    source = EVERYTHING[name]
    exported = export(checker, source, sample_of(BACKEND, source, LESSONS))
    proof, state = prove(pool, source, exported, LESSONS, ASKED)
    assert (proof.items > 0) == (name != "no_memory.py")
    assert state["design"] == checker.check(source).hash
    file = tmp_path / "memory.py"
    file.write_text(exported.text)
    done = run(file, alone, "--selftest")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    back = restored(exported.text)
    assert (back.design, back.parents, back.edited) == (checker.check(source).hash, ("1-" + "0" * 64,), ())
    assert checker.check(back.source).hash == back.design
    assert not {"sandbox", "archive", "evolve", "domains"} & imported(exported)
    assert set(exported.requires) <= {"numpy", "networkx"}


def imported(exported: Exported) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(exported.text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name for node in nodes]
    return {name.partition(".")[0] for name in names}


def test_the_designs_here_use_every_block() -> None:
    kinds = (Encoder, Store, Retriever, Manager)
    blocks = {
        name
        for name, value in vars(guest).items()
        if isinstance(value, type) and issubclass(value, kinds) and value not in kinds
    }
    text = "\n".join(EVERYTHING.values())
    assert not {name for name in blocks if f"{name}(" not in text}
    assert len(EVERYTHING) >= 30


def test_only_the_blocks_that_are_used_are_carried(checker: SourceChecker) -> None:
    plain = export(checker, EVERYTHING["nearest_trajectory.py"]).text
    assert "class Store" not in plain
    assert "def overlap" not in plain
    assert "def words" in plain
    vectors, graph = (export(checker, layered()[name]) for name in ("ngrams", "graph"))
    assert (vectors.requires, graph.requires) == ((), ("networkx",))
    lazily = {"import networkx", "import sqlite3"}
    assert not lazily & {line for line in graph.text.splitlines() if line in lazily}, "they are imported on first use"


def test_a_module_is_formatted_and_says_what_it_is(checker: SourceChecker, tmp_path: Path) -> None:
    file = tmp_path / "memory.py"
    exported = export(checker, EVERYTHING["a_mem.py"])
    file.write_text(exported.text)
    for command in (["format", "--check"], ["check", "--select", "E9,F,I"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length", "120", str(file)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    head = ast.get_docstring(ast.parse(exported.text)) or ""
    assert 'Lineage  a b \\ """' in head
    assert "\u202e" not in head
    assert "Needs    " in head


def test_a_layout_that_misleads_is_not_kept(checker: SourceChecker) -> None:
    body = "return ['x']  # \u202e\u2066"
    source = "import re; x = re\n" + SHARED.format(body=body) + "\n    note = '''\u200b'''\n\n\nimport os; z = os\n"
    exported = export(checker, source)
    assert exported.text.isascii()
    assert "import os" in exported.text
    back = restored(exported.text)
    assert checker.check(back.source).class_name == "Shared"
    late = restored(export(checker, SHARED.format(body="return []") + "\n\nimport os; z = os\n").text)
    assert checker.check(late.source).hash == late.design


def test_a_module_that_tells_otherwise_is_refused(checker: SourceChecker, pool: Pool) -> None:
    source = SHARED.format(body="self.asked.append(query); return [f'asked {len(self.asked)} times']")
    with pytest.raises(DifferentError, match=r"saved and loaded again it tells .* 'asked 2 times'"):
        prove(pool, source, export(checker, source), LESSONS, ASKED)
    source = SHARED.format(body="return [type(self).__module__]")
    with pytest.raises(DifferentError, match=r"item 0 is 'exported' \(id '\w+'\), and its design tells 'design'"):
        prove(pool, source, export(checker, source), LESSONS, ASKED)
    source = SHARED.format(body="return ['x']")
    told = [Question(LESSONS[0], recorded=(Item("1", "y"),))]
    with pytest.raises(DifferentError, match=r"the archive says 'y' \(id '1'\)"):
        prove(pool, source, export(checker, source), LESSONS, told)


def test_a_model_is_asked_once_and_its_answers_are_kept(checker: SourceChecker, tmp_path: Path) -> None:
    module = loaded(export(checker, EVERYTHING["a_mem.py"]))
    prompts: list[str] = []

    def llm(prompt: str, schema: dict[str, Any] | None) -> object:
        prompts.append(prompt)
        return {"keywords": [f"word{len(prompts)}"], "tags": [], "context": f"told {len(prompts)}"}

    memory = module.AgentMemory(llm=llm, embed=module.sample_embed)
    for trajectory in LESSONS:
        memory.update(of_module(module, trajectory))
    memory.manage()
    asked = len(prompts)
    assert asked > 0
    memory.save(tmp_path / "memory.json")
    again = module.AgentMemory.load(tmp_path / "memory.json", llm=llm, embed=module.sample_embed)
    query = module.Query(of_module(module, LESSONS[0]).task, LESSONS[0].task.observation)
    told = list(memory.retrieve(query))
    assert told
    assert list(again.retrieve(query)) == told
    assert len(prompts) == asked


def of_module(module: Any, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(of_module(module, each) for each in value)
    if type(value).__name__ in CONTRACT:
        fields = (getattr(value, name) for name in value.__dataclass_fields__)
        return getattr(module, type(value).__name__)(*(of_module(module, each) for each in fields))
    return value


def test_a_call_that_fails_leaves_the_memory_as_it_was(checker: SourceChecker) -> None:
    module = loaded(export(checker, layered()["vectors"]))
    works = [True]

    def embed(texts: Any) -> Any:
        if not works[0]:
            raise ConnectionError
        return module.sample_embed(texts)

    memory = module.AgentMemory(embed=embed)
    memory.update(of_module(module, LESSONS[0]))
    memory.manage()
    before = json.dumps(memory.dump())
    works[0] = False
    memory.update(of_module(module, LESSONS[1]))
    with pytest.raises(ConnectionError):
        memory.manage()
    with pytest.raises(ConnectionError):
        memory.manage()
    works[0] = True
    assert json.dumps(memory.dump()) != before
    assert memory.retrieve(module.Query(of_module(module, LESSONS[0]).task, "x"))


def test_a_memory_says_what_it_lacks(checker: SourceChecker) -> None:
    module = loaded(export(checker, layered()["vectors"]))
    memory = module.AgentMemory()
    with pytest.raises(ValueError, match="this is a memory of design"):
        module.AgentMemory.restored({**memory.dump(), "design": "1-another"})
    memory.update(of_module(module, LESSONS[0]))
    with pytest.raises(module.ToolError, match="was given no such function"):
        memory.manage()


def test_what_a_design_learned_travels(checker: SourceChecker, pool: Pool, alone: Path, tmp_path: Path) -> None:
    source = layered()["graph"]
    exported = export(checker, source)
    wheel = write_package(tmp_path / "My memory!", exported, json.dumps(taught(pool, exported, LESSONS)))
    assert wheel.name == "my_memory-1.0.0-py3-none-any.whl"
    first = wheel.read_bytes()
    assert write_package(
        tmp_path / "My memory!", exported, (tmp_path / "My memory!/my_memory/__init__.json").read_text()
    )
    assert wheel.read_bytes() == first
    assert module_in(tmp_path / "My memory!") == tmp_path / "My memory!/my_memory/__init__.py"
    with ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if "info" not in name} == {
            f"my_memory/__{name}" for name in ("init__.py", "main__.py", "init__.json")
        }
        assert b"Requires-Dist: networkx" in archive.read("my_memory-1.0.0.dist-info/METADATA")
    script = tmp_path / "My memory!" / "use.py"
    observation = LESSONS[0].task.observation
    script.write_text(
        "import sys; sys.path.insert(0, '.')\nfrom my_memory import AgentMemory, Query, Task\n"
        f"print(len(AgentMemory.trained().retrieve(Query(Task('t', 'd', 'g', {observation!r}), {observation!r}))))"
    )
    done = run(script, alone)
    assert int(done.stdout) > 0, done.stderr
    write_package(tmp_path / "My memory!", exported, None)
    assert not (tmp_path / "My memory!/my_memory/__init__.json").exists(), "what an earlier export brought is gone"


def test_a_design_does_not_choose_what_it_descends_from(checker: SourceChecker) -> None:
    source = SHARED.format(body="return []").replace("asked = []", "asked = [0]")
    checked = checker.check(source)
    claim = "1-" + "f" * 64
    card = Card(checked.hash, f"Design {claim}", [("Design", checked.hash), *FACTS])
    text = module_of(source, checked.class_name, card, EMPTY).text
    assert f'"""Design {claim}\n' in text
    assert restored(text).design == checked.hash


def test_what_a_design_says_of_itself_is_no_markup(checker: SourceChecker, tmp_path: Path) -> None:
    source = SHARED.format(body="return []")
    checked = checker.check(source)
    said = "![](http://example.org/x) <script>"
    write_package(
        tmp_path / "mine", module_of(source, checked.class_name, Card(checked.hash, said, FACTS), EMPTY), None
    )
    lines = (tmp_path / "mine/README.md").read_text().splitlines()
    assert f"    {said}" in lines
    assert not [line for line in lines if "Lineage" in line and not line.startswith("    ")]


def test_an_edited_block_becomes_part_of_the_design(checker: SourceChecker, pool: Pool) -> None:
    source = layered()["contrast"]
    text = export(checker, source).text
    edited = restore(text.replace("max(0.0, value / top) if", "max(0.0, value / top / 2) if"))
    assert edited.edited == ("ByReward",)
    assert checker.check(edited.source).hash != edited.design
    assert "class ByReward(Retriever)" in edited.source
    assert "class Contrast" not in edited.source
    prove(pool, edited.source, export(checker, edited.source), LESSONS, ASKED)
    shared = restore(text.replace("return nlargest(limit, scored", "return nlargest(limit + 1, scored"))
    assert shared.edited == ("best",)
    assert "class Store:" in shared.source
    assert "class ByReward" in shared.source
    prove(pool, shared.source, export(checker, shared.source), LESSONS, ASKED)
    own_code = restore(text.replace("self.managers = [Forget()]", "self.managers = [Forget(0.5)]"))
    assert own_code.edited == ()
    assert "Forget(0.5)" in own_code.source


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("class Step:", "class Step(object):", "Step is edited, on which Step depends, and that belongs to Palimpsest"),
        ("# --- The design\n", "# --- A design\n", 'it has no line "# --- The design"'),
        ("class Layers(", "class Layers((", "it does not parse"),
        ("self.store.settle()", "pass", "LayeredDesign is edited"),
    ],
)
def test_what_cannot_come_back_is_refused(old: str, new: str, reason: str, checker: SourceChecker) -> None:
    text = export(checker, layered()["latest"]).text
    assert old in text
    with pytest.raises(NotExportedError) as refused:
        restore(text.replace(old, new))
    assert reason in str(refused.value)


@pytest.mark.parametrize("text", ["", "x = 1", "\0", "(" * 5000, "# --- The design\n\n# --- Around the design\n"])
def test_a_text_that_is_no_module_is_refused(text: str) -> None:
    with pytest.raises(NotExportedError):
        restore(text)


def test_names_of_the_module_are_told_from_local_ones() -> None:
    text = (
        "def f(a, b=G1, *c: G2) -> G3:\n    d = [a for a in G4(a) if G5]\n    e = lambda q, r=G6: q + r + d\n"
        "    if (w := G7): pass\n    def inner():\n        global G8\n        G8 = w\n        return z\n"
        "    z = [y := 1 for _ in d]\n    return y, e\n"
        "class C(G9):\n    m = G10\n    def n(self): return G11\n    k = [i for i in m]\n"
        "def g():\n    import numpy as np\n    try: pass\n    except G12 as e: e\n    match np:\n        case [*h]: h\n"
    )
    tree = ast.parse(text)
    assert {name for name, _, _ in mentions(tree)} == {f"G{n}" for n in range(1, 13)}
    assert bound(tree.body) == {"f", "C", "g", "G8"}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("My memory!", "my_memory"),
        ("1st", "memory_1st"),
        ("é", "memory"),
        ("class", "memory_class"),
        ("json", "memory_json"),
    ],
)
def test_a_folder_names_its_module(given: str, name: str) -> None:
    assert module_name(given) == name
