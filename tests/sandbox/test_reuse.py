"""A built memory is used again: which designs may share one, and that it is then the same."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from inspect import isabstract, signature
from typing import Any

import pytest
from numpy.random import default_rng

from evolve.proposers.genetic import OPERATORS, fresh
from evolve.proposers.genome import Genome, write
from sandbox import guest, journal
from sandbox.backend import DesignFault
from sandbox.guest.design import Query, Trajectory
from sandbox.pool import Pool
from sandbox.session import DesignSession
from sandbox.source import SourceChecker
from tests.sandbox.samples import STEPS, TASK, TRAJECTORY, design, query


@pytest.fixture(scope="module")
def checker() -> Iterator[SourceChecker]:
    with SourceChecker() as made:
        yield made


def layered(
    store: str = "FullTextStore()",
    retriever: str = "Lexical(limit=4)",
    lines: str = "3",
    worth: str = "relevance + record.gain",
    extra: str = "",
    methods: str = "",
) -> str:
    blocks = (
        "Capacity, FullTextStore, Hybrid, LayeredDesign, Lexical, ListStore, RawSteps, Recent, Semantic, VectorStore"
    )
    return f"""
from sandbox.guest import {blocks}
WEIGHT = 2.0
def boost(value):
    return value * WEIGHT
class Design(LayeredDesign):
    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.encoders = [RawSteps(limit=9)]
        self.store = {store}
        self.retriever = {retriever}
        self.managers = [Capacity(limit=5)]
        self.lines = {lines}
        {extra}
    def worth(self, record, relevance, query):
        return {worth}
{methods}
"""


PLAIN = layered()
MANAGED = "    def manage(self):\n        super().manage()\n        {}\n"
SHARED = {
    "retriever": layered(retriever="Hybrid([Recent(), Lexical(limit=7)], limit=3)"),
    "lines": layered(lines="9"),
    "worth": layered(worth="-record.length"),
    "worth by a function": layered(worth="boost(relevance)"),
    "a constant": PLAIN.replace("WEIGHT = 2.0", "WEIGHT = 3.0"),
    "instructions": layered(methods="    instructions = 'Do it well.'\n"),
    "phases": layered(methods="    phases = frozenset({'begin', 'step'})\n"),
    "retrieve": layered(methods="    def retrieve(self, query):\n        return super().retrieve(query)[:1]\n"),
    "comments": PLAIN.replace("WEIGHT = 2.0", "WEIGHT = 2.0  # twice"),
    "imports": PLAIN.replace("import Capacity", "import SLOT, Capacity"),
    "dynamic retrieval": layered(worth="getattr(record, 'gain')"),
}
APART = {
    "store": layered(store="ListStore()"),
    "encoder": PLAIN.replace("limit=9", "limit=8"),
    "manager": PLAIN.replace("limit=5", "limit=6"),
    "an attribute of its own": layered(extra="self.mine = 1"),
    "a retriever of its own": layered(retriever="toolkit.rng.choice([Lexical(), Recent()])"),
    "a retriever that is a function": layered(retriever="boost(1)"),
    "a statement of the module": PLAIN.replace("WEIGHT = 2.0", "WEIGHT = float(2)"),
    "a hook": layered(methods="    def __setattr__(self, name, value):\n        super().__setattr__(name, value)\n"),
    "dump": layered(methods="    def dump(self):\n        return {**super().dump(), 'more': 1}\n"),
    "a decorator": PLAIN.replace("def boost", "@print\ndef boost"),
    "another base": PLAIN.replace("(LayeredDesign)", "(LayeredDesign, dict)"),
}


@pytest.mark.parametrize("name", SHARED)
def test_what_only_retrieval_uses_may_differ(checker: SourceChecker, name: str) -> None:
    assert checker.check(SHARED[name]).build_hash == checker.check(PLAIN).build_hash
    if name != "comments":
        assert checker.check(SHARED[name]).hash != checker.check(PLAIN).hash


@pytest.mark.parametrize("name", APART)
def test_what_building_uses_may_not(checker: SourceChecker, name: str) -> None:
    assert checker.check(APART[name]).build_hash != checker.check(PLAIN).build_hash


@pytest.mark.parametrize(
    "mention",
    [
        "self.worth(1, 2, 3)",
        "self.lines",
        "self.retriever",
        "boost(1)",
        "WEIGHT",
        "getattr(self, 'li' + 'nes')",
        "vars(self)",
    ],
)
def test_what_building_mentions_counts(checker: SourceChecker, mention: str) -> None:
    methods = MANAGED.format(mention)
    one = layered(methods=methods)
    other = layered(retriever="Recent()", lines="9", worth="boost(2)", methods=methods).replace("= 2.0", "= 3.0")
    assert checker.check(one).build_hash != checker.check(other).build_hash


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("from sandbox.guest import *", "from sandbox.guest import *\n"),
        ("from sandbox.guest import LayeredDesign as Base", "from sandbox.guest import LayeredDesign as Base\n"),
    ],
)
def test_however_it_is_imported_a_base_class_is_followed(checker: SourceChecker, one: str, other: str) -> None:
    base = "Base" if "Base" in one else "LayeredDesign"
    body = f"\nclass A({base}):\n    managers = ()\n    def helper(self): return {{}}\n"
    managed = body.replace("()\n", "[1]\n", 1)
    assert checker.check(one + body.format(1)).build_hash != checker.check(other + managed).build_hash


def test_a_memory_of_lists_is_shared_by_its_ways_to_tell(checker: SourceChecker) -> None:
    free = [
        design(
            "def __init__(self, toolkit):\n    super().__init__(toolkit)\n    self.kept = []",
            "def update(self, trajectory):\n    self.keep(trajectory.steps)",
            "def keep(self, steps):\n    self.kept += [each.action for each in steps]",
            f"def retrieve(self, query):\n    return self.best({limit})",
            "def best(self, limit):\n    return self.kept[:limit]",
        )
        for limit in (1, 2)
    ]
    changed = free[0].replace("each.action", "each.observation")
    assert checker.check(free[0]).build_hash == checker.check(free[1]).build_hash
    assert checker.check(free[0]).build_hash != checker.check(changed).build_hash


def test_of_composed_designs_those_share_that_keep_alike(checker: SourceChecker) -> None:
    """The rule by names agrees with what a genome says: only encoders, store and managers build the memory."""

    def building(genome: Genome) -> str:
        return ast.dump(ast.Tuple([*genome.encoders, genome.store, *genome.managers]))

    rng = default_rng(1)
    first, *others = [fresh(rng) for _ in range(6)]
    same = checker.check(write(first, "")).build_hash
    for edit in OPERATORS.values():
        genome = first.copy()
        if edit(genome, others, rng) is not None:
            edited = checker.check(write(genome, "")).build_hash
            assert (edited == same) is (building(genome) == building(first)), write(genome, "")


class Untouchable:
    """A toolkit, or another block, that must not be used."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a block used {name} when it was constructed")


