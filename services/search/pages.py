"""Serves the runner's page: one HTML file, filled in per request, and the few files it loads.

The page stands under two addresses. Directly at API Gateway it is `https://…/live/`, and the API's routes are
beside it: the page asks `races/…`, relative to itself. Behind the front door it is `/`, and the API is at
`/api/search/`: the door says so in the request header `X-Forwarded-Prefix: /api/search`, and the page asks there.
Its own files are at `page/…`, relative, under both.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

from services.search.http import Request, Response
from shared.contracts.errors import RequestRefused

_FOLDER = Path(__file__).parent / "page"
_INDEX = "index.html"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_LANGUAGES = ("en", "ko")
_PREFIX = re.compile(r"(/[A-Za-z0-9_-]{1,64}){1,4}")
_A_YEAR = "public, max-age=31536000, immutable"


def index(request: Request, pictures_from: str) -> Response:
    """The page; it may load pictures from the origin `pictures_from`, and nothing from anywhere else."""
    body = _files()[_INDEX]
    filled = {"language": _language(request), "api": _api_base(request), "version": _version()}
    for name, value in filled.items():
        body = body.replace("{{" + name + "}}", value)
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        f"img-src 'self' data: blob: {pictures_from}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Response(
        body=body,
        content_type="text/html; charset=utf-8",
        headers={
            "Cache-Control": "no-cache",
            "Vary": "Accept-Language, X-Forwarded-Prefix",
            "Content-Security-Policy": policy,
            "Permissions-Policy": "camera=(self)",
            "Referrer-Policy": "same-origin",
        },
    )


def file(request: Request) -> Response:
    """A file of the page's folder. Raises RequestRefused."""
    name = request.path.get("file", "")
    content_type = _TYPES.get(Path(name).suffix)
    if content_type is None or name not in _files():
        raise RequestRefused("unknown_file", "There is no such file. Load the page anew.", 404)
    current = request.query.get("v") == _version()
    return Response(
        body=_files()[name],
        content_type=f"{content_type}; charset=utf-8",
        headers={"Cache-Control": _A_YEAR if current else "no-cache"},
    )


@functools.cache
def _files() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted(_FOLDER.iterdir())}


@functools.cache
def _version() -> str:
    """Changes with any of the files, so that browsers may keep each version for ever."""
    return hashlib.sha256("\0".join(_files().values()).encode()).hexdigest()[:12]


def _language(request: Request) -> str:
    """The first language of Accept-Language that we speak; browsers list the preferred first."""
    for wish in request.headers.get("accept-language", "").split(","):
        language = wish.split(";")[0].strip().lower().split("-")[0]
        if language in _LANGUAGES:
            return language
    return _LANGUAGES[0]


def _api_base(request: Request) -> str:
    prefix = request.headers.get("x-forwarded-prefix", "").rstrip("/")
    return prefix + "/" if _PREFIX.fullmatch(prefix) else "./"
