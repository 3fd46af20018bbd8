"""One sitting of a run: make the tasks, collect, evaluate the baselines, and all else that is asked of its workers."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from archive.store import Archive, pack
from archive.tables import Run
from archive.utilisation import Stretch, add_stretch
from domains.base import Role
from evolve import constant
from evolve.errors import StandstillError
from evolve.evaluation import Need
from evolve.executor import Executor
from evolve.jobs import Played, PlayJob, PrepareJob
from evolve.judging import Judge, Trial
from evolve.plan import draw, make_plan
from evolve.progress import Progress, Watch
from evolve.proposers.base import Proposal
from evolve.results import answered
from evolve.scheduler import Activity, Scheduler
from evolve.statistics import Scores, mean
from evolve.strategies.evidence import Evidence
from evolve.utilisation import Meter
from sandbox.guest import Trajectory, frames

if TYPE_CHECKING:
    from domains.base import Domain, TaskSpec
    from evolve.agents.base import Agent
    from evolve.config import RunConfig
    from evolve.llm.base import Asker
    from evolve.llm.gateway import Gateway
    from sandbox.source import SourceChecker

SEEDS = ("no_memory", "nearest_trajectory")
"""Baselines that people wrote, in `archive/seeds`."""
CONSTANT = "constant"
BASELINES = (*SEEDS, CONSTANT)
"""What every result is compared with."""
BATCH = 8
"""Tasks that one job prepares."""
COLLECTED = 4
"""Most episodes of the collection that one job plays."""


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
        gateway: Gateway | None = None,
        measured: bool = False,
    ) -> None:
        assert run.id is not None
        self.archive = archive
        self.run_id: int = run.id
        self.config = config
        self._knew = run.knew
        self.domain = domain
        self.executor = executor
        self.gateway = gateway
        self.asker: Asker | None = gateway
        """Who asks the run's models, where it has any."""
        self.watch = watch
        self.plan = make_plan(config, domain, agent)
        self.judge = Judge(archive, run.id, config, self.plan, checker, self.note, isolated=isolated)
        self.evidence = Evidence(archive, run.id, counted=config.reproducible, budget=config.memory_budget)
        """What the archive says of the run's designs."""
        self.progress = Progress(total=config.designs)
        self.baselines: dict[str, Scores] = {}
        """Scores by task of each baseline, on the role that was evaluated last."""
        meter = Meter(partial(add_stretch, archive, run.id) if measured else _forget)
        self.scheduler = Scheduler(executor, archive.scores, self._keep, self.note, meter)
        self._collection: Sequence[Trajectory] = ()

    @property
    def collection(self) -> Sequence[Trajectory]:
        """The episodes that fill every memory, once they are collected."""
        return self._collection

    # Stages

    def prepare(self, role: Role, count: int) -> tuple[TaskSpec, ...]:
        """Draw a role's tasks, make what they need on disk, and collect if that is not done."""
        specs = draw(self.domain, role, count, self.config.seed, apart := self._taught_on(role))
        if again := sum(spec.id in apart for spec in specs):
            self.note(
                f"{again} of {count} {role} tasks are ones that insights were learned on, for there are no others"
            )
        self.phase("preparing tasks")
        wanted = (*self.plan.collection, *specs)
        self.drain([_prepared(wanted[start : start + BATCH]) for start in range(0, len(wanted), BATCH)])
        self.phase("collecting episodes")
        self._collect()
        return specs

    def _taught_on(self, role: Role) -> frozenset[str]:
        """Tasks that the insights which the run began with were learned on, so that it is not scored on them too."""
        if not (self.config.insights and role is Role.DEPLOYMENT):
            return frozenset()
        from evolve.insights import Insights

        known = Insights(self.archive, self._knew).known.values()
        mine = [insight for insight in known if insight.situation.domain == self.config.domain]
        return frozenset(task for insight in mine for task in insight.tasks)

    def _collect(self) -> None:
        orders = self.plan.collect()
        keys = [order.key for order in orders]
        recordings = self.archive.recordings(keys)
        missing = [order for order in orders if order.key not in recordings]
        if missing:
            size = min(COLLECTED, self.executor.batch)
            parts = [tuple(missing[start : start + size]) for start in range(0, len(missing), size)]
            self.drain([_played(PlayJob(part, record=True)) for part in parts])
            recordings = self.archive.recordings(keys)
        self._collection = [frames.unpack(Trajectory, recordings[key]) for key in keys]
        self.executor.share(self._collection)

    def evaluate_baselines(self, role: Role, specs: tuple[TaskSpec, ...], repeats: int) -> None:
        """Evaluate what every result is compared with, where that is not done."""
        self.phase("evaluating baselines")
        trial = Trial(role, specs, repeats)
        entered = {member.change: member.design_id for member in self.archive.baselines(self.run_id)}
        for name in BASELINES:
            design_id = entered.get(name) or self._enter_baseline(name)
            if not (scores := self.evaluated(design_id, trial)):
                raise StandstillError(f"the baseline {name} failed here: {self.judge.failures[design_id]}")
            self.baselines[name] = scores
        self.progress.no_memory = mean(self.baselines["no_memory"])

    def _enter_baseline(self, name: str) -> str:
        if name == CONSTANT:
            source = constant.write(self._constant_lines())
        else:
            source = files("archive.seeds").joinpath(f"{name}.py").read_text(encoding="utf-8")
        design_id = self.judge.enter(Proposal(source, name, "untrusted"), 0, ())
        assert design_id is not None
        return design_id

    def _constant_lines(self) -> list[str]:
        found: list[str] = []
        budget, episodes = self.config.memory_budget, self.config.deployment * self.config.repeats

        def finding() -> Activity:
            found.extend((yield from constant.find(self.plan, self._collection, budget, episodes)))

        self.drain([finding()])
        return found

    def evaluated(self, design_id: str, trial: Trial) -> Scores:
        """A design's score by task, from the archive or from an evaluation now; empty where it failed."""
        self.evaluate_all([design_id], trial)
        return self.judge.scores(design_id, trial.name) if design_id not in self.judge.failures else {}

    def evaluate_all(self, designs: Sequence[str], trial: Trial) -> None:
        """Evaluate those of the designs that are not, all at once."""
        missing = [design for design in designs if not self.judge.is_evaluated(design, trial)]
        self.drain([_only(self.judge.judge(design, trial)) for design in missing])

    def drain(self, activities: Sequence[Activity]) -> None:
        """Run activities to their end, and show how far they are."""
        for activity in activities:
            self.scheduler.start(activity)
        while self.scheduler.active:
            self.progress.part, self.progress.parts = len(activities) - self.scheduler.active, len(activities)
            self.scheduler.step()
            self.show()

    def _keep(self, results: Sequence[Played]) -> None:
        columns = ("key", "task_id", "seed", "score", "success", "steps", "tokens_in", "tokens_out", "dollars")
        episodes = [{column: getattr(played, column) for column in columns} for played in results]
        recordings = [
            {"key": played.key, "trajectory": pack(frames.pack(played.trajectory))}
            for played in results
            if played.trajectory is not None
        ]
        self.archive.add_episodes(episodes, recordings)

    # What is shown

    def forecast(self) -> list[str]:
        """What the rest of the run will ask of models, in sentences; nothing where it asks none."""
        if self.gateway is None or self.config.llm == "replay":
            return []
        left = max(0, self.config.designs - answered(self.archive, self.run_id))
        return self.gateway.forecast(left, self.domain.max_steps)

    def phase(self, phase: str) -> None:
        """Say what is being done now."""
        self.progress.phase = phase
        self.progress.part = self.progress.parts = 0
        self.show()

    def note(self, sentence: str) -> None:
        """Say something that is worth a person's eye."""
        self.progress.notes.append(sentence)
        self.show()

    def show(self) -> None:
        """Let the watcher see the progress."""
        if self.gateway is not None:
            self.progress.notes += self.gateway.news()
            self.progress.spending = self.gateway.budget.describe()
        self.progress.played = self.scheduler.played
        self.progress.reused = self.scheduler.reused
        self.watch(self.progress)


def _forget(stretch: Stretch) -> None:
    """How busy the workers are with what is no part of a run is not kept."""


def _prepared(specs: tuple[TaskSpec, ...]) -> Activity:
    yield PrepareJob(specs)


def _played(job: PlayJob) -> Activity:
    yield job


def _only(judging: Generator[Need, Any, object]) -> Activity:
    """A conversation whose result is read from the archive."""
    yield from judging
