"""The Baba game: its rules on boards drawn by hand and at random, its levels, and what players read of it."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.baba import FIRST_SEEDS, Baba, BabaEnvironment, Solver
from domains.baba_levels import FAMILIES, KINDS, Level, draw_level, goto, make
from domains.baba_rules import BORDER, DIRECTIONS, NOUNS, WORDS, Board, read
from domains.baba_solver import NO_WORDS, every_change_is_needed, search, winnable_as_is
from domains.baba_text import describe, distance, draw, moves
from domains.base import DomainError, Role

YOU = "BABA IS YOU . . ."


def board(*rows: str) -> Board:
    """A board from its rows without the border; `a+b` is b on top of a."""
    cells = [[tuple(cell.split("+")) if cell != "." else () for cell in row.split()] for row in rows]
    width = len(cells[0]) + 2
    edge = [(BORDER,)] * width
    return Board(width, [*edge, *chain.from_iterable([(BORDER,), *row, (BORDER,)] for row in cells), *edge])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (". baba . . . .", ". . baba . . ."),
        (". . . . . baba", ". . . . . baba"),
        ("baba KEY . . . .", ". baba KEY . . ."),
        ("baba KEY IS DOOR . .", ". baba KEY IS DOOR ."),
        (". baba KEY IS DOOR WIN", ". baba KEY IS DOOR WIN"),
        (". baba KEY KEY key .", ". . baba KEY key+KEY ."),
        ("baba key+KEY . . . .", ". key+baba KEY . . ."),
        ("baba door . . . .", ". door+baba . . . ."),
        ("door+baba . . . . .", "door baba . . . ."),
        ("baba baba . . . .", ". baba baba . . ."),
        (". . . . baba baba", ". . . . . baba+baba"),
        ("baba WIN wall . . .", ". baba wall+WIN . . ."),
    ],
)
def test_moving_right(before: str, after: str) -> None:
    played = board(YOU, before)
    assert played.advance("right").moved == (before != after)
    assert played.cells == board(YOU, after).cells


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("WALL IS STOP . . .", "baba wall . . . .", "baba wall . . . ."),
        ("WALL IS STOP . . .", "baba KEY wall . . .", "baba KEY wall . . ."),
        ("BALL IS PUSH . . .", "baba ball . . . .", ". baba ball . . ."),
        ("BALL IS PUSH . . .", "baba ball KEY ball . .", ". baba ball KEY ball ."),
        ("BALL IS PUSH . . .", ". . . . baba ball", ". . . . baba ball"),
        ("BALL IS KEY . . .", "baba . . ball . ball", ". baba . key . key"),
        ("BALL IS YOU . . .", "baba . ball . . .", ". baba . ball . ."),
        ("BALL IS BABA . . .", "baba . ball . . .", ". baba baba . . ."),
        ("KEY BABA IS WIN . .", "baba . . . . .", ". baba . . . ."),
    ],
)
def test_rules_hold(rule: str, before: str, after: str) -> None:
    played = board(YOU, rule, before)
    assert played.advance("right").moved == (before != after)
    assert played.cells == board(YOU, rule, after).cells


@pytest.mark.parametrize(
    ("rule", "row", "won", "lost"),
    [
        ("KEY IS WIN . . .", "baba key . . . .", True, False),
        ("KEY IS LOSE . . .", "baba key . . . .", False, True),
        ("KEY IS WIN . . .", "baba . key . . .", False, False),
        ("KEY IS WIN . . .", "baba KEY key . . .", False, False),
        ("BABA IS WIN . . .", "baba . . . . .", True, False),
        ("KEY IS STOP WIN . .", "baba key . . . .", False, False),
    ],
)
def test_winning_and_losing(rule: str, row: str, won: bool, lost: bool) -> None:
    assert board(YOU, rule, row).advance("right")[1:] == (won, lost)


@pytest.mark.parametrize(
    ("rows", "sentences"),
    [
        (["BABA IS YOU"], [("baba", "you")]),
        (["BABA . KEY", "IS . IS", "YOU . DOOR"], [("baba", "you"), ("key", "door")]),
        ([". KEY .", "BABA IS YOU", ". WIN ."], [("baba", "you"), ("key", "win")]),
        (["YOU IS BABA"], []),
        (["IS BABA IS"], []),
        (["BABA IS YOU+key"], []),
        (["BABA IS key+YOU", "BABA IS YOU"], [("baba", "you")]),
    ],
)
def test_sentences_are_read_across_and_down(rows: list[str], sentences: list[tuple[str, str]]) -> None:
    assert list(board(*rows).rules.sentences) == sentences


def test_a_push_breaks_a_rule_and_another_mends_it() -> None:
    empty = ". . . . . ."
    played = board(YOU, empty, empty, "WALL IS STOP . . .", ". . baba . . .")
    assert "wall" in played.rules.solid
    played.advance("up")
    assert "wall" not in played.rules.solid
    for direction in ("right", "up", "up", "left", "down"):
        played.advance(direction)
    assert "wall" in played.rules.solid


CONTENTS = st.sampled_from([(), (), (), *((thing,) for thing in (*NOUNS, *sorted(WORDS)))])


@given(st.lists(CONTENTS, min_size=24, max_size=24), st.lists(st.sampled_from(sorted(DIRECTIONS)), max_size=8))
def test_play_keeps_things_and_rules_in_step(contents: list[tuple[str, ...]], directions: list[str]) -> None:
    rows = [" ".join("+".join(cell) or "." for cell in contents[start : start + 6]) for start in range(0, 24, 6)]
    played = board("BABA IS YOU baba . .", *rows)
    for direction in directions:
        before = played.copy()
        listed = any(played.ahead(at, direction) is not None for at in played.yous())
        moved = played.advance(direction).moved
        assert moved == listed
        assert played.rules == read(played.cells, played.width)
        assert [at for at, cell in enumerate(played.cells) if BORDER in cell] == [
            at for at, cell in enumerate(before.cells) if BORDER in cell
        ]
        if not played.rules.becomes:
            assert Counter(chain(*played.cells)) == Counter(chain(*before.cells))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_a_level_is_won_by_its_solution_and_not_without_its_rule_changes(name: str, seed: int) -> None:
    drawn = draw_level(name, seed, seed % 5, 5)
    played = drawn.board.copy()
    outcomes = [played.advance(direction) for direction in drawn.solution]
    assert all(outcome.moved for outcome in outcomes)
    assert [outcome.won for outcome in outcomes] == [False] * (len(outcomes) - 1) + [True]
    assert not any(stage.reached(drawn.board.rules) for stage in drawn.stages)
    assert every_change_is_needed(drawn.board, drawn.stages)
    as_it_stands = search(drawn.board, lambda _: False, NO_WORDS)
    assert (as_it_stands is None) == (len(drawn.stages) > 1)


def test_the_forty_kinds_of_balrog_are_there() -> None:
    assert len(KINDS) == 40
    assert {name for name in KINDS if name.endswith("distr_win_rule")} == {
        "two_room-goto_win-distr_win_rule",
        "two_room-make_win-distr_win_rule",
    }


def test_shares_have_no_level_in_common() -> None:
    looks = [{repr(draw_level("goto_win", seed, share, 5).board.cells) for seed in range(60)} for share in range(5)]
    assert len(set().union(*looks)) == sum(map(len, looks))


def test_search_finds_a_shortest_way_with_all_words_free() -> None:
    empty = ". . . . . ."
    way = search(board(YOU, ". IS WIN . . .", empty, ". KEY baba . . .", empty, "key . . . . ."), lambda _: False)
    assert way is not None
    assert way.won
    assert way.directions == ("left", "down", "left", "up", "up", "down", "down", "down")


def test_what_needs_a_rule_change_is_told_apart() -> None:
    walled = board("BABA IS YOU wall .", "WALL IS STOP wall .", "KEY IS WIN wall key", "baba . . wall .")
    assert not winnable_as_is(walled, walled.rules.sentences)
    assert winnable_as_is(walled, (("baba", "you"), ("key", "win")))


def playing(*rows: str, noun: str = "key") -> BabaEnvironment:
    environment = BabaEnvironment(Level(board(*rows), (make(noun, "win"), goto(noun)), ()), max_steps=9)
    environment.reset(seed=0)
    return environment


def test_stages_count_once_and_winning_counts_all() -> None:
    environment = playing(YOU, ". IS WIN . . .", "KEY . . . . .", "baba key . . . .", ". . . . . .")
    actions = ("push rule `key` up to row 2", "idle", "go right to column 2")
    assert [environment.step(action)[1] for action in actions] == [0.5, 0, 0]
    text, reward, terminated, truncated, info = environment.step("go down onto key")
    assert (text, reward, terminated, truncated, info["score"], info["won"]) == ("You win.", 0.5, True, False, 1, True)


def test_losing_ends_the_episode() -> None:
    environment = playing(YOU, "BALL IS LOSE . . .", "baba ball . . . .")
    text, _, terminated, truncated, info = environment.step("go right onto ball")
    assert (text, terminated, truncated, info["won"], info["actions"]) == ("You lose.", True, False, False, [])


def test_where_nothing_is_you_the_level_starts_again_and_time_goes_on() -> None:
    environment = playing(". . . .", "baba . . .", "BABA IS YOU .", ". . . .")
    drawn = environment.render()
    text, *_ = environment.step("push rule `baba` down to row 4")
    assert text.startswith("Nothing was you any more, and the level was set up again.\n\nActive rules:\nbaba is you\n")
    assert environment.render() == drawn
    for _ in range(7):
        assert not environment.step("idle")[3]
    assert environment.step("idle")[3]


def test_the_board_in_words() -> None:
    played = board(YOU, "wall . KEY . . .", ". . baba . . .")
    assert describe(played) == (
        "Active rules:\nbaba is you\n\nObjects on the map:\nrule `baba` 2 steps to the left and 2 steps up\n"
        "rule `is` 1 step to the left and 2 steps up\nrule `you` 2 steps up\n"
        "wall 2 steps to the left and 1 step up\nrule `key` 1 step up"
    )
    assert list(moves(played)) == ["go right to column 4", "go left to column 2", "idle"]
    assert distance(0, 0) == "here"


def test_moves_are_named_by_what_they_do() -> None:
    played = board(YOU, ". . key . . .", "wall KEY baba . . .", ". . . . . .")
    assert moves(played) == {
        "go up onto key": "up",
        "go right to column 4": "right",
        "go down to row 4": "down",
        "push rule `key` left to column 1": "left",
        "idle": "",
    }


def test_the_drawing_numbers_rows_and_columns() -> None:
    rows = draw(board("BABA IS YOU", "baba . key")).splitlines()
    assert [row.split() for row in rows[:1] + rows[2:4]] == [
        ["1", "2", "3"],
        ["1", "#####BABA", "IS", "YOU", "#####"],
        ["2", "#####baba", ".", "key", "#####"],
    ]


def finish(environment: BabaEnvironment, expert: Solver, info: dict[str, Any]) -> dict[str, Any]:
    """What is told at the end, where an expert plays from here on."""
    done = False
    while not done:
        _, _, terminated, truncated, info = environment.step(expert.act("", info))
        done = terminated or truncated
    return info


def test_experts_win_all_kinds_in_time() -> None:
    domain = Baba()
    specs = domain.tasks(Role.TEST)[: 11 * len(FAMILIES)]
    assert {spec.id.split("-test-")[0] for spec in specs} == set(KINDS)
    for spec in specs:
        environment = domain.environment(spec)
        _, info = environment.reset(seed=0)
        assert finish(environment, domain.expert(spec, environment), info)["score"] == 1


def test_an_expert_goes_on_from_where_a_player_went() -> None:
    domain = Baba(["goto_win"])
    for spec in domain.tasks(Role.TEST)[:8]:
        environment = domain.environment(spec)
        _, info = environment.reset(seed=0)
        for _ in range(5):
            *_, info = environment.step(next(action for action in info["actions"] if action.startswith("go ")))
        assert info["won"] or finish(environment, domain.expert(spec, environment), info)["won"]


def test_an_expert_idles_where_no_way_is_left() -> None:
    environment = playing(YOU, ". IS WIN . . KEY", "baba . . . . key")
    _, info = environment.reset(seed=0)
    *_, info = environment.step("go right to column 2")
    assert Solver(environment).act("", info) == "idle"


def test_a_family_alone_has_the_tasks_that_it_has_among_all() -> None:
    alone = Baba(["make_you"])
    assert alone.name == "baba:make_you"
    among = [spec for spec in Baba().tasks(Role.TEST) if spec.family == "make_you"]
    assert list(alone.tasks(Role.TEST)) == among
    assert min(spec.seed for spec in among) == FIRST_SEEDS[Role.TEST]
    with pytest.raises(DomainError, match="families must be among goto_win, make_win"):
        Baba(["make_tea"])
