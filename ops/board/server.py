"""Serves dashboards to a browser on this machine.

/                     the page
/page/{file}          what it loads: its own files, and the charts and styles of the live page
/api/boards           the names of the dashboards
/api/boards/{name}    what one shows now, over ?hours=N
/docs/{path}.md       a document, as a runbook

Before it stands the front door's gate (local/gate): other pages and other hosts are refused, since whoever asks here
asks with the operator's rights.
"""

from __future__ import annotations

import html
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from local import gate
from local.runtime import CHECKOUT
from ops.board import markdown, shown
from ops.reach.errors import Failed, explain
from ops.reach.target import Target
from shared.contracts.api import error

HOST = "127.0.0.1"
MOST_HOURS = 7 * 24
_MOST_BYTES = 1024
"""Of a request's body: the page sends none."""

_OWN = Path(__file__).parent / "page"
_LIVE = CHECKOUT / "services" / "insight" / "page"
FILES = {
    **{name: _OWN / name for name in ("board.css", "lines.js", "board.js")},
    **{name: _LIVE / name for name in ("app.css", "charts.js", "icon.svg")},
}
"""What the page loads, by its name: charts and styles are the live page's own."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def _application(target: Target) -> Starlette:

    async def page(_: Request) -> Response:
        text = (_OWN / "index.html").read_text(encoding="utf-8")
        every_s = 10 if target.local else 60  # on AWS each metric that is asked for costs
        filled = text.replace("{{where}}", html.escape(f"{target.env}, {target.where}")).replace(
            "{{every}}", str(every_s)
        )
        return HTMLResponse(filled, headers=_HEADERS)

    async def file(request: Request) -> Response:
        found = FILES.get(request.path_params["name"])
        return FileResponse(found, headers=_HEADERS) if found else _missing("There is no such file.")

    async def names(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(shown.names, target), headers=_HEADERS)

    async def board(request: Request) -> Response:
        try:
            hours = float(request.query_params.get("hours", "3"))
        except ValueError:
            hours = 0.0
        if not 0 < hours <= MOST_HOURS:
            return _refusal(400, "bad_field", f"hours is a number up to {MOST_HOURS}.")
        told = await run_in_threadpool(shown.board, target, request.path_params["name"], hours, datetime.now(UTC))
        return JSONResponse(told, headers=_HEADERS)

    async def document(request: Request) -> Response:
        text = markdown.document(request.path_params["path"])
        if text is None:
            return _missing("There is no such document.")
        around = (_OWN / "document.html").read_text(encoding="utf-8")
        return HTMLResponse(around.replace("{{text}}", text), headers=_HEADERS)

    routes = [
        Route("/", page),
        Route("/page/{name}", file),
        Route("/api/boards", names),
        Route("/api/boards/{name}", board),
        Route("/docs/{path:path}", document),
    ]
    handlers = {Failed: _failed, BotoCoreError: _unreached, ClientError: _unreached}
    return Starlette(routes=routes, exception_handlers=handlers)


def gated(target: Target, port: int) -> gate.Gate:
    """The server of the target's dashboards, as it is served at this port."""
    return gate.Gate(_application(target), gate.front_door(port), gate.origins(port), _MOST_BYTES, refusal=error)


def serve(target: Target, port: int) -> None:
    """Serve until a signal."""
    uvicorn.run(gated(target, port), host=HOST, port=port, http="h11", proxy_headers=False, log_level="warning")


async def _failed(_: Request, problem: Exception) -> Response:
    return _refusal(404, "unknown", str(problem))


async def _unreached(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, BotoCoreError | ClientError)  # noqa: S101 - it is called for these alone
    return _refusal(502, "no_answer", explain(problem))


def _missing(message: str) -> Response:
    return _refusal(404, "unknown", message)


def _refusal(status: int, code: str, message: str) -> Response:
    """In the form of the APIs' refusals, which the page knows."""
    return Response(error(code, message), status, media_type="application/json", headers=_HEADERS)
