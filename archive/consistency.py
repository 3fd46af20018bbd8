"""The rules that the rows of an archive keep among themselves, and how one that is broken is mended, as SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archive.tables import SCORED, State


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds in every archive. A rule comes after those whose mending may break it."""

    name: str
    holds: str
    broken: str
    """A query of what breaks it: first how it is called, then what the statements that mend take, in their order."""
    wrong: str
    mend: Sequence[str] = ()
    done: str = ""
    remedy: str = ""
    """What a person can do where nothing mends."""


def _named(design: str) -> str:
    return f"'run ' || run_id || ' ' || substr({design}, 1, 10)"


_SCORED = ", ".join(f"'{state}'" for state in sorted({*SCORED, State.DROPPED}))
_FINAL = f"'{State.FINALIST}', '{State.BEST}'"

_NEWEST = "(SELECT run_id, design_id, state, MAX(id) FROM event GROUP BY run_id, design_id)"
_MENTIONED = """(
    SELECT run_id, design_id FROM member UNION SELECT run_id, design_id FROM event
    UNION SELECT run_id, design_id FROM evaluation UNION SELECT run_id, design_id FROM parent
    UNION SELECT run_id, json_extract(result, '$.design') FROM request
        WHERE json_valid(result) AND json_extract(result, '$.design') IS NOT NULL
)"""
_WITHDRAW = ("DELETE FROM evaluation WHERE id = ?", "DELETE FROM outcome WHERE evaluation_id = ?")
_AGAIN = "INSERT INTO event (run_id, design_id, state, reason, created) VALUES (?, ?, ?, 'mended: {}', unixepoch())"


def _packed(name: str, table: str, column: str, called: str, done: str) -> Rule:
    """What of a run is kept packed, and can be done without."""
    garbled = f"SELECT 'run ' || run_id || ' {called}, rowid FROM {table} WHERE NOT readable({column})"
    delete = (f"DELETE FROM {table} WHERE rowid = ?",)
    return Rule(name, "all can be unpacked", garbled, "garbled", delete, f"taken out; {done}")


