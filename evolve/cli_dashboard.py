"""The command that serves the dashboard."""

from __future__ import annotations

from typing import Annotated

import typer

from evolve.options import ARCHIVE, ArchiveOption


def dashboard(
    archive: ArchiveOption = ARCHIVE,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8600,
    host: Annotated[str, typer.Option(help="Another address than this machine's own lets others in.")] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(envvar="PALIMPSEST_TOKEN", help="A secret text that the browser has to know.")
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Also open it in the browser.")] = False,
) -> None:
    """Show an archive as web pages, also while a run writes it, until Ctrl-C. It only reads.

    Example: evolve dashboard --archive palimpsest.db --open
    """
    from evolve.commands.dashboard import serve_dashboard

    serve_dashboard(archive, host, port, token or "", open_browser=open_browser)
