"""The live page in a real browser, against the kit that serves it and answers of the API's own types."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from services.insight.questions import BadRange, BucketAnswer, LiveApi, StatsAnswer, StatsAsked, TooManyBuckets
from shared.contracts import reasons
from tests.kit.events import RACE
from tests.kit.live_race import NOW, PHOTOS, Told, busy_race, empty_race, named, statistics, telling
from tests.kit.search_stage import BUCKET

QUERY = f"?organizer={RACE.organizer_id}&event={RACE.event_id}"
LIVE = f"/live/{QUERY}"
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
SHIFTS = """window.shift = 0;
new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shift += entry.value; })
    .observe({ type: "layout-shift", buffered: true });"""


@dataclass
class Visit:
    """Somebody's page, what it was answered about now, and what the browser complained about."""

    page: Page
    address: str
    statuses: list[int]
    complaints: list[str]

    def a_little_later(self, seconds: float = 3) -> None:
        """The page's clock runs ahead; what is then asked is answered."""
        with self.page.expect_response("**/realtime"):
            self.page.clock.fast_forward(int(seconds * 1000))


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Told, str]]:
    told = Told()
    with telling(told) as address:
        yield told, address


@pytest.fixture
def told(server: tuple[Told, str]) -> Told:
    server[0].live, server[0].of_range, server[0].busy = busy_race(), statistics, False
    return server[0]


@pytest.fixture
def visit(chromium: Browser, server: tuple[Told, str], told: Told) -> Iterator[Callable[..., Visit]]:
    contexts = []
    address = server[1]

    def photo(route: Route) -> None:
        there = route.request.url.endswith(PHOTOS[1]) is False  # the second one has been withdrawn
        link = {"thumbnail_url": f"{address}/{BUCKET}/thumbnail/1.jpg"}
        route.fulfill(json=link if there else {}, status=200)

    def open_page(path: str = LIVE, **context: Any) -> Visit:
        options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-US", "timezone_id": "Europe/Berlin"}
        contexts.append(chromium.new_context(**{**options, **context}))
        page = contexts[-1].new_page()
        page.set_default_timeout(8_000)
        page.add_init_script(SHIFTS)
        page.clock.install(time=NOW)
        page.clock.pause_at(NOW + timedelta(seconds=20))
        page.route("**/api/search/races/**", photo)
        visited = Visit(page, address, [], [])
        page.on("console", lambda message: visited.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: visited.complaints.append(str(error)))
        page.on("response", lambda answer: "/realtime" in answer.url and visited.statuses.append(answer.status))
        page.goto(address + path)
        return visited

    yield open_page
    for context in contexts:
        context.close()


# --- numbers


def test_numbers_are_there_and_change_without_reload_and_nothing_moves(visit: Callable[..., Visit], told: Told) -> None:
    visited = visit()
    page = visited.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Han River Marathon")
    expect(page.locator("#active")).to_have_text("184")
    expect(page.locator("#covered")).to_have_text("81%")
    expect(page.locator("#flow")).to_contain_text("Faces looked at2,255")
    expect(page.locator("#coverage-note")).to_have_text("and 164 more · Worked out at 11:40.")
    expect(page.locator("#flow")).to_contain_text("Same picture again36")
    expect(page.locator("#reasons li").first).to_have_text("Not a picture9")
    expect(page.locator("#missed li").first).to_have_text("1042F12")
    expect(page.locator("#pages li").last).to_have_text("Others40")
    expect(page.locator("#p95")).to_have_text("1m 34s")
    expect(page.locator("#updated")).to_have_text("Numbers of 11:41:20")
    expect(page.locator("#totals")).to_contain_text("Visitors≈ 2,520")
    page.wait_for_function("document.querySelectorAll('#photos img').length === 7")
    parts = "[...document.querySelectorAll('.bar, td, #photos img')]"
    page.evaluate(f"window.shift = 0; {parts}.forEach((node) => {{ node.same = 1; }})")

    newest = msgspec.structs.replace(told.live.trend[-1], begin="2026-11-08T02:42:00Z", visitors=1234)
    trend = [*told.live.trend[1:], newest]
    flow = msgspec.structs.replace(told.live.flow, searchable=2300, waiting=82)
    photos = named(*((photo, 99 - place) for place, photo in enumerate(PHOTOS)))
    told.live = msgspec.structs.replace(told.live, active_visitors=1185, trend=trend, flow=flow, photos=photos)
    visited.a_little_later()
    expect(page.locator("#active")).to_have_text("1,185")
    expect(page.locator("#searchable")).to_have_text("2,300")
    expect(page.locator("#photos")).to_contain_text("99 times")
    expect(page.locator("#chart-visitors title").last).to_have_text("11:42: Visitors 1,234")
    assert page.evaluate(f"{parts}.filter((node) => !node.same).length") == 0
    assert page.evaluate("window.shift") < 0.001
    assert visited.complaints == []


