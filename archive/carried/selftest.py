"""The self-test: recorded episodes go in, recorded questions are asked, and what is told must be what was told then."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from archive.carried.memory import AgentMemory, _episode
from sandbox.guest.design import Query

SAMPLE = "{}"
"""JSON: episodes to learn from, and episodes to be asked about with the ids and texts that were told."""


def sample_embed(texts: Sequence[str]) -> list[list[float]]:
    """Stand-in vectors for the self-test: near where words are shared. Exact, so that no machine rounds differently."""
    return [_vector(text) for text in texts]


def _vector(text: str) -> list[float]:
    sums = [0] * 256
    for word in [text, *text.lower().split() * 4]:
        for at, byte in enumerate(hashlib.shake_128(word.encode("utf-8", "replace")).digest(256)):
            sums[at] += byte - 128
    norm = math.sqrt(sum(number * number for number in sums)) or 1.0
    return [round(number / norm * 2**20) / 2**20 for number in sums]


def selftest() -> list[str]:
    """What differs from what was recorded, in a sentence each; nothing where all is well."""
    sample = json.loads(SAMPLE)
    random.seed(0)
    memory = AgentMemory(embed=sample_embed)
    for value in sample["learned"]:
        episode = _episode(value)
        assert episode is not None
        memory.update(episode)
    memory.manage()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "memory.json"
        memory.save(file)
        loaded = AgentMemory.load(file, embed=sample_embed)
    asked = sample["asked"]
    return [*_differences(memory, asked, "it"), *_differences(loaded, asked, "saved and loaded again, it")]


def _differences(memory: AgentMemory, asked: list[dict[str, Any]], who: str) -> Iterator[str]:
    for question in asked:
        episode = _episode(question["episode"])
        assert episode is not None
        for step, expected in question["told"]:
            history = episode.steps[:step]
            if history:
                memory.observe(history[-1])
            observation = history[-1].observation if history else episode.task.observation
            told = memory.retrieve(Query(episode.task, observation, history, step, question["budget"]))
            if (items := [[item.id, item.text] for item in told]) != expected:
                yield f"asked about {episode.task.id} at step {step}, {who} tells {items!r} and not {expected!r}"


def main() -> int:
    """The command line of the module."""
    parser = argparse.ArgumentParser(description="A memory for agents; `pydoc` says how to use it.")
    parser.add_argument("--selftest", action="store_true", help="ask recorded questions, and compare the answers")
    if not parser.parse_args().selftest:
        parser.print_help()
        return 0
    differences = selftest()
    for difference in differences:
        sys.stderr.write(f"{difference}\n")
    asked = json.loads(SAMPLE)["asked"]
    items = sum(len(told) for question in asked for _, told in question["told"])
    sys.stdout.write(f"{'failed' if differences else 'ok'}: {len(asked)} episodes asked about, {items} items\n")
    return 1 if differences else 0
