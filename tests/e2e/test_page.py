"""The runner's page in a real browser, against the API's own code."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from services.search.questions import SearchApi
from shared.contracts import keys
from shared.contracts.keys import RaceRef
from tests.kit import events, pictures
from tests.kit.events import RACE
from tests.kit.insight_collector import Collector
from tests.kit.page_server import serving
from tests.kit.search_stage import (
    BUCKET,
    SearchStage,
    configured,
    face,
    ingested,
    matched,
    photo_id,
    runner,
    search_stage,
)
from tests.kit.search_stage import (
    PHOTOS as PHOTO_BUCKET,
)

NIGHT = RaceRef("seoul", "night-2026")
GIVING = RaceRef("seoul", "giving-2026")
RACE_QUERY = f"?organizer={RACE.organizer_id}&event={RACE.event_id}"
PHOTOS = 30  # more than a page of results
UNTRACKED = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true });"
"""What is told of visits has tests of its own (test_page_visits.py)."""


@dataclass
class Visit:
    """A visitor's page, what the browser complained about, and the race behind it."""

    page: Page
    address: str
    made: SearchStage
    complaints: list[str]


@pytest.fixture(scope="module")
def race() -> Iterator[tuple[SearchStage, str]]:
    with search_stage() as made, serving(made, collector=Collector(races=(RACE, NIGHT, GIVING))) as address:
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
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def open_page(path: str, **context: Any) -> Visit:
        contexts.append(
            chromium.new_context(**{"viewport": {"width": 1100, "height": 800}, "locale": "en-US", **context})
        )
        contexts[-1].add_init_script(UNTRACKED)
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
        _close(context)


def _close(context: BrowserContext) -> None:
    """Close the pages of a context. What they still send then would wait for a route that is gone."""
    for page in context.pages:
        page.unroute_all(behavior="ignoreErrors")
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


def test_the_selfie_leaves_once_whatever_is_asked_of_its_photos(visit: Callable[..., Visit]) -> None:
    visited = visit("/" + RACE_QUERY)
    page = visited.page
    visited.made.rekognition.matches = {photo_id(number): 50.0 + number for number in range(1, PHOTOS + 1)}
    _selfie(page)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or "") if "/selfie" in request.url else None)
    compared = len(visited.made.rekognition.requests)
    page.get_by_role("button", name="Find my photos").click()
    expect(page.locator("#count")).to_have_text("30 photos of you")
    page.get_by_label("Order").select_option("oldest")
    expect(page.locator(".tile").first).to_contain_text("51% alike")
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".tile")).to_have_count(30)
    page.get_by_label("From").fill("09:29")
    expect(page.locator("#count")).to_have_text("2 photos of you")
    assert ["image_b64" in body for body in sent] == [True, False, False, False]
    assert len(visited.made.rekognition.requests) == compared + 2
    page.get_by_role("button", name="Find my photos").click()
    expect(page.locator("#count")).to_have_text("2 photos of you")
    assert "image_b64" in sent[-1], "who searches again finds photos that came since"
    assert visited.complaints == []


def test_the_selfie_leaves_once_also_while_it_is_compared(visit: Callable[..., Visit]) -> None:
    visited = visit("/" + RACE_QUERY)
    page = visited.page
    _selfie(page)
    held: list[Route] = []
    page.route("**/selfie", lambda route: held.append(route))
    page.get_by_role("button", name="Find my photos").click()
    expect(page.locator("#results")).to_be_visible()
    page.get_by_label("Order").select_option("oldest")
    held[0].continue_()
    expect(page.locator("#count")).to_have_text("3 photos of you")
    expect(page.locator(".tile").first).to_contain_text("91% alike")
    assert len(held) == 1


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


def _results(visited: Visit) -> Page:
    """The page, once it shows the photos of bib 1042."""
    expect(visited.page.locator(".tile")).to_have_count(24)
    return visited.page


# --- the browser's history


