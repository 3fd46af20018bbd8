"""How a page is made: a function from a snapshot of the archive to a model, a template, and its JSON twin."""

from __future__ import annotations

import csv
import inspect
import io
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import thread_time
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json

from archive.dashboard.derivations import Derivations
from archive.dashboard.listing import Listing, TableQuery
from archive.dashboard.reading import Reader
from archive.dashboard.templating import templates

View = TypeVar("View", bound=Callable[..., BaseModel])
FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""With which a spreadsheet's formula may begin, in full width too (OWASP, CSV injection)."""


class Estimated(Protocol):
    """A mean with its 95 % interval, infinite where there is none, over n units."""

    @property
    def mean(self) -> float:
        """The mean."""

    @property
    def low(self) -> float:
        """Lower end."""

    @property
    def high(self) -> float:
        """Upper end."""

    @property
    def n(self) -> int:
        """Tasks or passes."""


Scores = Mapping[str, float]
Episodes = list[tuple[str, int, float]]
"""Task, repeat and score of each."""


class ScoresOf(Protocol):
    """Makes scores by task of episodes; in dynamic mode they keep their passes."""

    def __call__(self, episodes: Episodes, *, dynamic: bool) -> Scores:
        """The scores."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the search computes its results with, handed in by the command."""

    scores_of: ScoresOf
    mean: Callable[[Any], Estimated]
    paired: Callable[[Any, Any], Estimated]
    derive: Callable[[Path], Derivations]
    """What takes more than one call of these, of an archive."""


def _snapshot(request: Request) -> Iterator[sqlite3.Connection]:
    with request.app.state.reader.snapshot() as db:
        yield db


def _reader(request: Request) -> Reader:
    found: Reader = request.app.state.reader
    return found


def _statistics(request: Request) -> Statistics:
    found: Statistics = request.app.state.statistics
    return found


def _derivations(request: Request) -> Derivations:
    found: Derivations = request.app.state.derivations
    return found


def _query(
    request: Request,
    sort: str = "",
    page: int = 1,
    size: int = 50,
    format: Literal["", "csv", "json"] = "",  # noqa: A002  its name in the query string
) -> TableQuery:
    """The query string as its tables read it; the named parameters are there for the OpenAPI description."""
    return TableQuery(dict(request.query_params))


Db = Annotated[sqlite3.Connection, Depends(_snapshot)]
"""A view's parameter of this type is a snapshot of the archive."""
Source = Annotated[Reader, Depends(_reader)]
"""And of this the reader of the archive, which knows its path."""
Asked = Annotated[TableQuery, Depends(_query)]
"""And of this what is asked of its tables."""
Tools = Annotated[Statistics, Depends(_statistics)]
"""And of this the search's statistics."""
Derived = Annotated[Derivations, Depends(_derivations)]
"""And of this what the search derives from the archive."""


class Page(NamedTuple):
    """One address. Without a template it is JSON only."""

    path: str
    template: str
    view: Callable[..., BaseModel]


@dataclass(slots=True)
class Pages:
    """The pages of one module of `views`, in which order they were declared."""

    all: list[Page] = field(default_factory=list)

    def page(self, path: str, template: str) -> Callable[[View], View]:
        """Show what a view returns, as `page`, by a template at `path`, and as JSON at `/api` and `path`."""

        def register(view: View) -> View:
            self.all.append(Page(path, template, view))
            return view

        return register

    def data(self, path: str) -> Callable[[View], View]:
        """Give what a view returns as JSON at `/api` and `path`: a chart, say."""
        return self.page(path, "")

    def routes(self) -> APIRouter:
        """The routes of these pages."""
        router = APIRouter()
        for path, template, view in self.all:
            name = view.__name__
            model = inspect.signature(view, eval_str=True).return_annotation
            as_json, twin = _endpoint(view, _plainly), f"/api{path.rstrip('/') or '/runs'}"
            router.add_api_route(twin, as_json, response_model=model, name=f"{name}.json")
            if template:
                html = _endpoint(view, _shower(template))
                router.add_api_route(path, html, response_class=HTMLResponse, name=name, include_in_schema=False)
        return router


def _plainly(request: Request, shown: BaseModel) -> Response:
    return _download(request, shown) or Response(_dumped(shown), media_type="application/json")


def _dumped(shown: BaseModel) -> str | bytes:
    """As JSON; lone surrogates, which a model may write and UTF-8 does not have, as question marks."""
    try:
        return shown.model_dump_json()
    except PydanticSerializationError:
        return to_json(_encodable(shown.model_dump()), inf_nan_mode="null")


def _encodable(value: Any) -> Any:
    if isinstance(value, dict):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(each) for each in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _shower(template: str) -> Callable[[Request, BaseModel], Response]:
    def show(request: Request, shown: BaseModel) -> Response:
        return _download(request, shown) or render(template, request, page=shown)

    return show


def _endpoint(view: Callable[..., BaseModel], respond: Callable[[Request, BaseModel], Any]) -> Callable[..., Any]:
    """A view with request and response as two more parameters, so that FastAPI fills in all of them."""
    signature = inspect.signature(view, eval_str=True)

    def endpoint(*, _request: Request, _response: Response, **given: Any) -> Any:
        began = thread_time()
        answer = respond(_request, view(**given))
        headers = answer.headers if isinstance(answer, Response) else _response.headers
        headers["Server-Timing"] = f"cpu;dur={(thread_time() - began) * 1000:.1f}"  # live pages are paced by it
        return answer

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [inspect.Parameter(f"_{each.__name__.lower()}", keyword, annotation=each) for each in (Request, Response)]
    named = [each.replace(kind=keyword) for each in signature.parameters.values()]
    endpoint.__signature__ = inspect.Signature([*named, *own])  # type: ignore[attr-defined]
    endpoint.__doc__ = view.__doc__
    return endpoint


# Templates


def render(template: str, request: Request, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A page by its template, which also knows its `path`, its `address` with the query, and the archive's name."""
    state, path, query = request.app.state, request.url.path, request.url.query
    given = {"path": path, "address": f"{path}?{query}", "archive": state.reader.path.name, **context}
    return HTMLResponse(templates().get_template(template).render(given), status)


# Exports


def _download(request: Request, shown: BaseModel) -> Response | None:
    """The export of one of a page's tables, if the request asks for it."""
    for _, value in shown:
        if isinstance(value, Listing) and value.wanted in ("csv", "json"):
            rows = _rows(request.app.state.reader, value)
            content = _csv(rows, value.names()) if value.wanted == "csv" else _json(rows)
            kind = "text/csv" if value.wanted == "csv" else "application/json"
            headers = {"Content-Disposition": f'attachment; filename="{value.name}.{value.wanted}"'}
            return StreamingResponse(content, media_type=f"{kind}; charset=utf-8", headers=headers)
    return None


def _rows(reader: Reader, listing: Listing) -> Iterator[dict[str, Any]]:
    with reader.snapshot() as db, closing(listing.export(db)) as rows:  # type: ignore[type-var]
        yield from rows


def _json(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    before = "[\n"
    for row in rows:
        yield before + json.dumps(row)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _csv(rows: Iterator[dict[str, Any]], names: Sequence[str]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    for number, row in enumerate(rows):
        writer.writerow([_cell(value) for value in row.values()])
        if number % 100 == 99:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
