"""Tables of any length: declared columns, which SQL sorts, filters, pages and exports.

The state of a table is in the query string: `sort=-score` (a minus: descending), `page`, `size`, and a filter by the
column's key, such as `state=failed` or `score=>0.4`. A second table on a page puts a prefix before each of these.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, PrivateAttr

from archive.dashboard.filtering import FilterError, condition

SIZE, LARGEST = 50, 500
"""Rows of a page."""
LONGEST = 1000
"""Characters of a text in a row of a page; an export has all of them."""
COUNTED = 100_000
"""Rows are counted, and can be paged through, up to here; an export has all of them."""


class Kind(StrEnum):
    """How a column is shown and filtered."""

    TEXT = "text"
    """Foreign text, cut; filtered by a part of it."""
    NAME = "name"
    """The id of a design, shown by its leading characters."""
    WORD = "word"
    """One of few words, filtered by the whole of it."""
    NUMBER = "number"
    SCORE = "score"
    SIGNED = "signed"
    DOLLARS = "dollars"
    DURATION = "duration"
    TIME = "time"

    @property
    def is_text(self) -> bool:
        """Whether it is no number."""
        return self in (Kind.TEXT, Kind.NAME, Kind.WORD)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: an SQL expression with a key and a heading. `low` and `high` are expressions of its interval."""

    key: str
    heading: str
    sql: str
    kind: Kind = Kind.TEXT
    link: str = ""
    """An address with fields of the row in it: `/designs/{design}?run={run}`."""
    low: str = ""
    high: str = ""
    sortable: bool = True
    filterable: bool = True
    nullable: bool = True
    """Values that are none come last; where there are none, an index may serve the order."""
    hidden: bool = False
    """Part of the row, for links and exports, but not shown."""
    note: str = ""
    """What the heading means, in a sentence."""


class Heading(BaseModel):
    """A column as a page needs it."""

    key: str
    heading: str
    kind: Kind
    link: str
    sortable: bool
    filterable: bool
    note: str


@dataclass(frozen=True, slots=True)
class TableQuery:
    """What a request asks of its tables: its query string."""

    given: Mapping[str, str] = field(default_factory=dict)

    def text(self, key: str) -> str:
        """A parameter, stripped; empty where it is not given."""
        return self.given.get(key, "").strip()

    def whole(self, key: str, default: int, most: int) -> int:
        """A whole number from 1 on."""
        text = self.text(key)
        return min(max(1, int(text)), most) if text.isascii() and text.isdigit() and len(text) < 10 else default


