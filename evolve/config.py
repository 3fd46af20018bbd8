"""A run's configuration: the same fields as flags of `evolve run`, as a TOML file, and as the archive's row."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from evolve.errors import InputError
from evolve.llm.roles import DEFAULTS

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


FEWEST = 6
"""Tasks of a small rung: of fewer differences, even equal designs would often have all on one side."""


class RoleSettings(BaseModel):
    """How a language model answers in one role; what is left out is the role's own default."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    max_tokens: int | None = Field(default=None, ge=1, description="of the answer, reasoning included")
    temperature: float | None = Field(default=None, ge=0, le=2)
    effort: Literal["minimal", "low", "medium", "high"] | None = Field(default=None, description="of reasoning")
    steps: int | None = Field(default=None, ge=1, description="propose: turns that one proposal may take")
    tokens: int | None = Field(default=None, ge=1, description="propose: tokens, over all turns")
    dollars: float | None = Field(default=None, gt=0, description="propose: dollars, over all turns")


class RunConfig(BaseModel):
    """All that a run depends on, and some fields that cannot change its result: see `FREE`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    domain: str = "textworld:cooking"
    agent: str = "lexical"
    strategy: str = "alma"
    proposer: str = "genetic"
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="search seed: draws tasks, parents and edits")
    designs: int = Field(default=24, ge=1, description="designs to evaluate; a larger number extends a run")
    collection: int = Field(default=60, ge=1, description="tasks that fill the memory")
    collection_repeats: int = Field(default=3, ge=1, description="episodes of each of them")
    deployment: int = Field(default=32, ge=2, description="tasks that score a design")
    repeats: int = Field(default=1, ge=1, description="episodes of each of them")
    finalists: int = Field(default=3, ge=0, description="designs that play the confirmation tasks")
    confirmation: int = Field(default=24, ge=2, description="tasks that confirm the finalists")
    smoke: int = Field(default=3, ge=1, description="tasks whose retrieval must not fail")
    small: int = Field(
        default=0,
        ge=0,
        description="tasks that a design plays first, to be dropped where it is worse than its parent; 0: off",
    )
    drop_margin: float = Field(
        default=0.0, ge=-1, le=1, description="dropped where the 90 % upper bound of its paired difference is under it"
    )
    memory_budget: int = Field(default=1000, ge=1, description="retrieved tokens an episode")
    mode: Literal["static", "dynamic"] = Field(
        default="static", description="dynamic: a design learns from each scored episode too, repeats being passes"
    )
    reward_scale: float = Field(default=1.0, gt=0, description="alma: lambda in sigmoid(lambda * gain)")
    visit_penalty: float = Field(default=0.5, ge=0, description="alma: alpha in gain - alpha * ln(1 + visits)")
    temperature: float = Field(default=0.5, gt=0, description="alma: of the softmax over parents")
    step_size: int = Field(default=5, ge=1, description="alma: parents drawn without replacement in a step")
    novelty: float = Field(
        default=0.0, ge=0, description="alma, empirical-mcts: weight of the rank in being unlike others"
    )
    elite: int = Field(default=5, ge=1, description="sequential: how many of the best may be parents")
    survivors: int = Field(default=1, ge=1, description="memevolve: K, designs of a generation that have descendants")
    descendants: int = Field(default=3, ge=1, description="memevolve: S, descendants of each of them")
    diagnosed: int = Field(default=6, ge=0, description="memevolve: reflection tasks that a survivor is diagnosed by")
    exploration: float = Field(default=1.4, ge=0, description="empirical-mcts: C, the weight of what was visited less")
    global_share: float = Field(
        default=0.9, ge=0, le=1, description="empirical-mcts: alpha, the share of the global rank in a design's value"
    )
    backup: float = Field(default=0.1, ge=0, le=1, description="empirical-mcts: gamma, what of a child's value goes up")
    children: int = Field(default=2, ge=1, description="empirical-mcts: most requests for children of one design")
    pe_emp: bool = Field(default=True, description="empirical-mcts: whether what its comparisons find guides it")
    insights: bool = Field(
        default=False, description="whether requests are told what this and earlier runs taught, and their lessons kept"
    )
    tactics: bool = Field(default=False, description="whether other operators are tried when improvements dry up")
    memory_model: str | None = Field(
        default=None, min_length=1, description="the model behind `toolkit.llm`, PROVIDER:MODEL; by default none"
    )
    memory_tokens: int = Field(default=100_000, ge=1, description="that a design may spend on it, building included")
    embedder: str = Field(default="static", description="behind `toolkit.embed`: static, or PROVIDER:MODEL")
    context: Literal["scores", "summaries", "traces"] = Field(
        default="traces", description="how much of earlier evaluations a proposing model is shown"
    )
    roles: dict[str, RoleSettings] = Field(default_factory=dict, description="how models answer, by role")
    reproducible: bool = Field(
        default=False, description="the same seed gives the same run, on any number of workers and any sandbox"
    )
    in_flight: int = Field(default=4, ge=1, description="reproducible: requests that are open at once")
    budget_usd: float | None = Field(default=None, gt=0, description="dollars that the run may spend on models")
    budget_tokens: int | None = Field(default=None, ge=1, description="tokens that it may spend, for unpriced models")
    concurrency: int = Field(default=8, ge=1, le=256, description="calls of a provider that are under way at once")
    cache: bool = Field(default=True, description="whether an equal call is answered from the archive's record")
    llm: Literal["live", "replay"] = Field(default="live", description="replay: recorded calls only, none is paid")
    prices: Path | None = Field(default=None, description="a TOML file with dollars per million tokens, by model")
    sandbox: str | None = Field(
        default=None, description="docker, bubblewrap or process; by default the best that runs here"
    )
    runtime: str | None = Field(
        default=None, min_length=1, description="docker: one of the engine's runtimes, runsc (gVisor) say"
    )
    workers: int | None = Field(
        default=None, ge=0, description="worker processes; by default one a core, 0 is this process"
    )
    ray_address: str | None = Field(
        default=None, min_length=1, description="a running Ray cluster to work on, HOST:PORT or auto; else this machine"
    )

    @field_validator("small")
    @classmethod
    def _can_decide(cls, small: int, known: ValidationInfo) -> int:
        most = known.data.get("deployment", small + 1)
        if small and not FEWEST <= small < most:
            raise ValueError(f"0, or at least {FEWEST} and fewer than deployment")
        return small

    @field_validator("roles")
    @classmethod
    def _bound_proposals(cls, roles: dict[str, RoleSettings]) -> dict[str, RoleSettings]:
        for role, given in roles.items():
            bounds = [name for name in ("steps", "tokens", "dollars") if getattr(given, name) is not None]
            if bounds and role != "propose":
                raise ValueError(f"{bounds[0]} is a bound of the role propose, not of {role}")
        return roles

    def identity(self, *versions: str) -> str:
        """Hash of what can change a result; `versions` are those of domain and agent."""
        facts = self.model_dump(exclude=set(FREE))
        for name in LATER:  # as in archives from before they were there
            if facts[name] == type(self).model_fields[name].default:
                del facts[name]
        return hashlib.sha256(json.dumps([facts, versions], sort_keys=True).encode()).hexdigest()[:16]


FREE = (
    *("designs", "finalists", "confirmation", "sandbox", "runtime", "workers", "ray_address"),
    *("budget_usd", "budget_tokens", "concurrency", "cache", "llm", "prices"),
)
"""Fields outside a run's identity: more designs extend it; the others change its pace, and the order of its results."""

