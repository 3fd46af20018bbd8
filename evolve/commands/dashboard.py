"""`evolve dashboard`: the archive as web pages."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from evolve.commands.show import say
from evolve.errors import InputError

if TYPE_CHECKING:
    from archive.dashboard.app import Dashboard
    from archive.dashboard.pages import Statistics

SHORTEST = 16
"""Characters of a token."""
LATER = 3.0
"""Seconds until what only some pages need is imported."""
GRACE = 2
"""Seconds that answers under way have to end."""


def serve_dashboard(path: Path, host: str, port: int, token: str, *, open_browser: bool) -> None:
    """Serve the dashboard of an archive until it is interrupted."""
    from archive.dashboard.app import Dashboard
    from archive.dashboard.security import Access
    from archive.opening import open_archive

    _refuse_unsafe(host, token)
    open_archive(path).close()  # says what is wrong with it, and brings an older one up to date
    dashboard = Dashboard(path, _statistics(), Access(host, token), version("palimpsest"))
    with closing(dashboard), closing(_listening(host, port)) as listening:
        address = _address(host, listening.getsockname()[1], token)
        say(f"{path} at {address}   (Ctrl-C ends)")
        sys.stdout.flush()
        if open_browser:
            import webbrowser

            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        _later(_warm_up)
        _run(dashboard, listening)


def _later(do: Callable[[], None]) -> None:
    """Do it once the first page is likely to be there, which it would delay."""
    timer = threading.Timer(LATER, do)
    timer.daemon = True
    timer.start()


def _warm_up() -> None:
    """Import what the first comparison of designs would wait for."""
    from evolve.statistics import signed_rank

    signed_rank({"a": 0.0, "b": 0.0}, {"a": 0.1, "b": 0.2})


def _refuse_unsafe(host: str, token: str) -> None:
    from archive.dashboard.security import is_loopback

    if token and len(token) < SHORTEST:
        raise InputError(f"--token needs at least {SHORTEST} characters; `openssl rand -hex 16` makes one")
    if not token and not is_loopback(host):
        raise InputError(
            f"at {host} others could read the archive: give --token SECRET as well (`openssl rand -hex 16` makes one)"
        )


def _statistics() -> Statistics:
    """What pages compute with; computed with once, so that the first page does not wait for its imports."""
    from archive.dashboard.pages import Statistics
    from evolve.derivations import Derived
    from evolve.evaluation import scores_of
    from evolve.statistics import mean, paired

    paired({"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 1.0})
    return Statistics(scores_of, mean, paired, Derived)


def _listening(host: str, port: int) -> socket.socket:
    """A socket at an address; raises `InputError` where it is taken or is none of this machine's."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(f"--host {host} is no address of this machine ({error.strerror})") from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(128)
    except OSError as error:
        made.close()
        raise InputError(
            f"cannot listen at {host}, port {port} ({error.strerror}); give another --port, 0 picks one"
        ) from error
    return made


def _address(host: str, port: int, token: str) -> str:
    """What to open; where all addresses are listened on, as this machine itself reaches it."""
    from urllib.parse import quote

    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/" + (f"?token={quote(token)}" if token else "")


def _run(dashboard: Dashboard, listening: socket.socket) -> None:
    """Serve until Ctrl-C; live streams are ended first, for they would never end by themselves."""
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: object) -> None:
            dashboard.hub.close()
            super().handle_exit(sig, frame)  # type: ignore[arg-type]

    config = uvicorn.Config(
        dashboard.guarded,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    try:
        Server(config).run(sockets=[listening])
    except KeyboardInterrupt:  # uvicorn raises it again when all is closed
        say()
