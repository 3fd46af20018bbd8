"""`evolve play`: a person plays a task in the terminal, shown what a design's memory tells where one is named."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from evolve.commands.show import complain, console, safe_text, say_json
from evolve.errors import InputError, UntrustedError

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Run
    from domains.base import Domain, TaskSpec
    from evolve.config import RunConfig
    from evolve.live import Asked
    from sandbox.backend import Backend
    from sandbox.guest import Item, Step, Trajectory

LEAVE = ("q", "quit")
LONG_LIST = 12
"""More actions than these are shown side by side."""

Source = tuple[Path, str, int | None, str | None, str | None]
"""Of what is told: the archive, the leading characters of a design's id, the run, the sandbox and its runtime."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be played."""

    domain: str
    role: str
    task: str | None
    seed: int


@dataclass(slots=True)
class Session:
    """One episode of a person, and where it is shown."""

    show: Callable[[str], None]
    most: int
    steps: list[Step] = field(default_factory=list)
    score: float = 0.0
    won: bool = False
    over: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """A design's memory, open for one episode."""

    design: str
    instructions: str
    asked: Asked


def play_task(wish: Wish, source: Source | None, *, allow_unsafe: bool, as_json: bool) -> None:
    """Play, and say what came of it; exit code 1 where the design failed."""
    from domains import registry
    from evolve.llm import keys
    from sandbox.backend import DesignFault

    keys.withhold()
    domain = registry.load(wish.domain)
    spec = _chosen(domain, wish)
    domain.prepare([spec])
    out = console(stderr=as_json)
    session = Session(lambda text: out.print(safe_text(text), soft_wrap=True), domain.max_steps)
    try:
        with _memory(domain, source, allow_unsafe=allow_unsafe) if source is not None else nullcontext() as memory:
            session.show(f"{spec.id} of {domain.name}, seed {wish.seed}")
            _play(domain, spec, wish.seed, session, memory)
    except DesignFault as fault:
        complain(f"the design failed, and with it the episode ended: {fault}")
        raise typer.Exit(1) from None
    if as_json:
        say_json(_json(wish, spec, session, memory))


def _chosen(domain: Domain, wish: Wish) -> TaskSpec:
    """The task of that id or number, or one that the seed draws."""
    from domains.base import Role

    roles = [role.value for role in Role if role is not Role.TEST]
    if wish.role not in roles:
        kept = "the test tasks are for `evolve test` alone" if wish.role == Role.TEST else "there is no such role"
        raise InputError(f"--role {wish.role}: {kept}; choose {', '.join(roles)}")
    tasks = domain.tasks(Role(wish.role))
    if wish.task is None:
        return tasks[wish.seed % len(tasks)]
    if wish.task.isdecimal() and int(wish.task) < len(tasks):
        return tasks[int(wish.task)]
    found = [spec for spec in tasks if spec.id == wish.task]
    if not found:
        raise InputError(
            f"{domain.name} has no {wish.role} task {wish.task!r}; there are {len(tasks)}, numbered from 0, such as"
            f" {tasks[0].id}"
        )
    return found[0]


def _play(domain: Domain, spec: TaskSpec, seed: int, session: Session, memory: Memory | None) -> None:
    """One episode, until it ends or is left."""
    from sandbox.guest import Step, Task

    with closing(domain.environment(spec)) as environment:
        observation, info = environment.reset(seed=seed)
        session.show(f"\n{info['goal']}\n\n{observation}")
        items: Sequence[Item] = ()
        if memory is not None:
            if memory.instructions:
                session.show(f"\nhow to use the memory: {memory.instructions}")
            items = memory.asked.begin(Task(spec.id, domain.name, info["goal"], observation))
            _show_items(session, items)
        while not session.over:
            if picture := environment.render():
                session.show(f"\n{picture}")
            action = _asked_for(session, info["actions"])
            if action is None:
                session.show(f"\nLeft after {len(session.steps)} steps, score {session.score:.2f}.")
                return
            observation, reward, terminated, truncated, info = environment.step(action)
            session.over = terminated or truncated
            session.score, session.won = info["score"], info["won"]
            session.steps.append(Step(action, observation, float(reward), session.over))
            session.show(f"\n{observation}")
            if memory is not None and not session.over and (told := memory.asked.after(session.steps)) != items:
                items = told
                _show_items(session, items)
    end = "won" if session.won else "over" if terminated else f"over: that was step {session.most} of {session.most}"
    session.show(f"\nThe game is {end}. Score {session.score:.2f} after {len(session.steps)} steps.")