RULES: tuple[Rule, ...] = (
    Rule(
        "requests",
        "all are JSON, and answered by what was proposed",
        """SELECT 'run ' || run_id || ' request ' || number, (SELECT json_object('design', design_id) FROM member
            WHERE member.run_id = request.run_id AND member.number = request.number + 1 AND role != 'attempt'),
            run_id, number FROM request
            WHERE (result IS NOT NULL AND NOT json_valid(result)) OR (result IS NULL AND EXISTS (SELECT 1 FROM member
            WHERE member.run_id = request.run_id AND member.number = request.number + 1 AND role != 'attempt'))""",
        "without what they were answered",
        ("UPDATE request SET result = ? WHERE run_id = ? AND number = ?",),
        "answered again by the design of that number, or left to be asked again",
    ),
    Rule(
        "code",
        "all of it is text",
        "SELECT 'design ' || substr(id, 1, 10), id FROM design WHERE NOT textual(CAST(source AS BLOB))",
        "garbled",
        ("DELETE FROM design WHERE id = ?",),
        "taken out, and so out of the runs that have it",
    ),
    Rule(
        "designs",
        "every one that a run names is there",
        f"""SELECT {_named("design_id")}, run_id, design_id FROM {_MENTIONED} AS mentioned
            WHERE NOT EXISTS (SELECT 1 FROM design WHERE id = design_id) OR NOT EXISTS (SELECT 1 FROM member
            WHERE member.run_id = mentioned.run_id AND member.design_id = mentioned.design_id)""",
        "named, but their code or their place in the run is missing",
        (
            "DELETE FROM outcome WHERE evaluation_id IN"
            " (SELECT id FROM evaluation WHERE run_id = ?1 AND design_id = ?2)",
            *(f"DELETE FROM {table} WHERE run_id = ?1 AND design_id = ?2" for table in ("evaluation", "event")),
            *(
                f"DELETE FROM {table} WHERE run_id = ?1 AND design_id = ?2"
                for table in ("front", "diagnosis", "comparison")
            ),
            *(f"DELETE FROM {table} WHERE run_id = ?1 AND design_id = ?2" for table in ("parent", "member")),
            "UPDATE request SET result = NULL WHERE run_id = ?1 AND json_extract(result, '$.design') = ?2",
        ),
        "taken out of their runs, which propose them again; what a person gave to `evolve eval` has to be given again",
    ),
    Rule(
        "order of requests",
        "none is missing",
        "SELECT 'run ' || run_id FROM request GROUP BY run_id HAVING MAX(number) + 1 != COUNT(*)",
        "missing in",
        remedy="what such a run holds stays readable, but it cannot go on; start another with --fresh",
    ),
    Rule(
        "parents",
        "every request names designs that are there or will be",
        """SELECT 'run ' || run_id || ' request ' || number FROM request, json_each(payload, '$.parents') AS named
            WHERE NOT EXISTS (SELECT 1 FROM design WHERE id = named.value) AND result IS NULL
            AND NOT EXISTS (SELECT 1 FROM request AS earlier WHERE earlier.run_id = request.run_id
                AND earlier.number < request.number AND earlier.result IS NULL)""",
        "children are asked for of designs that are gone",
        remedy="what such a run holds stays readable, but it cannot go on; start another with --fresh",
    ),
    Rule(
        "recordings",
        "all can be unpacked",
        "SELECT hex(key), key FROM recording WHERE NOT readable(trajectory)",
        "garbled",
        ("DELETE FROM recording WHERE key = ?",),
        "taken out; they are played again",
    ),
    Rule(
        "told memories",
        "all can be unpacked",
        "SELECT hex(key), key FROM told WHERE NOT readable(items)",
        "garbled",
        ("DELETE FROM told WHERE key = ?",),
        "taken out; their designs are asked again",
    ),
    Rule(
        "calls of models",
        "what was said can be unpacked",
        "SELECT 'call ' || call_id, call_id FROM exchange WHERE NOT readable(request) OR NOT readable(reply)",
        "garbled",
        ("DELETE FROM exchange WHERE call_id = ?",),
        "taken out; such a call is paid for again where it is asked again",
    ),
    _packed("thoughts of models", "manifest", "thoughts", "request ' || number", "what was thought of them is lost"),
    _packed("diagnoses", "diagnosis", "profile", "' || substr(design_id, 1, 10)", "such designs are diagnosed again"),
    _packed("tactics", "tactics", "notes", "after ' || began", "they are found again in such a round"),
    _packed("comparisons", "comparison", "details", "' || substr(design_id, 1, 10)", "they are made again"),
    Rule(
        "insights",
        "all can be unpacked",
        "SELECT 'operation ' || id, id FROM operation WHERE length(insight) AND NOT readable(insight)",
        "garbled",
        ("DELETE FROM operation WHERE id = ?",),
        "such operations were taken out; what was known before them is known again",
    ),
    Rule(
        "outcomes",
        "each belongs to an evaluation",
        """SELECT 'evaluation ' || evaluation_id, evaluation_id FROM outcome
            WHERE evaluation_id NOT IN (SELECT id FROM evaluation) GROUP BY evaluation_id""",
        "without their evaluation",
        ("DELETE FROM outcome WHERE evaluation_id = ?",),
        "the outcomes were taken out",
    ),
    Rule(
        "evaluations",
        "each has all its outcomes, with what was told and played",
        f"""SELECT {_named("design_id")} || ' ' || role, evaluation.id FROM evaluation
            LEFT JOIN outcome ON evaluation_id = evaluation.id GROUP BY evaluation.id
            HAVING COUNT(DISTINCT task_id) != n OR COUNT(task_id) != n * COUNT(DISTINCT repeat)
            OR SUM(episode IS NOT NULL AND NOT EXISTS (SELECT 1 FROM episode WHERE key = outcome.episode))
            OR SUM(NOT EXISTS (SELECT 1 FROM told WHERE key = outcome.told))""",
        "without all outcomes, or their episodes, or what was told in them",
        _WITHDRAW,
        "withdrawn; their designs are evaluated again, and only what is missing is played",
    ),
    Rule(
        "states",
        "those with a score have an evaluation",
        f"""SELECT {_named("newest.design_id")}, run_id, design_id, '{State.PROPOSED}' FROM {_NEWEST} AS newest
            WHERE state IN ({_SCORED}) AND NOT EXISTS (SELECT 1 FROM evaluation WHERE evaluation.run_id = newest.run_id
            AND evaluation.design_id = newest.design_id AND role = 'deployment')
            UNION SELECT {_named("design_id")}, run_id, design_id, '{State.PROPOSED}' FROM member
            WHERE NOT EXISTS (SELECT 1 FROM event
                WHERE event.run_id = member.run_id AND event.design_id = member.design_id)""",
        "scored without an evaluation, or without any state",
        (_AGAIN.format("its evaluation is missing"),),
        "set back to `proposed`; they are evaluated again",
    ),
    Rule(
        "finals",
        "every finalist was confirmed",
        f"""SELECT {_named("newest.design_id")}, run_id, design_id, '{State.EVALUATED}' FROM {_NEWEST} AS newest
            WHERE state IN ({_FINAL}) AND EXISTS (SELECT 1 FROM member
            WHERE member.run_id = newest.run_id AND (member.design_id = newest.design_id OR number = 0)
            AND NOT EXISTS (SELECT 1 FROM evaluation WHERE evaluation.run_id = member.run_id
                AND evaluation.design_id = member.design_id AND role = 'confirmation'))""",
        "confirmed without an evaluation on those tasks, their own or a baseline's",
        (_AGAIN.format("its confirmation is missing"),),
        "set back to `evaluated`; the finals are played again",
    ),
    Rule(
        "runs",
        "none is said to be running that is not",
        "SELECT 'run ' || id, id FROM run WHERE status = 'running'",
        "killed, and still said to be running",
        ("UPDATE run SET status = 'interrupted' WHERE id = ?",),
        "marked as interrupted; the same command goes on with them",
    ),
    Rule(
        "configurations",
        "all are JSON",
        "SELECT 'run ' || id FROM run WHERE NOT json_valid(config)",
        "garbled",
        remedy="such a run cannot go on; start another with --fresh",
    ),
)
