"""What the runner's page tells of its visitors, in a real browser, against the collector's own code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from services.insight.domain.facts import Fact
from services.insight.records import Secret
from tests.kit.events import RACE
from tests.kit.insight_collector import Collector, Kinesis
from tests.kit.page_server import serving
from tests.kit.search_stage import configured, ingested, matched, photo_id, runner, search_stage

QUERY = f"?organizer={RACE.organizer_id}&event={RACE.event_id}"
BUSY = "ProvisionedThroughputExceededException"


@pytest.fixture
def collector() -> Collector:
    return Collector()


@pytest.fixture
def address(collector: Collector) -> Iterator[str]:
    with search_stage() as made, serving(made, collector=collector) as address:
        made.hear(configured())
        for number in (1, 2):
            made.hear(ingested(number, at=f"2026-11-08T09:{number:02}:00"), matched(number, runner("1042")))
        yield address


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(locale="en-US")
    opened = context.new_page()
    opened.set_default_timeout(8_000)
    yield opened
    opened.unroute_all(behavior="ignoreErrors")
    context.close()


def _did(facts: list[Fact]) -> list[tuple[str, str, int | None]]:
    return [(fact.kind, fact.subject, fact.found) for fact in facts]


def _until(page: Page, came: Callable[[], bool]) -> None:
    """Wait for what the collector is still being told, as `expect` waits for the page."""
    for _ in range(400):
        if came():
            return
        page.wait_for_timeout(20)
    raise AssertionError("It did not come.")


def test_a_visit_is_told_as_it_was(page: Page, address: str, collector: Collector) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}/{QUERY}&bib=1042", referer="https://search.example/?q=kim")
    expect(page.locator(".tile:not(.waiting)")).to_have_count(2)
    page.locator("#filters [name=order]").select_option("oldest")  # the same search in another order
    expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    page.locator(".tile").first.click()
    page.get_by_role("button", name="Next photo").click()
    page.get_by_role("button", name="Close").click()
    page.get_by_label("Your bib number").fill("a-0007")
    with page.expect_request(f"{address}/api/insight/events"):  # what has gathered meanwhile is sent by itself
        page.get_by_role("button", name="Find my photos").click()
    expect(page.locator("#count")).to_have_text("No photos")
    page.get_by_role("tab", name="All photos").click()
    expect(page.locator(".tile:not(.waiting)")).to_have_count(2)
    page.goto("about:blank")  # what waits goes as a beacon
    _until(page, lambda: len(collector.facts) == 6)
    assert _did(collector.facts) == [
        ("page_view", "/", None),
        ("search", "1042", 2),
        ("photo_view", photo_id(1), None),
        ("photo_view", photo_id(2), None),
        ("search", "A7", 0),
        ("search", "all", 2),
    ]
    assert [fact.referrer for fact in collector.facts] == ["search.example", "", "", "", "", ""]
    assert len({fact.visitor for fact in collector.facts}) == 1
    assert all(fact.robot for fact in collector.facts)  # a program drives this browser
    assert complaints == []


def test_a_download_is_told_and_nothing_is_stored(page: Page, address: str, collector: Collector) -> None:
    page.goto(f"{address}/{QUERY}&bib=1042")
    page.locator(".tile:not(.waiting)").first.click()
    expect(page.locator("#download[href]")).to_be_visible()
    with page.expect_request(re.compile("attachment")):
        page.locator("#download").click()
    _until(page, lambda: "download" in {fact.kind for fact in collector.facts})
    (downloaded,) = (fact for fact in collector.facts if fact.kind == "download")
    assert downloaded.subject in (photo_id(1), photo_id(2))


@pytest.mark.parametrize("can_share", [True, False])
def test_a_link_that_is_shared_is_told(page: Page, address: str, collector: Collector, can_share: bool) -> None:
    page.add_init_script(
        """window.told = [];
        navigator.clipboard.writeText = async (url) => { told.push(url); };
        Navigator.prototype.share = %s;"""
        % ("async ({ url }) => { told.push(url); }" if can_share else "undefined")
    )
    page.goto(f"{address}/{QUERY}&bib=1042")
    page.locator(".tile:not(.waiting)").first.click()
    page.get_by_role("button", name="Share").click()
    _until(page, lambda: "share" in {fact.kind for fact in collector.facts})
    assert page.evaluate("told") == [f"{address}/{QUERY}&bib=1042"]
    expect(page.locator("#viewer-note")).to_have_text("" if can_share else "The link to these photos is copied.")


def test_a_link_that_is_not_shared_after_all_is_not_told(page: Page, address: str, collector: Collector) -> None:
    page.add_init_script("Navigator.prototype.share = () => Promise.reject(new DOMException('', 'AbortError'))")
    page.goto(f"{address}/{QUERY}&bib=1042")
    page.locator(".tile:not(.waiting)").first.click()
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Close").click()
    page.goto("about:blank")
    _until(page, lambda: "photo_view" in {fact.kind for fact in collector.facts})
    assert "share" not in {fact.kind for fact in collector.facts}


def test_nothing_is_stored_in_the_browser(page: Page, address: str, collector: Collector) -> None:
    page.goto(f"{address}/{QUERY}")
    _until(page, lambda: bool(collector.facts))
    assert page.context.cookies() == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


@pytest.mark.parametrize("wish", ["doNotTrack", "globalPrivacyControl"])
def test_who_does_not_want_to_be_tracked_sends_nothing(page: Page, address: str, wish: str) -> None:
    value = {"doNotTrack": "'1'", "globalPrivacyControl": "true"}[wish]
    page.add_init_script(f"Object.defineProperty(Navigator.prototype, '{wish}', {{get: () => {value}}})")
    assert _asked_of_insight(page, f"{address}/{QUERY}&bib=1042") == []


def test_directly_at_api_gateway_nothing_is_sent(page: Page, address: str) -> None:
    assert _asked_of_insight(page, f"{address}/live/{QUERY}&bib=1042") == []


def test_events_that_were_not_taken_are_sent_again(page: Page, address: str, collector: Collector) -> None:
    page.clock.install()
    collector.kinesis = Kinesis(*[[BUSY]] * 4)
    collector.restart()
    with page.expect_response(f"{address}/api/insight/events") as refused:
        page.goto(f"{address}/{QUERY}")
    assert refused.value.status == 503
    with page.expect_response(f"{address}/api/insight/events") as taken:
        page.clock.run_for(60_000)
    assert taken.value.status == 200
    assert _did(collector.facts) == [("page_view", "/", None)]


def test_a_token_that_has_ended_is_renewed(page: Page, address: str, collector: Collector) -> None:
    page.clock.install()
    with page.expect_response(f"{address}/api/insight/events"):
        page.goto(f"{address}/{QUERY}")
    for secret in list(collector.sessions.query(Secret, RACE, "tokens")):
        collector.sessions.delete_all([secret.place(RACE)])
    collector.restart()
    with page.expect_response(lambda response: response.url.endswith("/events") and response.status == 403):
        page.get_by_role("tab", name="All photos").click()
        page.clock.run_for(3_000)
    with page.expect_response(lambda response: response.url.endswith("/events") and response.ok):
        page.clock.run_for(60_000)
    assert _did(collector.facts) == [("page_view", "/", None), ("search", "all", 2)]


@pytest.mark.parametrize("kept_away", ["**/visits.js*", "**/api/insight/**"])
def test_the_search_works_where_nothing_can_be_told(page: Page, address: str, kept_away: str) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route(kept_away, lambda route: route.abort())
    page.goto(f"{address}/{QUERY}&bib=1042")
    page.locator(".tile:not(.waiting)").first.click()
    expect(page.locator("#viewer")).to_be_visible()
    assert errors == []


def _asked_of_insight(page: Page, address: str) -> list[str]:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "insight" in request.url else None)
    page.goto(address)
    page.locator(".tile:not(.waiting)").first.click()
    page.get_by_role("button", name="Close").click()
    page.goto("about:blank")
    return asked