def _show_items(session: Session, items: Sequence[Item]) -> None:
    lines = [f"  - {item.text}" for item in items] or ["  nothing"]
    session.show("\n".join(["\nthe memory tells:", *lines]))


def _asked_for(session: Session, actions: Sequence[str]) -> str | None:
    """The action that is typed, or none at the end of what is typed."""
    from evolve.agents.matching import matched

    listed = [f"{number} {action}" for number, action in enumerate(actions, 1)]
    between = "   " if len(listed) > LONG_LIST else "\n  "
    session.show(f"\nscore {session.score:.2f}, step {len(session.steps) + 1} of {session.most}")
    session.show(f"  {between.join(listed)}")
    while line := sys.stdin.readline():
        said = line.strip()
        if said in actions:
            return said
        if said.lower() in LEAVE:
            return None
        if said.isdecimal() and 1 <= int(said) <= len(actions):
            return actions[int(said) - 1]
        if said and (meant := matched(said, actions)) is not None:
            return meant
        session.show("That is none of the actions: type one of them, or its number; q leaves.")
    return None


@contextmanager
def _memory(domain: Domain, source: Source, *, allow_unsafe: bool) -> Iterator[Memory]:
    """A design with the memory that it had in its run, built again in a sandbox, and open for an episode."""
    from evolve.building import load
    from evolve.commands.tables import config_of, reading
    from evolve.judging import DESIGN_SEED
    from evolve.live import Asked
    from sandbox.embedding import Embedder
    from sandbox.pool import Pool

    path, prefix, number, sandbox, runtime = source
    with reading(path) as archive:
        design = archive.design(prefix)
        run = _run_of(archive, design.id, number)
        config = config_of(run)
        learned = _learned(archive, run, config, domain)
    if config.memory_model or config.embedder != "static":
        complain("the models of its run are not asked here, so that it may tell something else than it told there")
    backend = _backend(sandbox, runtime, trusted=allow_unsafe or design.origin != "untrusted")
    with Pool(backend, embed=Embedder()) as pool, pool.lease() as session:
        loaded = load(session, design.source, DESIGN_SEED)
        for trajectory in learned:
            session.update(trajectory)
        session.manage()
        with session.episode() as episode:
            asked = Asked(episode, config.memory_budget, each_step="step" in loaded.phases)
            yield Memory(design.id, loaded.instructions, asked)


def _run_of(archive: Archive, design: str, number: int | None) -> Run:
    """The run that is meant, by default the newest that has the design."""
    known = archive.runs_of(design)
    if number is not None and number not in known:
        raise InputError(f"run {number} has no design {design[:10]}; it is in run {known[0]}")
    return archive.run(number if number is not None else known[-1])


def _learned(archive: Archive, run: Run, config: RunConfig, domain: Domain) -> list[Trajectory]:
    """The episodes that filled the memories of a run, as they were recorded."""
    from evolve.agents import registry as agents
    from evolve.llm.roles import AGENT, settings_of
    from evolve.plan import make_plan
    from sandbox.guest import Trajectory, frames

    if (config.domain, run.domain_version) != (domain.name, domain.version):
        raise InputError(
            f"the design learned {config.domain}, version {run.domain_version}, in run {run.id}, and this is"
            f" {domain.name}, version {domain.version}; its memory says nothing of that"
        )
    plan = make_plan(config, domain, agents.load(config.agent, settings=settings_of(config, AGENT)))
    keys = [order.key for order in plan.collect()]
    recordings = archive.recordings(keys)
    if len(recordings) < len(set(keys)):
        raise InputError(
            f"run {run.id} has recorded {len(recordings)} of the {len(keys)} episodes that fill its memories; `evolve"
            " run` with the run's flags collects the others"
        )
    return [frames.unpack(Trajectory, recordings[key]) for key in keys]


def _backend(name: str | None, runtime: str | None, *, trusted: bool) -> Backend:
    from sandbox.backend import FILESYSTEM
    from sandbox.backends import choose

    backend = choose(name, runtime=runtime)
    if FILESYSTEM not in backend.isolates and not trusted:
        raise UntrustedError
    return backend


def _json(wish: Wish, spec: TaskSpec, session: Session, memory: Memory | None) -> dict[str, Any]:
    told = memory.asked.retrieved if memory is not None else []
    return {
        "domain": wish.domain,
        "task": spec.id,
        "seed": wish.seed,
        "score": session.score,
        "won": session.won,
        "over": session.over,
        "steps": [{"action": step.action, "reward": step.reward} for step in session.steps],
        "design": memory.design if memory is not None else None,
        "told": [{"step": change.step, "items": [asdict(item) for item in change.items]} for change in told],
    }
