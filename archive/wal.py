"""Where a write-ahead log is torn. SQLite goes on without what follows, and without a word.

The format is SQLite's own: "The WAL File Format" in its documentation.
"""

from __future__ import annotations

import struct
from pathlib import Path

_MAGIC = 0x377F0682
_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MASK = 0xFFFFFFFF


def torn(path: Path) -> str:
    """What is wrong with the log of an archive that nobody has open, in words; empty where all is well."""
    try:
        log = path.with_name(path.name + "-wal").read_bytes()
    except FileNotFoundError:
        return ""
    if not log:
        return ""
    if len(log) < _HEADER.size:
        return f"only {len(log)} bytes of its header are there"
    magic, _, size, _, *salts, first, second = _HEADER.unpack_from(log)
    order = ">" if magic & 1 else "<"
    sums = _sums(log[:24], (0, 0), order)
    if magic & ~1 != _MAGIC or sums != (first, second):
        return "its header is garbled, so that all of it is lost"
    place = _HEADER.size
    frames = (len(log) - place) // (_FRAME.size + size)
    for number in range(1, frames + 1):
        _, _, *found, first, second = _FRAME.unpack_from(log, place)
        sums = _sums(log[place : place + 8], sums, order)
        sums = _sums(log[place + _FRAME.size : place + _FRAME.size + size], sums, order)
        if found != salts:  # left over from before the log was last begun anew
            return ""
        if sums != (first, second):
            return f"it is garbled from frame {number} of {frames} on"
        place += _FRAME.size + size
    left = len(log) - place
    return f"its last frame is cut short: {left} of {_FRAME.size + size} bytes are there" if left else ""


def _sums(data: bytes, before: tuple[int, int], order: str) -> tuple[int, int]:
    """SQLite's running checksum over 32-bit words, two at a time."""
    first, second = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & _MASK
        second = (second + odd + first) & _MASK
    return first, second