def test_constructing_a_block_does_nothing_else() -> None:
    """What lets a retriever be left out of the hash: its construction cannot shape the memory."""
    kinds = (guest.Encoder, guest.Store, guest.Retriever, guest.Manager)
    classes = [value for value in vars(guest).values() if isinstance(value, type) and issubclass(value, kinds)]
    blocks = [block for block in classes if not isabstract(block)]
    assert {guest.CreditedActions, guest.VectorStore, guest.Hybrid, guest.MergeNear} <= set(blocks)
    for block in blocks:
        needed = [each for each in signature(block).parameters.values() if each.default is each.empty]
        make: Any = block
        make(*[Untouchable() for _ in needed])


# --- dump and restore


def episodes() -> list[Trajectory]:
    return [TRAJECTORY, Trajectory(TASK, STEPS[::-1], 1.0, True)]


def build(session: DesignSession, source: str) -> None:
    session.load(source, seed=5)
    for trajectory in episodes():
        session.update(trajectory)
    session.manage()


def told(session: DesignSession, asked: Query) -> list[tuple[str, str]]:
    with session.episode() as episode:
        return [(item.id, item.text) for item in episode.retrieve(asked)]


@pytest.mark.parametrize("store", ["ListStore()", "FullTextStore()", "VectorStore(toolkit)"])
def test_a_layered_memory_is_used_again_by_another_retriever(pool: Pool, checker: SourceChecker, store: str) -> None:
    one = layered(store=store)
    other = layered(store=store, retriever="Semantic(limit=9)", lines="9", worth="relevance")
    assert checker.check(one).build_hash == checker.check(other).build_hash
    with pool.lease() as session:
        build(session, one)
        kept = session.journal
        state = json.loads(json.dumps(session.dump()))
    with pool.lease() as session:
        build(session, other)
        expected = told(session, query("a knife"))
    with pool.lease() as session:
        journal.replay(session, other, kept)
        assert session.toolkit_calls == 0
        assert told(session, query("a knife")) == expected
    with pool.lease() as session:
        session.load(other, seed=5)
        session.restore(state)
        assert told(session, query("a knife")) == expected
        assert len(expected) > 1
        assert [entry.op for entry in session.journal.entries] == ["load", "restore"]


DRAWS = design(
    "def update(self, trajectory):\n"
    "    import random, numpy\n"
    "    self.drawn = [random.random(), self.toolkit.rng.random(), float(numpy.random.rand())]",
    "def retrieve(self, query):\n"
    "    import random, numpy\n"
    "    return [repr(self.drawn), repr([random.random(), self.toolkit.rng.random(), float(numpy.random.rand())])]",
    "def dump(self):\n    return self.drawn",
    "def load(self, state):\n    self.drawn = state",
)


def test_a_restored_memory_goes_on_drawing_where_the_built_one_would(pool: Pool) -> None:
    with pool.lease() as session:
        build(session, DRAWS)
        state, expected = session.dump(), told(session, query())
        assert told(session, query()) == expected
    with pool.lease() as session:
        session.load(DRAWS, seed=5)
        session.restore(json.loads(json.dumps(state)))
        assert told(session, query()) == expected


@pytest.mark.parametrize(
    ("method", "outcome"),
    [
        ("pass", "None"),
        ("def dump(self): return None", "None"),
        ("def dump(self): return 'x' * 2_100_000", "None"),
        ("def dump(self): return {1, 2}", "not valid JSON"),
        ("def dump(self): return float('nan')", "not valid JSON"),
        ("def dump(self):\n    nested = []\n    for _ in range(40): nested = [nested]\n    return nested", "32 levels"),
        ("def dump(self): raise KeyError('lost')", "KeyError in dump: 'lost'"),
    ],
)
def test_what_cannot_be_kept_does_not_end_the_guest(session: DesignSession, method: str, outcome: str) -> None:
    session.load(design(method), seed=1)
    try:
        assert repr(session.dump()) == outcome
    except DesignFault as fault:
        assert outcome in str(fault)  # noqa: PT017  either way it must be the expected one
    assert session.alive
    assert told(session, query()) == []


def test_a_design_that_cannot_load_says_so(session: DesignSession) -> None:
    session.load(design(), seed=1)
    with pytest.raises(DesignFault, match="needs a method load"):
        session.restore({"memory": 1, "drawn": {}})
