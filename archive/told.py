"""What an episode was told, as the archive keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sandbox.guest import Item, Retrieved

Packed = list[Any]
"""What an episode was told, as JSON: the items it began with, where nothing followed; else the changes, each as a pair
of its step and its items. An item is its text, or a pair (id, text) where its id is not the one that its text gives."""


def began_with(items: Sequence[Item]) -> tuple[Retrieved, ...]:
    """What was told where nothing followed after the start."""
    return (Retrieved(0, tuple(items)),) if items else ()


def pack_told(told: Sequence[Retrieved]) -> Packed:
    """What an episode was told, as a JSON value."""
    packed = [[_pack_item(item) for item in change.items] for change in told]
    if all(change.step == 0 for change in told):
        return packed[0] if packed else []
    return [[change.step, items] for change, items in zip(told, packed, strict=True)]


def unpack_told(told: Packed) -> tuple[Retrieved, ...]:
    """The inverse of `pack_told`.

    >>> unpack_told([["i7", "take it"]])
    (Retrieved(step=0, items=(Item(id='i7', text='take it'),)),)
    """
    if told and not isinstance(told[0], str) and isinstance(told[0][0], int):
        return tuple(Retrieved(step, tuple(map(_unpack_item, items))) for step, items in told)
    return began_with([_unpack_item(item) for item in told])


def _pack_item(item: Item) -> str | list[str]:
    return item.text if item.id == _id_of(item.text) else [item.id, item.text]


def _unpack_item(packed: str | list[str]) -> Item:
    return Item.of(packed) if isinstance(packed, str) else Item(*packed)


@lru_cache(maxsize=1 << 14)
def _id_of(text: str) -> str:
    return Item.of(text).id
