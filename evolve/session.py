"""Setting up a sitting: the archive, the run's row, the sandbox, the executor; and taking it all down again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archive.store import Archive, open_archive
from archive.tables import Run
from domains import registry as domains
from evolve.agents import registry as agents
from evolve.errors import InputError
from evolve.loop import Search
from evolve.progress import Watch

if TYPE_CHECKING:
    from evolve.config import RunConfig
    from evolve.executor import Executor
    from sandbox.backend import Backend


@dataclass(frozen=True, slots=True)
class Sitting:
    """An open search with its archive and run."""

    search: Search
    archive: Archive
    run: Run
    backend: Backend


@contextmanager
def sit_down(config: RunConfig, path: Path, watch: Watch, *, fresh: bool = False) -> Iterator[Sitting]:
    """Open the archive and a run of this configuration (the latest of its identity unless `fresh`); start workers."""
    from sandbox.backends import choose
    from sandbox.source import SourceChecker

    domain = domains.load(config.domain)
    agent = agents.load(config.agent)
    backend = choose(config.sandbox)
    archive = open_archive(path, write=True)
    checker = SourceChecker()
    executor: Executor | None = None
    try:
        run = _open_run(archive, config, (domain.version, agent.version), backend, fresh=fresh)
        executor = _hire(config, backend.name)
        began = time.monotonic()
        before = run.elapsed
        try:
            yield Sitting(Search(archive, run, config, domain, agent, executor, checker, watch), archive, run, backend)
            run.status = "done"
        except BaseException:
            run.status = "interrupted"
            raise
        finally:
            run.elapsed = before + time.monotonic() - began
            archive.save(run)
    finally:
        if executor is not None:
            executor.close()
        checker.close()
        archive.close()


def describe(backend: Backend) -> str:
    """A backend's name and what it does not isolate."""
    from sandbox.backend import HAZARDS

    missing = ", ".join(sorted(HAZARDS - backend.isolates))
    return f"{backend.name} (does not isolate: {missing})" if missing else f"{backend.name} (isolates everything named)"


def _open_run(archive: Archive, config: RunConfig, versions: tuple[str, str], backend: Backend, *, fresh: bool) -> Run:
    identity = config.identity(*versions)
    run = None if fresh else archive.latest(identity)
    if run is None:
        domain_version, agent_version = versions
        run = Run(
            identity=identity,
            config="",
            domain_version=domain_version,
            agent_version=agent_version,
            sandbox="",
            created=time.time(),
        )
    run.config = config.model_dump_json()
    run.sandbox = describe(backend)
    run.status = "running"
    archive.save(run)
    if run.id is None:
        raise InputError(f"{archive.path} did not take the run")
    return run


def _hire(config: RunConfig, backend: str) -> Executor:
    workers = config.workers if config.workers is not None else (os.cpu_count() or 1)
    if workers == 0:
        from evolve.executor import SerialExecutor

        return SerialExecutor(config.domain, config.agent, backend)
    from evolve.workers import RayExecutor

    return RayExecutor(config.domain, config.agent, backend, workers)
