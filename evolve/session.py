"""Setting up a sitting: the archive, the run's row, the sandbox, the executor; and taking it all down again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archive.insights import last_operation
from archive.opening import open_archive
from archive.store import Archive
from archive.tables import Run
from domains import registry as domains
from domains.base import Role
from evolve.agents import registry as agents
from evolve.errors import InputError, UntrustedError
from evolve.llm import keys
from evolve.llm.base import SpentError
from evolve.llm.models import is_spec
from evolve.llm.roles import AGENT, AGENTIC, models_of, settings_of
from evolve.loop import Search
from evolve.plan import draw, make_plan
from evolve.progress import Watch
from evolve.results import answered

if TYPE_CHECKING:
    from evolve.config import RunConfig
    from evolve.executor import Executor
    from evolve.llm.gateway import Gateway
    from evolve.llm.lines import Lines
    from evolve.llm.wire import Models
    from sandbox.backend import Backend

Versions = tuple[str, str]
"""Of the domain and of the agent."""
SPENT = "out of budget"
"""Status of a run whose budget for models did not cover the next call; a larger one goes on with it."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """An open search with its archive and run."""

    search: Search
    archive: Archive
    run: Run
    backend: Backend


@contextmanager
def sit_down(
    config: RunConfig, path: Path, watch: Watch, *, fresh: bool = False, allow_unsafe: bool = False
) -> Iterator[Sitting]:
    """Open the archive and a run of this configuration (the latest of its identity unless `fresh`); start workers."""

    def find(archive: Archive, versions: Versions) -> Run:
        return _open_run(archive, config, versions, fresh=fresh)

    with _seats(config, path, watch, find, allow_unsafe=allow_unsafe, measured=True) as sitting:
        run, archive = sitting.run, sitting.archive
        run.sandbox = describe(sitting.backend)
        run.image = sitting.backend.image()
        run.status = "running"
        archive.save(run)
        began, before = time.monotonic(), run.elapsed
        run.status = "interrupted"  # in the row once this sitting ends
        try:
            yield sitting
            run.status = "done" if _is_complete(archive, run) else "interrupted"
        except SpentError:
            run.status = SPENT
            raise
        finally:
            run.elapsed = before + time.monotonic() - began
            archive.save(run)


@contextmanager
def visit(config: RunConfig, path: Path, number: int, watch: Watch, *, allow_unsafe: bool = False) -> Iterator[Sitting]:
    """Open an existing run to evaluate something more for it; its row stays as it is."""

    def find(archive: Archive, versions: Versions) -> Run:
        run = archive.run(number)
        if (run.domain_version, run.agent_version) != versions:
            raise InputError(
                f"run {number} was made with version {run.domain_version} of {config.domain} and {run.agent_version} of"
                f" {config.agent}; these are now {' and '.join(versions)}, so the scores would not be comparable"
            )
        return run

    config = config.model_copy(update={"budget_usd": None, "budget_tokens": None, "llm": "live"})  # those of the search
    config = config.model_copy(update={"proposer": "genetic"})  # nothing is proposed, and no key of a model needed
    with _seats(config, path, watch, find, allow_unsafe=allow_unsafe) as sitting:
        yield sitting


@contextmanager
def _seats(
    config: RunConfig,
    path: Path,
    watch: Watch,
    find: Callable[[Archive, Versions], Run],
    *,
    allow_unsafe: bool,
    measured: bool = False,
) -> Iterator[Sitting]:
    from sandbox.backend import FILESYSTEM
    from sandbox.backends import choose
    from sandbox.source import SourceChecker

    keys.withhold()  # before any child could inherit one
    domain = domains.load(config.domain)
    agent = agents.load(config.agent, settings=settings_of(config, AGENT))
    make_plan(config, domain, agent)
    draw(domain, Role.DEPLOYMENT, config.deployment, config.seed)  # refuses what cannot be, before anything is written
    backend = choose(config.sandbox, runtime=config.runtime)
    isolated = allow_unsafe or FILESYSTEM in backend.isolates
    lines = _lines(config, isolated=isolated)
    with ExitStack() as stack:
        archive = open_archive(path, write=True)
        stack.callback(archive.close)
        run = find(archive, (domain.version, agent.version))
        gateway = _open_gateway(archive, run, config, lines)
        if gateway is not None:
            stack.callback(gateway.close)
        checker = stack.enter_context(SourceChecker())
        executor = _hire(config, backend.name, str(run.id), _serve(gateway, config))
        stack.callback(_reap, backend)
        stack.callback(executor.close)
        search = Search(
            archive,
            run,
            config,
            domain,
            agent,
            executor,
            checker,
            watch,
            isolated=isolated,
            gateway=gateway,
            measured=measured,
        )
        if gateway is not None:
            stack.callback(_finish, gateway, search)  # before the workers: what they wait for is paid, and recorded
        stack.callback(search.scheduler.close)
        if archive.notice:
            search.note(archive.notice)
        yield Sitting(search, archive, run, backend)


def _lines(config: RunConfig, *, isolated: bool) -> Lines | None:
    """The lines to the models that are asked, if any are; refuses what cannot be, before the run has a row."""
    if config.workers == 0 and config.ray_address is not None:
        raise InputError("--workers 0 does everything in this process; leave it or --ray-address out")
    if is_spec(config.proposer.removeprefix(AGENTIC)) and not isolated:
        raise UntrustedError("what a model writes")
    if not models_of(config):
        return None
    from evolve.llm.lines import Lines

    return Lines(config)


def _open_gateway(archive: Archive, run: Run, config: RunConfig, lines: Lines | None) -> Gateway | None:
    """The gateway of a run, where it asks models."""
    if lines is None:
        return None
    from evolve.llm.gateway import Gateway

    assert run.id is not None
    return Gateway(archive.path, run.id, config, lines)


def _finish(gateway: Gateway, search: Search) -> None:
    gateway.close(search.note)
    search.show()  # what the gateway had to tell in the end


def _serve(gateway: Gateway | None, config: RunConfig) -> Models | None:
    from evolve.llm.wire import address_towards

    return gateway.serve(address_towards(config.ray_address)) if gateway is not None else None


def _reap(backend: Backend) -> None:
    """Remove what a worker that had to be killed left behind; where the engine is away now, the next start does it."""
    from sandbox.backend import MachineFault

    with suppress(MachineFault):
        backend.reap()


def describe(backend: Backend) -> str:
    """A backend's name and what it does not isolate."""
    missing = ", ".join(left_open(backend))
    name = ", ".join(part for part in (backend.name, backend.extra) if part)
    return f"{name} (does not isolate: {missing})" if missing else f"{name} (isolates everything named)"


