"""The archive's tables. A row is written once, when its thing is finished.

Only `Request`, `Manifest` and `Run` are updated.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import text
from sqlmodel import Field, Index, SQLModel

SCHEMA_VERSION = 3
"""`archive.migrations` leads here from older ones."""


class State(StrEnum):
    """The life of a design. Each arrow between two of these is one `Event` row."""

    PROPOSED = "proposed"
    REJECTED = "rejected"
    SMOKE = "smoke"
    REPAIRED = "repaired"
    """Failed its smoke test and went back to its proposer, who made another design of it."""
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
    knew: int = 0
    """The last operation on insights before it began; it is told nothing of later ones, so that it can be repeated."""


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
    """`baseline`, `candidate`, or `attempt` for what may yet be repaired before its request is answered."""
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


class Manifest(SQLModel, table=True):
    """What a proposing model thought about one request: why its design is as it is, or why there is none."""

    __table_args__ = (Index("manifest_of_design", "run_id", "design_id"),)

    run_id: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    """Of the request."""
    design_id: str
    """What came of it; empty where nothing did."""
    thoughts: bytes
    """Compressed JSON: `plan`, `manifest`, `attempts`, what was `cut` from the prompts, `warnings`.

    While the request is under way also the `sections` of its prompt, so that a killed run goes on with the same one.
    """
    reason: str = ""
    """Why nothing came of it."""
    calls: int = 0
    """Answers that were of use; what else was paid is in the ledger."""
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    """Of those in."""
    dollars: float | None = None
    """None where the price of a call is unknown. Calls that the archive answered count as recorded."""
    created: float


class Diagnosis(SQLModel, table=True):
    """What is wrong with a design that is to have descendants, found once for all of them."""

    run_id: int = Field(primary_key=True)
    design_id: str = Field(primary_key=True)
    profile: bytes
    """Compressed JSON: `defects`, each a list of part, name, severity, evidence, remedy; `signs`; `author`."""
    author: str = ""
    """The model that found them; empty where they were measured."""
    created: float


class Tactics(SQLModel, table=True):
    """What a model would try after improvements had dried up, found once for a round of requests."""

    run_id: int = Field(primary_key=True)
    began: int = Field(primary_key=True)
    """How many designs had been told with a score when the round began."""
    notes: bytes
    """Compressed JSON: what to do, by the name of the tactic whose requests are told it; empty where it found none."""
    author: str
    created: float


class Front(SQLModel, table=True):
    """A design that was on its run's Pareto front: when it was told of, no other one was at least as good in all."""

    run_id: int = Field(primary_key=True)
    design_id: str = Field(primary_key=True)
    performance: float
    cost: float
    """Tokens an episode: those retrieved, and those of language models that the design itself used."""
    delay: float
    """Seconds; in a reproducible run counted, see `evolve.strategies.evidence`."""
    entered: int
    """How many designs had been told with a score, it included."""
    beaten: int | None = None
    """How many when another one took its place; none while it is on the front."""


class Comparison(SQLModel, table=True):
    """A design beside the one that it was asked of, where the strategy compares, in the order of telling.

    A design that was asked of none has a row without a rival.
    """

    run_id: int = Field(primary_key=True)
    design_id: str = Field(primary_key=True)
    rival_id: str = ""
    told: int
    """How many designs had been told with a score, it included."""
    decided_by: str = ""
    """`measured`: scores that differ for certain; `criteria`, with learned weights; `judge`: a model."""
    total: float = 0.0
    """Weighted total of the criteria, in [1, 10]."""
    rival_total: float = 0.0
    difference: float = 0.0
    """Of the scores by task, paired, with its 95 % interval."""
    low: float = 0.0
    high: float = 0.0
    n: int = 0
    details: bytes
    """Compressed JSON: `criteria`, each with name, weight, ours, theirs, critique; `signs`; `operators` and
    `meta_prompt`, which are for the design's own children; `lessons`."""
    author: str = ""
    """The model that judged."""
    tokens_in: int = 0
    tokens_out: int = 0
    dollars: float | None = 0.0
    """What that took; none where a price is unknown."""
    created: float


