"""PE-EMP: what a judge's answer has to be, and what both orders come to."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from evolve.comparing import total
from evolve.llm.structured import is_strict, schema_of
from evolve.pe_emp import Judgement, criteria_of, merged


def answer(*points: tuple[float, float, float], advice: str = "tell less") -> dict[str, Any]:
    """A judgement of (weight, first, second) by criterion."""
    keys = ("weight", "first", "second")
    listed = [
        {"criterion": f"c{place}", "critique": "why", **dict(zip(keys, point, strict=True))}
        for place, point in enumerate(points)
    ]
    return {"points": listed, "lessons": ["Short lists are followed."], "meta_prompt": advice}


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([(0.5, 5, 5), (0.2, 5, 5)], "the weights add up to 0.7"),
        ([(60, 5, 5), (40, 5, 5)], "the weights add up to 100"),
        ([(1.5, 5, 5), (-0.5, 5, 5)], "have to be positive"),
        ([(1, 0, 5)], "not between 1 and 10"),
        ([(1, 5, 11)], "not between 1 and 10"),
        ([(float("nan"), 5, 5)], "the weights add up to nan"),
        ([], "the weights add up to 0"),
    ],
)
def test_what_does_not_add_up_is_refused(points: list[tuple[float, float, float]], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Judgement.model_validate(answer(*points))


def test_both_orders_by_hand() -> None:
    """Ours first: .8 x 8 + .2 x 4 = 7.2 to .8 x 6 + .2 x 9 = 6.6. Second, weights .6 and .45 of 1.05:

    (.6 x 5 + .45 x 7) / 1.05 = 5.857143 to (.6 x 9 + .45 x 3) / 1.05 = 6.428571. The means: 6.528571 to 6.514286.
    """
    forth = Judgement.model_validate(answer((0.8, 8, 6), (0.2, 4, 9)))
    back = Judgement.model_validate(answer((0.6, 9, 5), (0.45, 3, 7)))
    both = merged(criteria_of(forth, swapped=False), criteria_of(back, swapped=True))
    assert total(criteria_of(forth, swapped=False)) == pytest.approx((7.2, 6.6))
    assert total(both) == pytest.approx((6.528571, 6.514286), abs=1e-6)
    assert sum(each.weight for each in both) == pytest.approx(1)


def test_providers_take_the_schema() -> None:
    assert is_strict(schema_of(Judgement))
