"""What an archive can say of a design that leaves it: episodes to prove it by, and facts for the head of its module."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING

from evolve.commands.design import lineage_of
from evolve.commands.show import estimate_text
from evolve.commands.tables import config_of, estimate_of, gain_of
from evolve.errors import InputError
from evolve.prove import Question
from evolve.results import DEPLOYMENT, baseline_scores, task_scores
from sandbox.guest import Trajectory, frames

if TYPE_CHECKING:
    from archive.export import Card
    from archive.store import Archive
    from archive.tables import Design, Evaluation, Run
    from domains.base import Domain
    from evolve.config import RunConfig
    from evolve.prove import Proof

ROLES = ("test", "confirmation", DEPLOYMENT)
"""Tasks by how little they had to do with the design's selection."""
ASKED = 12
"""Recorded episodes of the collection that are asked about, beside all that the archive holds an answer to."""
STAND_INS = 60
"""Episodes of `recall` in the place of those that a run learned from."""


def collected(archive: Archive, run: Run) -> list[Trajectory]:
    """The recorded episodes that filled the memories of a run; none where its domain or its agent is not to be had."""
    from domains import registry as domains
    from domains.base import DomainError
    from evolve.agents import registry as agents
    from evolve.plan import make_plan

    config = config_of(run)
    try:
        keys = [
            order.key for order in make_plan(config, domains.load(config.domain), agents.load(config.agent)).collect()
        ]
        recordings = archive.recordings(keys)
    except (DomainError, InputError):
        return []
    return [frames.unpack(Trajectory, recordings[key]) for key in keys if key in recordings]


def stand_ins() -> list[Trajectory]:
    """Episodes of `recall`, to prove and test a design by where those of its run are not to be had."""
    from evolve.experience import lessons

    return list(lessons(STAND_INS))


def questions(
    archive: Archive, run: Run, design: str, learned: Sequence[Trajectory], *, as_recorded: bool
) -> list[Question]:
    """What to ask: episodes of the collection, and, built from the run's own, the tasks whose answers are recorded."""
    budget = config_of(run).memory_budget
    spread = learned[:: max(1, len(learned) // ASKED)][:ASKED]
    recorded = _recorded(archive, run, design) if as_recorded else []
    return [*recorded, *(Question(episode, budget) for episode in spread)]


def _recorded(archive: Archive, run: Run, design: str) -> list[Question]:
    """The deployment tasks with what was delivered for them, where a memory built as it was then can be asked now."""
    from archive.told import unpack_told
    from domains import registry as domains
    from domains.base import DomainError, Role
    from evolve.play import introduce

    assert run.id is not None
    config, row = config_of(run), archive.evaluation(run.id, design, DEPLOYMENT)
    if row is None or row.id is None or not _can_be_built_again(config, row):
        return []
    try:
        domain: Domain = domains.load(config.domain)
    except DomainError:
        return []
    if domain.version != run.domain_version:
        return []
    told = {outcome.task_id: outcome.told for outcome in archive.outcomes(row.id) if outcome.episode is not None}
    specs = [spec for spec in domain.tasks(Role.DEPLOYMENT) if spec.id in told]
    domain.prepare(specs)
    found = []
    for spec in specs:
        delivered = unpack_told(archive.told(told[spec.id]))
        task = introduce(domain, spec)
        items = delivered[0].items if delivered else ()
        found.append(Question(Trajectory(task, (), 0.0, False), config.memory_budget, items))
    return found


def _can_be_built_again(config: RunConfig, row: Evaluation) -> bool:
    """Whether the memory depended on nothing but the collected episodes and this machine."""
    return config.mode == "static" and config.embedder == "static" and not row.llm_tokens


def card(archive: Archive, run: Run, design: Design, proof: Proof | None) -> Card:
    """The head of the exported module."""
    from archive.export import Card

    assert run.id is not None
    config, lineage = config_of(run), lineage_of(archive, run.id, design.id)
    facts = [
        ("Design", design.id),
        ("Parents", ", ".join(archive.parents_of(run.id, design.id)) or "none"),
        ("Lineage", "; ".join(f"{each.design[:10]} {each.change}".strip() for each in lineage)),
        (
            "Domain",
            f"{config.domain}, version {run.domain_version}; played by {config.agent}, version {run.agent_version}",
        ),
        *_score(archive, run, design.id),
        ("Proof", _proof(proof)),
        ("Exported", f"{time.strftime('%Y-%m-%d', time.gmtime())} by Palimpsest {metadata.version('palimpsest')}"),
        ("Licence", "Apache-2.0"),
    ]
    return Card(design.id, design.summary or f"The memory design {design.id[:10]}.", facts)


def _score(archive: Archive, run: Run, design: str) -> list[tuple[str, str]]:
    """The score on the tasks that had least to do with its selection, how it came about, and what it cost."""
    assert run.id is not None
    for role in ROLES:
        row = archive.evaluation(run.id, design, role)
        if row is not None:
            break
    else:
        return [("Score", "not evaluated")]
    config = config_of(run)
    scores, baselines = (task_scores(archive, run.id, design, role), baseline_scores(archive, run.id, role))
    gain = gain_of(scores, baselines.get("no_memory"))
    held = {
        "test": f"held-out test tasks that no search sees (looks at them so far: {archive.looks(run.id)})",
        "confirmation": "confirmation tasks, which the search did not use",
        DEPLOYMENT: "the tasks that selected it, so that it is too good",
    }[role]
    repeats = config.collection_repeats
    protocol = (
        f"{config.mode} mode: built from {config.collection} collection tasks, {repeats}"
        f" episode{'s' if repeats > 1 else ''} of each; at most {config.memory_budget} tokens are told; mean over tasks"
        " with its 95 % bootstrap interval over tasks, gains paired by task"
    )
    facts = [("Score", f"{estimate_text(estimate_of(row))} on {row.n} {held}")]
    if gain is not None:
        facts.append(("Gain", f"{estimate_text(gain, signed=True)} over no memory"))
    return [*facts, ("Protocol", protocol), ("Cost", _cost(archive, row))]


def _cost(archive: Archive, row: Evaluation) -> str:
    """What the design took, and the agent beside it."""
    from archive.spending import agent_cost

    assert row.id is not None
    played = agent_cost(archive, row.id)
    agent = "episodes cost no tokens beyond those told"
    if played is not None:
        price = f"${played.dollars:.4f}" if played.dollars is not None else "at an unknown price"
        agent = f"the agent's model took {played.tokens_in:.0f} tokens in and {played.tokens_out:.0f} out an episode"
        agent += f", {price}"
    return (
        f"{row.tokens:.0f} tokens told an episode; {agent}; {row.calls} calls of the toolkit, {row.llm_tokens} tokens"
        " of models to build it and ask it for all tasks"
    )


def _proof(proof: Proof | None) -> str:
    if proof is None:
        return "not made; the self-test was recorded from the design itself"
    same = f", {proof.recorded} of them as the archive recorded them" if proof.recorded else ""
    variant = "; both without the language model that it would ask" if proof.wanted_llm else ""
    return (
        f"built from {proof.episodes} recorded episodes it told the same {proof.items} items as its design in answer to"
        f" {proof.queries} queries{same}{variant}"
    )
