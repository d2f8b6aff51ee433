"""The runner's page, which may use the camera, and tells the insight stage what visitors do."""

from __future__ import annotations

from pathlib import Path

from shared.contracts.pages import PageAnswer, PageAsked, PageFileAnswer, PageFileAsked, UnknownFile
from shared.kit.api.pages import Pages, beside

_PAGES = Pages(Path(__file__).parent / "page", headers={"Permissions-Policy": "camera=(self)"})
_TOLD_STAGE = "insight"


def index(asked: PageAsked, pictures_from: str, links_last_s: int) -> PageAnswer:
    """The page; it may load pictures from the origin `pictures_from`.

    Links to them last for `links_last_s` seconds.
    """
    told = beside(asked.forwarded_prefix, _TOLD_STAGE)
    return _PAGES.index(asked, pictures_from, {"links-last": str(links_last_s), "insight": told})


def file(asked: PageFileAsked) -> PageFileAnswer | UnknownFile:
    """A file of the page's folder."""
    return _PAGES.file(asked)