def test_what_has_not_changed_is_not_sent_again(visit: Callable[..., Visit]) -> None:
    visited = visit()
    expect(visited.page.locator("#active")).to_have_text("184")
    visited.a_little_later()
    visited.a_little_later()
    assert visited.statuses == [200, 304, 304]
    expect(visited.page.locator("#updated")).to_have_text("Numbers of 11:41:26")
    expect(visited.page.locator("#active")).to_have_text("184")


def test_a_hidden_tab_asks_nothing_until_it_is_seen(visit: Callable[..., Visit], told: Told) -> None:
    visited = visit()
    page = visited.page
    expect(page.locator("#active")).to_have_text("184")
    turn = """(hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(turn, True)
    told.live = msgspec.structs.replace(told.live, active_visitors=7)
    page.clock.fast_forward("10:00")
    page.evaluate("fetch('page/icon.svg')")  # whatever was asked before has been sent by now
    assert visited.statuses == [200]
    with page.expect_response("**/realtime"):
        page.evaluate(turn, False)
    expect(page.locator("#active")).to_have_text("7")


def test_without_a_front_door_photos_are_told_by_their_ids(visit: Callable[..., Visit]) -> None:
    visited = visit("/direct/" + QUERY)
    asked: list[str] = []
    visited.page.on("request", lambda request: asked.append(request.url))
    expect(visited.page.locator("#photos li").first).to_have_text("Photo a1b2c3d490 times")
    visited.a_little_later()
    assert [url for url in asked if "/photos/" in url] == []
    assert visited.page.locator("#photos img").count() == 0
    assert visited.complaints == []


# --- what goes wrong


def test_when_the_server_is_gone_old_numbers_stay_with_their_time(visit: Callable[..., Visit], told: Told) -> None:
    page = visit().page
    expect(page.locator("#active")).to_have_text("184")
    status = page.get_by_role("status")
    expect(status).to_be_empty()
    asked: list[str] = []
    page.route("**/realtime", lambda route: asked.append(route.request.url) or route.abort())
    page.clock.fast_forward(3_000)
    said = "The server cannot be reached. Check the connection. The numbers are of 11:41:20."
    expect(status).to_contain_text(said)
    expect(page.locator("#pill")).to_have_text("Not live")
    expect(page.locator("#active")).to_have_text("184")
    words = status.text_content()
    for seconds in (5, 10, 20, 40, 60, 60):
        many = len(asked)
        page.clock.fast_forward(seconds * 400)
        assert len(asked) == many, "it waits longer each time"
        with page.expect_event("requestfailed"):
            page.clock.fast_forward(seconds * 1_000)
    assert status.text_content() == words, "a reader is told once"
    page.unroute("**/realtime")
    told.live = msgspec.structs.replace(told.live, active_visitors=8)
    page.clock.fast_forward(60_000)
    expect(page.locator("#active")).to_have_text("8")
    expect(status).to_be_empty()
    expect(page.locator("#pill")).to_have_text("Live")


def test_when_the_server_is_busy_from_the_beginning_it_is_asked_again(visit: Callable[..., Visit], told: Told) -> None:
    told.busy = True
    page = visit(locale="ko-KR").page
    expect(page.get_by_role("status")).to_have_text("지금 실시간 현황이 붐비고 있습니다. 자동으로 다시 시도합니다.")
    told.busy = False
    page.clock.fast_forward(6_000)
    expect(page.locator("#active")).to_have_text("184")
    expect(page.get_by_role("status")).to_be_empty()


def test_an_answer_that_the_page_cannot_show_stops_nothing(visit: Callable[..., Visit]) -> None:
    visited = visit()
    page = visited.page
    expect(page.locator("#active")).to_have_text("184")
    page.route("**/realtime", lambda route: route.fulfill(json={"name": "Newer"}), times=1)
    page.clock.fast_forward(3_000)
    expect(page.get_by_role("status")).to_contain_text("Something went wrong on the server.")
    assert [complaint for complaint in visited.complaints if "TypeError" in complaint]
    visited.a_little_later(6)
    expect(page.get_by_role("status")).to_be_empty()
    expect(page.locator("#pill")).to_have_text("Live")


def test_a_race_is_asked_for_and_an_unknown_one_is_told(visit: Callable[..., Visit]) -> None:
    page = visit("/live/").page
    page.get_by_role("button", name="Open race").click()
    expect(page.get_by_role("alert").first).to_have_text("Fill in both fields.")
    page.get_by_label("Organizer").fill(RACE.organizer_id)
    page.get_by_label("Race", exact=True).fill("nowhere")
    page.get_by_role("button", name="Open race").click()
    expect(page.get_by_role("alert").first).to_have_text("There is no such race. Check the two names.")
    expect(page.get_by_label("Organizer")).to_have_value(RACE.organizer_id)
    page.get_by_label("Race", exact=True).fill(RACE.event_id)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Han River Marathon")


def test_a_race_in_which_nothing_has_happened_says_what_to_do(visit: Callable[..., Visit], told: Told) -> None:
    told.live, told.of_range = empty_race(), partial(statistics, many=0)
    visited = visit()
    page = visited.page
    for words in (
        "Give runners the link",
        "Upload the first ones",
        "Upload the race's roster",
        "Choose other days",
    ):
        expect(page.get_by_text(words).first).to_be_visible()
    expect(page.locator("#covered")).to_have_text("–")
    expect(page.locator("#p50")).to_have_text("–")
    page.evaluate("window.shift = 0")
    told.live = msgspec.structs.replace(busy_race(), coverage=None)
    visited.a_little_later()
    expect(page.locator("#active")).to_have_text("184")
    for words in ("Give runners the link", "Upload the first ones"):
        expect(page.get_by_text(words).first).to_be_hidden()
    assert page.evaluate("window.shift") < 0.001
    assert visited.complaints == []


# --- statistics


def test_a_range_is_chosen_charted_and_saved(visit: Callable[..., Visit]) -> None:
    visited = visit()
    page = visited.page
    chosen = page.locator("#range")
    expect(chosen.get_by_label("From")).to_have_value("2026-11-02")
    expect(chosen.get_by_label("To", exact=True)).to_have_value("2026-11-08")
    chosen.get_by_label("From").fill("2026-11-07")
    chosen.get_by_label("To", exact=True).fill("2026-11-07")
    chosen.get_by_label("By").select_option("hour")
    expect(page.locator("#chart-stats tbody tr")).to_have_count(24)
    expect(page.locator("#chart-stats tbody th").nth(9)).to_have_text("Nov 7, 09:00")
    chosen.get_by_label("Chart").select_option("downloads")
    expect(page.locator("#chart-stats figcaption")).to_have_text("Downloads by hour")
    expect(page.locator("#chart-stats title").last).to_have_text("Nov 7, 23:00: Downloads 1,380")
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save as CSV").click()
    assert saved.value.url.endswith("/stats.csv?from=2026-11-07&to=2026-11-07&bucket=hour")
    chosen.get_by_label("From").fill("2026-11-08")
    expect(page.locator("#stats-problem")).to_have_text("Choose a first day that is not after the last.")
    chosen.get_by_label("To", exact=True).fill("2026-11-09")
    expect(page.locator("#stats-problem")).to_be_empty()
    assert visited.complaints == []


def test_a_range_that_is_refused_is_told_and_the_old_one_stays(visit: Callable[..., Visit], told: Told) -> None:
    page = visit().page
    expect(page.locator("#chart-stats tbody tr")).to_have_count(7)
    told.of_range = lambda _: TooManyBuckets()
    page.locator("#range").get_by_label("By").select_option("hour")
    expect(page.locator("#stats-problem")).to_have_text(TooManyBuckets().message)
    expect(page.locator("#chart-stats tbody tr")).to_have_count(7)


def test_an_hour_that_comes_twice_is_told_by_its_zone(visit: Callable[..., Visit], told: Told) -> None:
    def in_new_york(asked: StatsAsked) -> StatsAnswer | BadRange:
        """As clocks go back there, at two o'clock of 1 November 2026."""
        answer = statistics(StatsAsked(**RACE._asdict(), begin="2026-11-01", end="2026-11-01", bucket="hour"))
        begins = [f"2026-11-01T{hour}" for hour in ("00:00-04:00", "01:00-04:00", "01:00-05:00", "02:00-05:00")]
        buckets: list[BucketAnswer] = [
            msgspec.structs.replace(bucket, begin=begin) for begin, bucket in zip(begins, answer.buckets, strict=False)
        ]
        return msgspec.structs.replace(answer, timezone="America/New_York", buckets=buckets)

    told.of_range = in_new_york
    heads = visit().page.locator("#chart-stats tbody th")
    expect(heads).to_have_text(["Nov 1, 00:00", "Nov 1, 01:00 EDT", "Nov 1, 01:00 EST", "Nov 1, 02:00"])


