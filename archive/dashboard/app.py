"""The application: its pages, static files, live events and errors behind one guard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from archive.dashboard.live import CrowdedError, Hub
from archive.dashboard.pages import Statistics, render
from archive.dashboard.reading import NotThereError, Reader
from archive.dashboard.security import Access, Guard
from archive.dashboard.templating import HERE
from archive.dashboard.views import ALL
from archive.database import ArchiveError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

DESCRIPTION = "What an archive of Palimpsest holds, read-only: every page of the dashboard as JSON."

PRIVATE: dict[str, Any] = {
    "docs_url": None,
    "redoc_url": None,
    "telemetry": {"tracing": False, "metrics": False, "logs": False},
}
"""Nothing that would load scripts from elsewhere, or report anywhere."""


class Dashboard:
    """The pages of one archive. `guarded` is what a server serves."""

    def __init__(self, path: Path, statistics: Statistics, access: Access, version: str = "0") -> None:
        self.hub = Hub(Reader(path))
        self.app = FastAPI(title="Palimpsest", version=version, description=DESCRIPTION, **PRIVATE)
        self.app.state.reader = Reader(path)
        self.app.state.statistics = statistics
        self.app.state.derivations = statistics.derive(path)
        for pages in ALL:
            self.app.include_router(pages.routes())
        self.app.add_api_route("/live", self._live, include_in_schema=False)
        self.app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
        _handle_errors(self.app)
        self.guarded: ASGIApp = Guard(self.app, access)

    def close(self) -> None:
        """Let go of what the derivations hold."""
        self.app.state.derivations.close()

    async def _live(self, run: int | None = None) -> Response:
        """Server-sent events: `changed`, with what was committed."""
        self.hub.admit()
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self.hub.listen(run), media_type="text/event-stream", headers=headers)


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(NotThereError)
    def not_there(request: Request, error: NotThereError) -> Response:
        return _error(request, 404, "Not in this archive", str(error))

    @app.exception_handler(ArchiveError)
    def unreadable(request: Request, error: ArchiveError) -> Response:
        return _error(request, 503, "The archive cannot be read", str(error))

    @app.exception_handler(CrowdedError)
    def crowded(request: Request, error: CrowdedError) -> Response:
        return _error(request, 503, "Too many listeners", str(error))

    @app.exception_handler(RequestValidationError)
    def not_valid(request: Request, error: RequestValidationError) -> Response:
        told = "; ".join(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors())
        return _error(request, 422, "The address is not right", told)

    @app.exception_handler(HTTPException)
    def other(request: Request, error: HTTPException) -> Response:
        return _error(request, error.status_code, "There is no such page", str(error.detail))

    @app.exception_handler(Exception)
    def fault(request: Request, error: Exception) -> Response:
        return _error(request, 500, "A fault of the dashboard", f"{type(error).__name__}: {error}")


def _error(request: Request, status: int, title: str, told: str) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": told}, status)
    return render("error.html", request, status=status, title=title, told=told)
