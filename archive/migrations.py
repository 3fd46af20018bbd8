"""Steps from each schema to the next. A step is never changed once an archive may have taken it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from archive.tables import SCHEMA_VERSION

STEPS: dict[int, Sequence[str]] = {
    1: (
        "CREATE INDEX member_by_number ON member (run_id, number)",
        "CREATE INDEX evaluation_by_score ON evaluation (run_id, role, score DESC)",
        "ALTER TABLE run ADD COLUMN image VARCHAR NOT NULL DEFAULT ''",
        "ALTER TABLE evaluation ADD COLUMN variant VARCHAR NOT NULL DEFAULT ''",
        "ALTER TABLE evaluation ADD COLUMN signature BLOB NOT NULL DEFAULT x''",
        "ALTER TABLE request ADD COLUMN told INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE evaluation ADD COLUMN llm_tokens INTEGER NOT NULL DEFAULT 0",
    ),
}
"""By the schema version that a step starts from."""


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Take an archive from `version` to the present schema: all of the steps, or none. Raises `sqlite3.Error`."""
    connection.isolation_level = None  # else sqlite3 would commit on its own
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, SCHEMA_VERSION):
            for statement in STEPS[step]:
                connection.execute(statement)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(SCHEMA_VERSION),))
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise
