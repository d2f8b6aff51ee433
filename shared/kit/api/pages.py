"""Serves a stage's page: one HTML file, filled in per request, and the few files it loads.

The page stands under two addresses. Directly at API Gateway it is `https://…/live/`, and the API's routes are
beside it: the page asks relative to itself. Behind the front door it is elsewhere, as at `/`, and the API is at
`/api/<stage>/`: the door says so in the request header `X-Forwarded-Prefix: /api/<stage>`, and the page asks there.
Its own files are at `page/…`, relative, under both.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.contracts.pages import PageAnswer, PageAsked, PageFileAnswer, PageFileAsked, UnknownFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_INDEX = "index.html"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_LANGUAGES = ("en", "ko")
_PREFIX = re.compile(r"(/[A-Za-z0-9_-]{1,64}){1,4}")
_HERE = "./"
_A_YEAR = "public, max-age=31536000, immutable"


class Pages:
    """The page in `folder`: its index.html has `{{name}}` where something is filled in.

    `{{language}}`, `{{api}}` (where the page asks its API) and `{{version}}` are filled in here. `headers` are added to
    those of the index.
    """

    def __init__(self, folder: Path, headers: Mapping[str, str]) -> None:
        self._folder = folder
        self._headers = headers

    def index(self, asked: PageAsked, pictures_from: str, filled_in: Mapping[str, str]) -> PageAnswer:
        """The page; it may load pictures from the origin `pictures_from`, and nothing else from anywhere else."""
        body = self._files[_INDEX]
        values = {
            "language": _language(asked.accept_language),
            "api": _base(asked.forwarded_prefix),
            "version": self._version,
            **filled_in,
        }
        for name, value in values.items():
            body = body.replace("{{" + name + "}}", value)
        return PageAnswer(
            body=body,
            content_type="text/html; charset=utf-8",
            headers={
                "Cache-Control": "no-cache",
                "Vary": "Accept-Language, X-Forwarded-Prefix",
                "Content-Security-Policy": _policy(pictures_from),
                **self._headers,
                "Referrer-Policy": "same-origin",
            },
        )

    def file(self, asked: PageFileAsked) -> PageFileAnswer | UnknownFile:
        """A file that the page loads."""
        content_type = _TYPES.get(Path(asked.file).suffix)
        if content_type is None or asked.file not in self._files:
            return UnknownFile()
        return PageFileAnswer(
            body=self._files[asked.file],
            content_type=f"{content_type}; charset=utf-8",
            headers={"Cache-Control": _A_YEAR if asked.v == self._version else "no-cache"},
        )

    @cached_property
    def _files(self) -> dict[str, str]:
        return {path.name: path.read_text("utf-8") for path in sorted(self._folder.iterdir())}

    @cached_property
    def _version(self) -> str:
        """Changes with any of the files, so that browsers may keep each version for ever."""
        return hashlib.sha256("\0".join(self._files.values()).encode()).hexdigest()[:12]


NO_KEY = "any"
"""Of a link that nobody follows."""


def origin_of(client: S3Client, bucket: str) -> str:
    """Scheme and host of signed links into a bucket, for a page's content security policy.

    It asks nobody, and takes no permission.
    """
    parts = urlsplit(client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": NO_KEY}))
    return f"{parts.scheme}://{parts.netloc}"


def beside(forwarded_prefix: str, stage: str) -> str:
    """Where the front door has another stage's API, as `/api/search/`; empty for who came through no door."""
    if _base(forwarded_prefix) == _HERE:
        return ""
    return f"{forwarded_prefix.rstrip('/').rpartition('/')[0]}/{stage}/"


def _policy(pictures_from: str) -> str:
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        f"img-src 'self' data: blob: {pictures_from}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _language(accepted: str) -> str:
    """The first language of Accept-Language that we speak; browsers list the preferred first."""
    for wish in accepted.split(","):
        language = wish.split(";")[0].strip().lower().split("-")[0]
        if language in _LANGUAGES:
            return language
    return _LANGUAGES[0]


def _base(forwarded_prefix: str) -> str:
    prefix = forwarded_prefix.rstrip("/")
    return prefix + "/" if _PREFIX.fullmatch(prefix) else _HERE
