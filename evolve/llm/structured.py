"""Answers of a form: the schema that is sent along, the value that comes back, and the one time it is asked again."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from evolve.llm.base import Asker, BadAnswerError, Message, ModelRefusedError, Purpose, Reply, Request
from evolve.llm.exchange import read_json
from evolve.llm.models import UnusableError

if TYPE_CHECKING:
    from pydantic import BaseModel

    Form = TypeVar("Form", bound=BaseModel)

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)
_DROPPED = ("title", "default", "minLength", "maxLength")
"""Said elsewhere, or not accepted by every provider; the form itself checks them."""
_TEXT_SHOWN = 20_000


def ask_for(asker: Asker, form: type[Form], request: Request, purpose: Purpose) -> tuple[Form, Reply]:
    """An answer of the form, and the reply that held it; what it took counts both calls where there were two.

    An answer that does not fit is shown to the model once, with what is wrong with it. Raises `BadAnswerError` where
    the second does not fit either, and `ModelRefusedError` where the model refuses.
    """
    asked = replace(request, schema=schema_of(form))
    first, value, problem = _ask(asker, form, asked, purpose)
    if value is not None:
        return value, first
    again = Message(
        "user", f"That answer can not be used: {problem}. Give the whole answer again, mended, as JSON only."
    )
    turns = (*asked.messages, *_said(first), again)
    second, value, problem = _ask(asker, form, replace(asked, messages=turns), purpose)
    if value is None:
        raise BadAnswerError(f"{purpose.model} gave no {form.__name__}, also when asked again: {problem}")
    return value, _both(first, second)


def schema_of(form: type[BaseModel]) -> dict[str, Any]:
    """The form's JSON schema, as strict as providers ask for: every property required, none added.

    A reference to another form keeps nothing beside it: what a field of that form means belongs into its docstring.
    """
    strict: dict[str, Any] = _strict(form.model_json_schema())
    return strict


def is_strict(schema: Any) -> bool:
    """Whether every object of the schema names all it may hold, as OpenAI's strict mode demands."""
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
    return all(map(is_strict, schema.values()))


def value_of(text: str) -> Any:
    """The answer's text as JSON, also between fences; none where it is no JSON."""
    fenced = _FENCED.fullmatch(text)
    return read_json(fenced.group(1) if fenced else text)


def _ask(asker: Asker, form: type[Form], request: Request, purpose: Purpose) -> tuple[Reply, Form | None, str]:
    """The reply, its value of the form, and what is wrong with it where it has none."""
    from pydantic import ValidationError

    try:
        reply = asker.ask(request, purpose)
    except BadAnswerError as error:
        return error.reply if isinstance(error, UnusableError) else Reply(""), None, str(error)
    if reply.finish == "refusal":
        raise ModelRefusedError(f"{purpose.model} refused: {reply.text[:200]}")
    if reply.value is None:
        cut = f"it was cut at {request.settings.max_tokens} tokens, so be brief"
        return reply, None, cut if reply.finish == "length" else "it is no JSON"
    try:
        return reply, form.model_validate(reply.value), ""
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}" for each in error.errors()[:5]]
        return reply, None, "; ".join(problems)


def _said(reply: Reply) -> tuple[Message, ...]:
    """What the model said as its turn; one that is cut here is no longer what its provider wants to see."""
    if not reply.text:
        return ()
    text = reply.text[:_TEXT_SHOWN]
    return (Message("assistant", text, kept=reply.kept if text == reply.text else None),)


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    strict = {name: _strict(value) for name, value in schema.items() if name not in _DROPPED}
    for named in ("properties", "$defs"):  # whose names may be `title` and `default` themselves
        if isinstance(schema.get(named), dict):
            strict[named] = {name: _strict(value) for name, value in schema[named].items()}
    if isinstance(schema.get("properties"), dict):
        strict |= {"additionalProperties": False, "required": list(schema["properties"])}
    return strict


def _both(first: Reply, second: Reply) -> Reply:
    known = first.dollars is not None and second.dollars is not None
    dollars = (first.dollars or 0) + (second.dollars or 0) if known else None
    return replace(second, usage=first.usage + second.usage, dollars=dollars, is_hit=first.is_hit and second.is_hit)
