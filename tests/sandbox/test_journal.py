"""A memory is rebuilt from its journal in a fresh guest, and asked again: the same, or the fault `Impure`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from sandbox import journal, purity
from sandbox.backend import Backend, DesignFault
from sandbox.embedding import Embedder
from sandbox.guest.design import Item, Query, Step, Task
from sandbox.journal import Journal, JournalError
from sandbox.metering import Completion
from sandbox.pool import Pool
from sandbox.session import DesignSession
from tests.sandbox.conftest import LIMITS
from tests.sandbox.samples import REMEMBERS, STEPS, TRAJECTORY, design

OTHER = replace(TRAJECTORY, task=replace(TRAJECTORY.task, id="cook-2"), score=1.0)
QUERIES = [Query(Task(f"t{n}", "d", "g", f"o{n}"), f"o{n}") for n in range(4)]


@pytest.fixture(scope="module")
def pool(backend: Backend) -> Iterator[Pool]:
    numbers = count()

    def unsteady(prompt: str, schema: dict[str, Any] | None, longest: int) -> Completion:
        """A model that never says the same twice."""
        return Completion(f"{prompt} {next(numbers)}", 1, 1)

    with Pool(backend, LIMITS, embed=Embedder(), llm=unsteady) as made:
        yield made


USES_ALL = design(
    "def __init__(self, toolkit):\n"
    "    super().__init__(toolkit)\n"
    "    self.kept = [toolkit.llm('start'), toolkit.has_llm]",
    "def update(self, trajectory):\n"
    "    if trajectory.score == 1.0 and 'failed' not in self.kept:\n"
    "        self.kept.append('failed')\n"
    "        raise KeyError('once')\n"
    "    self.kept += [self.toolkit.llm(trajectory.task.id), self.toolkit.rng.random()]\n"
    "    self.kept.append(self.toolkit.embed(['knife'])[0][:2])",
    "def manage(self):\n    self.kept.append(len(self.kept))",
    "def retrieve(self, query):\n    return [str(each) for each in self.kept] + [self.toolkit.llm(query.observation)]",
)


def build(session: DesignSession, source: str) -> None:
    session.load(source, seed=3)
    session.update(TRAJECTORY)
    for _ in range(2):
        with suppress(DesignFault):
            session.update(OTHER)
    session.manage()


def ask(session: DesignSession, queries: list[Query]) -> list[purity.Asked]:
    asked: list[purity.Asked] = []
    for query in queries:
        with session.episode() as episode:
            asked.append((query, tuple(episode.retrieve(query))))
    return asked


def built(pool: Pool, source: str, queries: list[Query] = QUERIES) -> tuple[Journal, list[purity.Asked]]:
    with pool.lease() as session:
        build(session, source)
        asked = ask(session, queries)
        return session.journal, asked


def test_a_memory_is_rebuilt_from_its_journal(pool: Pool) -> None:
    kept, asked = built(pool, USES_ALL)
    assert [entry.op for entry in kept.entries] == ["load", "update", "update", "update", "manage"]
    assert [entry.fault for entry in kept.entries] == ["", "", "KeyError", "", ""]
    assert kept.entries[1].argument is TRAJECTORY
    assert kept.asked_llm
    restored = journal.load(json.loads(json.dumps(journal.dump(kept))))
    with pool.lease() as session:
        assert journal.replay(session, USES_ALL, restored).name == "Sample"
        assert session.asked_llm
        assert (session.toolkit_calls, session.tokens_llm) == (0, 0)
        told = ask(session, QUERIES[:1])[0][1]
        assert told[:-1] == asked[0][1][:-1]
        assert told[-1] != asked[0][1][-1], "this model never says the same twice"
        assert journal.dump(session.journal)["entries"] == journal.dump(kept)["entries"]


def test_a_pure_design_passes_even_with_a_model_that_is_not(pool: Pool) -> None:
    kept, asked = built(pool, USES_ALL)
    purity.check(pool.lease, USES_ALL, kept, asked)


@pytest.mark.parametrize(
    ("then", "now", "kind", "message"),
    [
        (
            "self.toolkit.llm('a')",
            "self.toolkit.llm('b')",
            "Impure",
            r"call 1 of update 1 is llm\('b'\); .* llm\('a'\)",
        ),
        ("self.toolkit.has_llm", "pass", "Impure", "update 1 made 0 of its 1 toolkit calls, not has_llm"),
        ("pass", "self.toolkit.embed(['x'])", "Impure", r"call 1 of update 1, embed\(1 texts.* was not made when"),
        ("raise KeyError", "pass", "Impure", "update 1 raised KeyError when .* now does not"),
        ("pass", "raise KeyError", "KeyError", "KeyError in update"),
    ],
)
def test_a_memory_that_is_built_otherwise_is_impure(pool: Pool, then: str, now: str, kind: str, message: str) -> None:
    with pool.lease() as session, suppress(DesignFault):
        session.load(design(f"def update(self, trajectory): {then}"), seed=3)
        session.update(TRAJECTORY)
    with pool.lease() as again, pytest.raises(DesignFault, match=message) as caught:
        journal.replay(again, design(f"def update(self, trajectory): {now}"), session.journal)
    assert (caught.value.at, caught.value.kind) == ("update", kind)


COUNTS_IN_A_FILE = """
def retrieve(self, query):
    with open('/tmp/asked', 'a+') as file:
        file.write('x')
        return [f'{query.observation} {file.tell()}']
