"""Serves the runner's page: one HTML file, filled in per request, and the few files it loads.

The page stands under two addresses. Directly at API Gateway it is `https://…/live/`, and the API's routes are
beside it: the page asks `races/…`, relative to itself. Behind the front door it is `/`, and the API is at
`/api/search/`: the door says so in the request header `X-Forwarded-Prefix: /api/search`, and the page asks there.
Its own files are at `page/…`, relative, under both. Behind the front door the insight stage's API is beside this
one's, and the page tells it what visitors do; directly at API Gateway that has an address which nobody knows here.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

from services.search.questions import PageAnswer, PageAsked, PageFileAnswer, PageFileAsked, UnknownFile

_FOLDER = Path(__file__).parent / "page"
_INDEX = "index.html"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_LANGUAGES = ("en", "ko")
_PREFIX = re.compile(r"(/[A-Za-z0-9_-]{1,64}){1,4}")
_A_YEAR = "public, max-age=31536000, immutable"


def index(asked: PageAsked, pictures_from: str, links_last_s: int) -> PageAnswer:
    """The page; it may load pictures from the origin `pictures_from`, and nothing from anywhere else.

    Links to them last for `links_last_s` seconds.
    """
    body = _files()[_INDEX]
    prefix = _prefix(asked.forwarded_prefix)
    filled_in = {
        "language": _language(asked.accept_language),
        "api": f"{prefix}/" if prefix else "./",
        "insight": prefix and f"{prefix.rpartition('/')[0]}/insight/",
        "version": _version(),
        "links-last": str(links_last_s),
    }
    for name, value in filled_in.items():
        body = body.replace("{{" + name + "}}", value)
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        f"img-src 'self' data: blob: {pictures_from}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return PageAnswer(
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


def file(asked: PageFileAsked) -> PageFileAnswer | UnknownFile:
    """A file of the page's folder."""
    content_type = _TYPES.get(Path(asked.file).suffix)
    if content_type is None or asked.file not in _files():
        return UnknownFile()
    return PageFileAnswer(
        body=_files()[asked.file],
        content_type=f"{content_type}; charset=utf-8",
        headers={"Cache-Control": _A_YEAR if asked.v == _version() else "no-cache"},
    )


@functools.cache
def _files() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted(_FOLDER.iterdir())}


@functools.cache
def _version() -> str:
    """Changes with any of the files, so that browsers may keep each version for ever."""
    return hashlib.sha256("\0".join(_files().values()).encode()).hexdigest()[:12]


def _language(accepted: str) -> str:
    """The first language of Accept-Language that we speak; browsers list the preferred first."""
    for wish in accepted.split(","):
        language = wish.split(";")[0].strip().lower().split("-")[0]
        if language in _LANGUAGES:
            return language
    return _LANGUAGES[0]


def _prefix(forwarded: str) -> str:
    """Where the front door has the API, "" where there is no door or what it says is no path."""
    prefix = forwarded.rstrip("/")
    return prefix if _PREFIX.fullmatch(prefix) else ""
