"""What is said to a language model, and what comes back: plain data, the same for every provider."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol

from evolve.errors import StandstillError

Speaker = Literal["system", "user", "assistant", "tool"]
Effort = Literal["minimal", "low", "medium", "high"]
Finish = Literal["stop", "length", "tools", "refusal"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called; `arguments` is a JSON object."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model may call; `parameters` is a JSON schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    speaker: Speaker
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    """Tools that an assistant's message calls."""
    answers: str = ""
    """Id of the call that a tool's message answers."""
    kept: Any = None
    """The reply's, in an assistant's message that repeats it unchanged."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is to answer. What is none is left to the provider."""

    max_tokens: int = 4096
    """Most tokens of the answer, reasoning included."""
    temperature: float | None = None
    effort: Effort | None = None
    """Of reasoning, where the model has it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a model. Equal requests are one and the same to the cache."""

    messages: tuple[Message, ...]
    settings: Settings = Settings()
    schema: dict[str, Any] | None = None
    """JSON schema that the answer's value has to fit, by the provider's own mechanism."""
    tools: tuple[Tool, ...] = ()
    continues: bool = False
    """Whether the model is to continue the text of the one message, rather than to answer it."""
    grammar: str = ""
    """GBNF grammar of the answer, for servers that know it (llama.cpp)."""
    stop: tuple[str, ...] = ()
    """Texts at which the answer ends."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """For whom and for what a call is made: what the ledger says of it, and what tells equal requests apart."""

    role: str
    """`reflect`, `implement`, `repair`, `propose`, `agent`, `memory`, `embed`, ..."""
    model: str
    """As the user named it, such as `openai:gpt-5-mini`; see `evolve.llm.models`."""
    design: str = ""
    """Id of the design whose account it is on, if any."""
    sample: int = 0
    """Equal requests of one role are one call where this is equal, and independent samples where it is not."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the provider counts them.

    Of those in, `cached` came from the provider's cache and `written` went into it; reasoning is part of those out.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    reasoning: int = 0
    written: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer, with what it took. `value` is the answer parsed as JSON where a schema was given."""

    text: str
    value: Any = None
    calls: tuple[ToolCall, ...] = ()
    finish: Finish = "stop"
    usage: Usage = field(default_factory=Usage)
    dollars: float | None = None
    """By the price table; none where it does not know the model."""
    is_hit: bool = False
    """Whether it came from the archive's record and was not paid for now."""
    kept: Any = None
    """What the provider wants to see again where the conversation goes on, such as what the model thought before it
    called tools: JSON that only the provider reads."""


class Asker(Protocol):
    """Answers requests. The driver's gateway is one, and so is what workers reach it by.

    Called from several threads at once; each call waits for its answer.
    """

    def ask(self, request: Request, purpose: Purpose) -> Reply:
        """The answer; raises a `ModelError`."""

    def embed(self, texts: list[str], purpose: Purpose) -> list[list[float]]:
        """Unit vectors of the texts by a provider's embedding model; raises a `ModelError`."""


class ModelError(Exception):
    """A call that has no usable answer; the message says which model, what was wrong and what to do."""


class ModelAwayError(ModelError):
    """The provider did not answer, or not in time, after all retries: nobody's fault here, and worth another try."""


class ModelRefusedError(ModelError):
    """The provider will not answer this request, now or later: a refusal, or a request that it calls wrong."""


class TooLongError(ModelRefusedError):
    """The request does not fit the model's context."""


class BadAnswerError(ModelError):
    """What came back is not of the form that was asked for, also when asked again."""


class SpentError(ModelError, StandstillError):
    """The run's budget does not cover another call. What is done is kept; a larger budget goes on with it."""


class UnrecordedError(ModelError, StandstillError):
    """With `--llm replay`, a call that the archive does not hold."""
