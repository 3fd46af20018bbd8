"""What every domain owes its users, held against all that the registry knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from domains import registry
from domains.base import Domain, DomainError, Role, TextEnvironment
from tests.domains.episodes import play

pytestmark = pytest.mark.filterwarnings("ignore:Game .* is not fully supported")


class ListedActions(gymnasium.Space[str]):
    """Samples what the environment lists; other text must not reach a game."""

    def __init__(self, environment: TextEnvironment) -> None:
        super().__init__()
        self._environment = environment

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        _, info = self._environment.reset(seed=123)  # the seed from which check_env then takes the step
        return str(info["actions"][0])

    def contains(self, x: Any) -> bool:
        return isinstance(x, str)


class AnyText(gymnasium.Space[str]):
    def contains(self, x: Any) -> bool:
        return isinstance(x, str)


def environment(domain: Domain, number: int = 0) -> TextEnvironment:
    return domain.environment(domain.tasks(Role.COLLECTION)[number])


def test_roles_are_disjoint_and_stable(domain: Domain) -> None:
    ids = [spec.id for role in Role for spec in domain.tasks(role)]
    seeds = [(spec.family, spec.seed) for role in Role for spec in domain.tasks(role)]
    assert len(set(ids)) == len(ids)
    assert len(set(seeds)) == len(seeds)
    again = registry.load(domain.name)
    for role in Role:
        assert list(again.tasks(role)) == list(domain.tasks(role))
        assert {spec.role for spec in domain.tasks(role)} == {role}
    assert again.version == domain.version


def test_families_take_turns(domain: Domain) -> None:
    families = [spec.family for spec in domain.tasks(Role.TEST)]
    kinds = list(dict.fromkeys(families))
    assert families == [kinds[i % len(kinds)] for i in range(len(families))]


def test_episode_keeps_the_contract(domain: Domain) -> None:
    for seed in range(3):
        seen = play(environment(domain), seed)
        scores = [info["score"] for *_, info in seen]
        rewards = [reward for _, reward, *_ in seen]
        assert all(0 <= score <= 1 for score in scores)
        assert sum(rewards) == pytest.approx(scores[-1])
        assert len({info["goal"] for *_, info in seen}) == 1
        assert all(
            info["actions"] and info["actions"] == list(dict.fromkeys(info["actions"])) for *_, info in seen[:-1]
        )
        assert seen[-1][4]["actions"] == []
        assert len(seen) - 1 <= domain.max_steps
        assert seen[-1][2] != seen[-1][3]
        assert not seen[-1][3] or len(seen) - 1 == domain.max_steps


def test_text_is_clean(domain: Domain) -> None:
    for text, *_, info in play(environment(domain), 5):
        for part in (text, info["goal"], *info["actions"]):
            part.encode()
            assert part
            assert not [char for char in part if char != "\n" and unicodedata.category(char) == "Cc"]


@pytest.mark.parametrize("action", ["", "\\x", "dance on the ceiling", "look\nlook"])
def test_unlisted_action_is_refused_and_changes_nothing(domain: Domain, action: str) -> None:
    env = environment(domain)
    _, info = env.reset(seed=0)
    with pytest.raises(ValueError, match="listed"):
        env.step(action)
    env.step(info["actions"][0])


def test_step_after_the_end_is_refused(domain: Domain) -> None:
    env = environment(domain)
    last = play(env, 0)[-2]
    with pytest.raises(ValueError, match="listed"):
        env.step(last[4]["actions"][0])


def test_equal_seeds_and_actions_give_equal_episodes_in_fresh_processes(domain: Domain) -> None:
    domain.prepare(domain.tasks(Role.COLLECTION)[:1])
    command = [sys.executable, "-m", "tests.domains.episodes", domain.name, "0", "7"]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONHASHSEED": str(hash_seed)})
        for hash_seed in (1, 2)
    ]
    outputs = [process.communicate()[0] for process in processes]
    here = json.loads(json.dumps(play(environment(domain), 7)))
    assert [json.loads(output) for output in outputs] == [here, here]


def test_two_environments_of_a_task_do_not_disturb_each_other(domain: Domain) -> None:
    one, other = environment(domain), environment(domain)
    expected = play(environment(domain), 3)
    _, info = one.reset(seed=3)
    play(other, 4)
    assert info == expected[0][4]
    assert play(one, 3) == expected


def test_episodes_in_threads_are_as_alone(domain: Domain) -> None:
    numbers = [0, 1, 2, 0]
    with ThreadPoolExecutor(len(numbers)) as threads:
        together = list(threads.map(lambda number: play(environment(domain, number), 3), numbers))
    assert together == [play(environment(domain, number), 3) for number in numbers]


@pytest.mark.filterwarnings("ignore")
def test_gymnasium_accepts_it(domain: Domain) -> None:
    env = environment(domain)
    env.action_space = ListedActions(env)
    env.observation_space = AnyText()
    check_env(cast("gymnasium.Env[Any, Any]", env), skip_render_check=True)


def test_unknown_domain_names_the_known_ones() -> None:
    with pytest.raises(DomainError, match=r"'chess'.*recall.*textworld:cooking"):
        registry.load("chess")


def test_registry_describes_what_it_loads() -> None:
    for info in registry.available():
        assert info.installed
        domain = registry.load(info.name)
        assert (info.version, info.max_steps) == (domain.version, domain.max_steps)
        assert info.roles == {role: len(domain.tasks(role)) for role in Role}
