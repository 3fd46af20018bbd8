"""What the episodes of an evaluation cost, beside what its design did."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func
from sqlmodel import col, select

from archive.store import Archive
from archive.tables import Episode, Outcome


class AgentCost(NamedTuple):
    """Means over the episodes that a model played, as it was paid when they were."""

    tokens_in: float
    tokens_out: float
    dollars: float | None
    """None where the price of a call is unknown."""


def agent_cost(archive: Archive, evaluation: int) -> AgentCost | None:
    """What an episode of an evaluation cost; none where the agent is no model."""
    counted = func.count(col(Episode.tokens_in)), func.count(col(Episode.dollars))
    means = func.avg(Episode.tokens_in), func.avg(Episode.tokens_out), func.avg(Episode.dollars)
    statement = (
        select(*counted, *means)  # type: ignore[call-overload]  # not so many by name
        .join(Outcome, col(Outcome.episode) == col(Episode.key))
        .where(Outcome.evaluation_id == evaluation)
    )
    with archive.columns() as connection:
        played, priced, tokens_in, tokens_out, dollars = connection.execute(statement).one()
    return AgentCost(tokens_in, tokens_out, dollars if priced == played else None) if played else None
