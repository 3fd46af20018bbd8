"""Draws of tasks: the same for a seed, others for others, and never more than there are."""

import pytest

from domains import registry as domains
from domains.base import Role
from evolve.agents import registry as agents
from evolve.config import RunConfig
from evolve.errors import InputError
from evolve.plan import draw, make_plan
from sandbox.guest import Memory


def test_a_draw_is_the_same_for_a_seed_and_another_for_another() -> None:
    domain = domains.load("recall")
    tasks = list(domain.tasks(Role.DEPLOYMENT))
    first = draw(domain, Role.DEPLOYMENT, 20, 0)
    assert first == draw(domain, Role.DEPLOYMENT, 20, 0)
    assert len({draw(domain, Role.DEPLOYMENT, 20, seed) for seed in range(10)}) == 10
    assert sorted(first, key=tasks.index) == list(first)
    assert len(set(first)) == 20
    assert set(draw(domain, Role.DEPLOYMENT, len(tasks), 5)) == set(tasks)


def test_more_tasks_than_there_are_is_refused_with_the_number() -> None:
    domain = domains.load("recall")
    with pytest.raises(InputError, match="has 60 deployment tasks; 61 were asked for"):
        draw(domain, Role.DEPLOYMENT, 61, 0)


def test_an_episode_is_addressed_by_what_it_depends_on_and_nothing_else() -> None:
    domain, agent = domains.load("recall"), agents.load("lexical")
    plan = make_plan(RunConfig(domain="recall", seed=2), domain, agent)
    spec, other = domain.tasks(Role.DEPLOYMENT)[:2]
    items = tuple(Memory(["one", "two"]))
    key = plan.order(spec, 0, items).key
    assert plan.order(spec, 0, items, "instructions that this agent does not read").key == key
    different = [
        plan.order(other, 0, items),
        plan.order(spec, 1, items),
        plan.order(spec, 0, items[::-1]),
        plan.order(spec, 0),
    ]
    assert len({key, *(order.key for order in different)}) == 5


def test_collected_episodes_never_share_a_seed_with_scored_ones() -> None:
    domain, agent = domains.load("recall"), agents.load("lexical")
    config = RunConfig(domain="recall", seed=1)
    plan = make_plan(config, domain, agent)
    collected = {order.seed for order in plan.collect()}
    scored = {plan.order(domain.tasks(Role.DEPLOYMENT)[0], repeat).seed for repeat in range(config.repeats)}
    assert len(plan.collect()) == config.collection * config.collection_repeats
    assert not collected & scored
