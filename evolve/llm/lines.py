"""How a run's models are reached, and what they cost; what cannot be asked is refused before the run has a row."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evolve.errors import InputError
from evolve.llm.base import Usage
from evolve.llm.limits import Limiter
from evolve.llm.models import Provider, Spec, connect, parse
from evolve.llm.prices import Prices
from evolve.llm.roles import EMBED, models_of

if TYPE_CHECKING:
    from evolve.config import RunConfig


@dataclass(frozen=True, slots=True)
class Line:
    """How a model is reached."""

    spec: Spec
    provider: Provider
    limiter: Limiter


class Lines:
    """The lines to a run's models; those of one provider and server share it, and its limit.

    Raises `InputError` where a model of the run cannot be asked: no key, no price under a budget in dollars, no
    embeddings.
    """

    def __init__(self, config: RunConfig) -> None:
        self.models = models_of(config)
        self.prices = Prices.load(config.prices)
        self._slots = config.concurrency
        self._lines: dict[str, Line] = {}
        self._shared: dict[Spec, tuple[Provider, Limiter]] = {}
        self._refuse_no_embedder()
        if config.budget_usd is not None:
            self._refuse_unpriced()
        if config.llm != "replay":
            for model in self.models.values():
                self.to(model)

    def to(self, model: str) -> Line:
        """The line to a model."""
        if (line := self._lines.get(model)) is None:
            spec = parse(model)
            place = spec if spec.provider == "local" else Spec(spec.provider, "", spec.url)
            if place not in self._shared:
                self._shared[place] = (connect(spec, slots=self._slots), Limiter(self._slots))
            line = self._lines[model] = Line(spec, *self._shared[place])
        return line

    async def close(self) -> None:
        """Give back the connections, and stop what was started."""
        await asyncio.gather(*(provider.close() for provider, _ in self._shared.values()), return_exceptions=True)

    def _refuse_no_embedder(self) -> None:
        model = self.models.get(EMBED)
        if model is not None and parse(model).provider != "openai":
            raise InputError(f"{model} gives no embeddings; --embedder takes static, openai:MODEL or openai:MODEL@URL")

    def _refuse_unpriced(self) -> None:
        for role, model in self.models.items():
            if self.prices.price(model, Usage(1, 1)) is None:
                raise InputError(
                    f"{model} ({role}) has no known price, so that --budget-usd cannot hold; give its price with"
                    " --prices, or --budget-tokens instead"
                )
