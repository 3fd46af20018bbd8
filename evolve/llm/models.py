"""Language models by name, the protocol that providers answer by, and the errors of one attempt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args
from urllib.parse import urlsplit

from evolve.errors import InputError
from evolve.llm import keys
from evolve.llm.base import BadAnswerError, ModelAwayError, Reply, Request, Usage

Maker = Literal["openai", "anthropic", "local"]

FORMS = "openai:MODEL, openai:MODEL@URL, anthropic:MODEL, anthropic:MODEL@URL, local or local:PATH.gguf"


class Provider(Protocol):
    """Makes single attempts: no retries, no limits, no cache. All its methods run in one event loop."""

    name: str
    """For messages, and for the limiter: models of one name share a limit."""

    async def complete(self, model: str, request: Request, timeout: float) -> Reply:
        """The answer within `timeout` seconds, its usage filled; raises a `ModelError`.

        An answer that does not fit the request's schema, a cut one and a refusal are answers too: they were paid.
        """

    async def embed(self, model: str, texts: list[str], timeout: float) -> tuple[list[list[float]], Usage]:
        """Unit vectors of the texts; raises a `ModelError`."""

    async def close(self) -> None:
        """Give back the connections, and stop what was started."""


class TransientError(ModelAwayError):
    """An attempt that failed for a reason that passes: worth another."""

    def __init__(self, message: str, *, retry_after: float | None = None, overloaded: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the provider asks to wait, if it does."""
        self.overloaded = overloaded
        """Whether the provider has too much to do: fewer calls at once would help."""


class UnusableError(BadAnswerError):
    """An answer without content, or with a tool call that can not be read. It was paid all the same: see `reply`."""

    def __init__(self, message: str, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.reply = reply or Reply("")


@dataclass(frozen=True, slots=True)
class Spec:
    """A model as the user names it.

    >>> parse("openai:llama3:8b@http://127.0.0.1:8080/v1")
    Spec(provider='openai', model='llama3:8b', url='http://127.0.0.1:8080/v1')
    """

    provider: Maker
    model: str
    """What the provider calls it; for `local` the path of its weights, empty for those that a package ships."""
    url: str | None = None
    """Of a server that speaks the provider's language; none is the provider's own."""

    def __str__(self) -> str:
        place = f"@{self.url}" if self.url else ""
        return f"{self.provider}:{self.model}{place}" if self.model else self.provider


def parse(spec: str) -> Spec:
    """The model of a name; raises `InputError` saying what is wrong with it."""
    provider, _, rest = spec.partition(":")
    if provider == "local":
        return Spec("local", rest)
    if provider not in get_args(Maker):
        raise InputError(f"there is no model {spec!r}; a model is named {FORMS}")
    cuts = [at for scheme in ("@http://", "@https://") if (at := rest.rfind(scheme)) >= 0]
    model, url = (rest[: max(cuts)], rest[max(cuts) + 1 :]) if cuts else (rest, None)
    if not model or model != model.strip():
        raise InputError(f"{spec!r} names no model after {provider}:; a model is named {FORMS}")
    return Spec("openai" if provider == "openai" else "anthropic", model, _checked(url) if url else None)


def is_spec(name: str) -> bool:
    """Whether a name is meant to be a model's.

    >>> [is_spec(name) for name in ("openai:m", "local", "genetic")]
    [True, True, False]
    """
    return name.partition(":")[0] in get_args(Maker)


def connect(spec: Spec, *, slots: int = 8) -> Provider:
    """The provider of a model, to be used in one event loop.

    Models of the same provider and server can share it. A local one answers `slots` calls at once. Raises `InputError`
    where a key or a package is missing.
    """
    if spec.provider == "local":
        from evolve.llm.local import LocalModel

        return LocalModel(spec.model, slots)
    if spec.provider == "anthropic":
        from evolve.llm.anthropic import Anthropic

        return Anthropic(spec.url)
    from evolve.llm.openai import OpenAI

    return OpenAI(spec.url)


def unit(vector: Sequence[float]) -> list[float]:
    """The vector at length one; one of zeros stays.

    >>> unit([3, 4])
    [0.6, 0.8]
    """
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else list(vector)


def is_here(url: str | None) -> bool:
    """Whether an address is this machine's own, where no proxy leads.

    >>> [is_here(url) for url in ("http://127.0.0.1:8080/v1", "http://localhost", "https://host.org", None)]
    [True, True, False, False]
    """
    host = urlsplit(url).hostname if url else None
    return host is not None and (host in ("localhost", "::1") or host.startswith("127."))


def _checked(url: str) -> str:
    parts = urlsplit(url)
    try:
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number
        known = False
    if not known:
        raise InputError(f"{url!r} is not the address of a server, such as http://127.0.0.1:8080/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InputError(
            f"the address of the server {parts.hostname} holds more than a host and a path; a model's name is written "
            f"to the archive, so a key belongs into the environment, as {keys.SERVER}"
        )
    return url.rstrip("/")
