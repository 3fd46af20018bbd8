"""The tools of a proposing model: what it may read of a run's history. One more, `propose`, ends its work."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from evolve.agents.prompts import clipped
from evolve.errors import InputError
from evolve.grep import PLACES, Where, search
from evolve.history import COLLECTION, History, Watched, history_of
from evolve.llm.base import Tool, ToolCall
from evolve.llm.structured import schema_of
from evolve.manifests import came_true, thoughts_of
from evolve.proposers.alma.dossier import known
from evolve.proposers.alma.forms import Form, Implementation
from evolve.proposers.alma.prompting import fenced
from evolve.texts import account_text, clean, designs_table, difference_text, episode_text, one_line, table

if TYPE_CHECKING:
    from evolve.evaluation import Need
    from evolve.proposers.base import Commission

LONGEST = 12_000
"""Tokens of one answer; what is beyond is cut, and that is said."""
MOST_DESIGNS = 50
MOST_HITS = 60
TRACED = 3
"""Reflection tasks on which a design is watched."""


class Frontier(Form):
    """The designs that none beats both in score and in tokens told: number, id, score with interval, tokens, change."""


class Top(Form):
    """The best designs, the best first, after the baselines that people wrote."""

    count: int = Field(description=f"how many, {MOST_DESIGNS} at most")


class Show(Form):
    """All of one design: its code, score, gains, parents, children, tasks that flipped against its parent, its life,
    and why it failed if it did."""

    design: str = Field(description="the leading characters of its id")


class Trace(Form):
    """Episodes of a design on reflection tasks, which score nothing: a table of them, and one of them step by step,
    with what was retrieved when. They are played where they were not yet."""

    design: str = Field(description=f"the leading characters of its id; `{COLLECTION}` for those that fill memories")
    task: str = Field(description="id of the task whose episode is shown; empty for the worst")


class Diff(Form):
    """How design b differs from design a: in code, in score paired by task, and in the tasks that flipped."""

    a: str
    b: str


class Search(Form):
    """The lines that hold a text, literally, in any case of its letters."""

    text: str
    where: Literal["code", "traces", "collection", "everywhere"] = Field(
        description="in the designs' code, in their recorded episodes, in those that fill memories, or in all three"
    )


class Propose(Implementation):
    """Propose a design: edits of the first parent's code, or a whole module. It is checked and tried on a few tasks;
    if it fails you are told why, and may propose again. If it does not, your work is done."""


FORMS: dict[str, type[Form]] = {
    "frontier": Frontier,
    "top": Top,
    "show": Show,
    "trace": Trace,
    "diff": Diff,
    "search": Search,
    "propose": Propose,
}


def tools(context: str) -> tuple[Tool, ...]:
    """The tools that a model has where it is shown so much: `scores`, `summaries` or `traces`."""
    names = [name for name in FORMS if name != "trace" or context != "scores"]
    return tuple(Tool(name, _about(FORMS[name]), schema_of(FORMS[name])) for name in names)


def _about(form: type[Form]) -> str:
    return " ".join((form.__doc__ or "").split())


def read_call(call: ToolCall) -> Form | str:
    """A call's arguments, or what is wrong with them."""
    form = FORMS.get(call.name)
    if form is None:
        return f"there is no tool {one_line(call.name, 80)!r}; there are {', '.join(FORMS)}"
    try:
        return form.model_validate(call.arguments)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}" for each in error.errors()[:5]]
        return f"the arguments of {call.name} do not fit: {'; '.join(problems)}"


class Library:
    """Answers the tools that read. It is for the driver's thread."""

    def __init__(self, commission: Commission) -> None:
        self._commission = commission
        self._desk = desk = commission.desk
        self._context = desk.config.context
        self._traced: list[Watched] = []
        """What was watched in this work."""

    @property
    def _history(self) -> History:
        """As it stands now; in a reproducible run only what was certain to be there."""
        desk = self._desk
        visible = known(self._commission).keys() if desk.config.reproducible else None
        return history_of(desk.archive, desk.run_id, desk.config, visible)

    def answer(self, asked: Form) -> Generator[Need, Any, str]:
        """What a tool says, between marks that tell it from what we say; what it can not do is said too."""
        try:
            text = yield from self._read(asked)
        except InputError as error:
            return str(error)
        whole = clean(text)
        shown = clipped(whole, LONGEST)
        rest = "" if shown == whole else "\nThe rest is cut; ask for less, or search for what you need."
        return fenced(shown) + rest

    def _read(self, asked: Form) -> Generator[Need, Any, str]:
        history = self._history
        match asked:
            case Frontier():
                return designs_table(history.frontier())
            case Top():
                baselines = [line for line in history.designs() if line.number == 0]
                return designs_table([*baselines, *history.top(max(1, min(asked.count, MOST_DESIGNS)))])
            case Show():
                return self._shown(history, asked.design)
            case Diff():
                return difference_text(history.diff(asked.a, asked.b))
            case Search():
                return self._found(history, asked)
            case Trace():
                return (yield from self._traced_episode(history, asked))
        raise InputError("this tool reads nothing")

    def _shown(self, history: History, prefix: str) -> str:
        account = history.show(prefix)
        row = self._desk.archive.manifest(self._desk.run_id, account.line.design)
        lines = []
        if row is not None and (manifest := thoughts_of(row).get("manifest")):
            lines.append(f"hypothesis: {one_line(manifest['hypothesis'], 1000)}")
            if outcome := came_true(self._desk.archive, self._desk.run_id, row):
                lines.append(f"what came true: {outcome.describe()}")
        return "\n".join([*lines, account_text(account)])

    def _found(self, history: History, asked: Search) -> str:
        places: Sequence[Where] = PLACES if asked.where == "everywhere" else (asked.where,)
        allowed = [place for place in places if place == "code" or self._context == "traces"]
        watched = self._traced if self._desk.config.reproducible else None
        hits = search(history, asked.text, tuple(allowed), MOST_HITS, watched)
        if not hits:
            return "nothing holds it"
        more = "and maybe more\n" if len(hits) == MOST_HITS else ""
        rows = [[str(part) for part in hit] for hit in hits]
        return table(("where", "design", "episode", "line", "text"), rows) + more

    def _traced_episode(self, history: History, asked: Trace) -> Generator[Need, Any, str]:
        if asked.design == COLLECTION:
            episodes = history.episodes(COLLECTION)
        else:
            design, number = history.find(asked.design), self._commission.number
            seen = yield from self._desk.reflect_on(design, self._desk.reflection_tasks(number, TRACED))
            episodes = sorted((Watched(design, 0, each.trajectory) for each in seen), key=lambda w: w.trajectory.score)
            self._traced += episodes
        if not episodes:
            raise InputError(f"there are no episodes of {one_line(asked.design, 80)}; it fails on the reflection tasks")
        listed = _episodes_table(episodes[:MOST_DESIGNS])
        if self._context != "traces":
            return listed
        chosen = [each for each in episodes if asked.task in ("", each.trajectory.task.id)]
        if not chosen:
            raise InputError(f"there is no episode of task {one_line(asked.task, 80)!r} among them")
        return f"{listed}\n{episode_text(chosen[0])}"


def _episodes_table(episodes: Iterable[Watched]) -> str:
    rows = []
    for watched in episodes:
        trajectory = watched.trajectory
        told = sum(len(change.items) for change in trajectory.retrieved)
        row = trajectory.task.id, watched.repeat, f"{trajectory.score:.3f}", len(trajectory.steps), told
        rows.append(list(map(str, row)))
    return table(("task", "repeat", "score", "steps", "items told"), rows)
