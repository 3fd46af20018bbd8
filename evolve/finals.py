"""The finals: the best of a search play tasks that did not select them, beside controls with nothing to remember."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from archive.tables import State
from domains.base import Role
from evolve.judging import Control, Trial, played_on
from evolve.results import baseline_scores, candidates, task_scores
from evolve.statistics import Estimate, Passes, Scores, dominance, paired

if TYPE_CHECKING:
    from archive.store import Archive
    from evolve.loop import Search

CONTROLS: tuple[Control, ...] = ("blank", "shuffled")


@dataclass(frozen=True, slots=True)
class Finalist:
    """One design of the finals. All gains are over no memory, paired by task."""

    design: str
    searched: Estimate
    """Gain on the tasks that selected it."""
    confirmed: Estimate
    """Gain on tasks that did not."""
    controls: Mapping[str, Estimate]
    """Gain of the same code with nothing in its memory (`blank`) or another family's episodes (`shuffled`)."""
    dominance: float
    """Probability that its mean is above that of another finalist, the others averaged; all tasks it played count.

    A single pass of dynamic mode says nothing of it.
    """
    score: float
    """Mean over all tasks that it played, which decides where dominance does not."""
    played: str
    """How much was confirmed, in words."""

    @property
    def optimism(self) -> float:
        """How much more the search promised than was confirmed."""
        return self.searched.mean - self.confirmed.mean


def play(search: Search) -> None:
    """Have the best of a search play the finals, and record who was in them and who is best."""
    config, archive, run_id = search.config, search.archive, search.run_id
    if not candidates(archive, run_id, config.finalists):
        return
    specs = search.prepare(Role.CONFIRMATION, config.confirmation)
    search.evaluate_baselines(Role.CONFIRMATION, specs, config.repeats)
    search.phase("confirming the finalists")
    sound = _confirmed(search, Trial(Role.CONFIRMATION, specs, config.repeats))
    for control in CONTROLS:
        if control == "blank" or len({spec.family for spec in search.plan.collection}) > 1:
            search.evaluate_all(sound, Trial(Role.CONFIRMATION, specs, config.repeats, control))
    _record(archive, run_id, _ranked(archive, run_id, sound))


def _confirmed(search: Search, trial: Trial) -> list[str]:
    """The best designs with all they played; one that fails makes room for the next, in whichever sitting it does."""
    while True:
        chosen = _distinct(search.archive, search.run_id, search.config.finalists)
        search.evaluate_all(chosen, trial)
        if not search.judge.failures.keys() & set(chosen):
            return chosen


def _distinct(archive: Archive, run_id: int, most: int) -> list[str]:
    """The best candidates; of those that tell the same, which were evaluated at one time, the first."""
    wanted = most
    while True:
        rows = candidates(archive, run_id, wanted)
        found: dict[bytes, str] = {}
        for row in rows:
            found.setdefault(row.signature or row.design_id.encode(), row.design_id)
        if len(found) >= most or len(rows) < wanted:
            return list(found.values())[:most]
        wanted *= 2


def ranking(archive: Archive, run_id: int) -> list[Finalist]:
    """The finalists of a run, the one that most likely is the best first; empty where there were no finals."""
    last = {design: archive.life(run_id, design)[-1] for design in archive.results(run_id, Role.CONFIRMATION)}
    placed = sorted(last.items(), key=lambda item: item[1].id or 0)
    return _ranked(archive, run_id, [design for design, event in placed if event.state in FINAL])


FINAL = frozenset({State.FINALIST, State.BEST})


def _ranked(archive: Archive, run_id: int, designs: list[str]) -> list[Finalist]:
    if not designs:
        return []
    none = {role: baseline_scores(archive, run_id, role)["no_memory"] for role in (Role.DEPLOYMENT, Role.CONFIRMATION)}
    played = {design: {role: task_scores(archive, run_id, design, role) for role in none} for design in designs}
    everything = {
        design: _together(scores[Role.DEPLOYMENT], scores[Role.CONFIRMATION]) for design, scores in played.items()
    }
    found = []
    for design, scores in played.items():
        controls = {
            control: task_scores(archive, run_id, design, f"{Role.CONFIRMATION}:{control}") for control in CONTROLS
        }
        above = [dominance(everything[design], everything[other]) for other in designs if other != design]
        found.append(
            Finalist(
                design,
                paired(scores[Role.DEPLOYMENT], none[Role.DEPLOYMENT]),
                paired(scores[Role.CONFIRMATION], none[Role.CONFIRMATION]),
                {control: paired(got, none[Role.CONFIRMATION]) for control, got in controls.items() if got},
                fmean(above) if above else 1.0,
                fmean(everything[design].values()),
                played_on(scores[Role.CONFIRMATION]),
            )
        )
    return sorted(found, key=lambda finalist: (-finalist.dominance, -finalist.score, finalist.design))


def _together(ours: Scores, more: Scores) -> Scores:
    """Scores on the tasks of both; passes one by one, for those of one role know nothing of those of another."""
    if isinstance(ours, Passes) and isinstance(more, Passes):
        return Passes(tuple({**one, **other} for one, other in zip(ours.each, more.each, strict=True)))
    return {**ours, **more}


def _record(archive: Archive, run_id: int, ranked: list[Finalist]) -> None:
    """One event for each design whose place is another than before; a larger search may have other finalists."""
    states = archive.states(run_id)
    places = {design: State.EVALUATED for design, (state, _) in states.items() if state in FINAL}
    places |= {finalist.design: State.FINALIST for finalist in ranked}
    places |= {finalist.design: State.BEST for finalist in ranked[:1]}
    confirmed = {finalist.design: f"{finalist.confirmed.mean:+.3f} confirmed {finalist.played}" for finalist in ranked}
    for design, place in places.items():
        if states[design][0] is not place:
            archive.add_event(run_id, design, place, confirmed.get(design, "others are better by now"))
