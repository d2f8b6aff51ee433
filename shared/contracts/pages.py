"""What an API that serves a page takes and answers for it. A page and its files lie in its stage's folder page/."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from shared.contracts.api import Content, Header, Otherwise, Refusal


class UnknownFile(Refusal, status=404):
    """There is no such file. Load the page anew."""


class PageAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for a page: in which language, and through which door."""

    accept_language: Annotated[str, Header("accept-language")] = ""
    forwarded_prefix: Annotated[
        str, Header("x-forwarded-prefix"), Meta(description="Where the front door has the API, like /api/search.")
    ] = ""


class PageFileAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a page."""

    file: Annotated[str, Otherwise(UnknownFile())]
    v: Annotated[str, Meta(description="The version of the page; browsers keep the file for as long.")] = ""


class PageAnswer(Content, frozen=True, kw_only=True):
    """The page, in the language of Accept-Language (English or Korean)."""

    TYPES: ClassVar[tuple[str, ...]] = ("text/html",)


class PageFileAnswer(Content, frozen=True, kw_only=True):
    """A script, a style sheet or the icon."""

    TYPES: ClassVar[tuple[str, ...]] = ("text/javascript", "text/css", "image/svg+xml")
