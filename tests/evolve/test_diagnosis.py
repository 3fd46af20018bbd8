"""What is measured of a design, which defects follow, and what a descendant's proposer is told of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evolve.diagnosis import LEAST, RULES, Defect, DefectProfile, measured
from evolve.genotype import FREE, Genotype, genotype
from evolve.llm.structured import is_strict, schema_of
from evolve.proposers import genetic, genome
from evolve.proposers.alma.fitting import ALWAYS
from evolve.proposers.alma.prompting import guidance
from evolve.proposers.base import PARTS, Brief
from evolve.proposers.diagnosing import HELD, Finding, Findings, briefed, found_by
from evolve.proposers.genetic import DEFAULT_WEIGHTS, FIELDS, OPERATORS, RECOMPOSE, TOUCHED, GeneticProposer
from evolve.reflection import Seen
from evolve.signs import MEANINGS, Retrieval, describe, of_collection, of_episodes, of_retrievals, telling
from sandbox.guest import Item, Retrieved, Step, Task, Trajectory

FREE_PARTS = Genotype(FREE, FREE, FREE, FREE, "free")


def episode(*steps: tuple[str, float], told: tuple[str, ...] = ()) -> Seen:
    """An episode in which each action is a step with its reward, and the items were told before the first."""
    walked = tuple(Step(action, f"You {action}.", reward, False) for action, reward in steps)
    task = Task("t", "d", "Name the colour of each thing.", "What colour is the urn?")
    items = (Retrieved(0, tuple(Item.of(text) for text in told)),) if told else ()
    return Seen("t", 0.5, items, Trajectory(task, walked, 0.5, False))


SEEN = episode(
    ("call the urn black", 0.5),
    ("call the oar green", 0.0),
    ("call the wagon white", 0.5),
    ("call the quilt amber", 0.0),
    told=("the urn is black", "the oar is violet", "seven dragons guarded gold"),
)


def test_shares_of_what_was_told() -> None:
    retrievals = [
        Retrieval("a", ("x y", "x y", "z"), 50, failed=False),
        Retrieval("b", ("x y", "x y", "z"), 50, failed=False),
        Retrieval("c", ("w",), 20, failed=False),
        Retrieval("d", (), 0, failed=True),
    ]
    signs = of_retrievals(retrievals, budget=100, cut=1)
    assert signs["failed"] == signs["empty"] == signs["cut"] == 0.25
    assert signs["full"] == pytest.approx(0.3)
    assert signs["same"] == pytest.approx(1 / 2)  # of three that were told something, two differ: 1 - (2 - 1) / (3 - 1)
    assert signs["repeated"] == pytest.approx((1 / 3 + 0) / 2)
    assert of_retrievals([], 100, 0) == {}


def test_lines_that_differ_in_little_are_twins() -> None:
    old, new = "red apple in the big fridge: 2 wins", "red apple in the big fridge: 3 wins"
    others = ("take a knife from the table", "go north twice", "open the wooden door", "eat the meal")
    for texts, share in (((old, new, *others), 1 / 3), (others, 0.0)):
        assert of_retrievals([Retrieval("a", texts, 9, failed=False)], 100, 0)["twins"] == pytest.approx(share)


def test_shares_of_what_became_of_it() -> None:
    """The urn's line is acted on and right; the oar's is not; the third is of another world. The wagon is elsewhere."""
    signs = of_episodes([SEEN], told=["the wagon is white", "the quilt is amber"])
    assert signs == pytest.approx({"followed": 1 / 3, "covered": 1 / 2, "missed": 1 / 2, "foreign": 1 / 3})
    assert of_episodes([SEEN])["missed"] == 0.0
    assert of_episodes([episode(("look", 0.0))]) == {}


def test_what_was_told_late_is_followed_later_only() -> None:
    late = replace(SEEN, told=(Retrieved(2, (Item.of("the urn is black"), Item.of("the wagon is white"))),))
    assert of_episodes([late])["followed"] == 0.5


def test_the_share_of_what_won_that_is_told() -> None:
    collected = [SEEN.trajectory]
    assert of_collection(["the urn: black"], collected) == {"kept": 0.5}
    assert of_collection([], collected) == {"kept": 0.0}
    assert of_collection(["x"], []) == {}


def test_one_action_alone_is_told_by_all_its_words() -> None:
    assert telling(["go north"]) == [{"go", "north"}]


def test_every_sign_has_a_meaning_and_every_rule_is_about_signs() -> None:
    signs = dict.fromkeys(MEANINGS, 0.5)
    assert len(describe(signs)) == len(MEANINGS)
    assert {rule.part for rule in RULES} == set(FIELDS)
    for rule in RULES:
        assert 0 <= rule.severity({**signs, "unmanaged": 1.0}) <= 1
        assert set(rule.operators) <= set(OPERATORS)
        assert all(rule.part in TOUCHED[name] for name in rule.operators)


@pytest.mark.parametrize(
    ("signs", "part", "name", "severity"),
    [
        ({"kept": 0.2}, "encode", "what won is not kept", 0.8),
        ({"foreign": 0.6}, "encode", "bad abstraction", 0.6),
        ({"empty": 0.7, "failed": 0.2}, "store", "nothing is found", 0.5),
        ({"missed": 0.4}, "store", "what won is kept but not found", 0.4),
        ({"failed": 0.3}, "retrieve", "retrieval fails", 0.3),
        ({"cut": 0.9}, "retrieve", "over-long", 0.9),
        ({"full": 0.8, "followed": 0.25}, "retrieve", "mostly ballast", 0.6),
        ({"followed": 0.5, "covered": 0.5}, "retrieve", "not followed", 0.25),
        ({"same": 1.0}, "retrieve", "the same for every task", 1.0),
        ({"repeated": 0.3}, "manage", "repetition", 0.3),
        ({"twins": 0.5}, "manage", "stale beside new", 0.5),
    ],
)
def test_the_rules_by_hand(signs: dict[str, float], part: str, name: str, severity: float) -> None:
    profile = measured(signs, FREE_PARTS)
    found = next(defect for defect in profile.defects if defect.name == name)
    assert found.part == part
    assert found.severity == pytest.approx(severity)
    assert "%" in found.evidence
    assert found.note().startswith(f"{part}: {name} (")
    assert DefectProfile.unpack(profile.pack()) == profile
    assert list(profile.defects) == sorted(profile.defects, key=lambda each: -each.severity)


def test_what_is_small_is_no_defect() -> None:
    assert measured({"cut": LEAST - 0.01, "same": 0.0}, FREE_PARTS).defects == ()


def test_forgetting_is_missed_where_the_code_says_that_there_is_none() -> None:
    full = {"full": 0.9}
    layers = Genotype("RawSteps()", "ListStore()", "Recent()", "nothing", "layers")
    assert measured(full, layers).parts() == ["manage"]
    assert measured(full, replace(layers, manage="Capacity(limit=9)")).parts() == []
    assert measured(full, FREE_PARTS).parts() == []


PROFILE = DefectProfile(
    (
        Defect("retrieve", "over-long", 0.9, "cut"),
        Defect("encode", "a model's own", 0.5, "seen"),
        Defect("retrieve", "the same for every task", 0.4, "same", "make it depend on the query"),
    )
)


def test_each_descendant_has_another_part_to_mend_and_then_one_is_free() -> None:
    briefs = [PROFILE.brief(Brief(descendant=number)) for number in range(4)]
    assert [brief.part for brief in briefs] == ["retrieve", "encode", "", "retrieve"]
    assert briefs[0].notes == (
        "retrieve: over-long (cut)",
        "retrieve: the same for every task (same; make it depend on the query)",
    )
    assert briefs[0].operators["change_lines"] > DEFAULT_WEIGHTS["change_lines"]
    assert briefs[1].operators == {}
    assert briefs[2] == Brief(descendant=2)


def test_what_the_strategy_said_stands() -> None:
    given = Brief({"change_lines": 0.1}, notes=("a hint",))
    found = PROFILE.brief(given)
    assert found.operators["change_lines"] == 0.1
    assert found.notes[0] == "a hint"
    assert PROFILE.brief(Brief(part="store")) == Brief(part="store")
    assert DefectProfile().brief(given) == given


def test_a_request_that_finds_nothing_new_in_the_part_may_change_anything() -> None:
    assert briefed(Brief(), PROFILE, HELD - 1).part == "retrieve"
    assert briefed(Brief(), PROFILE, HELD) == Brief()


@pytest.mark.parametrize("part", FIELDS)
def test_the_genetic_proposer_changes_only_the_part_that_it_is_told(part: str) -> None:
    rng = np.random.default_rng(11)
    proposer, changed = GeneticProposer(), 0
    for _ in range(40):
        sources = [proposer.write([], Brief(), rng).source for _ in range(2)]
        made = proposer.write(sources, Brief(part=part), rng)
        assert made.descends
        before, after = genome.read(sources[0]), genome.read(made.source)
        for other in set(FIELDS) - {part}:
            for field in FIELDS[other]:
                assert genetic._text(getattr(before, field)) == genetic._text(getattr(after, field)), made.change
        changed += made.source != sources[0]
    assert changed > 20


def test_weights_that_leave_nothing_to_draw_are_left_aside() -> None:
    rng = np.random.default_rng(0)
    source = GeneticProposer().write([], Brief(), rng).source
    none = Brief(dict.fromkeys(DEFAULT_WEIGHTS, 0.0), part="manage")
    only = Brief({name: float(name == "cross_parts") for name in DEFAULT_WEIGHTS})
    for brief in (none, only, Brief(part="instructions")):
        assert GeneticProposer().write([source], brief, rng).source
    assert TOUCHED[RECOMPOSE] == frozenset()
    assert TOUCHED.keys() == DEFAULT_WEIGHTS.keys()


def test_a_brief_comes_back_from_its_payload_and_an_old_one_is_written_as_it_was() -> None:
    brief = Brief({"swap_block": 2.0}, "store", "go slow", ("one", "two"), 4)
    assert Brief.unpack(brief.pack()) == brief
    assert Brief().pack() == {"operators": {}}
    assert Brief.unpack({"operators": {}}) == Brief()


def test_what_a_brief_says_is_shown_to_a_model_as_data() -> None:
    sections = guidance(Brief(part="store", meta_prompt="Look at </data>.", notes=("two\nlines",)))
    assert [section.kind for section in sections] == ["data", "data", ""]
    assert sections[1].text == "- two lines"
    assert sections[2].keep == ALWAYS
    assert guidance(Brief(descendant=3)) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"Encode: rooms"\n"""\nStore: a graph of rooms\n"""', ("rooms", "a graph of rooms", FREE, FREE)),
        ("self.store = VectorStore(toolkit)\nLexical(3)\nLexical(4)", (FREE, "VectorStore", "Lexical", FREE)),
        ("class Forget(MemoryDesign):\n    store: Store", (FREE,) * 4),
    ],
)
def test_parts_of_free_code(source: str, expected: tuple[str, ...]) -> None:
    assert tuple(genotype(source, composed=False).parts().values()) == expected


def test_parts_of_composed_code_are_its_layers() -> None:
    source = GeneticProposer().write([], Brief(), np.random.default_rng(0)).source
    found = genotype(source, composed=True)
    assert found.source == "layers"
    assert all("(" in text or text == "nothing" for text in found.parts().values())


def test_a_models_findings_become_defects_worst_first() -> None:
    assert is_strict(schema_of(Findings))
    fields: dict[str, Any] = {"defect": "d\n" * 900, "evidence": "e", "remedy": "r"}
    answer = Findings(
        findings=[
            Finding(part="store", severity="low", **fields),
            Finding(part="instructions", severity="high", **fields),
        ]
    )
    profile = DefectProfile(found_by(answer), {}, "openai:m")
    assert profile.parts() == ["instructions", "store"]
    assert set(profile.parts()) <= set(PARTS)
    assert all("\n" not in defect.note() and len(defect.note()) < 400 for defect in profile.defects)
