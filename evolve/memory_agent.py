"""The memory-optimisation agent: after an evaluation a model says, by atomic operations, what it teaches in words.

Empirical-MCTS (arXiv 2602.04248, section 3.4). There a plan that cannot be read adds everything; here it is refused.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from evolve.agents.prompts import template
from evolve.evaluation import Need
from evolve.insights import LESSON, Insight, Insights, PlanError, Situation, Step, Tally
from evolve.learning import SHOWN, source_of
from evolve.llm.base import BadAnswerError, Message, ModelRefusedError, Purpose, Request
from evolve.llm.roles import INSIGHTS, settings_of
from evolve.proposers.alma.fitting import ALWAYS, LEAST, WINDOW, Section, fit
from evolve.proposers.alma.forms import Form
from evolve.proposers.alma.prompting import opening, system
from evolve.statistics import paired
from evolve.texts import one_line

if TYPE_CHECKING:
    from evolve.comparing import Comparison
    from evolve.desk import Desk
    from evolve.statistics import Estimate

NEAREST = 10
"""Known lessons that the agent is shown, and may name."""
MOST = 6
"""Operations of one plan."""
LONGEST = 300
"""Characters of a lesson, and of a reason."""


class Change(Form):
    """One operation on the lessons."""

    operation: Literal["add", "modify", "merge", "delete"]
    lessons: list[int] = Field(
        description="numbers it is done to: none to add, one to modify or delete, all that are merged"
    )
    text: str = Field(description="the lesson as it is to read from now on; empty to delete")
    reason: str = Field(description="the evidence for it, in one sentence")


class Changes(Form):
    """What an outcome changes of what is known; often nothing."""

    operations: list[Change]


def optimise(
    desk: Desk, model: str, design: str, rival: str, comparison: Comparison | None, told: int
) -> Generator[Need, Any, None]:
    """Have a model bring the lessons up to what a design beside its rival shows, and commit its plan, or refuse it."""
    from evolve.thinking import think

    run = desk.archive.run(desk.run_id)
    if is_done(desk, design, model):  # in a sitting that was killed before the design was told of
        return
    scores = desk.evidence.scores(design), desk.evidence.scores(rival)
    outcome = paired(*scores)
    situation = Situation(desk.config.domain)
    before = Insights(desk.archive, run.knew if desk.config.reproducible else None)  # so that equal runs ask the same
    shown = [insight for insight, _ in before.relevant(situation) if insight.kind == LESSON][:NEAREST]
    kept, _ = fit(_sections(desk, design, rival, outcome, comparison, shown), max(LEAST, WINDOW // 4))
    text = f"{opening(kept)}\n\n{template('insights').render()}"
    request = Request(
        (Message("system", system(desk, blocks=False)), Message("user", text)), settings_of(desk.config, INSIGHTS)
    )
    case = Insight(
        LESSON, "", situation, {source_of(run): Tally().add(outcome.mean)}, (design,), tuple(sorted(scores[0]))
    )
    try:
        answer, _ = yield from think(desk, Changes, request, Purpose(INSIGHTS, model, design))
        now = Insights(desk.archive)  # others may have added to a lesson meanwhile, which must not be lost
        plan = plan_of(answer, {each.number: now.known.get(each.number, each) for each in shown}, case)
        now.apply(plan, model, desk.run_id, told)
    except (PlanError, BadAnswerError, ModelRefusedError) as error:
        desk.say(f"no lessons were drawn from {design[:10]}: {error}")


def is_done(desk: Desk, design: str, model: str) -> bool:
    """Whether a model's plan for a design is committed."""
    from archive.insights import operations
    from archive.store import unpack

    mine = [row for row in operations(desk.archive) if (row.run_id, row.author) == (desk.run_id, model)]
    return any(row.insight and design in unpack(row.insight)["designs"] for row in mine)


def plan_of(answer: Changes, shown: Mapping[int, Insight], case: Insight) -> list[Step]:
    """A model's plan as steps; raises `PlanError` where it cannot be followed. `case` is a lesson without words."""
    if len(answer.operations) > MOST:
        raise PlanError(f"the plan has {len(answer.operations)} operations, more than {MOST}")
    return [_step(number, change, shown, case) for number, change in enumerate(answer.operations, 1)]


def _step(number: int, change: Change, shown: Mapping[int, Insight], case: Insight) -> Step:
    targets = tuple(dict.fromkeys(change.lessons))
    if unknown := [target for target in targets if target not in shown]:
        raise PlanError(f"operation {number} of the plan names lesson {unknown[0]}, which was not shown")
    text, reason = one_line(change.text, LONGEST), one_line(change.reason, LONGEST)
    if not text and change.operation != "delete":
        raise PlanError(f"operation {number} of the plan, {change.operation}, has no text")
    if change.operation == "delete":
        return Step("delete", reason, None, targets)
    mine = [shown[target] for target in targets]
    evidence: dict[str, Tally] = {}
    used: dict[str, tuple[int, int]] = {}
    for each in (*mine, case):
        for source, tally in each.evidence.items():
            evidence[source] = evidence.get(source, Tally()) + tally
        for source, (uses, wins) in each.used.items():
            known = used.get(source, (0, 0))
            used[source] = known[0] + uses, known[1] + wins
    designs = tuple(dict.fromkeys(design for each in (*mine, case) for design in each.designs))[-SHOWN:]
    tasks = tuple(dict.fromkeys(task for each in (*mine, case) for task in each.tasks))
    first = mine[0] if mine else case
    now = replace(first, subject=text, evidence=evidence, designs=designs, tasks=tasks, used=used)
    return Step(change.operation, reason, now, targets)


def _sections(
    desk: Desk,
    design: str,
    rival: str,
    outcome: Estimate,
    comparison: Comparison | None,
    shown: Sequence[Insight],
) -> list[Section]:
    """What the agent goes by: no code and no episodes, for a lesson is to hold for others."""
    from evolve.manifests import came_true, thoughts_of

    archive, run_id = desk.archive, desk.run_id
    member, row = archive.member(run_id, design), archive.manifest(run_id, design)
    change = member.change if member is not None else ""
    between = f" [{outcome.low:+.3f}, {outcome.high:+.3f}]" if outcome.interval else ""
    fitness, before = desk.evidence.fitness(design), desk.evidence.fitness(rival)
    came = [
        f"score {fitness.performance:.3f}, {outcome.mean:+.3f}{between} against the design that was changed",
        f"tokens an episode: {fitness.cost:.0f}, before {before.cost:.0f}",
    ]
    if row is not None:
        manifest = thoughts_of(row).get("manifest") or {}
        change += f"\nhoped: {manifest['hypothesis']}" if manifest.get("hypothesis") else ""
        true = came_true(archive, run_id, row)
        came += [true.describe()] if true is not None else []
    lessons = comparison.lessons if comparison is not None else ()
    known = [f"{insight.number}: {insight.sentence()}" for insight in shown]
    return [
        Section("What was changed", change, ALWAYS - 1, True),
        Section("What it came to", "\n".join(came), ALWAYS, kind=""),
        *([Section("What a comparison of both taught", "\n".join(lessons), ALWAYS - 2, True)] if lessons else []),
        Section("The lessons that are known", "\n".join(known) or "none", ALWAYS),
    ]
