"""The queries that read an archive, and the transactions that write it. One writer; readers never lock it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, select

from archive.database import ArchiveError, Database, Row, connect, damaged, insert_new, is_damage, pack, unpack
from archive.tables import (
    SCORED,
    Design,
    Episode,
    Evaluation,
    Event,
    Look,
    Manifest,
    Member,
    Outcome,
    Parent,
    Recording,
    Request,
    Run,
    State,
    Told,
)

__all__ = [
    "Archive",
    "ArchiveError",
    "Asked",
    "Result",
    "Row",
    "connect",
    "damaged",
    "event_row",
    "is_damage",
    "pack",
    "unpack",
]


class Asked(NamedTuple):
    """The columns of a request that its run goes on from."""

    number: int
    payload: str
    told: int
    result: str | None


class Result(NamedTuple):
    """The columns of an evaluation that a strategy is told from."""

    design: str
    score: float
    signature: bytes


class Archive(Database):
    """What a search has come to. Open it with `archive.opening.open_archive`."""

    # Runs

    def runs(self) -> Sequence[Run]:
        """All runs, oldest first."""
        with self.transaction() as session:
            return session.exec(select(Run).order_by(col(Run.id))).all()

    def run(self, run_id: int) -> Run:
        """One run by its number."""
        with self.transaction() as session:
            if (found := session.get(Run, run_id)) is None:
                raise ArchiveError(f"{self.path} has no run {run_id}; `evolve runs` lists them")
            return found

    def latest(self, identity: str | None = None) -> Run | None:
        """The newest run, of an identity if one is given."""
        statement = select(Run).order_by(col(Run.id).desc())
        if identity is not None:
            statement = statement.where(Run.identity == identity)
        with self.transaction() as session:
            return session.exec(statement).first()

    # Designs

    def add_design(
        self, design: Design, member: Member, parents: Sequence[str], request: Request | None = None, reason: str = ""
    ) -> bool:
        """Enter a design into a run as proposed, and with it the request that it answers; False where it is known.

        An attempt at the same number is not known yet: it becomes what `member` says.
        """
        links = [
            {"run_id": member.run_id, "design_id": design.id, "position": position, "parent_id": parent}
            for position, parent in enumerate(parents)
        ]
        with self.columns() as connection:
            is_new = insert_new(connection, Member, [member.model_dump()])
            if not is_new and not _take_on(connection, member):
                return False
            if is_new:
                insert_new(connection, Design, [design.model_dump()])
                insert_new(connection, Parent, links)
                insert_new(connection, Event, [event_row(member.run_id, design.id, State.PROPOSED, reason)])
            if request is not None:
                asked = col(Request.run_id) == request.run_id, col(Request.number) == request.number
                connection.execute(update(Request).where(*asked).values(result=request.result))
            return True

    def add_event(self, run_id: int, design_id: str, state: State, reason: str = "") -> None:
        """Record one arrow in the life of a design."""
        with self.columns() as connection:
            insert_new(connection, Event, [event_row(run_id, design_id, state, reason)])

    def design(self, prefix: str) -> Design:
        """The design whose id begins with `prefix`."""
        with self.transaction() as session:
            matching = col(Design.id) >= prefix, col(Design.id) < prefix + "\U0010ffff"  # LIKE would read them all
            found = session.exec(select(Design).where(*matching).limit(2)).all()
        if len(found) != 1:
            problem = "no design" if not found else "more than one design"
            raise ArchiveError(f"{self.path} has {problem} whose id begins with {prefix!r}; `evolve top` lists ids")
        return found[0]

    def exactly(self, design_id: str) -> Design:
        """A design by its whole id, which must be known."""
        with self.columns() as connection:
            found = connection.execute(Design.__table__.select().where(col(Design.id) == design_id))  # type: ignore[attr-defined]
            return Design(**found.mappings().one())

    def members(self, run_id: int) -> Sequence[Member]:
        """A run's designs in the order of proposal, baselines first."""
        with self.transaction() as session:
            return session.exec(select(Member).where(Member.run_id == run_id).order_by(col(Member.number))).all()

    def baselines(self, run_id: int) -> Sequence[Member]:
        """A run's baselines in the order in which they were entered."""
        with self.transaction() as session:
            return session.exec(select(Member).where(Member.run_id == run_id, Member.number == 0)).all()

    def member(self, run_id: int, design_id: str) -> Member | None:
        """A design's place in a run, if it has one."""
        with self.transaction() as session:
            return session.get(Member, (run_id, design_id))

    def runs_of(self, design_id: str) -> Sequence[int]:
        """Numbers of the runs that have a design, oldest first."""
        with self.transaction() as session:
            statement = select(Member.run_id).join(Run, col(Run.id) == Member.run_id)
            return session.exec(statement.where(Member.design_id == design_id).order_by(col(Run.id))).all()

    def parents(self, run_id: int) -> Sequence[tuple[str, str]]:
        """Pairs (design, parent) of a run, the first parent of a design before its second."""
        with self.transaction() as session:
            statement = select(Parent.design_id, Parent.parent_id).where(Parent.run_id == run_id)
            return session.exec(statement.order_by(col(Parent.design_id), col(Parent.position))).all()

    def parents_of(self, run_id: int, design_id: str) -> Sequence[str]:
        """The parents of a design in a run, the first one first."""
        with self.transaction() as session:
            statement = select(Parent.parent_id).where(Parent.run_id == run_id, Parent.design_id == design_id)
            return session.exec(statement.order_by(col(Parent.position))).all()

    def children_of(self, run_id: int, design_id: str) -> Sequence[str]:
        """The designs of a run that have a design as parent."""
        with self.transaction() as session:
            in_run = col(Parent.run_id) + 0 == run_id  # else SQLite reads the run's whole index, not that of parents
            statement = select(Parent.design_id).where(in_run, Parent.parent_id == design_id)
            return session.exec(statement.order_by(col(Parent.design_id))).all()

    def states(self, run_id: int) -> dict[str, tuple[State, str]]:
        """The current state of each design of a run, with its reason."""
        with self.columns() as connection:
            statement = select(Event.design_id, Event.state, Event.reason).where(col(Event.id).in_(_newest(run_id)))
            return {design: (State(state), reason) for design, state, reason in connection.execute(statement)}

    def count_states(self, run_id: int) -> Counter[State]:
        """How many of a run's candidates are in which state."""
        baselines = [member.design_id for member in self.baselines(run_id)]
        current = col(Event.id).in_(_newest(run_id)), col(Event.design_id).not_in(baselines)
        with self.columns() as connection:
            found = connection.execute(select(Event.state, func.count()).where(*current).group_by(col(Event.state)))
            return Counter({State(state): count for state, count in found})

    def reached(self, run_id: int, state: State) -> Sequence[str]:
        """The designs of a run that ever were in a state, in the order in which they came to it."""
        with self.transaction() as session:
            statement = select(Event.design_id).where(Event.run_id == run_id, Event.state == state.value)
            return list(dict.fromkeys(session.exec(statement.order_by(col(Event.id)))))

    def life(self, run_id: int, design_id: str) -> Sequence[Event]:
        """All events of a design in a run, oldest first."""
        with self.transaction() as session:
            statement = select(Event).where(Event.run_id == run_id, Event.design_id == design_id)
            return session.exec(statement.order_by(col(Event.id))).all()

    # Requests

    def requests(self, run_id: int) -> Sequence[Request]:
        """A run's requests in the order they were asked."""
        with self.transaction() as session:
            return session.exec(select(Request).where(Request.run_id == run_id).order_by(col(Request.number))).all()

    def asked(self, run_id: int) -> Sequence[Asked]:
        """The same as columns, for a run that goes on."""
        kept = select(Request.number, Request.payload, Request.told, Request.result)
        with self.columns() as connection:
            found = connection.execute(kept.where(Request.run_id == run_id).order_by(col(Request.number)))
            return [Asked(*row) for row in found]

    def add_request(self, request: Request) -> None:
        """Commit a new request."""
        with self.columns() as connection:
            insert_new(connection, Request, [request.model_dump()])

    def count_requests(self, run_id: int) -> int:
        """How many requests a run has asked."""
        with self.columns() as connection:
            found = connection.execute(select(func.count()).where(col(Request.run_id) == run_id))
            return int(found.scalar_one())

    # Manifests

    def manifest(self, run_id: int, design_id: str) -> Manifest | None:
        """What led to a design in a run, if a model wrote it there."""
        with self.transaction() as session:
            statement = select(Manifest).where(Manifest.run_id == run_id, Manifest.design_id == design_id)
            return session.exec(statement).first()

    def manifest_at(self, run_id: int, number: int) -> Manifest | None:
        """What a model thought about a request so far, if it was asked."""
        with self.transaction() as session:
            return session.get(Manifest, (run_id, number))

    def manifests(self, run_id: int) -> Sequence[Manifest]:
        """All of a run, in the order of the requests."""
        with self.transaction() as session:
            return session.exec(select(Manifest).where(Manifest.run_id == run_id).order_by(col(Manifest.number))).all()

    # Episodes

    def scores(self, keys: Iterable[bytes]) -> dict[bytes, float]:
        """Scores of those of the episodes that are known."""
        found: dict[bytes, float] = {}
        wanted = list(keys)
        with self.columns() as connection:
            for start in range(0, len(wanted), 500):
                part = wanted[start : start + 500]
                known = connection.execute(select(Episode.key, Episode.score).where(col(Episode.key).in_(part)))
                found.update((key, score) for key, score in known)
        return found

    def recordings(self, keys: Sequence[bytes]) -> dict[bytes, Any]:
        """Those of the trajectories that are known, as JSON values."""
        with self.transaction() as session:
            rows = session.exec(select(Recording).where(col(Recording.key).in_(keys)))
            return {row.key: unpack(row.trajectory) for row in rows}

    def add_episodes(self, episodes: Sequence[Row], recordings: Sequence[Row] = ()) -> None:
        """Commit a batch of `Episode` and `Recording` rows; known ones are left as they are."""
        with self.columns() as connection:
            insert_new(connection, Episode, episodes)
            insert_new(connection, Recording, recordings)

    # Evaluations

    def add_evaluation(
        self, evaluation: Evaluation, outcomes: Sequence[Row], told: Mapping[bytes, bytes], event: Row | None = None
    ) -> None:
        """Commit an evaluation with its `Outcome` rows, and the event in the design's life that it is, if it is one."""
        with self.columns() as connection:
            entered = connection.execute(insert(Evaluation), evaluation.model_dump(exclude={"id"}))
            assert entered.inserted_primary_key is not None
            (number,) = entered.inserted_primary_key
            insert_new(connection, Outcome, [{**outcome, "evaluation_id": number} for outcome in outcomes])
            insert_new(connection, Told, [{"key": key, "items": items} for key, items in told.items()])
            insert_new(connection, Event, [event] if event is not None else [])

    def evaluations(self, run_id: int, role: str) -> Sequence[Evaluation]:
        """A run's evaluations on a role's tasks, oldest first."""
        with self.transaction() as session:
            statement = select(Evaluation).where(Evaluation.run_id == run_id, Evaluation.role == role)
            return session.exec(statement.order_by(col(Evaluation.id))).all()

    def results(self, run_id: int, role: str) -> dict[str, Result]:
        """The latest evaluation of each of a run's designs on a role's tasks, as columns."""
        kept = select(Evaluation.design_id, Evaluation.score, Evaluation.signature)
        asked = Evaluation.run_id == run_id, Evaluation.role == role
        with self.columns() as connection:
            found = connection.execute(kept.where(*asked).order_by(col(Evaluation.id)))
            return {row[0]: Result(*row) for row in found}

    def best(self, run_id: int, role: str, most: int | None = None) -> Sequence[Evaluation]:
        """The latest evaluations of a run's candidates that have a score, best first; at most so many."""
        later, newer = aliased(Evaluation), col(Event.id).desc()
        of_design = col(Event.run_id) == run_id, col(Event.design_id) == col(Evaluation.design_id)
        state = select(Event.state).where(*of_design).order_by(newer).limit(1).scalar_subquery()
        again = (
            col(later.run_id) == run_id,
            col(later.role) == role,
            col(later.design_id) == col(Evaluation.design_id),
            col(later.id) > col(Evaluation.id),
        )
        in_run = and_(col(Member.run_id) == run_id, col(Member.design_id) == col(Evaluation.design_id))
        statement = (
            select(Evaluation)
            .join(Member, in_run)
            .where(Evaluation.run_id == run_id, Evaluation.role == role, col(Member.number) > 0)
            .where(state.in_(SCORED), ~select(later.id).where(*again).exists())
            .order_by(col(Evaluation.score).desc(), col(Member.number))  # not by id: results come in any order
            .limit(most)
        )
        with self.transaction() as session:
            return session.exec(statement).all()

    def evaluation(self, run_id: int, design_id: str, role: str) -> Evaluation | None:
        """A design's latest evaluation on a role's tasks."""
        with self.transaction() as session:
            statement = select(Evaluation).where(
                Evaluation.run_id == run_id, Evaluation.design_id == design_id, Evaluation.role == role
            )
            return session.exec(statement.order_by(col(Evaluation.id).desc())).first()

    def evaluations_of(self, run_id: int, design_id: str, role: str) -> Sequence[int]:
        """Ids of all of a design's evaluations on a role's tasks, oldest first."""
        asked = Evaluation.run_id == run_id, Evaluation.design_id == design_id, Evaluation.role == role
        with self.columns() as connection:
            return list(connection.execute(select(Evaluation.id).where(*asked).order_by(col(Evaluation.id))).scalars())

    def outcomes(self, evaluation_id: int) -> Sequence[Outcome]:
        """The scored episodes of an evaluation."""
        with self.transaction() as session:
            statement = select(Outcome).where(Outcome.evaluation_id == evaluation_id)
            return session.exec(statement.order_by(col(Outcome.task_id), col(Outcome.repeat))).all()

    def told(self, key: bytes) -> list[Any]:
        """A delivered memory, as it was packed."""
        with self.transaction() as session:
            row = session.get(Told, key)
            return unpack(row.items) if row is not None else []

    def looks(self, run_id: int) -> int:
        """How often the test tasks were looked at for a run."""
        with self.transaction() as session:
            return session.exec(select(func.count()).select_from(Look).where(Look.run_id == run_id)).one()


def _take_on(connection: Connection, member: Member) -> bool:
    """Let an attempt become what is entered under its number; False where there is none."""
    mine = col(Member.run_id) == member.run_id, col(Member.design_id) == member.design_id
    attempt = col(Member.role) == "attempt", col(Member.number) == member.number
    changed = update(Member).where(*mine, *attempt).values(role=member.role, change=member.change)
    return connection.execute(changed).rowcount > 0


def _newest(run_id: int) -> Any:
    """Ids of the last event of each of a run's designs."""
    return select(func.max(Event.id)).where(Event.run_id == run_id).group_by(col(Event.design_id))


def event_row(run_id: int, design_id: str, state: State, reason: str = "") -> Row:
    """An arrow in the life of a design, now."""
    return {"run_id": run_id, "design_id": design_id, "state": state.value, "reason": reason, "created": time.time()}
