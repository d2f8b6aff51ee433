"""The runner's page in a real browser, against the API's own code."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.kit import browser
from tests.kit.events import RACE
from tests.kit.page_server import serving
from tests.kit.search_stage import SearchStage, configured, face, ingested, matched, photo_id, runner, search_stage

RACE_QUERY = f"?organizer={RACE.organizer_id}&event={RACE.event_id}"
PHOTOS = 30  # more than a page of results


@dataclass
class Visit:
    """A visitor's page, what the browser complained about, and the race behind it."""

    page: Page
    address: str
    made: SearchStage
    complaints: list[str]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = browser.executable()
    assert path, "The page tests need a browser: run `python -m tests.kit.browser`."
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=browser.ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def race() -> Iterator[tuple[SearchStage, str]]:
    with search_stage() as made, serving(made) as address:
        made.hear(configured())
        for number in range(1, PHOTOS + 1):
            status = {1: "inferred", 2: "doubtful"}.get(number, "confirmed")
            made.hear(
                ingested(number, at=f"2026-11-08T09:{number:02}:00"),
                matched(number, runner("1042", status), runner("7")),  # type: ignore[arg-type]
            )
        yield made, address


@pytest.fixture
def visit(chromium: Browser, race: tuple[SearchStage, str]) -> Iterator[Callable[..., Visit]]:
    made, address = race
    made.rekognition.faces, made.rekognition.error = [face(0.4)], ""
    made.rekognition.matches = {photo_id(number): 90.0 + number for number in (1, 2, 3)}
    contexts = []
    visits: list[Visit] = []

    def open_page(path: str, **context: Any) -> Visit:
        contexts.append(
            chromium.new_context(**{"viewport": {"width": 1100, "height": 800}, "locale": "en-US", **context})
        )
        page = contexts[-1].new_page()
        page.set_default_timeout(8_000)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address + path)
        visits.append(Visit(page, address, made, complaints))
        return visits[-1]

    yield open_page
    for context in contexts:
        context.close()


