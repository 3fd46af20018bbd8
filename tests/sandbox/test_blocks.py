"""Building blocks inside a sandbox: with networkx and SQLite, across forks, in the step phase, dumped and restored."""

from __future__ import annotations

import json

from sandbox.guest.design import Query
from sandbox.pool import Pool
from sandbox.session import DesignSession
from tests.sandbox.samples import STEPS, TASK, TRAJECTORY

SOURCE = """
from sandbox.guest import (
    Diverse, FullTextStore, GraphStore, Hybrid, LatestByKey, LayeredDesign, Lexical, MergeSimilar, NextActions,
    NGramLookup, RawSteps
)

class Design(LayeredDesign):
    phases = frozenset({"begin", "step"})

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.encoders = [RawSteps(), NextActions()]
        self.store = GraphStore(LatestByKey(FullTextStore()))
        self.retriever = Hybrid([NGramLookup(), Diverse(Lexical())])
        self.managers = [MergeSimilar()]
"""


def told(session: DesignSession) -> list[list[str]]:
    """What is told before the first action and after it."""
    with session.episode() as episode:
        first = episode.retrieve(Query(TASK, TASK.observation))
        episode.observe(STEPS[0])
        second = episode.retrieve(Query(TASK, STEPS[0].observation, STEPS[:1], 1))
    return [[item.text for item in memory] for memory in (first, second)]


def test_blocks_work_inside_and_are_the_same_when_restored(pool: Pool) -> None:
    with pool.lease() as session:
        session.load(SOURCE, seed=1)
        session.update(TRAJECTORY)
        session.manage()
        expected, state = told(session), json.loads(json.dumps(session.dump()))
        assert expected[0][0] == "take knife"
        assert told(session) == expected
    with pool.lease() as session:
        session.load(SOURCE, seed=1)
        session.restore(state)
        assert told(session) == expected
