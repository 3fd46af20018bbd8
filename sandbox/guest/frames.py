"""Length-prefixed JSON frames, and strict conversion of the contract's records to and from JSON.

A frame is four bytes of big-endian length and that many bytes of UTF-8 JSON. Both sides use this module; the host
treats every frame as a claim, so size, nesting, numbers and text are checked before anything is built from them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import struct
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from sandbox.guest.design import Item, Memory

HEADER = struct.Struct(">I")
MAX_FRAME = 8 * 1024 * 1024
"""What the guest reads. The host reads less (`Limits.frame_bytes`): in memory JSON takes a multiple of its size."""
MAX_NESTING = 32
MAX_ITEMS = 1000
MAX_MEMORY_CHARACTERS = 300_000

_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)

T = TypeVar("T")


class FrameError(ValueError):
    """A frame or a record in it is not what the protocol allows."""


def encode(value: Any) -> bytes:
    """Turn a JSON value into the payload of a frame; numbers must be finite and text valid."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise FrameError(f"not valid JSON: {error}") from None


def frame(payload: bytes) -> bytes:
    """Put the length in front of a payload."""
    if len(payload) > MAX_FRAME:
        raise FrameError(f"a frame of {len(payload)} bytes is over the limit of {MAX_FRAME}")
    return HEADER.pack(len(payload)) + payload


def length(header: bytes | bytearray, limit: int = MAX_FRAME) -> int:
    """Read a frame's length from its first four bytes and refuse what is over the limit."""
    size = int(HEADER.unpack_from(header)[0])
    if size > limit:
        raise FrameError(f"a frame of {size} bytes is over the limit of {limit}")
    return size


def decode(payload: bytes | bytearray) -> Any:
    """Read a payload: valid UTF-8, at most 32 levels, finite numbers, no lone surrogates."""
    try:
        text = payload.decode("utf-8")
        _check_nesting(text)
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\u" in text:  # only an escape can smuggle in half of a surrogate pair
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except FrameError:
        raise
    except (ValueError, RecursionError) as error:
        raise FrameError(f"not valid JSON: {error}") from None
    return value


def _check_nesting(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_NESTING:
        return
    depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = match.group()
        if mark in ("[", "{"):
            depth += 1
            if depth > MAX_NESTING:
                raise FrameError(f"nested deeper than {MAX_NESTING} levels")
        elif mark in ("]", "}"):
            depth -= 1


def _refuse_constant(name: str) -> Any:
    raise FrameError(f"{name} is not a finite number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise FrameError(f"{text[:40]} is not a finite number")
    return number


def pack(record: Any) -> Any:
    """Turn a record of the contract (or a tuple of them) into JSON values."""
    if isinstance(record, tuple):
        return [pack(part) for part in record]
    if dataclasses.is_dataclass(record):
        return {name: pack(getattr(record, name)) for name in record.__dataclass_fields__}
    return record


def unpack(record_type: type[T], value: Any) -> T:
    """Build a record from JSON values: every field present, none unknown, each of its exact type."""
    reader: Callable[[Any, str], T] = _reader(typing.cast(Any, record_type))
    return reader(value, record_type.__name__)


@cache
def _reader(kind: Any) -> Callable[[Any, str], Any]:
    """Make the function that reads one type: a scalar, a tuple of one type, or a dataclass of such fields."""
    if kind is float:
        return _read_float
    if kind in (str, int, bool):
        return lambda value, at: _exactly(kind, value, at)
    if typing.get_origin(kind) is tuple:
        part = _reader(typing.get_args(kind)[0])
        return lambda value, at: tuple([part(each, at) for each in _exactly(list, value, at)])
    hints = typing.get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}

    def read(value: Any, at: str) -> Any:
        if type(value) is not dict or value.keys() != readers.keys():
            raise FrameError(f"{at}: expected an object with {', '.join(readers)}")
        return kind(**{name: reader(value[name], f"{at}.{name}") for name, reader in readers.items()})

    return read


def _exactly(kind: type, value: Any, at: str) -> Any:
    if type(value) is not kind:
        raise FrameError(f"{at}: expected {kind.__name__}, got {type(value).__name__}")
    return value


def _read_float(value: Any, at: str) -> float:
    if type(value) not in (int, float):
        raise FrameError(f"{at}: expected a number, got {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise FrameError(f"{at}: the number is too large") from None


def pack_memory(answer: object) -> list[list[str]]:
    """Turn what `retrieve` answered, a `Memory` or a list of strings and items, into JSON values."""
    if not isinstance(answer, (Memory, list, tuple)):
        raise TypeError(f"retrieve must return a Memory or a list of strings, not {type(answer).__name__}")
    if len(answer) > MAX_ITEMS:  # before millions of them are looked at
        raise FrameError(f"a memory of {len(answer)} items is over the limit of {MAX_ITEMS}")
    for part in answer:
        if not isinstance(part, (str, Item)):
            raise TypeError(f"an item of a memory must be a string or an Item, not {type(part).__name__}")
    items = [[item.id, item.text] for item in Memory(answer)]
    unpack_memory(items)
    return items


def unpack_memory(value: Any) -> Memory:
    """Read a list of [id, text] pairs, and refuse one too long to be meant for an agent."""
    pairs = _exactly(list, value, "memory")
    if len(pairs) > MAX_ITEMS:
        raise FrameError(f"a memory of {len(pairs)} items is over the limit of {MAX_ITEMS}")
    items, characters = [], 0
    for pair in pairs:
        if type(pair) is not list or len(pair) != 2:
            raise FrameError("memory: expected [id, text] pairs")
        item = Item(_exactly(str, pair[0], "item id"), _exactly(str, pair[1], "item text"))
        if len(item.id) > 200:
            raise FrameError(f"an item id of {len(item.id)} characters is over the limit of 200")
        characters += len(item.text)
        items.append(item)
    if characters > MAX_MEMORY_CHARACTERS:
        raise FrameError(f"a memory of {characters} characters is over the limit of {MAX_MEMORY_CHARACTERS}")
    return Memory(items)