def test_back_from_an_open_photo_returns_to_the_grid(visit: Callable[..., Visit]) -> None:
    visited = visit("/" + RACE_QUERY + "&bib=1042")
    page, dialog = _results(visited), visited.page.get_by_role("dialog")
    page.locator(".tile").nth(1).click()
    page.get_by_role("button", name="Next photo").click()
    page.get_by_role("button", name="Next photo").click()
    expect(page.get_by_role("dialog", name="Photo 4 of 30")).to_be_visible()
    page.go_back()
    expect(dialog).to_have_count(0)
    expect(page.locator(".tile")).to_have_count(24)
    expect(page.locator(".tile").nth(3)).to_be_focused()
    assert "bib=1042" in page.url
    page.go_forward()
    expect(page.get_by_role("dialog", name="Photo 4 of 30")).to_be_visible()
    page.go_back()
    expect(dialog).to_have_count(0)
    assert visited.complaints == []


@pytest.mark.parametrize("how", ["Escape", "Close"])
def test_a_photo_that_was_closed_is_no_step_back(visit: Callable[..., Visit], how: str) -> None:
    page = _results(visit("/" + RACE_QUERY + "&bib=1042"))
    for _ in range(2):
        page.locator(".tile").first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        if how == "Escape":
            page.keyboard.press("Escape")
        else:
            page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
    page.go_back()
    assert page.url == "about:blank", "the page that was before"


# --- slow and broken lines


def _colour(page: Page) -> Any:
    """What is seen in the middle of the open photo."""
    with Image.open(io.BytesIO(page.locator("#large").screenshot())) as seen:
        return seen.convert("RGB").getpixel((seen.width // 2, seen.height // 2))


def test_on_a_slow_line_no_photo_is_shown_under_anothers_caption(visit: Callable[..., Visit]) -> None:
    page = _results(visit("/" + RACE_QUERY + "&bib=1042"))
    page.locator(".tile").first.click()
    large = page.locator("#large")
    expect(large).to_have_js_property("naturalWidth", 1200)
    first = _colour(page)
    held: list[Route] = []
    page.route("**/preview/**", lambda route: held.append(route))
    page.get_by_role("button", name="Next photo").click()
    expect(page.get_by_role("dialog", name="Photo 2 of 30")).to_be_visible()
    expect(large).to_have_css("background-image", re.compile("data:image/gif"))
    assert _colour(page) != first
    held[0].continue_()
    expect(large).to_have_js_property("naturalWidth", 1200)


def test_show_more_that_fails_keeps_what_is_there_and_can_be_tried_again(visit: Callable[..., Visit]) -> None:
    page = _results(visit("/" + RACE_QUERY + "&bib=1042"))
    expect(page.locator(".tile")).to_have_count(24)
    page.route("**/photos?*cursor=*", lambda route: route.abort(), times=1)
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("alert").filter(has_text="could not be reached")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(24)
    expect(page.locator("#count")).to_have_text("30 photos of bib 1042")
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".tile")).to_have_count(30)
    expect(page.locator("#more-problem")).to_be_empty()


def _at(monkeypatch: pytest.MonkeyPatch, clock: str) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime.fromisoformat(f"2026-11-08T{clock}"))


def _refuse_links_of(page: Page, stamp: str) -> None:
    """As S3 refuses what has ended."""

    def answer(route: Route) -> None:
        if f"X-Amz-Date={stamp}" in route.request.url:
            route.fulfill(status=403)
        else:
            route.continue_()

    page.route(f"**/{BUCKET}/**", answer)


def test_links_that_ended_are_renewed(visit: Callable[..., Visit], monkeypatch: pytest.MonkeyPatch) -> None:
    _at(monkeypatch, "09:30:00")
    page = visit("/" + RACE_QUERY).page
    _refuse_links_of(page, "20261108T093000Z")
    with page.expect_response("**/photos?*"):
        page.get_by_label("Your bib number").fill("1042")
        page.keyboard.press("Enter")
    _at(monkeypatch, "09:50:00")
    for place in (0, 12, 23):
        expect(page.locator(".tile:not(.waiting)")).to_have_count(24)
        # The list may be drawn anew at any moment, and a tile of before cannot be scrolled to.
        page.evaluate("(place) => document.querySelectorAll('.tile')[place].scrollIntoView()", place)
        expect(page.locator(".tile").nth(place).locator("img")).to_have_js_property("naturalWidth", 480)
    page.locator(".tile").nth(20).click()
    expect(page.locator("#large")).to_have_js_property("naturalWidth", 1200)


