"""The ASGI application that puts the rules before another: who is refused never reaches what is behind it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any

from local.gate.asked import Asked, Refused
from local.gate.callers import Rules

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]
"""Of ASGI: called with scope, receive and send, for which each server has types of its own."""

_CORS = b"access-control-"
_ALLOW_ORIGIN = b"access-control-allow-origin"


def _reason_and_message(reason: str, message: str) -> bytes:
    """AWS SDKs read an error's sentence from "message"."""
    return json.dumps({"reason": reason, "message": message}).encode()


class Gate:
    """Lets through what the rules allow, with bodies of at most `most_bytes`; answers the rest itself.

    Answers allow no page to read them but those of `pages` (origins), whatever the application behind says. `refusal`
    makes JSON of the code and the sentence of what is refused.
    """

    def __init__(
        self,
        app: Application,
        rules: Rules,
        pages: Collection[str],
        most_bytes: int,
        refusal: Callable[[str, str], bytes] = _reason_and_message,
    ) -> None:
        self._app, self._rules, self._pages, self._most_bytes = app, rules, pages, most_bytes
        self._refusal = refusal

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request, web socket or lifetime, as ASGI calls it."""
        match scope["type"]:
            case "http":
                await self._answer(scope, receive, send)
            case "websocket":  # none of ours speaks it, and browsers let every page try
                await receive()
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted, this is a 403
            case _:
                await self._app(scope, receive, send)

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        asked = Asked(scope)
        left, began, refused = self._most_bytes, False, False

        async def receive_at_most() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                await refuse(self._too_large())  # at once: the application may have an answer of its own for any error
                raise self._too_large()
            return message

        async def send_for_pages(message: Message) -> None:
            nonlocal began
            if refused:
                return
            if message["type"] == "http.response.start":
                began = True
                message["headers"] = self._for_pages(asked.value("origin"), message.get("headers", ()))
            await send(message)

        async def refuse(why: Refused) -> None:
            nonlocal refused
            if not (began or refused):
                refused = True
                await _send_refusal(why, self._refusal(why.reason, why.message), send)

        try:
            self._rules(asked)
            self._check_length(asked)
            await self._app(scope, receive_at_most, send_for_pages)
        except Refused as why:
            await refuse(why)

    def _check_length(self, asked: Asked) -> None:
        length = asked.value("content-length")
        if length.isdecimal() and int(length) > self._most_bytes:
            raise self._too_large()

    def _too_large(self) -> Refused:
        return Refused(413, "too_large", f"The request is too large; at most {self._most_bytes // 1024**2} MB.")

    def _for_pages(self, origin: str, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The headers, with the page's own origin in place of "*"; without any of CORS for all others.

        An answer to <img>, which sends no Origin, must not be taken from a browser's cache for a script's fetch.
        """
        always = (b"vary", b"Origin")
        if origin not in self._pages:
            return [always, *(header for header in headers if not header[0].lower().startswith(_CORS))]
        others = [header for header in headers if header[0].lower() != _ALLOW_ORIGIN]
        return [always, (_ALLOW_ORIGIN, origin.encode("latin-1")), *others]


async def _send_refusal(refused: Refused, body: bytes, send: Send) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # a body that was not read must not be taken for the next request
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
