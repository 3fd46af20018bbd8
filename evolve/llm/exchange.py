"""One exchange with a provider over an official client: plain JSON, or one of our errors, without the key in it."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Awaitable, Mapping
from types import ModuleType
from typing import Any

from evolve.llm.base import ModelAwayError, ModelError, ModelRefusedError, TooLongError
from evolve.llm.keys import redacted
from evolve.llm.models import TransientError
from evolve.llm.retry import seconds_of

CONNECT = 10.0
LONGEST = 400
"""Characters of a provider's own words in our messages."""

TOO_LONG = (
    "context_length_exceeded",
    "exceed_context_size",
    "prompt is too long",
    "maximum context length",
    "context window",
)
"""What OpenAI, llama.cpp, Anthropic, vLLM and others say of a request that does not fit."""

_SURROGATE = re.compile(r"\\u[dD]")

SPENT = ("insufficient_quota", "credit balance", "billing")


async def exchange(
    call: Awaitable[Any], client: ModuleType, name: str, key: str | None, timeout: float
) -> dict[str, Any]:
    """The JSON object that answers a raw call of `client`, which is the package `openai` or `anthropic`.

    The deadline is absolute: an answer that arrives byte by byte would never run into a read timeout.
    """
    failure: ModelError
    try:
        async with asyncio.timeout(timeout):
            body = await (await call).http_response.aread()
        answer = read_json(body.decode("utf-8", "replace"))
        if isinstance(answer, dict):
            return answer
        failure = TransientError(f"{name} answered with something that is no JSON object")
    except (TimeoutError, client.APITimeoutError):
        failure = TransientError(f"{name} did not answer within {timeout:.0f} s")
    except client.APIStatusError as error:
        failure = of_status(name, error.status_code, error.response.headers, redacted(error.response.text, key))
    except client.APIConnectionError as error:
        cause = type(error.__cause__).__name__ if error.__cause__ else "no reason given"
        failure = TransientError(f"{name} can not be reached, or broke off ({cause})")
    raise failure  # outside the block: the client's error and its request stay out of the traceback


def of_status(name: str, status: int, headers: Mapping[str, str], body: str) -> ModelError:
    """What a status other than success means for us."""
    said = _said(body)
    told = f"{name} answered {status}: {said}" if said else f"{name} answered {status}"
    lowered = body.lower()
    if status in (401, 403):
        return ModelAwayError(f"{name} does not accept the key, or not for this model ({status})")
    if status == 402 or (status in (400, 403, 429) and any(mark in lowered for mark in SPENT)):
        return ModelAwayError(f"{told}; the account has no credit left")
    if status == 404:
        return ModelAwayError(f"{told}; is the model's name right?")
    if status in (429, 503, 529):
        wait = seconds_of(headers.get("retry-after"))
        return TransientError(told, retry_after=wait, overloaded=True)
    if status in (408, 409, 425) or (status >= 500 and status != 501):
        return TransientError(told, retry_after=seconds_of(headers.get("retry-after")))
    if status == 413 or any(mark in lowered for mark in TOO_LONG):
        return TooLongError(f"{told}; shorten what is asked")
    return ModelRefusedError(told)


def read_json(text: str) -> Any:
    """The text as JSON, all numbers finite, all texts of whole characters; none where it is something else."""
    try:
        value = json.loads(text, parse_constant=_not_a_number, parse_float=_finite)
        if _SURROGATE.search(text):  # half a pair is no character, and could not be said again
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
        return value
    except (ValueError, RecursionError):
        return None


def count(value: object) -> int | None:
    """A provider's count of tokens, where it is one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _said(body: str) -> str:
    answer = read_json(body)
    error = answer.get("error", answer) if isinstance(answer, dict) else None
    said = error.get("message") if isinstance(error, dict) else error
    return " ".join(str(said).split())[:LONGEST] if said else ""


def _not_a_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is not finite")
    return value
