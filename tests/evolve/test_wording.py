"""Sentences that say what is known, and no more."""

from __future__ import annotations

import asyncio

import pytest

from archive.expectations import Outcome
from archive.ledger import Spent
from evolve.config import RunConfig
from evolve.llm.base import Usage
from evolve.llm.budget import Bound, Budget
from evolve.llm.forecast import Expected, sentences


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (Outcome([], [], [], [], 2), "nothing was foretold of the tasks that both played, and 2 came out worse"),
        (Outcome(["a"], ["b"], [], [], 0), "1 of 2 tasks expected to improve did, 0 others came out worse"),
        (Outcome([], [], ["a"], ["b"], 3), "1 of 2 at risk came out worse, 3 others came out worse"),
    ],
)
def test_what_came_true(outcome: Outcome, sentence: str) -> None:
    assert outcome.describe() == sentence


def test_nothing_is_forecast_where_nothing_is_left() -> None:
    left = Expected("repair", "local", 0, 0.0, is_guess=True)
    assert sentences([left], RunConfig()) == []
    assert "about 2 calls" in sentences([left, Expected("agent", "local", 2, 0.0, is_guess=False)], RunConfig())[0]


async def spend(budget: Budget) -> None:
    bound = Bound(10, 0.1)
    await budget.reserve(bound, "a call")
    budget.settle(bound, Usage(5, 5), None)


def test_dollars_are_unknown_once_a_call_had_no_price() -> None:
    budget = Budget(0.5, None, Spent(1, 100, 0.19, 0))
    assert budget.describe() == "$0.19 of $0.50, 100 tokens"
    asyncio.run(spend(budget))
    assert budget.describe() == "dollars unknown ($0.19 of $0.50 counted), 110 tokens"
    assert Budget(0.5, None, Spent(1, 100, 0.19, 1)).describe().startswith("dollars unknown")
