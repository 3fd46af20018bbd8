"""A gateway on a server of scripted answers, for tests of what asks models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archive.opening import open_archive
from archive.tables import Run
from evolve.config import RunConfig
from evolve.llm.gateway import Gateway
from tests.model_server import Ask, ModelServer, Response, Say, Script


@contextmanager
def serving(
    folder: Path, script: Script, *, deadline: float = 1.0, **fields: Any
) -> Iterator[tuple[ModelServer, Gateway]]:
    """A server, and the gateway of a run whose models of the given fields, each true, are its own."""
    with ModelServer(script) as server:
        named: dict[str, Any] = {name: server.spec() if value is True else value for name, value in fields.items()}
        archive = open_archive(folder / "a.db", write=True)
        archive.save(Run(identity="x", config="{}", domain_version="1", agent_version="1", sandbox="", created=0.0))
        archive.close()
        gateway = Gateway(folder / "a.db", 1, RunConfig(**named), deadline=deadline)
        try:
            yield server, gateway
        finally:
            gateway.close()


def plays(ask: Ask) -> Response:
    """Takes the action that the memory names most often, else the first; says nothing of use to anything else."""
    action = (ask.schema or {}).get("properties", {}).get("action")
    if action is None:
        return Say(f"a note on {ask.text[:40]!r}")
    return Say(value={"thought": "so it was", "action": max(action["enum"], key=ask.text.count)})
