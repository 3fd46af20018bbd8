"""Who may ask, and what a browser may do with an answer. One middleware around everything."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every answer."""
COOKIE = "palimpsest"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Access:
    """The address that is listened on, and the token that it takes to be answered, if one is needed."""

    host: str = "127.0.0.1"
    token: str = ""

    def names(self, host_header: str) -> bool:
        """Whether a Host header names this server.

        A page elsewhere whose own name was made to point here (DNS rebinding) would name itself. Where all addresses
        of the machine are listened on, its names are not known; there the token protects, which that page has not.
        """
        name = _name(host_header)
        return name in LOOPBACK or name == self.host.strip("[]").lower() or bool(self.token and name)

    def is_token(self, given: str) -> bool:
        """Whether it is the token; takes as long for any."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    @property
    def cookie(self) -> str:
        """What a browser keeps in place of the token."""
        return sha256(b"palimpsest dashboard " + self.token.encode()).hexdigest()

    def is_known(self, headers: Headers) -> bool:
        """Whether a request comes with the cookie, or with the token as a program sends it."""
        if not self.token:
            return True
        kept = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        kind, _, given = headers.get("authorization", "").partition(" ")
        by_header = kind.lower() == "bearer" and self.is_token(given.strip())
        return by_header or hmac.compare_digest(kept.encode(), self.cookie.encode())


def _name(host_header: str) -> str:
    """The name in a Host header, without its port."""
    host = host_header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


class Guard:
    """Refuses other hosts, other methods and strangers; adds the headers; answers HEAD as GET without the body."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"

        async def sending(message: Message) -> None:
            is_start = message["type"] == "http.response.start"
            if is_start:
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-cache")
            if is_start or not is_head:
                await send(message)
            if is_start and is_head:  # a stream of events would not end by itself
                await send({"type": "http.response.body"})

        answer: ASGIApp | None = self._refusal(scope)
        if answer is None:
            answer, scope = self._app, {**scope, "method": "GET"}
        await answer(scope, receive, sending)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("The dashboard only reads.\n", 405, {"Allow": "GET, HEAD"})
        if not self._access.names(headers.get("host", "")):
            return PlainTextResponse("This is not the host that the dashboard was started for.\n", 421)
        if self._access.token:
            query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            if (given := dict(query).get("token")) is not None and self._access.is_token(given):
                return self._welcome(scope, [pair for pair in query if pair[0] != "token"])
        if not self._access.is_known(headers):
            return PlainTextResponse("Open the address with ?token=TOKEN that `evolve dashboard` printed.\n", 401)
        return None

    def _welcome(self, scope: Scope, query: list[tuple[str, str]]) -> Response:
        """Have the browser keep the cookie, and go on to the address without the token."""
        path = "/" + str(scope["path"]).lstrip("/\\")  # `//host` would lead elsewhere
        answer = RedirectResponse(path + (f"?{urlencode(query)}" if query else ""), 303)
        answer.set_cookie(COOKIE, self._access.cookie, httponly=True, samesite="lax", path="/")
        return answer
