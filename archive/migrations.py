"""Steps from each schema to the next. A step is never changed once an archive may have taken it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from archive.tables import SCHEMA_VERSION

STEPS: dict[int, Sequence[str]] = {
    1: (
        "CREATE TABLE call (id INTEGER NOT NULL PRIMARY KEY, run_id INTEGER NOT NULL, key BLOB NOT NULL,"
        " role VARCHAR NOT NULL, model VARCHAR NOT NULL, design VARCHAR NOT NULL, sample INTEGER NOT NULL,"
        " tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, cached INTEGER NOT NULL,"
        " reasoning INTEGER NOT NULL, written INTEGER NOT NULL, dollars FLOAT, seconds FLOAT, finish VARCHAR NOT NULL,"
        " problem VARCHAR NOT NULL, hit_of INTEGER, created FLOAT NOT NULL)",
        "CREATE INDEX call_by_key ON call (key) WHERE hit_of IS NULL",
        "CREATE INDEX call_of_run ON call (run_id, role, model, seconds)",
        "CREATE TABLE exchange (call_id INTEGER NOT NULL PRIMARY KEY, request BLOB NOT NULL, reply BLOB NOT NULL)",
        "CREATE TABLE refusal (key BLOB NOT NULL PRIMARY KEY, kind VARCHAR NOT NULL, message VARCHAR NOT NULL)",
        "CREATE INDEX member_by_number ON member (run_id, number)",
        "CREATE INDEX evaluation_by_score ON evaluation (run_id, role, score DESC)",
        "ALTER TABLE run ADD COLUMN image VARCHAR NOT NULL DEFAULT ''",
        "ALTER TABLE evaluation ADD COLUMN variant VARCHAR NOT NULL DEFAULT ''",
        "ALTER TABLE evaluation ADD COLUMN signature BLOB NOT NULL DEFAULT x''",
        "ALTER TABLE request ADD COLUMN told INTEGER NOT NULL DEFAULT 0",
        "CREATE TABLE manifest (run_id INTEGER NOT NULL, number INTEGER NOT NULL, design_id VARCHAR NOT NULL,"
        " thoughts BLOB NOT NULL, reason VARCHAR NOT NULL, calls INTEGER NOT NULL, tokens_in INTEGER NOT NULL,"
        " tokens_out INTEGER NOT NULL, cached INTEGER NOT NULL, dollars FLOAT, created FLOAT NOT NULL,"
        " PRIMARY KEY (run_id, number))",
        "CREATE INDEX manifest_of_design ON manifest (run_id, design_id)",
        "CREATE TABLE diagnosis (run_id INTEGER NOT NULL, design_id VARCHAR NOT NULL, profile BLOB NOT NULL,"
        " author VARCHAR NOT NULL, created FLOAT NOT NULL, PRIMARY KEY (run_id, design_id))",
        "CREATE TABLE tactics (run_id INTEGER NOT NULL, began INTEGER NOT NULL, notes BLOB NOT NULL,"
        " author VARCHAR NOT NULL, created FLOAT NOT NULL, PRIMARY KEY (run_id, began))",
        "CREATE TABLE front (run_id INTEGER NOT NULL, design_id VARCHAR NOT NULL, performance FLOAT NOT NULL,"
        " cost FLOAT NOT NULL, delay FLOAT NOT NULL, entered INTEGER NOT NULL, beaten INTEGER,"
        " PRIMARY KEY (run_id, design_id))",
        "CREATE TABLE comparison (run_id INTEGER NOT NULL, design_id VARCHAR NOT NULL, rival_id VARCHAR NOT NULL,"
        " told INTEGER NOT NULL, decided_by VARCHAR NOT NULL, total FLOAT NOT NULL, rival_total FLOAT NOT NULL,"
        " difference FLOAT NOT NULL, low FLOAT NOT NULL, high FLOAT NOT NULL, n INTEGER NOT NULL,"
        " details BLOB NOT NULL, author VARCHAR NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,"
        " dollars FLOAT, created FLOAT NOT NULL, PRIMARY KEY (run_id, design_id))",
        "CREATE TABLE operation (id INTEGER NOT NULL PRIMARY KEY, kind VARCHAR NOT NULL, targets VARCHAR NOT NULL,"
        " run_id INTEGER, told INTEGER NOT NULL, author VARCHAR NOT NULL, reason VARCHAR NOT NULL,"
        " insight BLOB NOT NULL, created FLOAT NOT NULL)",
        "CREATE TABLE hint (id INTEGER NOT NULL PRIMARY KEY, run_id INTEGER NOT NULL, text VARCHAR NOT NULL,"
        " asked INTEGER NOT NULL, created FLOAT NOT NULL)",
        "CREATE INDEX hint_of_run ON hint (run_id)",
        "ALTER TABLE run ADD COLUMN knew INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE evaluation ADD COLUMN llm_tokens INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE evaluation ADD COLUMN llm_dollars FLOAT DEFAULT 0",
        "ALTER TABLE episode ADD COLUMN tokens_in INTEGER",
        "ALTER TABLE episode ADD COLUMN tokens_out INTEGER",
        "ALTER TABLE episode ADD COLUMN dollars FLOAT",
    ),
    2: (
        "CREATE TABLE utilisation (id INTEGER NOT NULL PRIMARY KEY, run_id INTEGER NOT NULL, began FLOAT NOT NULL,"
        " seconds FLOAT NOT NULL, busy FLOAT NOT NULL, available FLOAT NOT NULL)",
        "CREATE INDEX ix_utilisation_run_id ON utilisation (run_id)",
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