class Operation(SQLModel, table=True):
    """One step in what is known across runs: an insight that was added, modified, merged of others or deleted.

    Nothing is overwritten: what is known at any time is what the operations up to then come to.
    """

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    """`add`, `modify`, `merge` or `delete`."""
    targets: str = ""
    """Numbers of the insights that it is done to, with commas between. That of a new one is the id of its operation."""
    run_id: int | None = None
    """Whose evidence it goes by; none where a person did it."""
    told: int = 0
    """How many designs of that run had been told with a score."""
    author: str
    """`measured`, `person`, `import`, or the model whose plan it is part of."""
    reason: str
    insight: bytes = b""
    """The insight as it is afterwards, with its evidence, as compressed JSON; empty where it is deleted."""
    created: float


class Hint(SQLModel, table=True):
    """What a person told the proposers of a run."""

    __table_args__ = (Index("hint_of_run", "run_id"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: int
    text: str
    asked: int
    """How many requests the run had made."""
    created: float


class Episode(SQLModel, table=True):
    """One played episode, addressed by all that it depends on; equal episodes are played once and shared."""

    key: bytes = Field(primary_key=True)
    task_id: str
    seed: int
    score: float
    success: bool
    steps: int
    tokens_in: int | None = None
    """Of the calls of the agent's model, those that the record answered included; none where it has none."""
    tokens_out: int | None = None
    dollars: float | None = None
    """None also where the price of a call is unknown."""


class Recording(SQLModel, table=True):
    """The whole trajectory of an episode, compressed JSON; kept for collection."""

    key: bytes = Field(primary_key=True)
    trajectory: bytes


class Told(SQLModel, table=True):
    """One retrieved memory as it was delivered, compressed JSON, addressed by its content."""

    key: bytes = Field(primary_key=True)
    items: bytes


class Evaluation(SQLModel, table=True):
    """A design's scores on a role's tasks. Means are over tasks, seeds averaged inside each, with 95 % interval."""

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
    """Number of tasks; in dynamic mode of passes. Where it is 1 there is no interval: `low` and `high` are infinite."""
    tokens: float
    """Retrieved tokens an episode."""
    cut: int
    """Tasks whose memory was cut at the budget."""
    calls: int
    """Calls of the toolkit's `llm` and `embed` while it was built and asked."""
    llm_tokens: int = 0
    """Tokens of language models that the design itself used."""
    llm_dollars: float | None = 0.0
    """What that cost; none where a price is unknown."""
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


class Utilisation(SQLModel, table=True):
    """How busy a run's workers were during a stretch of time, in seconds."""

    id: int | None = Field(default=None, primary_key=True)
    run_id: int = Field(index=True)
    began: float
    seconds: float
    busy: float
    """Summed over workers: time in which they had a job."""
    available: float
    """Summed over workers: all of it."""


class Call(SQLModel, table=True):
    """One call of a language model that was paid for; or one that an earlier call answered, which is free."""

    __table_args__ = (
        Index("call_by_key", "key", sqlite_where=text("hit_of IS NULL")),
        Index("call_of_run", "run_id", "role", "model", "seconds"),
    )

    id: int | None = Field(default=None, primary_key=True)
    run_id: int
    key: bytes
    """Hash of request, role, model and sample number: equal ones are one call."""
    role: str
    model: str
    design: str
    """Id of the design on whose account it is; empty where it is on none."""
    sample: int
    tokens_in: int
    tokens_out: int
    cached: int
    """Of those in: from the provider's cache."""
    reasoning: int
    """Of those out."""
    written: int
    """Of those in: to the provider's cache."""
    dollars: float | None
    """None where no price is known."""
    seconds: float | None
    """Latency, retries included; none for a hit."""
    finish: str
    problem: str = ""
    """Why the answer is of no use, where it is of none though it was paid."""
    hit_of: int | None = None
    """The call whose answer this one was given."""
    created: float


class Exchange(SQLModel, table=True):
    """What was said in a call that was paid for, as compressed JSON."""

    call_id: int = Field(primary_key=True)
    request: bytes
    reply: bytes


class Refusal(SQLModel, table=True):
    """What a provider would not answer, at no cost; only a replay goes by it."""

    key: bytes = Field(primary_key=True)
    kind: str
    message: str
