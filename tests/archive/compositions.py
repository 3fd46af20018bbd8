"""Designs that between them use every building block, for the tests of exports: composed ones and written ones."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import networkx
import numpy as np

from evolve.proposers.genetic import describe, fresh
from evolve.proposers.genome import write

LAYERS = """\
from sandbox.guest import *


class Layers(LayeredDesign):
    '''{name}.'''

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.encoders = [{encoders}]
        self.store = {store}
        self.retriever = {retriever}
        self.managers = [{managers}]
"""

LAYERED = {
    "vectors": ("RawSteps(), ObjectPlaces()", "VectorStore(toolkit)", "Semantic(5)", "MergeNear(self.store.vectors)"),
    "graph": (
        "RawSteps(), CreditedActions(3)",
        "GraphStore(FullTextStore(), neighbours=2)",
        "Hybrid([Lexical(), Semantic()])",
        "MergeSimilar(0.5), ForgetFaded()",
    ),
    "ngrams": (
        "NextActions(2), Templates(CreditedActions(2), 0.5)",
        "ListStore()",
        "Hybrid([NGramLookup(), Lexical()])",
        "Capacity(20)",
    ),
    "latest": ("RawSteps()", "LatestByKey(VectorStore(toolkit))", "Diverse(Decay(Recent()))", "DropDuplicates()"),
    "contrast": (
        "Contrast(1), Templates(Contrast(1))",
        "LatestByKey(GraphStore(), separator=' ')",
        "ByReward()",
        "Forget()",
    ),
    "near": ("RawSteps()", "FullTextStore()", "Lexical()", "MergeNear(Vectors(toolkit), 0.95)"),
}

AWKWARD = '''\
r"""A module docstring with \\ and \\""" in it."""
import json as main, re
from random import Random as AgentMemory

from sandbox.guest import ByReward, Contrast, LayeredDesign, LatestByKey as Store, ObjectPlaces, Record as R, words
from sandbox.guest import lines as said

LONGEST = 3; nlargest = None
_words = words


def best(text):
    """Not the one of the stores.\u2028"""
    return max(_words(text), default="")


def words(text):
    return re.findall("[a-z]+", text)


def max(values, default=None):
    """Not the builtin."""
    return sorted(values)[-1] if values else default


sorted_ = sorted


class Awkward(LayeredDesign):
    """It has \\"\\"\\" in it, names that its blocks have too, and \\N{RIGHT-TO-LEFT OVERRIDE}."""

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.encoders = [ObjectPlaces(LONGEST), Contrast(1)]
        self.store = Store()
        self.retriever = ByReward(9)
        self.rng = AgentMemory(4)

    def worth(self, record: R, relevance, query):
        return relevance + len(best(record.text)) / 9 + len(words(main.dumps(list(said(record.text))))) / 99
'''

SHARED = """\
from sandbox.guest import Memory, MemoryDesign


class Shared(MemoryDesign):
    asked = []

    def update(self, trajectory):
        pass

    def retrieve(self, query):
        {body}
"""
"""A design that keeps something where only another process is safe from it."""

UNCOPIED = """\
import sqlite3

from sandbox.guest import Memory, MemoryDesign


class Uncopied(MemoryDesign):
    '''Holds a database and a generator; counts what it is asked, which is nobody's business in the next episode.'''

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.table = sqlite3.connect(":memory:")
        self.table.execute("CREATE TABLE told (action TEXT)")
        self.asked = 0
        self.numbers = {generator}

    def update(self, trajectory):
        self.table.executemany("INSERT INTO told VALUES (?)", [(step.action,) for step in trajectory.steps])

    def retrieve(self, query):
        self.asked += 1
        self.table.execute("INSERT INTO told VALUES (?)", (query.observation,))
        rows = self.table.execute("SELECT DISTINCT action FROM told ORDER BY action DESC LIMIT 9")
        return [f"asked {{self.asked}} times", f"drawn {{self.toolkit.rng.random()}}", *(action for action, in rows)]
"""


def link_packages(folder: Path) -> None:
    """Put the two packages that modules may need into a folder."""
    for package in (np, networkx):
        assert package.__file__ is not None
        place = Path(package.__file__).parent
        for each in [place, *place.parent.glob(f"{place.name}.libs")]:
            (folder / each.name).symlink_to(each)


def composed(count: int) -> dict[str, str]:
    """Designs of the genetic proposer."""
    rng = np.random.default_rng(7)
    genomes = [fresh(rng) for _ in range(count)]
    return {f"composed {n}": write(genome, describe(genome)) for n, genome in enumerate(genomes)}


def layered() -> dict[str, str]:
    """Designs of the blocks that the proposer does not draw."""
    names = ("encoders", "store", "retriever", "managers")
    return {name: LAYERS.format(name=name, **dict(zip(names, parts, strict=True))) for name, parts in LAYERED.items()}


def by_people() -> dict[str, str]:
    """The starter designs, and some that are hard to export."""
    seeds = {
        file.name: file.read_text("utf-8")
        for file in files("archive.seeds").iterdir()
        if file.name.endswith(".py") and file.name != "__init__.py"
    }
    return {
        **seeds,
        "awkward": AWKWARD,
        "a database": UNCOPIED.format(generator="None"),
        "a generator": UNCOPIED.format(generator="iter(int, 1)"),
    }


def everything() -> dict[str, str]:
    """All of them."""
    return {**composed(12), **layered(), **by_people()}
