"""The live page, which shows photos with the search stage's own links."""

from __future__ import annotations

from pathlib import Path

from shared.contracts.pages import PageAnswer, PageAsked, PageFileAnswer, PageFileAsked, UnknownFile
from shared.kit.api.pages import Pages, beside

_PAGES = Pages(Path(__file__).parent / "page", headers={"Permissions-Policy": "camera=()"})
_PICTURES_STAGE = "search"


def index(asked: PageAsked, pictures_from: str) -> PageAnswer:
    """The page; it may load pictures from the origin `pictures_from`, into which the search stage's links lead."""
    return _PAGES.index(asked, pictures_from, {"search": beside(asked.forwarded_prefix, _PICTURES_STAGE)})


def file(asked: PageFileAsked) -> PageFileAnswer | UnknownFile:
    """A file of the page's folder."""
    return _PAGES.file(asked)
