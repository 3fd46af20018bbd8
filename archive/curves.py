"""What a run had scored and spent when: its evaluations in the order in which they were committed, and their costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import and_, case, func, literal
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from archive.store import Archive
from archive.tables import Call, Episode, Evaluation, Member, Outcome

SEARCHING = ("deployment", "deployment:again", "reflection")
"""Tasks that a search plays: those that select, parents' repeats on the small rung, and what diagnoses look at."""


class Scored(NamedTuple):
    """An evaluation of a candidate during the search, with its episodes, played or reused."""

    design: str
    number: int
    """Of the design in its run."""
    role: str
    score: float
    created: float
    episodes: int
    dollars: float
    """Of the episodes, as the agent's model was paid when they were played."""
    unpriced: int
    """Episodes of a model whose price is unknown."""


class Payment(NamedTuple):
    """A call of a model that was not the agent's. One that an earlier call answered has that call's price."""

    created: float
    dollars: float | None
    """None where the price is unknown."""


def scored(archive: Archive, run_id: int, *, priced: bool = True) -> Sequence[Scored]:
    """A run's evaluations for selection, oldest first; not those of baselines.

    Where the agent is no model, its episodes have no price, and looking for one is most of the work.
    """
    of_evaluation = Evaluation.role, Evaluation.score, Evaluation.created
    in_run = and_(col(Member.run_id) == run_id, col(Member.design_id) == col(Evaluation.design_id))
    wanted = Evaluation.run_id == run_id, col(Evaluation.role).in_(SEARCHING), col(Member.number) > 0
    statement = (
        select(Evaluation.id, Evaluation.design_id, Member.number, *of_evaluation)  # type: ignore[call-overload]
        .join(Member, in_run)
        .where(*wanted)
        .order_by(col(Evaluation.id))
    )
    chosen = select(Evaluation.id).where(Evaluation.run_id == run_id, col(Evaluation.role).in_(SEARCHING))
    with archive.columns() as connection:
        counted = {evaluation: counts for evaluation, *counts in connection.execute(_counted(chosen, priced=priced))}
        return [
            Scored(*row, *counted.get(evaluation, (0, 0.0, 0))) for evaluation, *row in connection.execute(statement)
        ]


def _counted(chosen: Any, *, priced: bool) -> Any:
    """Of each evaluation its episodes, what these cost, and those whose price is unknown."""
    episodes = func.count(col(Outcome.task_id))
    of_evaluation = col(Outcome.evaluation_id).in_(chosen)
    if not priced:
        free = literal(0.0), literal(0)
        return select(Outcome.evaluation_id, episodes, *free).where(of_evaluation).group_by(col(Outcome.evaluation_id))
    is_unpriced = and_(col(Episode.tokens_in).is_not(None), col(Episode.dollars).is_(None))
    unpriced = func.coalesce(func.sum(case((is_unpriced, 1), else_=0)), 0)
    return (
        select(Outcome.evaluation_id, episodes, func.coalesce(func.sum(Episode.dollars), 0.0), unpriced)
        .outerjoin(Episode, col(Episode.key) == Outcome.episode)
        .where(of_evaluation)
        .group_by(col(Outcome.evaluation_id))
    )


def payments(archive: Archive, run_id: int, agent: str) -> Sequence[Payment]:
    """A run's calls of models, oldest first, without those in the agent's role, whose episodes have them."""
    earlier = aliased(Call)
    price = case((col(Call.hit_of).is_(None), Call.dollars), else_=earlier.dollars)
    statement = (
        select(Call.created, price)
        .outerjoin(earlier, col(earlier.id) == Call.hit_of)
        .where(Call.run_id == run_id, Call.role != agent)
        .order_by(col(Call.created), col(Call.id))
    )
    with archive.columns() as connection:
        return [Payment(*row) for row in connection.execute(statement)]
