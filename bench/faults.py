"""A door to the embedded AWS, or to the vision server, that lets calls fail: before they are made, after, or throttled.

    with Faults(behind="http://127.0.0.1:4566", port=5566, chance=random.Random(1)) as faults:
        ...
        print(faults.put_in)

What is asked of it is handed on unchanged; the answer to a call that "failed after" is thrown away, and the caller told
that something went wrong. Without `chance` nothing fails, but while nobody listens behind the door. Answers about texts
in pictures, which take long and are always the same, can be remembered from one door to the next.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

HOST = "127.0.0.1"
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]
# An SDK tries five times: all but a few calls in a hundred thousand come through in the end.
SHARES = {"before": 0.04, "after": 0.04, "throttled": 0.04}
_OF_ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "date"}
_NOT_HANDED_ON = _OF_ONE_CONNECTION | {"host", "expect"}
_NOT_HANDED_BACK = _OF_ONE_CONNECTION | {"content-encoding"}  # it is decoded when it comes here


class Faults:
    """The door, open within its `with` block. `put_in` counts the faults by kind, `calls` all calls."""

    def __init__(
        self,
        *,
        behind: str,
        port: int,
        chance: random.Random | None,
        texts: dict[bytes, bytes] | None = None,
        known_by: Callable[[bytes], bytes] = lambda request: request,
    ) -> None:
        """Answers are remembered in `texts` by what `known_by` makes of their request."""
        self.put_in: Counter[str] = Counter()
        self.calls = 0
        self.url = f"http://{HOST}:{port}"
        self._behind = behind
        self._chance = chance
        self._texts = texts
        self._known_by = known_by
        config = uvicorn.Config(self._application(), host=HOST, port=port, log_level="error", lifespan="on")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def rest(self) -> None:
        """Let nothing fail from now on."""
        self._chance = None

    def __enter__(self) -> Faults:
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()

    def _application(self) -> Starlette:
        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            async with httpx.AsyncClient(timeout=300, trust_env=False) as client:
                app.state.client = client
                yield

        return Starlette(routes=[Route("/{path:path}", self._answer, methods=METHODS)], lifespan=lifespan)

    async def _answer(self, request: Request) -> Response:
        await request.body()  # also of a call that is refused: what is left of it would be taken for the next
        fault = self._draw()
        if fault in ("before", "throttled"):
            return _refusal(request, throttled=fault == "throttled")
        answer = await self._remembered(request)
        return _refusal(request, throttled=False) if fault == "after" else answer

    def _draw(self) -> str | None:
        self.calls += 1
        if self._chance is None:
            return None
        kinds, shares = zip(*SHARES.items(), strict=True)
        fault: str | None = self._chance.choices([*kinds, None], [*shares, 1 - sum(shares)])[0]
        if fault:
            self.put_in[fault] += 1
        return fault

    async def _remembered(self, request: Request) -> Response:
        if self._texts is None or not request.headers.get("x-amz-target", "").endswith(".DetectText"):
            return await self._hand_on(request)
        picture = self._known_by(await request.body())
        if picture not in self._texts:
            answer = await self._hand_on(request)
            if answer.status_code != 200:
                return answer
            self._texts[picture] = bytes(answer.body)
        return Response(self._texts[picture], media_type="application/x-amz-json-1.1")

    async def _hand_on(self, request: Request) -> Response:
        raw_path = request.scope["raw_path"].decode("ascii")
        query = f"?{request.url.query}" if request.url.query else ""
        headers = [(name, value) for name, value in request.headers.items() if name not in _NOT_HANDED_ON]
        try:
            answer = await request.app.state.client.request(
                request.method,
                f"{self._behind}{raw_path}{query}",
                headers=[*headers, ("host", self._behind.removeprefix("http://"))],
                content=await request.body(),
            )
        except httpx.TransportError:
            return _refusal(request, throttled=False)
        kept = {name: value for name, value in answer.headers.items() if name not in _NOT_HANDED_BACK}
        return Response(answer.content, answer.status_code, kept)


def _refusal(request: Request, *, throttled: bool) -> Response:
    """What AWS answers when it is too busy or when something went wrong, in the words of the service that was asked."""
    if "x-amz-target" in request.headers:  # the services that speak JSON
        kind = "ThrottlingException" if throttled else "InternalServerError"
        body = json.dumps({"__type": kind, "message": "put in by the bench"})
        return Response(body, 400 if throttled else 500, media_type="application/x-amz-json-1.0")
    kind = "SlowDown" if throttled else "InternalError"
    body = f"<Error><Code>{kind}</Code><Message>put in by the bench</Message></Error>"
    return Response(body, 503 if throttled else 500, media_type="application/xml")
