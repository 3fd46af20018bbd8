"""The archive's tables. A row is written once, when its thing is finished; only `Request` and `Run` are updated."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import text
from sqlmodel import Field, Index, SQLModel

SCHEMA_VERSION = 2
"""`archive.migrations` leads here from older ones."""


class State(StrEnum):
    """The life of a design. Each arrow between two of these is one `Event` row."""

    PROPOSED = "proposed"
    REJECTED = "rejected"
    SMOKE = "smoke"
    FAILED = "failed"
    SMALL = "small"
    DROPPED = "dropped"
    """Its score is one on the small rung's tasks."""
    AUDITED = "audited"
    """Would have been dropped, and goes on like `FULL`, so that what dropping costs is seen."""
    FULL = "full"
    EVALUATED = "evaluated"
    FINALIST = "finalist"
    BEST = "best"


SCORED = frozenset({State.EVALUATED, State.FINALIST, State.BEST})
"""States of a design that was evaluated on all of a run's tasks."""


class Meta(SQLModel, table=True):
    """Facts about the archive itself, such as its schema version."""

    key: str = Field(primary_key=True)
    value: str


class Run(SQLModel, table=True):
    """One search. `identity` is a hash of all that can change its result; `config` is the configuration as JSON."""

    id: int | None = Field(default=None, primary_key=True)
    identity: str = Field(index=True)
    config: str
    domain_version: str
    agent_version: str
    sandbox: str
    """The backend that ran last, and what it does not isolate, as text."""
    image: str = ""
    """Digest of what its guests started from."""
    status: str = "running"
    created: float
    elapsed: float = 0.0
    """Seconds of wall time over all sittings."""


class Design(SQLModel, table=True):
    """A design's source, addressed by the hash of its normalised syntax tree; shared by all runs of the archive."""

    id: str = Field(primary_key=True)
    source: str
    summary: str
    origin: str
    """`composed`: made of building blocks by the genetic proposer; `untrusted`: anything else."""
    created: float


class Member(SQLModel, table=True):
    """A design's place in a run: its number in the order of proposal, and what was changed to make it."""

    __table_args__ = (Index("member_by_number", "run_id", "number"),)

    run_id: int = Field(primary_key=True)
    design_id: str = Field(primary_key=True)
    number: int
    """Numbers start at 1; baselines have 0."""
    role: str
    """`baseline` or `candidate`."""
    change: str


class Parent(SQLModel, table=True):
    """One parent of a design in a run, in order."""

    run_id: int = Field(primary_key=True)
    design_id: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    parent_id: str = Field(index=True)


class Event(SQLModel, table=True):
    """One arrow in the life of a design, with its reason; nothing else says what state a design is in."""

    __table_args__ = (Index("event_of_design", "run_id", "design_id"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: int
    design_id: str
    state: str
    reason: str = ""
    created: float


class Request(SQLModel, table=True):
    """What the strategy asked for, committed before it is dispatched; `result` is what it was told."""

    run_id: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    kind: str
    payload: str
    told: int = 0
    """How many scores the strategy knew when it asked."""
    result: str | None = None


class Episode(SQLModel, table=True):
    """One played episode, addressed by all that it depends on; equal episodes are played once and shared."""

    key: bytes = Field(primary_key=True)
    task_id: str
    seed: int
    score: float
    success: bool
    steps: int


class Recording(SQLModel, table=True):
    """The whole trajectory of an episode, compressed JSON; kept for collection."""

    key: bytes = Field(primary_key=True)
    trajectory: bytes


class Told(SQLModel, table=True):
    """One retrieved memory as it was delivered, compressed JSON, addressed by its content."""

    key: bytes = Field(primary_key=True)
    items: bytes


class Evaluation(SQLModel, table=True):
    """A design's scores on a role's tasks. Means are over tasks, seeds averaged inside each."""

    __table_args__ = (
        Index("evaluation_of_design", "run_id", "design_id", "role"),
        Index("evaluation_by_score", "run_id", "role", text("score DESC")),
    )

    id: int | None = Field(default=None, primary_key=True)
    run_id: int
    design_id: str
    role: str
    score: float
    low: float
    high: float
    n: int
    """Number of tasks."""
    tokens: float
    """Retrieved tokens an episode."""
    cut: int
    """Tasks whose memory was cut at the budget."""
    calls: int
    """Calls of the toolkit's `llm` and `embed` while it was built and asked."""
    llm_tokens: int = 0
    """Tokens of language models that the design itself used."""
    signature: bytes = b""
    """Hash of all that was told; equal ones played the same episodes."""
    variant: str = ""
    """`no-llm variant` where a design that would ask a language model had none."""
    seconds: float
    """Wall time of building and asking the design."""
    created: float


class Outcome(SQLModel, table=True):
    """One scored episode of an evaluation. Without row numbers its key is not kept twice."""

    __table_args__ = {"sqlite_with_rowid": False}

    evaluation_id: int = Field(primary_key=True)
    task_id: str = Field(primary_key=True)
    repeat: int = Field(primary_key=True)
    score: float
    episode: bytes | None
    """Key of the episode; none where retrieval failed and the score is 0 for that."""
    told: bytes
    tokens: int


class Look(SQLModel, table=True):
    """One look at the test tasks, by `evolve test`."""

    id: int | None = Field(default=None, primary_key=True)
    run_id: int
    design_id: str
    result: str
    created: float
