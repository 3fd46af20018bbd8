"""A built memory as a JSON value and back, for designs that have `dump()` and `load(state)`.

What the building drew from the seeded generators belongs to the memory: a restored one must go on drawing where the
built one would.
"""

from __future__ import annotations

import random
import sys
from random import Random
from typing import Any

from sandbox.guest import frames
from sandbox.guest.design import MemoryDesign
from sandbox.guest.loading import DesignError


def dump(design: MemoryDesign, rng: Random, seed: int, limit: int) -> dict[str, Any] | None:
    """The memory, or None where the design has no `dump`, has nothing to give, or gives more than `limit` bytes."""
    method = getattr(design, "dump", None)
    state = method() if callable(method) else None
    if state is None:
        return None
    snapshot = {"memory": state, "drawn": _drawn(rng, seed)}
    payload = frames.encode({"result": snapshot})
    frames.decode(payload)  # what is nested too deep fails here, as the design's exception
    return snapshot if len(payload) <= limit else None


def restore(design: MemoryDesign, rng: Random, snapshot: dict[str, Any]) -> None:
    """Give a freshly constructed design the memory of another one of the same code."""
    method = getattr(design, "load", None)
    if not callable(method):
        raise DesignError("a design whose memory is to be restored needs a method load(state)")
    method(snapshot["memory"])
    for name, (kind, key, *rest) in snapshot["drawn"].items():
        if name == "numpy":
            import numpy

            numpy.random.set_state((kind, numpy.array(key, dtype=numpy.uint32), *rest))
        else:
            (rng if name == "toolkit" else random).setstate((kind, tuple(key), *rest))


def _drawn(rng: Random, seed: int) -> dict[str, list[Any]]:
    """The states of those generators that have been drawn from since they were seeded."""
    states = {
        name: [state[0], list(state[1]), state[2]]
        for name, state in (("toolkit", rng.getstate()), ("random", random.getstate()))
        if state != Random(seed).getstate()
    }
    module: Any = sys.modules.get("numpy.random")
    if module is not None:
        now, before = ([k, key.tolist(), *rest] for k, key, *rest in _numpy_states(module, seed))
        if now != before:
            states["numpy"] = now
    return states


def _numpy_states(module: Any, seed: int) -> tuple[Any, Any]:
    return module.get_state(), module.RandomState(seed % 2**32).get_state()
