"""How a stage's page is served: filled in for who asks, versioned, and let load nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from services.insight import pages as live
from services.search import pages as gallery
from shared.contracts.pages import PageAnswer, PageAsked, PageFileAnswer, PageFileAsked, UnknownFile
from shared.kit.api.pages import Pages, beside, origin_of

INDEX = '<html lang="{{language}}"><meta name="api" content="{{api}}"><script src="page/app.js?v={{version}}">{{more}}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "app.js").write_text("한글")
    (tmp_path / "notes.txt").write_text("not served")
    return tmp_path


def _index(folder: Path, asked: PageAsked) -> PageAnswer:
    return Pages(folder, headers={"X-More": "yes"}).index(asked, "https://pictures.example", {"more": "!"})


def _version(folder: Path) -> str:
    return _index(folder, PageAsked()).body.partition("?v=")[2].partition('"')[0]


@pytest.mark.parametrize(
    ("wishes", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8", "ko"),
        ("de-DE, KO;q=0.7, en;q=0.3", "ko"),
        ("en-GB,ko;q=0.5", "en"),
        ("fr,*;q=0.1", "en"),
        ("kok", "en"),
    ],
)
def test_the_page_is_in_the_first_language_that_is_spoken_here(folder: Path, wishes: str, language: str) -> None:
    assert f'lang="{language}"' in _index(folder, PageAsked(accept_language=wishes)).body


@pytest.mark.parametrize(
    ("prefix", "api", "search"),
    [
        ("", "./", ""),
        ("/api/insight", "/api/insight/", "/api/search/"),
        ("/api/insight/", "/api/insight/", "/api/search/"),
        ("/a/b/c/insight", "/a/b/c/insight/", "/a/b/c/search/"),
        ("//elsewhere.example", "./", ""),
        ("https://elsewhere.example", "./", ""),
        ('/api/"><script>', "./", ""),
        ("/api/../x", "./", ""),
        ("/a/b/c/d/e", "./", ""),
    ],
)
def test_the_page_asks_where_the_door_says_and_nowhere_else(folder: Path, prefix: str, api: str, search: str) -> None:
    assert f'content="{api}"' in _index(folder, PageAsked(forwarded_prefix=prefix)).body
    assert beside(prefix, "search") == search


def test_the_page_may_load_pictures_from_one_origin_and_nothing_else_from_elsewhere(folder: Path) -> None:
    answer = _index(folder, PageAsked())
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.headers == {
        "Cache-Control": "no-cache",
        "Vary": "Accept-Language, X-Forwarded-Prefix",
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "img-src 'self' data: blob: https://pictures.example; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "X-More": "yes",
        "Referrer-Policy": "same-origin",
    }


def test_a_file_is_kept_for_ever_by_its_version_and_asked_for_again_without(folder: Path) -> None:
    pages = Pages(folder, headers={})
    answer = pages.file(PageFileAsked(file="app.js", v=_version(folder)))
    assert isinstance(answer, PageFileAnswer)
    assert (answer.body, answer.content_type) == ("한글", "text/javascript; charset=utf-8")
    assert answer.headers == {"Cache-Control": "public, max-age=31536000, immutable"}
    for other in ("", "older"):
        answer = pages.file(PageFileAsked(file="app.js", v=other))
        assert isinstance(answer, PageFileAnswer)
        assert answer.headers == {"Cache-Control": "no-cache"}


def test_any_change_is_another_version(folder: Path) -> None:
    before = _version(folder)
    (folder / "app.js").write_text("other")
    assert len(before) == 12
    assert _version(folder) != before


@pytest.mark.parametrize("name", ["index.html", "notes.txt", "app", "", "../app.js", "missing.js", "app.js/"])
def test_nothing_else_is_served(folder: Path, name: str) -> None:
    assert Pages(folder, headers={}).file(PageFileAsked(file=name)) == UnknownFile()


def test_links_lead_to_one_origin() -> None:
    s3 = boto3.client(
        "s3", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x", endpoint_url="http://host:1"
    )
    assert origin_of(s3, "pictures") == "http://host:1"


def test_each_page_is_filled_in_wholly_and_only_the_gallery_may_use_the_camera() -> None:
    asked = PageAsked(accept_language="ko", forwarded_prefix="/api/insight")
    for answer, camera in (
        (gallery.index(asked, "https://pictures.example", 600), "camera=(self)"),
        (live.index(asked, "https://pictures.example"), "camera=()"),
    ):
        assert "{{" not in answer.body
        assert answer.headers["Permissions-Policy"] == camera
    assert '<meta name="search" content="/api/search/">' in live.index(asked, "").body
    assert '<meta name="search" content="">' in live.index(PageAsked(), "").body
    assert '<meta name="links-last" content="600">' in gallery.index(asked, "", 600).body


@pytest.mark.parametrize("pages", [gallery, live], ids=["gallery", "live"])
def test_all_that_a_page_loads_is_there(pages: object) -> None:
    folder = Path(str(pages.__file__)).parent / "page"  # type: ignore[attr-defined]
    named = {part.partition("?")[0] for part in (folder / "index.html").read_text().split('"page/')[1:]}
    assert named == {file.name for file in folder.iterdir()} - {"index.html"}
    for name in named:
        assert isinstance(pages.file(PageFileAsked(file=name)), PageFileAnswer)  # type: ignore[attr-defined]