LATER = (
    *("mode", "small", "drop_margin", "memory_model", "memory_tokens", "embedder", "context", "roles"),
    *("survivors", "descendants", "diagnosed", "exploration", "global_share", "backup", "children"),
    *("pe_emp", "insights", "tactics", "novelty"),
)
"""Fields that part runs only where they are not at their default."""


def make_config(file: Path | None, flags: dict[str, Any]) -> RunConfig:
    """The configuration of a TOML file overridden by flags that were given; raises `InputError` naming the field."""
    settings: dict[str, Any] = {}
    if file is not None:
        try:
            settings = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"{file} cannot be read as TOML: {error}") from error
    settings |= {name: value for name, value in flags.items() if value is not None and value != ()}
    if isinstance(settings.get("roles"), list | tuple):
        settings["roles"] = _roles(settings["roles"])
    try:
        config = RunConfig(**settings)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {_problem(e)}" for e in error.errors())
        raise InputError(f"the configuration is not valid: {problems}") from error
    if unknown := [role for role in config.roles if role not in DEFAULTS]:
        raise InputError(
            f"the configuration is not valid: roles.{unknown[0]}: there is no such role; the roles are"
            f" {', '.join(sorted(DEFAULTS))}"
        )
    return config


def _roles(settings: Sequence[str]) -> dict[str, dict[str, str]]:
    """Settings by role, of texts such as `reflect.effort=high`; raises `InputError`."""
    roles: dict[str, dict[str, str]] = {}
    for text in settings:
        name, is_set, value = text.partition("=")
        role, has_name, setting = name.partition(".")
        if not (is_set and has_name):
            raise InputError(f"--role takes ROLE.SETTING=VALUE, such as reflect.effort=high, not {text!r}")
        roles.setdefault(role, {})[setting] = value
    return roles


def _problem(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        if error["loc"][0] == "roles":
            return f"there is no such setting; a role has {', '.join(RoleSettings.model_fields)}"
        return f"there is no such field; the fields are {', '.join(RunConfig.model_fields)}"
    return error["msg"].removeprefix("Value error, ").lower()