"""
REMEMBERS_THE_FIRST = """
def retrieve(self, query):
    import os
    try:
        os.close(os.open('/tmp/first', os.O_CREAT | os.O_EXCL))
        return ['first']
    except FileExistsError:
        return []
"""


@pytest.mark.parametrize(
    ("retrieve", "message"),
    [
        (COUNTS_IN_A_FILE, r"task t\d at step 0 .* item 0 was '\w+': 'o\d \d' and is '\w+': 'o\d \d'"),
        (REMEMBERS_THE_FIRST, "item 0 was (not there and is '|'.* and is not there)"),
        ("def retrieve(self, query):\n    import os\n    return [os.urandom(4).hex()]", "told otherwise"),
        ("def retrieve(self, query):\n    import os\n    return [Item(os.urandom(4).hex(), 'x')]", "told otherwise"),
    ],
    ids=["counts", "first", "random text", "random id"],
)
def test_impure_retrieval_is_found(pool: Pool, retrieve: str, message: str) -> None:
    if "/tmp" in retrieve and "filesystem" not in pool.backend.isolates:
        pytest.skip(f"{pool.backend.name} does not claim filesystem: its guests share one /tmp")
    source = design(retrieve)
    kept, asked = built(pool, source)
    with pytest.raises(DesignFault, match=message) as caught:
        purity.check(pool.lease, source, kept, asked)
    assert (caught.value.at, caught.value.kind) == ("retrieve", "Impure")


def test_the_steps_of_an_episode_are_asked_again_in_one(pool: Pool) -> None:
    with pool.lease() as session:
        build(session, REMEMBERS)
        asked: list[purity.Asked] = []
        for task in ("a", "b"):
            with session.episode() as episode:
                for number in range(3):
                    history = (*STEPS, Step(task, "", 0, False))[:number]
                    query = Query(Task(task, "d", "g", "o"), "o", history, number)
                    if history:
                        episode.observe(history[-1])
                    asked.append((query, tuple(episode.retrieve(query))))
        kept = session.journal
    assert [len(items) for _, items in asked] == [3, 4, 5] * 2
    purity.check(pool.lease, REMEMBERS, kept, asked)


def test_what_was_cut_is_cut_again(pool: Pool) -> None:
    def first(items: Any, budget: int) -> tuple[Item, ...]:
        return tuple(items[:1])

    kept, asked = built(pool, REMEMBERS)
    short = [(query, first(items, 0)) for query, items in asked]
    purity.check(pool.lease, REMEMBERS, kept, short, cut=first)
    with pytest.raises(DesignFault, match="item 1 was not there and is 'i1'"):
        purity.check(pool.lease, REMEMBERS, kept, short)


GOOD: dict[str, Any] = {
    "version": 1,
    "seed": 0,
    "entries": [{"op": "load", "argument": None, "calls": [], "fault": ""}],
    "asides": [],
}


def spoil(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(dumped: dict[str, Any]) -> None:
        place: Any = dumped
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoil("version", value=2), "version 2"),
        (spoil("entries", value=[]), "the first of them a load"),
        (spoil("entries", 0, "calls", value=[{"label": "x"}]), "label, digest and answer"),
        (spoil("entries", value=[*GOOD["entries"], {"op": "eval"}]), "one of dump, load"),
        (spoil("entries", value=[*GOOD["entries"], {**GOOD["entries"][0], "op": "update"}]), "update of a journal"),
    ],
)
def test_what_is_no_journal_is_named(change: Callable[[dict[str, Any]], None], message: str) -> None:
    assert journal.dump(journal.load(GOOD)) == GOOD
    dumped = json.loads(json.dumps(GOOD))
    change(dumped)
    with pytest.raises(JournalError, match=message):
        journal.load(dumped)