def test_a_photo_that_is_looked_at_for_long_can_still_be_downloaded(
    visit: Callable[..., Visit], monkeypatch: pytest.MonkeyPatch
) -> None:
    _at(monkeypatch, "09:30:00")
    page = visit("/" + RACE_QUERY).page
    page.clock.install()
    page.goto(page.url + "&bib=1042")
    expect(page.locator(".tile")).to_have_count(24)
    page.locator(".tile").first.click()
    download = page.get_by_role("link", name="Download")
    expect(download).to_have_attribute("href", re.compile("X-Amz-Date=20261108T093000Z"))
    _at(monkeypatch, "09:45:00")
    page.clock.fast_forward("11:00")
    # Whose answer is nothing, the page stays. A picture would be shown in its place, and a page that is just being
    # replaced cannot always be closed.
    page.route(re.compile("attachment"), lambda route: route.fulfill(status=204))
    with page.expect_request(re.compile("attachment")) as asked:
        download.click()
    assert "X-Amz-Date=20261108T094500Z" in asked.value.url


def test_a_link_to_results_moves_nothing_that_was_there(visit: Callable[..., Visit], chromium: Browser) -> None:
    address = visit("/").address
    for language in ("en-US", "ko-KR"):
        context = chromium.new_context(viewport={"width": 1100, "height": 800}, locale=language)
        page = context.new_page()
        page.add_init_script(UNTRACKED)
        page.add_init_script(
            """window.shift = 0;
            new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shift += entry.value; })
                .observe({ type: "layout-shift", buffered: true });"""
        )

        def slowly(route: Route) -> None:
            time.sleep(0.2)  # so that the page is painted before
            route.continue_()

        page.route("**/api/**", slowly)
        page.goto(f"{address}/{RACE_QUERY}&bib=1042")
        page.locator(".tile img.there").nth(3).wait_for()
        assert page.evaluate("window.shift") < 0.001
        _close(context)


# --- fingers


def _touch(page: Page, *moments: list[tuple[int, int]]) -> None:
    """Fingers at these places, one moment after the other; at the end none."""
    session = page.context.new_cdp_session(page)
    before = 0
    for fingers in [*moments, []]:
        kind = "touchStart" if len(fingers) > before else "touchEnd" if len(fingers) < before else "touchMove"
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(fingers)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        before = len(fingers)
    session.detach()


def test_a_swipe_turns_the_page_and_a_pinch_zooms(visit: Callable[..., Visit]) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page = _results(visit("/" + RACE_QUERY + "&bib=1042", **phone))
    page.locator(".tile").first.click()
    expect(page.locator("#large")).to_have_js_property("naturalWidth", 1200)
    title = page.locator("#viewer-title")
    _touch(page, [(300, 400)], [(200, 400)], [(60, 410)])
    expect(title).to_have_text("Photo 2 of 30")
    _touch(page, [(180, 300)], [(200, 420)], [(250, 600)])
    _touch(page, [(200, 400)], [(200, 400), (160, 400)], [(330, 400), (20, 400)], [(330, 400)])
    expect(title).to_have_text("Photo 2 of 30")
    assert page.evaluate("visualViewport.scale") > 1.2
    _touch(page, [(300, 400)], [(200, 400)], [(60, 400)])
    expect(title).to_have_text("Photo 2 of 30")


# --- other races


def _query(race: RaceRef) -> str:
    return f"?organizer={race.organizer_id}&event={race.event_id}"


