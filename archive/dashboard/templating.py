"""The templates of pages and of the report: everything that they show is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from archive.dashboard.formats import FILTERS

HERE = Path(__file__).parent


@cache
def templates() -> Environment:
    """All templates, with our filters."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment
