"""The conformance suite of agents, and what the lexical agent does with a memory."""

import pytest

from domains import registry as domains
from domains.base import Role
from evolve.agents import registry as agents
from evolve.agents.base import Agent
from evolve.agents.lexical import LexicalAgent, Weights
from evolve.play import cut, introduce, play
from sandbox.guest import Item, Memory

NOTHING: tuple[Item, ...] = ()
DOORS = ["open red door", "open green door", "open blue door"]


@pytest.fixture
def agent() -> Agent:
    return agents.load("lexical")


def test_equal_arguments_give_equal_episodes(agent: Agent) -> None:
    domain = domains.load("recall")
    spec = domain.tasks(Role.DEPLOYMENT)[0]
    items = tuple(Memory(["call the drum amber", "call the anchor black"]))
    first = play(domain, spec, agent, 7, items)
    assert play(domain, spec, agent, 7, items) == first
    assert first.retrieved[0].items == items
    assert introduce(domain, spec) == play(domain, spec, agent, 0).task


def test_the_seed_matters_where_nothing_else_decides(agent: Agent) -> None:
    taken = {agent.begin("nothing", "", seed).act("here", DOORS, NOTHING) for seed in range(20)}
    assert taken == set(DOORS)


@pytest.mark.parametrize("actions", [["wait"], DOORS, ["a", "b c", "d's e-f", "_"], ["größe ändern", "目を開ける"]])
def test_only_listed_actions_are_taken(agent: Agent, actions: list[str]) -> None:
    player = agent.begin("do it", "read this", 3)
    for step in range(30):
        assert player.act(f"step {step}\nline", actions, tuple(Memory(["", "zzz", "open", "_ _"]))) in actions


def act(items: list[str], observation: str = "you are here", goal: str = "leave", actions: list[str] = DOORS) -> str:
    player = LexicalAgent(Weights(noise=0.0)).begin(goal, "", 0)
    return player.act(observation, actions, tuple(Memory(items)))


@pytest.mark.parametrize("told", ["open green door", "green", "the green door, open it"])
def test_an_item_speaks_for_what_it_says_or_nearly_says(told: str) -> None:
    assert act([told]) == "open green door"


def test_earlier_items_come_first_and_a_followed_item_fades() -> None:
    player = LexicalAgent(Weights(noise=0.0, tried=0.0, tried_here=0.0)).begin("leave", "", 0)
    items = tuple(Memory(["open blue door", "open red door"]))
    taken = [player.act("you are here", DOORS, items) for _ in range(2)]
    assert taken == ["open blue door", "open red door"]


def test_the_goal_speaks_where_memory_is_silent() -> None:
    assert act([], goal="find the blue thing") == "open blue door"


def test_what_was_tried_here_is_tried_last() -> None:
    player = LexicalAgent().begin("leave", "", 0)
    assert sorted(player.act("you are here", DOORS, NOTHING) for _ in range(3)) == sorted(DOORS)


def test_an_item_that_names_a_thing_lights_up_the_line_about_it() -> None:
    observation = "A kettle stands to the north.\nA harp stands to the south."
    actions = ["go north", "go south"]
    assert act(["harp"], observation, actions=actions) == "go south"
    assert act(["kettle"], observation, actions=actions) == "go north"


def test_a_memory_is_cut_at_its_budget() -> None:
    items = list(Memory(["one two three", "four", "five six"]))
    assert cut(items, 4) == (tuple(items[:2]), 4, True)
    assert cut(items, 6) == (tuple(items), 6, False)
    assert cut(items, 2) == ((), 0, True)