def left_open(backend: Backend) -> list[str]:
    """The hazards that a backend does not isolate."""
    from sandbox.backend import HAZARDS

    return sorted(HAZARDS - backend.isolates)


def _open_run(archive: Archive, config: RunConfig, versions: Versions, *, fresh: bool) -> Run:
    identity = config.identity(*versions)
    run = None if fresh else archive.latest(identity)
    if run is None:
        domain_version, agent_version = versions
        run = Run(
            identity=identity,
            config=config.model_dump_json(),
            domain_version=domain_version,
            agent_version=agent_version,
            sandbox="",
            created=time.time(),
            knew=last_operation(archive) if config.insights else 0,
        )
    else:
        known = type(config).model_validate_json(run.config)
        run.config = config.model_copy(update={"designs": max(known.designs, config.designs)}).model_dump_json()
    archive.save(run)
    if run.id is None:
        raise InputError(f"{archive.path} did not take the run")
    return run


def _is_complete(archive: Archive, run: Run) -> bool:
    """Whether all that the run was ever asked for has been begun; a sitting may have asked for less."""
    from evolve.config import RunConfig

    config = RunConfig.model_validate_json(run.config)
    return config.strategy == "eval" or (run.id is not None and answered(archive, run.id) >= config.designs)


def _hire(config: RunConfig, backend: str, run: str, models: Models | None) -> Executor:
    from evolve.executor import SerialExecutor, ThreadExecutor, threads_for

    names = (config.domain, config.agent, backend)
    if config.workers == 0:
        if models is None:
            return SerialExecutor(*names, run=run, runtime=config.runtime)
        return ThreadExecutor(*names, run=run, runtime=config.runtime, models=models, threads=threads_for(models, 1))
    from evolve.workers import RayExecutor

    return RayExecutor(
        *names,
        config.workers,
        run=run,
        runtime=config.runtime,
        address=config.ray_address,
        models=models,
        threads=threads_for(models, config.workers or os.cpu_count() or 1),
    )