def test_a_night_races_next_day_is_found_by_time(visit: Callable[..., Visit], race: tuple[SearchStage, str]) -> None:
    made, _ = race
    made.hear(configured(NIGHT))
    for number, at in enumerate(("08T21:30", "08T22:30", "09T00:30", "09T02:30")):
        sure: dict[str, Any] = {"taken_at_sure": False} if at == "08T22:30" else {}
        made.hear(events.ingested(photo_id(100 + number), race=NIGHT, taken_at=f"2026-11-{at}:00", **sure))
    visited = visit("/" + _query(NIGHT))
    page, tiles = visited.page, visited.page.locator(".tile")
    page.get_by_role("tab", name="All photos").click()
    expect(tiles).to_have_count(4)
    page.get_by_label("From").fill("22:00")
    expect(tiles).to_have_count(3)
    page.get_by_label("To", exact=True).fill("02:00")
    expect(tiles).to_have_count(2)
    expect(tiles.first).to_have_accessible_name("Photo 1 of 2, Nov 9, 00:30")
    expect(tiles.last).to_have_accessible_name("Photo 2 of 2, about 22:30")
    page.get_by_label("From").fill("00:00")
    expect(tiles).to_have_count(1)
    assert visited.complaints == []


def test_full_size_pictures_are_offered_where_the_race_gives_them(
    visit: Callable[..., Visit], race: tuple[SearchStage, str]
) -> None:
    made, _ = race
    upload = pictures.jpeg(1, (64, 48))
    own_id = keys.photo_id(GIVING, hashlib.sha256(upload).hexdigest())
    for bucket in (PHOTO_BUCKET, BUCKET):
        made.s3.create_bucket(Bucket=bucket)
    uploaded = events.raw_key("a.jpg", GIVING)
    made.s3.put_object(Bucket=PHOTO_BUCKET, Key=uploaded, Body=upload)
    made.hear(configured(GIVING, originals=True), events.ingested(own_id, race=GIVING, keys=(uploaded,)))
    page = _results(visit("/" + RACE_QUERY + "&bib=1042"))
    page.locator(".tile").first.click()
    expect(page.get_by_role("link", name="Download")).to_have_attribute("href", re.compile("attachment"))
    expect(page.get_by_role("button", name="Full size")).to_have_count(0)
    page = visit("/" + _query(GIVING), viewport={"width": 360, "height": 740}).page
    page.get_by_role("tab", name="All photos").click()
    page.locator(".tile:not(.waiting)").click()
    original = page.get_by_role("button", name="Full size")
    # Whose answer is nothing, the page stays: one that is just being replaced cannot always be closed.
    page.route(f"**/{keys.original_key(GIVING, own_id)}*", lambda route: route.fulfill(status=204))
    with page.expect_request(re.compile(keys.original_key(GIVING, own_id))):
        original.click()


def test_a_full_size_picture_that_cannot_be_given_is_told(
    visit: Callable[..., Visit], race: tuple[SearchStage, str]
) -> None:
    made, _ = race
    made.hear(configured(GIVING, originals=True, revision="0B"), events.ingested(photo_id(200), race=GIVING))
    page = visit("/" + _query(GIVING)).page
    page.get_by_role("tab", name="All photos").click()
    page.locator(".tile:not(.waiting)").first.click()
    page.route(
        "**/original",
        lambda route: route.fulfill(status=409, json={"error": {"code": "no_original", "message": "No."}}),
    )
    page.get_by_role("button", name="Full size").click()
    expect(page.get_by_role("alert").filter(has_text="No.")).to_be_visible()
    expect(page.get_by_role("button", name="Full size")).to_be_enabled()


def test_what_the_api_refuses_is_said_in_korean_too(visit: Callable[..., Visit]) -> None:
    of_programs = {"bad_field", "bad_json", "bad_limit", "bad_order", "missing_field", "unknown_file"}
    codes = {refusal.CODE for route in SearchApi.routes() for refusal in route.refusals}
    korean = set(visit("/").page.evaluate("Object.keys(STRINGS.ko.errors)"))
    assert codes - of_programs <= korean
