"""What calls cost, by a dated table that the user can override. What no table says is unknown, which is not zero."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from evolve.errors import InputError
from evolve.llm.base import Usage
from evolve.llm.models import parse

MILLION = 1_000_000
SHIPPED = Path(__file__).with_name("prices.toml")

_SNAPSHOT = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens, for calls of at most `up_to` tokens in, from the day `since` on."""

    input: float
    output: float = 0.0
    cached: float | None = None
    written: float | None = None
    since: date = date.min
    up_to: float = float("inf")

    def of(self, usage: Usage) -> float:
        """Dollars of a call."""
        cached = self.input if self.cached is None else self.cached
        written = self.input if self.written is None else self.written
        fresh = usage.tokens_in - usage.cached - usage.written
        tokens_in = fresh * self.input + usage.cached * cached + usage.written * written
        return (tokens_in + usage.tokens_out * self.output) / MILLION


class Prices:
    """The prices that are shipped, with those of the user's file before them."""

    def __init__(self, shipped: Mapping[str, tuple[Price, ...]], own: Mapping[str, tuple[Price, ...]]) -> None:
        self._shipped = shipped
        self._own = own

    @classmethod
    def load(cls, file: Path | None = None) -> Prices:
        """The shipped table and the user's file; raises `InputError` saying what is wrong in it."""
        return cls(_read(SHIPPED), _read(file) if file is not None else {})

    def price(self, model: str, usage: Usage, on: date | None = None) -> float | None:
        """Dollars of a call to a model, named as the user named it; none where the price is not known.

        A model on this machine costs nothing. One of a server that is named by its address has a price only where the
        user gives one. A dated snapshot costs what the model of that name costs.
        """
        return next((tier.of(usage) for tier in self._tiers(model, on) if usage.tokens_in <= tier.up_to), None)

    def most(self, model: str, tokens_in: int, tokens_out: int, on: date | None = None) -> float | None:
        """The most that a call may cost whose tokens in are so many or fewer, written to the provider's cache or not.

        By the dearest of the tiers that it may be in: above the last one a call has no price, but few that may be there
        are.
        """
        tiers = self._tiers(model, on)
        starts = [-1.0, *(tier.up_to for tier in tiers)]
        usages = Usage(tokens_in, tokens_out), Usage(tokens_in, tokens_out, written=tokens_in)
        reached = [tier for tier, start in zip(tiers, starts, strict=False) if start < tokens_in]
        return max((tier.of(usage) for tier in reached for usage in usages), default=None)

    def _tiers(self, model: str, on: date | None) -> list[Price]:
        """The prices of a day (today), those for the shortest calls first."""
        day = on or datetime.now(UTC).date()
        by_age = sorted(self._of(model), key=lambda price: price.since)
        newest = {price.up_to: price for price in by_age if price.since <= day}
        return [newest[up_to] for up_to in sorted(newest)]

    def _of(self, model: str) -> tuple[Price, ...]:
        spec = parse(model)
        if model in self._own:
            return self._own[model]
        if spec.provider == "local":
            return (Price(0.0),)
        name = f"{spec.provider}:{spec.model}"
        names = (name, _SNAPSHOT.sub("", name))
        tables = (self._own,) if spec.url else (self._own, self._shipped)
        return next((table[each] for table in tables for each in names if each in table), ())


def _read(file: Path) -> dict[str, tuple[Price, ...]]:
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"the prices in {file} can not be read: {error}") from error
    return {
        str(parse(model)): tuple(_price(file, model, each) for each in (given if isinstance(given, list) else [given]))
        for model, given in table.items()
    }


def _price(file: Path, model: str, given: Any) -> Price:
    names = [field.name for field in fields(Price)]
    form = f'"{model}" = [{{ input = 1.0, cached = 0.1, output = 2.0 }}]'
    if not isinstance(given, dict) or "input" not in given or not set(given) <= set(names):
        raise InputError(f"{file}: {model} needs a price such as {form}; its fields are {', '.join(names)}")
    for name, value in given.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
        if not (type(value) is date if name == "since" else is_number):
            raise InputError(
                f"{file}: {name} of {model} is {value!r}, which is no {'day' if name == 'since' else 'price'}"
            )
    return Price(**given)
