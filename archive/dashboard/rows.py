"""Tables of rows that were computed, not stored. SQLite reads them as JSON: they sort and filter like others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from archive.dashboard.derivations import Estimate
from archive.dashboard.listing import Column, Kind, Table

SOURCE = "json_each(:rows) AS listed"


def value(key: str) -> str:
    """A field of a row, as SQL."""
    return f"json_extract(listed.value, '$.{key}')"


def column(
    key: str, heading: str, kind: Kind = Kind.TEXT, *, link: str = "", note: str = "", has_interval: bool = False
) -> Column:
    """A column of such a table; the fields of its interval are those of its key with `_low` and `_high`."""
    low, high = (value(f"{key}_{end}") if has_interval else "" for end in ("low", "high"))
    return Column(key, heading, value(key), kind, link=link, low=low, high=high, note=note)


def table(name: str, columns: Sequence[Column], *, sort: str = "", prefix: str = "") -> Table:
    """A table to be read with `rows=packed(...)`; in their order, unless sorted."""
    return Table(name=name, columns=columns, source=SOURCE, id="listed.key", sort=sort, prefix=prefix)


def flat(key: str, found: Estimate | None) -> dict[str, float | None]:
    """The fields of an estimate."""
    low, high = (found.interval if found is not None else None) or (None, None)
    return {key: found.mean if found is not None else None, f"{key}_low": low, f"{key}_high": high}


def packed(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as a table's parameter; SQLite takes no lone surrogates, which JSON can hold."""
    return json.dumps(list(rows), ensure_ascii=False).encode("utf-8", "replace").decode()
