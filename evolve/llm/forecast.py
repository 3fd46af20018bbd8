"""What the rest of a run will ask of models, and what that will cost: from the archive's own calls, else a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evolve.llm.base import Usage
from evolve.llm.roles import (
    AGENT,
    COMPARE,
    DIAGNOSE,
    EMBED,
    IMPLEMENT,
    INSIGHTS,
    MEMORY,
    PROPOSE,
    REFLECT,
    REPAIR,
    TACTICS,
    models_of,
)

if TYPE_CHECKING:
    from archive.ledger import Ledger
    from evolve.config import RunConfig
    from evolve.llm.prices import Prices

CONTROLS = 2
"""Evaluations of a finalist beside its own."""
BASELINES = 3


@dataclass(frozen=True, slots=True)
class Guess:
    """Calls a design, and tokens of each, where nothing is known."""

    calls: float
    tokens: Usage


GUESSES = {
    REFLECT: Guess(1, Usage(30_000, 4_000)),
    IMPLEMENT: Guess(1, Usage(20_000, 6_000)),
    REPAIR: Guess(0.5, Usage(20_000, 6_000)),
    DIAGNOSE: Guess(0.3, Usage(30_000, 2_000)),
    COMPARE: Guess(1.5, Usage(30_000, 3_000)),
    INSIGHTS: Guess(1, Usage(6_000, 1_000)),
    TACTICS: Guess(0.05, Usage(20_000, 500)),
    PROPOSE: Guess(15, Usage(30_000, 1_000)),
    MEMORY: Guess(40, Usage(600, 150)),
    EMBED: Guess(40, Usage(400, 0)),
    AGENT: Guess(0, Usage(1_500, 60)),
}
"""Of the agent, the calls are counted: one a step, and half of the steps that a task allows."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What one role will come to."""

    role: str
    model: str
    calls: int
    dollars: float | None
    """None where no price is known."""
    is_guess: bool
    """Whether nothing of this kind was ever asked in this archive."""


def forecast(config: RunConfig, left: int, max_steps: int, ledger: Ledger, prices: Prices) -> list[Expected]:
    """What `left` designs more, and what comes with them, will ask of each model."""
    found = []
    for role, model in models_of(config).items():
        guess, past = GUESSES[role], ledger.past(role, model)
        calls = guess.calls * left
        if past is not None and past.designs:
            calls = past.calls / past.designs * left
        elif role == AGENT:
            calls = episodes(config, left) * max_steps / 2
        tokens = Usage(round(past.tokens_in), round(past.tokens_out)) if past is not None else guess.tokens
        price = prices.price(model, tokens)
        found.append(Expected(role, model, round(calls), price * calls if price is not None else None, past is None))
    return found


def episodes(config: RunConfig, left: int) -> int:
    """The episodes that a run plays from its beginning, at most: equal ones are played once."""
    finals = (config.finalists * (1 + CONTROLS) + BASELINES) * config.confirmation if config.finalists else 0
    scored = (left + BASELINES) * config.deployment + finals
    return scored * config.repeats + config.collection * config.collection_repeats


def sentences(expected: Sequence[Expected], config: RunConfig) -> list[str]:
    """The forecast in words, none where nothing is left; a second sentence where the budget will not do."""
    if not any(each.calls for each in expected):
        return []
    parts = [f"{each.role} {each.calls:,}" for each in expected]
    known = [each.dollars for each in expected if each.dollars is not None]
    cost = f"${sum(known):,.2f}" if len(known) == len(expected) else "at an unknown price"
    basis = "; a rough guess, nothing of the kind was asked here yet" if any(e.is_guess for e in expected) else ""
    found = [f"models: about {sum(e.calls for e in expected):,} calls ({', '.join(parts)}), {cost}{basis}"]
    if config.budget_usd is not None and sum(known) > config.budget_usd:
        found.append(f"the budget of ${config.budget_usd:.2f} will end the run before its last design")
    return found
