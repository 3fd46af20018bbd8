"""What the archive says of a run's designs, for strategies: each fact is derived once and kept. It only reads."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from evolve.results import DEPLOYMENT

if TYPE_CHECKING:
    from archive.fronts import Measured
    from archive.store import Archive
    from evolve.comparing import Comparer
    from evolve.diagnosis import DefectProfile
    from evolve.genotype import Genotype
    from evolve.signs import Retrieval, Signs
    from evolve.statistics import Scores

THOUSAND = 1000


class Fitness(NamedTuple):
    """What a design is selected by (MemEvolve, arXiv 2512.18746): performance up, cost and delay down."""

    performance: float
    cost: float
    """Tokens an episode: those retrieved, and those of language models that the design itself used. A run has one such
    model, so that dollars would say the same."""
    delay: float
    """Seconds of building and asking the design. Where they are counted instead, so that no clock decides anything:
    the agent's steps, the design's calls, and the thousands of tokens of both kinds, an episode."""

    def vector(self) -> tuple[float, float, float]:
        """All of it to be maximised."""
        return self.performance, -self.cost, -self.delay


class Evidence:
    """Reads one run. What is not evaluated has no fitness; a design's facts do not change once it has one."""

    def __init__(self, archive: Archive, run_id: int, *, counted: bool, budget: int = THOUSAND) -> None:
        self.archive = archive
        self.run_id = run_id
        self.counted = counted
        """Whether delay is counted instead of measured."""
        self.budget = budget
        """Retrieved tokens that an episode may have."""
        self._measured: dict[str, Measured] | None = None
        self._most = 0
        """Episodes of a whole evaluation, such as the baselines have."""
        self._genotypes: dict[str, Genotype] = {}
        self._signs: dict[str, Signs] = {}

    def fitness(self, design: str) -> Fitness:
        """What a design is selected by, from its latest evaluation; raises `KeyError` where it has none."""
        row = self._row(design)
        episodes = max(1, row.episodes)
        llm_tokens = row.llm_tokens / episodes
        delay = row.seconds
        if self.counted:
            delay = row.steps + row.calls / episodes + (row.tokens + llm_tokens) / THOUSAND
        return Fitness(row.score, row.tokens + llm_tokens, delay)

    def is_whole(self, design: str) -> bool:
        """Whether a design played all that selects, and was not dropped before; raises `KeyError` as `fitness` does."""
        return self._row(design).episodes >= self._most

    def scores(self, design: str) -> Scores:
        """Its score by task, read anew each time."""
        from evolve.results import task_scores

        return task_scores(self.archive, self.run_id, design)

    @cached_property
    def comparer(self) -> Comparer:
        """Who compares the run's designs, each with the one that it was asked of."""
        from evolve.comparing import Comparer

        return Comparer(self)

    def genotype(self, design: str) -> Genotype:
        """What a design's parts are made of."""
        from evolve.genotype import genotype

        if design not in self._genotypes:
            row = self.archive.exactly(design)
            self._genotypes[design] = genotype(row.source, composed=row.origin == "composed")
        return self._genotypes[design]

    def signs(self, design: str) -> Signs:
        """What its evaluation alone says of a design at work; raises `KeyError` where it has none."""
        from evolve.signs import of_retrievals

        if design not in self._signs:
            self._signs[design] = of_retrievals(self.retrievals(design), self.budget, self._row(design).cut)
        return self._signs[design]

    def retrievals(self, design: str) -> list[Retrieval]:
        """What its evaluation keeps of what it told, which is much: it is read anew each time."""
        from archive.fronts import delivered
        from archive.told import unpack_told
        from evolve.signs import Retrieval

        found = []
        for each in delivered(self.archive, self._row(design).evaluation):
            texts = tuple(item.text for change in unpack_told(each.told) for item in change.items)
            found.append(Retrieval(each.task, texts, each.tokens, each.failed))
        return found

    def defects(self, design: str) -> DefectProfile:
        """What was found wrong with a design; where nobody looked closer, what its evaluation alone says."""
        from archive.fronts import diagnosis
        from evolve.diagnosis import DefectProfile, measured

        if (kept := diagnosis(self.archive, self.run_id, design)) is not None:
            return DefectProfile.unpack(kept)
        return measured(self.signs(design), self.genotype(design))

    def _row(self, design: str) -> Measured:
        from archive.fronts import measured

        if self._measured is None:
            self._measured = {row.design: row for row in measured(self.archive, self.run_id, DEPLOYMENT)}
            self._most = max((row.episodes for row in self._measured.values()), default=0)
        if design not in self._measured:
            self._measured.update((row.design, row) for row in measured(self.archive, self.run_id, DEPLOYMENT, design))
        return self._measured[design]
