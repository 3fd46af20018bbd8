"""The page of one episode, and the guess at what its actions followed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from archive.dashboard.trajectories import lines_of, played
from sandbox.guest import Item, Retrieved, Step, Task, Trajectory
from tests.dashboard.conftest import serving
from tests.dashboard.strange import DESIGN, ITEMS, ODD, Entered, enter


@pytest.fixture(scope="module")
def entered(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Entered:
    """A copy of the archive with a strange design and its episodes in it."""
    return enter(Path(shutil.copy(recorded, tmp_path_factory.mktemp("strange") / "a.db")))


@pytest.fixture(scope="module")
def strange(entered: Entered) -> TestClient:
    return serving(entered.path)


def test_it_is_seen_step_by_step_beside_the_one_without_memory(strange: TestClient, entered: Entered) -> None:
    address = f"/episodes/{entered.episode}?run=1&design={DESIGN}"
    told = strange.get(f"/api{address}").json()
    assert told["place"]["role"] == "reflection"
    assert [item["text"] for item in told["told"][0]["items"]] == [item.text for item in ITEMS]
    first, last = told["episode"]["play"]["steps"]
    assert first["followed"] == {"id": "i1", "text": "call the drum white", "exact": True}
    assert last["action"] == ODD
    assert told["without"]["key"] == entered.without
    assert not told["without"]["play"]["retrieved"]
    page = strange.get(address).text
    for mark in ('data-testid="told"', 'data-testid="steps-this"', 'data-testid="steps-without"', "as told"):
        assert mark in page
    assert "<script>alert" not in page
    assert "\u202e" not in page


def test_the_episode_without_memory_says_so(strange: TestClient, entered: Entered) -> None:
    told = strange.get(f"/api/episodes/{entered.without}").json()
    assert told["is_without"]
    assert told["place"] is None
    assert "Without memory" in strange.get(f"/episodes/{entered.without}").text


def test_what_confirms_is_not_shown(strange: TestClient, entered: Entered) -> None:
    address = f"/episodes/{entered.confirming}?run=1&design={DESIGN}"
    assert strange.get(f"/api{address}").json()["told"] is None
    assert ITEMS[0].text not in strange.get(address).text


def test_a_scored_episode_says_what_was_told_and_how_to_see_more(client: TestClient) -> None:
    best = client.get("/api/runs/1/designs").json()["table"]["rows"][0]["design"]
    row = client.get(f"/api/designs/{best}?run=1").json()["maps"][0]["rows"][0]
    address = f"/episodes/{row['cells'][0]['episode']}?run=1&design={best}"
    told = client.get(f"/api{address}").json()
    assert told["episode"]["score"] == row["cells"][0]["score"]
    assert told["told"] is not None
    assert told["episode"]["play"] is None
    assert told["without"]["task"] == told["episode"]["task"]
    assert told["without"]["seed"] == told["episode"]["seed"]
    page = client.get(address).text
    assert 'data-testid="not-recorded"' in page
    assert f"evolve trace {best[:10]} --run 1 --play 3" in page


@pytest.mark.parametrize(
    ("address", "status"),
    [("/episodes/00ff", 404), ("/episodes/xyz", 422), ("/episodes/abc", 404), (f"/episodes/{'0' * 32}?run=1", 404)],
)
def test_what_is_no_episode_is_a_sentence(client: TestClient, address: str, status: int) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    assert 'data-testid="error"' in answer.text


def test_an_episode_belongs_to_its_own_design(strange: TestClient, entered: Entered) -> None:
    assert strange.get(f"/episodes/{entered.episode}?run=1&design={entered.parent}").status_code == 404


@pytest.mark.parametrize(
    ("action", "items", "followed"),
    [
        ("take the knife", ["open the fridge", "take the knife"], ("take the knife", True)),
        ("take the knife", ["Then: take the sharp knife. Go on."], ("Then: take the sharp knife", False)),
        ("take the knife", ["open the door"], None),
        ("", ["open the door"], None),
        ("take the knife", [], None),
    ],
)
def test_the_item_that_an_action_followed_is_guessed(
    action: str, items: list[str], followed: tuple[str, bool] | None
) -> None:
    steps = (Step("open the door", "It is open.", 0.0, False), Step(action, "Done.", 1.0, True))
    retrieved = (Retrieved(0, ()), Retrieved(1, tuple(map(Item.of, items))))
    play = played(Trajectory(Task("t", "d", "Do it.", "A door."), steps, 1.0, True, retrieved))
    assert play.steps[0].followed is None, "nothing was told before it"
    guess = play.steps[1].followed
    assert (guess and (guess.text, guess.exact)) == followed


def test_of_a_huge_memory_a_part_is_looked_at() -> None:
    assert len(lines_of([Item.of("go. " * 3), *(Item(str(n), f"say {n}") for n in range(9000))])) == 2000


def test_the_episodes_that_fill_memories_are_reached(client: TestClient) -> None:
    found = client.get("/api/runs/1/collection").json()["episodes"]
    assert len({each["task"] for each in found}) == 8
    assert len(found) == len({each["key"] for each in found})
    page = client.get("/runs/1/collection").text
    for each in found[:3]:
        assert f'href="/episodes/{each["key"]}"' in page
        told = client.get(f"/api/episodes/{each['key']}").json()
        assert (told["episode"]["task"], told["episode"]["score"]) == (each["task"], each["score"])
        assert told["is_without"]
        assert told["episode"]["play"]["steps"]
