"""Translated games on disk: from PDDL to what the engine steps through takes half a second, and is always the same."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib import import_module, metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from domains.alfworld_games import cache_directory

Translate = Callable[..., tuple[Any, str]]


def keeping(translate: Translate) -> Translate:
    """The engine's translator with a memory; it gives of a task what the engine asks of it.

    The engine translates twice, and the second, optimised one serves its planner alone, which nobody asks: it gets the
    first again.
    """

    @lru_cache(maxsize=1)
    def once(domain: str, problem: str) -> tuple[Any, str]:
        file = _file(domain, problem)
        with suppress(OSError, ValueError, zlib.error):
            return _restored(json.loads(zlib.decompress(file.read_bytes())))
        kept = _plain(*translate(domain, problem, verbose=False))
        _write(file, zlib.compress(json.dumps(kept).encode()))
        return _restored(kept)

    def translated(domain: str, problem: str, verbose: bool = False, optimize: bool = False) -> tuple[Any, str]:
        return once(domain, problem)

    return translated


def _file(domain: str, problem: str) -> Path:
    content = json.dumps([metadata.version("fast-downward-textworld"), domain, problem])
    key = hashlib.blake2b(content.encode(), digest_size=12).hexdigest()
    return cache_directory() / "translated" / f"{key}.json.z"


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    scratch.write_bytes(content)
    scratch.replace(file)


def _plain(task: Any, sas: str) -> dict[str, Any]:
    """What the engine asks of a translated task, as JSON."""
    return {
        "actions": [
            {
                "name": action.name,
                "parameters": [(parameter.name, parameter.type_name) for parameter in action.parameters],
                "changes": sorted({effect.literal.predicate for effect in action.effects}),
            }
            for action in task.actions
        ],
        "types": [(kind.name, kind.supertype_names) for kind in task.types],
        "objects": [(entity.name, entity.type_name) for entity in task.objects],
        # Without what is assigned: costs, of which no text tells.
        "init": [(atom.predicate, atom.args) for atom in task.init if hasattr(atom, "predicate")],
        "sas": sas,
    }


def _restored(kept: dict[str, Any]) -> tuple[Any, str]:
    atom = import_module("fast_downward.translate.pddl.conditions").Atom
    actions = [
        SimpleNamespace(
            name=action["name"],
            parameters=[SimpleNamespace(name=name, type_name=kind) for name, kind in action["parameters"]],
            changes=action["changes"],
        )
        for action in kept["actions"]
    ]
    task = SimpleNamespace(
        actions=actions,
        types=[SimpleNamespace(name=name, supertype_names=above) for name, above in kept["types"]],
        objects=[SimpleNamespace(name=name, type_name=kind) for name, kind in kept["objects"]],
        init=[atom(predicate, names) for predicate, names in kept["init"]],
    )
    return task, kept["sas"]