def _selfie(page: Page) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (3000, 2000), "tan").save(picture, "JPEG")
    page.get_by_role("tab", name="Selfie").click()
    page.set_input_files("#file", {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": picture.getvalue()})


@pytest.mark.parametrize("path", ["/", "/live/"])
def test_a_bib_finds_photos_behind_the_front_door_and_without_it(visit: Callable[..., Visit], path: str) -> None:
    visited = visit(path + RACE_QUERY)
    page = visited.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Han River Marathon")
    page.get_by_label("Your bib number").fill("1042")
    page.get_by_role("button", name="Find my photos").click()
    expect(page.locator("#count")).to_have_text("30 photos of bib 1042")
    expect(page.get_by_role("status")).to_have_text("30 photos of bib 1042")
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(24)
    expect(tiles.first.locator("img")).to_have_js_property("naturalWidth", 480)
    expect(tiles.first).to_contain_text("Bib read")
    page.get_by_role("button", name="Show more").click()
    expect(tiles).to_have_count(30)
    expect(tiles.nth(28)).to_contain_text("Recognised")
    expect(tiles.nth(29)).to_contain_text("Unsure")
    page.get_by_label("Also unsure ones").uncheck()
    expect(page.locator("#count")).to_have_text("29 photos of bib 1042")
    page.get_by_label("From").fill("09:29")
    expect(page.locator("#count")).to_have_text("2 photos of bib 1042")
    assert "bib=1042" in page.url
    assert visited.complaints == []


def test_a_bib_without_photos_is_told_so_and_offered_a_selfie(visit: Callable[..., Visit]) -> None:
    visited = visit("/" + RACE_QUERY + "&bib=555")
    page = visited.page
    expect(page.locator("#message")).to_contain_text("No photo of bib 555 yet")
    page.get_by_role("button", name="Search by selfie").click()
    expect(page.get_by_role("tab", name="Selfie")).to_be_focused()
    assert visited.complaints == []


def test_a_selfie_finds_photos_and_is_made_small_before_it_leaves(visit: Callable[..., Visit]) -> None:
    visited = visit("/" + RACE_QUERY)
    page = visited.page
    page.get_by_label("Your bib number").fill("7")
    _selfie(page)
    expect(page.get_by_text("is not stored")).to_be_visible()
    with page.expect_request("**/selfie") as sent:
        page.get_by_role("button", name="Find my photos").click()
    expect(page.locator("#count")).to_have_text("3 photos of you")
    expect(page.locator(".tile").first).to_contain_text("93% alike")
    expect(page.locator(".tag.fresh")).to_have_count(0)  # bib 7 has them all
    picture = Image.open(io.BytesIO(base64.b64decode(sent.value.post_data_json["image_b64"])))
    assert picture.size == (1280, 853)
    assert visited.complaints == []


def test_the_camera_takes_the_selfie(visit: Callable[..., Visit]) -> None:
    visited = visit("/" + RACE_QUERY, permissions=["camera"])
    page = visited.page
    page.get_by_role("tab", name="Selfie").click()
    page.get_by_role("button", name="Use camera").click()
    expect(page.locator("#video")).to_have_js_property("paused", False)
    page.wait_for_function("document.getElementById('video').videoWidth > 0")
    page.get_by_role("button", name="Take the picture").click()
    expect(page.get_by_role("img", name="Your selfie")).to_be_visible()
    expect(page.locator("#search-selfie")).to_be_enabled()
    assert visited.complaints == []


def test_a_refused_selfie_says_what_to_do(visit: Callable[..., Visit]) -> None:
    visited = visit("/" + RACE_QUERY)
    visited.made.rekognition.faces = [face(0.3), face(0.3)]
    _selfie(visited.page)
    visited.page.get_by_role("button", name="Find my photos").click()
    expect(visited.page.locator("#message")).to_contain_text("Send a picture of one person")
    visited.page.get_by_role("button", name="한국어").click()
    visited.page.get_by_role("button", name="내 사진 찾기").click()
    expect(visited.page.locator("#message")).to_contain_text("얼굴이 여러 개라")


def test_a_file_that_is_no_picture_is_told_so(visit: Callable[..., Visit]) -> None:
    page = visit("/" + RACE_QUERY).page
    page.get_by_role("tab", name="Selfie").click()
    page.set_input_files("#file", {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": b"not a picture"})
    expect(page.locator("#message")).to_contain_text("not a picture")
    expect(page.locator("#search-selfie")).to_be_disabled()


def test_when_search_is_busy_one_can_try_again(visit: Callable[..., Visit]) -> None:
    visited = visit("/" + RACE_QUERY)
    visited.made.rekognition.error = "ThrottlingException"
    _selfie(visited.page)
    visited.page.get_by_role("button", name="Find my photos").click()
    expect(visited.page.locator("#message")).to_contain_text("Search is busy")
    visited.made.rekognition.error = ""
    visited.page.get_by_role("button", name="Try again").click()
    expect(visited.page.locator("#count")).to_have_text("3 photos of you")


def test_everything_works_from_the_keyboard(visit: Callable[..., Visit]) -> None:
    visited = visit("/" + RACE_QUERY)
    page = visited.page
    expect(page.get_by_role("tab", name="Bib")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to search")).to_be_focused()
    page.get_by_role("tab", name="Bib").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Selfie")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    page.keyboard.type("1042")
    page.keyboard.press("Enter")
    first = page.locator(".tile").first
    expect(first).to_have_accessible_name("Photo 1 of 30, 09:30, Bib 1042 was read in this photo")
    first.press("Enter")
    viewer = page.get_by_role("dialog", name="Photo 1 of 30")
    expect(viewer).to_be_visible()
    expect(page.locator("#large")).to_have_js_property("naturalWidth", 1200)
    expect(page.get_by_role("link", name="Download")).to_have_attribute("href", re.compile("attachment"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog", name="Photo 3 of 30")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".tile").nth(1)).to_be_focused()
    assert visited.complaints == []


def test_korean_by_the_browsers_wish_and_remembered_choice(visit: Callable[..., Visit]) -> None:
    visited = visit("/" + RACE_QUERY + "&bib=1042", locale="ko-KR")
    page = visited.page
    expect(page.locator("#count")).to_have_text("배번 1042 사진 30장")
    expect(page.get_by_label("내 배번")).to_have_value("1042")
    assert page.evaluate("document.documentElement.lang") == "ko"
    page.get_by_role("button", name="English").click()
    expect(page.locator("#count")).to_have_text("30 photos of bib 1042")
    page.reload()
    expect(page.get_by_label("Your bib number")).to_be_visible()
    assert visited.complaints == []


def test_both_languages_say_the_same_things(visit: Callable[..., Visit]) -> None:
    page = visit("/" + RACE_QUERY).page
    english, korean, used = page.evaluate(
        """() => {
            const nodes = [...document.querySelectorAll("[data-t], [data-t-label]")];
            const used = nodes.map((n) => n.dataset.t || n.dataset.tLabel);
            return [Object.keys(STRINGS.en), Object.keys(STRINGS.ko), used];
        }"""
    )
    assert sorted(english) == sorted(korean)
    assert set(used) <= set(english)


def test_a_narrow_phone_needs_no_sideways_scrolling(visit: Callable[..., Visit]) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    for locale in ("en-US", "ko-KR"):
        page = visit("/" + RACE_QUERY + "&bib=1042", locale=locale, **phone).page
        expect(page.locator(".tile")).to_have_count(24)

        def fits(page: Page = page) -> bool:
            return bool(page.evaluate("document.documentElement.scrollWidth <= 360"))

        assert fits()
        page.locator("#tab-selfie").click()
        assert fits()
        page.locator(".tile").first.click()
        expect(page.locator("#viewer")).to_be_visible()
        assert fits()


def test_without_a_race_the_page_asks_for_one(visit: Callable[..., Visit]) -> None:
    visited = visit("/")
    page = visited.page
    page.get_by_role("button", name="Open race").click()
    expect(page.get_by_role("alert")).to_have_text("Fill in both fields.")
    page.get_by_label("Organizer").fill(RACE.organizer_id)
    page.get_by_label("Race", exact=True).fill("nowhere")
    page.get_by_role("button", name="Open race").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no such race")
    page.get_by_label("Race", exact=True).fill(RACE.event_id)
    page.get_by_role("button", name="Open race").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Han River Marathon")
