"""Who may ask at all: clients that know the server's name, and web pages only where something else checks them.

Any web page that is open beside a server can send requests to it, and nothing need ask for a password. By the header
Host a page is known whose own name leads to this machine (DNS rebinding), by Origin, Referer and Sec-Fetch-Site any.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vision.errors import AccessDeniedException, ServiceError, ValidationException

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HEALTH = "/health"
_PLAIN = re.compile(rb"/[A-Za-z0-9_/-]*")
"""All that a path of this server needs: no dots, no backslashes, nothing encoded that could hide them."""


class Gate:
    """Refuses who may not ask, before anything behind it sees the request.

    `hosts` are names that the header Host may have, with any port, besides those of this machine; None allows any name.
    """

    def __init__(
        self, app: ASGIApp, hosts: frozenset[str] | None, *, pages: bool, refusal: Callable[[ServiceError], Response]
    ) -> None:
        self._app, self._hosts, self._pages, self._refusal = app, hosts, pages, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's lifetime, as ASGI calls it."""
        answer: Callable[[Scope, Receive, Send], Awaitable[None]] = self._app
        if scope["type"] == "http":
            try:
                self._check(scope)
            except ServiceError as error:
                answer = self._refusal(error)
                answer.headers["connection"] = "close"  # the body is not read, and is no next request
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        await answer(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if self._hosts is not None and not self._is_named(scope, headers.getlist("host"), self._hosts):
            raise AccessDeniedException(
                "The server is not known by this name; ask 127.0.0.1, or start it with --allowed-host NAME."
            )
        if not self._pages and _is_of_page(headers):
            raise AccessDeniedException(
                "A server without keys answers no web pages: start it with --keys FILE and sign requests."
            )
        if not _PLAIN.fullmatch(scope["raw_path"]):
            raise ValidationException("The path is '/' for all operations, or '/health'.")

    def _is_named(self, scope: Scope, given: list[str], hosts: frozenset[str]) -> bool:
        """Whether the header Host is one of ours. Load balancers ask for /health by the address, not by a name."""
        if hosts and scope["path"] == HEALTH:
            return True
        port = scope["server"][1]
        here = {each for name in LOOPBACK for each in (name, f"{name}:{port}")}
        asked = [host.lower() for host in given]
        return len(asked) == 1 and (asked[0] in here or re.sub(r":\d+$", "", asked[0]) in hosts)


def _is_of_page(headers: Headers) -> bool:
    """Browsers put Origin into every POST, and Sec-Fetch-Site into all they send here; "none" is a typed address."""
    return "origin" in headers or "referer" in headers or headers.get("sec-fetch-site", "none") != "none"


def hosts_answered(given: frozenset[str], *, loopback: bool) -> frozenset[str] | None:
    """Which names a server answers to: any, if it is open to other machines and none was given.

    Who asks from there must sign, and a signature holds the name; or something before the server checks.
    """
    return given if given or loopback else None
