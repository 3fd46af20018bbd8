"""One sitting of a run: collect, evaluate the baselines, then let the strategy ask until its designs are done."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from archive.store import Archive, event_row, pack
from archive.tables import (
    Design,
    Evaluation,
    Member,
    Outcome,
    Request,
    Run,
    State,
)
from domains.base import Role
from evolve.errors import InputError, StandstillError
from evolve.evaluation import Need, Verdict, by_task, score
from evolve.executor import Executor
from evolve.jobs import BuildJob, Built, Played, PlayJob, PrepareJob
from evolve.plan import draw, make_plan
from evolve.population import Population
from evolve.progress import Progress, Watch
from evolve.proposers.base import Brief, Proposal, Proposer
from evolve.scheduler import Activity, Scheduler
from evolve.statistics import estimate, paired
from evolve.strategies.base import Propose, Strategy
from sandbox.guest import Trajectory, frames
from sandbox.source import SourceRejected

if TYPE_CHECKING:
    from domains.base import Domain, TaskSpec
    from evolve.agents.base import Agent
    from evolve.config import RunConfig
    from sandbox.source import SourceChecker

BASELINES = ("no_memory", "nearest_trajectory")
DRAWS = 30
"""Proposals that one request may draw before it gives up finding a design that the run does not have."""
BATCH = 8
"""Tasks that one job prepares."""
DESIGN_SEED = 0
"""Seed of every design's toolkit, so that a rebuilt design is the same."""