class Listing(BaseModel):
    """One page of a table."""

    name: str
    prefix: str
    columns: list[Heading]
    rows: list[dict[str, Any]]
    count: int
    """Rows that match, up to a limit."""
    is_more: bool
    """Whether there are more than were counted."""
    page: int
    pages: int
    size: int
    sort: str
    filters: dict[str, str]
    problems: list[str]
    """Filters that were not understood, and so are not applied."""
    _query: TableQuery = PrivateAttr(default_factory=TableQuery)
    _selection: _Selection | None = PrivateAttr(default=None)

    @property
    def wanted(self) -> str:
        """The format of an export, if one is asked for."""
        return self._query.text(f"{self.prefix}format")

    def address(self, **changes: object) -> str:
        """The query string of this table with changes; those of other parts of the page stay."""
        changed = {f"{self.prefix}{key}": str(value) for key, value in changes.items()}
        merged = {**self._query.given, **changed}
        return "?" + urlencode({key: value for key, value in merged.items() if value})

    def cleared(self) -> str:
        """The address without filters."""
        return self.address(page="", format="", **dict.fromkeys(self.filters, ""))

    def sorting(self, key: str) -> str:
        """The address that sorts by a column, the other way round where it is sorted by it already."""
        return self.address(sort=f"-{key}" if self.sort == key else key, page="", format="")

    def kept(self) -> dict[str, str]:
        """The parameters that a form of filters has to repeat."""
        own = {f"{self.prefix}{column.key}" for column in self.columns} | {f"{self.prefix}page", f"{self.prefix}format"}
        return {key: value for key, value in self._query.given.items() if key not in own and value}

    def names(self) -> list[str]:
        """The columns of an export."""
        return self._selection.names() if self._selection is not None else []

    def export(self, db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
        """All rows that match, in order."""
        if self._selection is not None:
            yield from self._selection.everything(db)


@dataclass(frozen=True, slots=True)
class Table:
    """Columns over a FROM clause. `id` names columns that tell its rows apart; parameters are written `:name`."""

    name: str
    columns: Sequence[Column]
    source: str
    id: str
    where: str = "1"
    sort: str = ""
    """The key of the column that it is sorted by at first, with a minus where descending."""
    prefix: str = ""
    derive: Callable[[dict[str, Any]], None] | None = None
    """Adds to a row what follows from its other columns."""

    def read(self, db: sqlite3.Connection, query: TableQuery, **parameters: object) -> Listing:
        """The page that a request asks for."""
        filters = {each.key: query.text(self.prefix + each.key) for each in self.columns if each.filterable}
        filters = {key: text for key, text in filters.items() if text}
        sort = query.text(f"{self.prefix}sort")
        if self._column(sort) is None:
            sort = self.sort
        selection, problems = self._select(filters, sort, parameters)
        count = selection.count(db)
        size = query.whole(f"{self.prefix}size", SIZE, LARGEST)
        pages = max(1, -(-min(count, COUNTED) // size))
        page = query.whole(f"{self.prefix}page", 1, pages)
        listing = Listing(
            name=self.name,
            prefix=self.prefix,
            columns=[Heading.model_validate(each, from_attributes=True) for each in self.columns if not each.hidden],
            rows=list(selection.part(db, size, (page - 1) * size)),
            count=min(count, COUNTED),
            is_more=count > COUNTED,
            page=page,
            pages=pages,
            size=size,
            sort=sort,
            filters=filters,
            problems=problems,
        )
        listing._query, listing._selection = query, selection
        return listing

    def _column(self, sort: str) -> Column | None:
        key = sort.removeprefix("-")
        return next((each for each in self.columns if each.key == key and each.sortable), None)

    def _select(
        self, filters: Mapping[str, str], sort: str, parameters: Mapping[str, object]
    ) -> tuple[_Selection, list[str]]:
        conditions, problems, values = [self.where], [], dict(parameters)
        for column in self.columns:
            if (text := filters.get(column.key)) is not None:
                try:
                    sql, given = condition(column.key, column.sql, column.kind, text)
                except FilterError as error:
                    problems.append(f"{column.heading}: {error}")
                    continue
                conditions.append(sql)
                values |= given
        where = " AND ".join(f"({each})" for each in conditions)
        return _Selection(self, where, self._order(sort), values), problems

    def _order(self, sort: str) -> str:
        column = self._column(sort)
        if column is None:
            return self.id
        last = f"{column.sql} IS NULL, " if column.nullable else ""
        return f"{last}{column.sql} {'DESC' if sort.startswith('-') else 'ASC'}, {self.id}"


@dataclass(frozen=True, slots=True)
class _Selection:
    """The rows that a request asks for, as SQL."""

    table: Table
    where: str
    order: str
    values: Mapping[str, object]

    def count(self, db: sqlite3.Connection) -> int:
        """How many there are, or one more than is counted."""
        some = f"SELECT 1 FROM {self.table.source} WHERE {self.where} LIMIT {COUNTED + 1}"
        return int(db.execute(f"SELECT COUNT(*) FROM ({some})", self.values).fetchone()[0])

    def part(self, db: sqlite3.Connection, limit: int, offset: int) -> Iterator[dict[str, Any]]:
        """Some of them. Only their ids are sorted: a column that is dear is computed for what is shown."""
        ids = f"SELECT {self.table.id} FROM {self.table.source} WHERE {self.where} ORDER BY {self.order}"
        some = f"({self.table.id}) IN ({ids} LIMIT :_limit OFFSET :_offset)"
        found = self._rows(f"({self.table.where}) AND {some}", LONGEST)
        return self._clean(db.execute(found, {**self.values, "_limit": limit, "_offset": offset}))

    def everything(self, db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
        """All of them, as they are read."""
        return self._clean(db.execute(self._rows(self.where), self.values))

    def names(self) -> list[str]:
        """The keys of a row, in order."""
        return list(self._expressions())

    def _expressions(self) -> dict[str, str]:
        found = {}
        for each in self.table.columns:
            found[each.key] = each.sql
            found |= {f"{each.key}_{end}": sql for end in ("low", "high") if (sql := getattr(each, end))}
        return found

    def _rows(self, where: str, longest: int | None = None) -> str:
        cut = {column.key for column in self.table.columns if column.kind is Kind.TEXT} if longest else set()
        expressions = {
            key: f"substr({sql}, 1, {longest})" if key in cut else sql for key, sql in self._expressions().items()
        }
        columns = ", ".join(f'{sql} AS "{key}"' for key, sql in expressions.items())
        return f"SELECT {columns} FROM {self.table.source} WHERE {where} ORDER BY {self.order}"

    def _clean(self, found: sqlite3.Cursor) -> Iterator[dict[str, Any]]:
        """Rows as JSON has them: the infinite ends of an interval that there is not are none."""
        names = [each[0] for each in found.description]
        for values in found:
            row = {name: _plain(value) for name, value in zip(names, values, strict=True)}
            if self.table.derive is not None:
                self.table.derive(row)
            yield row


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return None if isinstance(value, float) and not isfinite(value) else value