# --- for everybody


def test_behind_each_chart_is_a_table_of_what_it_shows(visit: Callable[..., Visit], told: Told) -> None:
    page = visit().page
    expect(page.locator("#chart-stats tbody tr")).to_have_count(7)
    drawn = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("figure")].map((figure) => [figure.id, {
            top: Number(figure.querySelector(".heights span").textContent.replace(",", "")),
            bars: [...figure.querySelectorAll("svg g")].map((column) =>
                [...column.querySelectorAll(".bar")].map((bar) => Number(bar.getAttribute("height")))),
            rows: [...figure.querySelectorAll("tbody tr")].map((row) =>
                [...row.children].map((cell) => cell.textContent.replace(",", ""))),
            heads: [...figure.querySelectorAll("thead th")].map((cell) => cell.textContent),
            label: figure.querySelector("svg").getAttribute("aria-label"),
        }]))"""
    )
    trend, flow = told.live.trend, told.live.flow.trend
    doings = ("page_views", "searches", "photo_views", "downloads", "shares")
    values: dict[str, list[list[int]]] = {
        "chart-visitors": [[minute.visitors] for minute in trend],
        "chart-events": [[sum(each := [getattr(minute, kind) for kind in doings]), *each] for minute in trend],
        "chart-flow": [[minute.uploaded, minute.searchable] for minute in flow],
        "chart-stats": [
            [many, many + many // 8, 3 * many, 2 * many, 5 * many, many // 2, many // 10] for many in range(0, 840, 120)
        ],
    }
    assert drawn.keys() == values.keys()
    for figure, expected in values.items():
        chart = drawn[figure]
        assert [list(map(int, row[1:])) for row in chart["rows"]] == expected, figure
        assert all(len(row) == len(chart["heads"]) for row in chart["rows"])
        for bars, row in zip(chart["bars"], expected, strict=True):
            heights = [max(1.5, 100 * value / chart["top"]) if value else 0 for value in row]
            assert bars == pytest.approx(heights[: len(bars)]), figure
    assert drawn["chart-visitors"]["rows"][0][0] == "11:12"
    assert drawn["chart-visitors"]["label"] == "Visitors by minute. At most 61, at 11:37; 12 in the minute that runs."
    assert len(drawn["chart-flow"]["bars"][0]) == 2


def _all_open(page: Page) -> None:
    expect(page.locator("#chart-stats tbody tr")).to_have_count(7)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing(visit: Callable[..., Visit], colours: str) -> None:
    page = visit(color_scheme=colours).page
    page.locator("#chart-stats summary").click()
    page.route("**/realtime", lambda route: route.abort())
    page.clock.fast_forward(3_000)
    expect(page.get_by_role("status")).not_to_be_empty()
    _see_to(page)


def test_axe_finds_nothing_where_there_is_little(visit: Callable[..., Visit], told: Told) -> None:
    told.live, told.of_range = empty_race(), partial(statistics, many=0)
    empty = visit(**PHONE).page
    expect(empty.locator("#no-stats")).to_be_visible()
    _see_to(empty)
    unknown = visit("/live/?organizer=no&event=body").page
    expect(unknown.get_by_role("alert").first).to_be_visible()
    _see_to(unknown)


def _see_to(page: Page) -> None:
    page.clock.resume()  # axe waits, too
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_everything_is_reached_from_the_keyboard(visit: Callable[..., Visit]) -> None:
    page = visit().page
    expect(page.locator("#active")).to_have_text("184")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the numbers")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    summary = page.locator("#chart-visitors summary")
    expect(summary).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    region = page.get_by_role("region", name="Visitors by minute")
    expect(region).to_be_visible()
    expect(region).to_have_attribute("tabindex", "0")  # not every browser lets the keyboard scroll without
    page.keyboard.press("Tab")
    expect(page.get_by_role("region", name="Visitors by minute")).to_be_focused()
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((each) => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert levels.count(1) == 1


def test_a_narrow_phone_needs_no_sideways_scrolling(visit: Callable[..., Visit]) -> None:
    for locale in ("en-US", "ko-KR"):
        page = visit(locale=locale, **PHONE).page
        _all_open(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert page.evaluate("visualViewport.scale") == 1


def test_korean_by_the_browsers_wish_and_by_choice(visit: Callable[..., Visit]) -> None:
    page = visit(locale="ko-KR").page
    expect(page.get_by_role("heading", name="최근 30분 방문자")).to_be_visible()
    expect(page.locator("#p95")).to_have_text("1분 34초")
    expect(page.locator("#chart-stats tbody th").first).to_have_text("11월 2일")
    expect(page.locator("#coverage-share")).to_have_text("참가자 1,000명 중 812명의 사진이 있습니다 (81%)")
    assert page.evaluate("document.documentElement.lang") == "ko"
    page.get_by_role("button", name="English").click()
    expect(page.locator("#chart-stats tbody th").first).to_have_text("Nov 2")
    page.reload()
    expect(page.get_by_role("heading", name="Visitors in the last 30 minutes")).to_be_visible()


def test_both_languages_say_the_same_things_and_all_that_can_be_told(visit: Callable[..., Visit]) -> None:
    page = visit("/live/").page
    english, korean = json.loads(page.evaluate("JSON.stringify([STRINGS.en, STRINGS.ko])"))
    marked = "[...document.querySelectorAll('[data-t], [data-t-label]')]"
    used = page.evaluate(f"{marked}.map((node) => node.dataset.t || node.dataset.tLabel)")
    assert sorted(english) == sorted(korean)
    assert set(used) <= set(english)
    for key, text in english.items():
        if not isinstance(text, dict):
            assert set(re.findall(r"{\w+}", str(text))) == set(re.findall(r"{\w+}", str(korean[key]))), key
    of_programs = {"bad_field", "unknown_file"}
    codes = {refusal.CODE for route in LiveApi.routes() for refusal in route.refusals}
    assert codes - of_programs <= set(korean["errors"])
    assert set(english["errors"]) <= set(korean["errors"])
    rejected = {reason for reason, why in reasons.REASONS.items() if why.stage == "ingest"}
    assert rejected == set(english["reasons"]) == set(korean["reasons"])