class Search:
    """Everything that one sitting needs. All that it learns is committed before it goes on."""

    def __init__(
        self,
        archive: Archive,
        run: Run,
        config: RunConfig,
        domain: Domain,
        agent: Agent,
        executor: Executor,
        checker: SourceChecker,
        watch: Watch = lambda progress: None,
        *,
        isolated: bool = True,
    ) -> None:
        assert run.id is not None
        self.archive = archive
        self.run_id: int = run.id
        self.config = config
        self.domain = domain
        self.executor = executor
        self.checker = checker
        self.watch = watch
        self.isolated = isolated
        """Whether untrusted code may run on this sitting's sandbox."""
        self.plan = make_plan(config, domain, agent)
        self.population = Population()
        self.progress = Progress(total=config.designs)
        self.baselines: dict[str, Mapping[str, float]] = {}
        self.failures: dict[str, str] = {}
        """Why designs failed in this sitting, by id."""
        self.scheduler = Scheduler(executor, self._known, self._keep, self._trouble)

    # Stages

    def prepare(self, role: Role, count: int) -> tuple[TaskSpec, ...]:
        """Draw a role's tasks, make what they need, collect if that is not done, and evaluate the baselines."""
        specs = draw(self.domain, role, count, self.config.seed)
        self._phase("preparing tasks")
        wanted = (*self.plan.collection, *specs)
        self._drain([_prepared(wanted[start : start + BATCH]) for start in range(0, len(wanted), BATCH)])
        self._phase("collecting episodes")
        self._collect()
        return specs

    def evaluate_baselines(self, role: Role, specs: tuple[TaskSpec, ...], repeats: int) -> None:
        """Evaluate the human-made designs that every result is compared with, where that is not done."""
        self._phase("evaluating baselines")
        for name in BASELINES:
            source = files("archive.seeds").joinpath(f"{name}.py").read_text(encoding="utf-8")
            design_id = self.enter(Proposal(source, name, "untrusted"), 0, ())
            assert design_id is not None
            if not (scores := self.evaluated(design_id, role, specs, repeats)):
                raise StandstillError(f"the baseline {name} failed here: {self.failures[design_id]}")
            self.baselines[name] = scores
        self.progress.no_memory = estimate(list(self.baselines["no_memory"].values()))

    def search(self, strategy: Strategy, proposer: Proposer, specs: tuple[TaskSpec, ...]) -> None:
        """Ask until the run's designs are done; first finish what an earlier sitting left."""
        self._restore(proposer, specs)
        self.progress.searching_since = time.monotonic()
        self._phase("searching")
        while True:
            while self.scheduler.active < self.executor.slots + 2 and len(self.population.asked) < self.config.designs:
                number = len(self.population.asked)
                ask = strategy.ask(self.population, self._rng(number, 0))
                if not isinstance(ask, Propose):
                    break
                request = self._request(number, ask)
                self.scheduler.start(self._pursue(request, ask, proposer, specs))
            if not self.scheduler.active:
                break
            self.scheduler.step()
            self._show()

    # Designs

    def enter(
        self, proposal: Proposal, number: int, parents: Sequence[str], request: Request | None = None
    ) -> str | None:
        """Check a proposal and enter it into the run; None where the run has it. Raises `SourceRejected`.

        The request that it answers is answered in the same transaction, so that a killed run asks nothing twice.
        """
        if number:
            self.admit(proposal.origin)
        checked = self.checker.check(proposal.source)
        now = time.time()
        design = Design(
            id=checked.hash, source=proposal.source, summary=checked.summary, origin=proposal.origin, created=now
        )
        role = "candidate" if number else "baseline"
        member = Member(run_id=self.run_id, design_id=checked.hash, number=number, role=role, change=proposal.change)
        if request is not None:
            request.result = json.dumps({"design": checked.hash})
        is_new = self.archive.add_design(design, member, parents, request)
        return checked.hash if is_new or not number else None

    def admit(self, origin: str) -> None:
        """Refuse untrusted code on a sandbox that does not isolate; raises `InputError`."""
        if origin == "untrusted" and not self.isolated:
            raise InputError(
                "this design is untrusted code, and the sandbox would let it read and write your files; install docker"
                " or bubblewrap (`evolve doctor` says how), or give --allow-unsafe if you trust it"
            )

    def scores(self, design_id: str, role: Role) -> dict[str, float]:
        """A design's score by task from its latest evaluation; empty where it has none."""
        return by_task([(outcome.task_id, outcome.score) for outcome in self._outcomes(design_id, role)])

    def evaluated(self, design_id: str, role: Role, specs: tuple[TaskSpec, ...], repeats: int) -> Mapping[str, float]:
        """A design's score by task, from the archive or from an evaluation now; empty where it failed."""
        wanted = {(spec.id, repeat) for spec in specs for repeat in range(repeats)}
        if {(outcome.task_id, outcome.repeat) for outcome in self._outcomes(design_id, role)} != wanted:
            self._drain([_only(self._judge(design_id, role, specs, repeats))])
            if design_id in self.failures:
                return {}
        return self.scores(design_id, role)

    def _outcomes(self, design_id: str, role: Role) -> Sequence[Outcome]:
        row = self.archive.evaluation(self.run_id, design_id, role)
        return self.archive.outcomes(row.id) if row is not None and row.id is not None else ()

    # Activities

    def _pursue(self, request: Request, ask: Propose, proposer: Proposer, specs: tuple[TaskSpec, ...]) -> Activity:
        """Have a design proposed, and evaluate it."""
        design_id = self._propose(request, ask, proposer)
        if design_id is None:
            request.result = json.dumps({"design": None})
            self.archive.save(request)
            self._learn("", None)
        else:
            yield from self._finish(design_id, specs)

    def _finish(self, design_id: str, specs: tuple[TaskSpec, ...]) -> Activity:
        """Evaluate a candidate for selection."""
        verdict = yield from self._judge(design_id, Role.DEPLOYMENT, specs, self.config.repeats)
        self.failures.pop(design_id, None)
        self._learn(design_id, verdict.by_task() if verdict is not None else None)

    def _judge(
        self, design_id: str, role: Role, specs: tuple[TaskSpec, ...], repeats: int
    ) -> Generator[Need, Any, Verdict | None]:
        """Evaluate a design and commit what comes of it; only evaluations for selection are arrows in its life."""
        selects = role is Role.DEPLOYMENT
        if selects:
            self.archive.add_event(self.run_id, design_id, State.SMOKE)
        smoke = min(self.config.smoke, len(specs))
        source = self.archive.exactly(design_id).source
        built: Built = yield BuildJob(source, DESIGN_SEED, specs, smoke, self.config.memory_budget)
        if built.failure:
            self.failures[design_id] = built.failure
            if selects:
                self.archive.add_event(self.run_id, design_id, State.FAILED, built.failure)
            self._note(f"design {short(design_id)} failed: {built.failure.splitlines()[0]}")
            return None
        if selects:
            self.archive.add_event(self.run_id, design_id, State.FULL)
        verdict = yield from score(built, self.plan, specs, repeats)
        self._commit(design_id, role, verdict)
        return verdict

    def _propose(self, request: Request, ask: Propose, proposer: Proposer) -> str | None:
        rng = self._rng(request.number, 1)
        parents = [self.archive.exactly(parent) for parent in ask.parents]
        for _ in range(DRAWS):
            proposal = proposer.propose([parent.source for parent in parents], ask.brief, rng)
            if any(parent.origin == "untrusted" for parent in parents):
                proposal = replace(proposal, origin="untrusted")
            try:
                design_id = self.enter(proposal, request.number + 1, ask.parents, request)
            except SourceRejected as rejected:
                self._note(f"request {request.number}: a proposal was rejected: {rejected.reason}")
                continue
            if design_id is not None:
                return design_id
        self._note(f"request {request.number} drew {DRAWS} designs that the run has already, and none that is new")
        return None

    # What is committed

    def _commit(self, design_id: str, role: Role, verdict: Verdict) -> None:
        scores = verdict.by_task()
        total = estimate(list(scores.values()))
        evaluation = Evaluation(
            run_id=self.run_id,
            design_id=design_id,
            role=role.value,
            score=total.mean,
            low=total.low,
            high=total.high,
            n=total.n,
            tokens=verdict.tokens,
            cut=verdict.cut,
            calls=verdict.calls,
            seconds=verdict.seconds,
            created=time.time(),
        )
        outcomes = [
            {
                "task_id": episode.task_id,
                "repeat": episode.repeat,
                "score": episode.score,
                "episode": episode.key,
                "told": episode.told,
                "tokens": episode.tokens,
            }
            for episode in verdict.episodes
        ]
        told = {key: pack(items) for key, items in verdict.told.items()}
        reason = f"{total.mean:.3f} on {total.n} tasks"
        event = event_row(self.run_id, design_id, State.EVALUATED, reason) if role is Role.DEPLOYMENT else None
        self.archive.add_evaluation(evaluation, outcomes, told, event)

    def _request(self, number: int, ask: Propose) -> Request:
        payload = json.dumps({"parents": ask.parents, "brief": asdict(ask.brief)})
        request = Request(run_id=self.run_id, number=number, kind="propose", payload=payload)
        self.archive.save(request)
        self.population.ask(ask.parents)
        return request

    def _keep(self, results: Sequence[Played]) -> None:
        columns = ("key", "task_id", "seed", "score", "success", "steps")
        episodes = [{column: getattr(played, column) for column in columns} for played in results]
        recordings = [
            {"key": played.key, "trajectory": pack(frames.pack(played.trajectory))}
            for played in results
            if played.trajectory is not None
        ]
        self.archive.add_episodes(episodes, recordings)

    def _known(self, keys: Iterable[bytes]) -> dict[bytes, float]:
        return self.archive.scores(keys)

    # What is derived

    def _collect(self) -> None:
        orders = self.plan.collect()
        keys = [order.key for order in orders]
        recordings = self.archive.recordings(keys)
        missing = [order for order in orders if order.key not in recordings]
        if missing:
            parts = [tuple(missing[start : start + 4]) for start in range(0, len(missing), 4)]
            self._drain([_played(PlayJob(part, record=True)) for part in parts])
            recordings = self.archive.recordings(keys)
        self.executor.share([frames.unpack(Trajectory, recordings[key]) for key in keys])

    def _restore(self, proposer: Proposer, specs: tuple[TaskSpec, ...]) -> None:
        """Rebuild the population from the archive, and take up what was under way."""
        self.population.baseline = estimate(list(self.baselines["no_memory"].values())).mean
        states = self.archive.states(self.run_id)
        numbers = {member.design_id: member.number for member in self.archive.members(self.run_id)}
        rows = [row for row in self.archive.evaluations(self.run_id, Role.DEPLOYMENT) if numbers[row.design_id]]
        unfinished: list[Activity] = []
        for request in self.archive.requests(self.run_id):
            payload = json.loads(request.payload)
            ask = Propose(tuple(payload["parents"]), Brief(**payload["brief"]))
            self.population.ask(ask.parents)
            if request.result is None:
                unfinished.append(self._pursue(request, ask, proposer, specs))
                continue
            design_id = json.loads(request.result)["design"]
            if design_id is None or states[design_id][0] is State.FAILED:
                self._learn("", None)
            elif states[design_id][0] is not State.EVALUATED:
                unfinished.append(self._finish(design_id, specs))
        for row in rows:
            self.population.tell(row.design_id, row.score)
        self.progress.evaluated = len(rows)
        self.progress.resumed = self.progress.done
        if rows:
            best = max(rows, key=lambda row: row.score)
            self._crown(best.design_id, self.scores(best.design_id, Role.DEPLOYMENT))
        for activity in unfinished:
            self.scheduler.start(activity)

    def _learn(self, design_id: str, scores: Mapping[str, float] | None) -> None:
        """Tell the population how a proposal ended: its scores by task, or none."""
        if scores is None:
            self.population.tell(design_id, None)
            self.progress.failed += 1
            return
        mean = sum(scores.values()) / len(scores)
        self.population.tell(design_id, mean)
        self.progress.evaluated += 1
        if self.progress.best is None or mean > self.progress.best[1].mean:
            self._crown(design_id, scores)

    def _crown(self, design_id: str, scores: Mapping[str, float]) -> None:
        self.progress.best = (design_id, estimate(list(scores.values())))
        self.progress.gain = paired(scores, self.baselines["no_memory"])

    def _rng(self, number: int, use: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.config.seed, spawn_key=(number, use)))

    def _drain(self, activities: Sequence[Activity]) -> None:
        """Run activities to their end, and show how far they are."""
        for activity in activities:
            self.scheduler.start(activity)
        while self.scheduler.active:
            self.progress.part, self.progress.parts = len(activities) - self.scheduler.active, len(activities)
            self.scheduler.step()
            self._show()

    # What is shown

    def _phase(self, phase: str) -> None:
        self.progress.phase = phase
        self.progress.part = self.progress.parts = 0
        self._show()

    def _trouble(self, reason: str) -> None:
        self._note(f"the machine failed, trying again: {reason}")

    def _note(self, sentence: str) -> None:
        self.progress.notes.append(sentence)
        self._show()

    def _show(self) -> None:
        self.progress.played = self.scheduler.played
        self.progress.reused = self.scheduler.reused
        self.watch(self.progress)


def _prepared(specs: tuple[TaskSpec, ...]) -> Activity:
    yield PrepareJob(specs)


def _played(job: PlayJob) -> Activity:
    yield job


def _only(judging: Generator[Need, Any, object]) -> Activity:
    """A conversation whose result is read from the archive."""
    yield from judging


def short(design_id: str) -> str:
    """The leading characters of a design's id, as people are shown it."""
    return design_id[:10]
