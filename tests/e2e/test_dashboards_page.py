"""`snaprace dashboards` in a real browser, before a CloudWatch in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from local.aws.cloudwatch.store import Store
from tests.kit.board import MemoryCloudWatch, serving

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
ARN = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:"
RED, CALM = "snaprace-dev-P1-service-ocr", "snaprace-dev-P2-queue-age-ocr-read"


def widget(kind: str, width: int, y: int = 0, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "x": 0, "y": y, "width": width, "height": 6, "properties": properties}


def of_ours(name: str, stage: str, **options: Any) -> list[Any]:
    return ["SnapRace", name, "Stage", stage, {"stat": "Sum", "period": 60, **options}]


AXIS = {"left": {"min": 0, "max": 20}}
SHARE = {"expression": "IF(h > 0, 100 * FILL(f, 0) / h, 0)", "label": "failed, %", "yAxis": "right", "period": 60}
WIDGETS = [
    widget("alarm", 24, title="Pages", alarms=[ARN + RED, ARN + CALM]),
    widget("text", 24, 6, markdown="## ocr\nReads bibs, see [the runbook](docs/runbooks/queue-age.md). <b>no html</b>"),
    widget(
        "metric",
        12,
        12,
        title="Messages",
        view="timeSeries",
        metrics=[
            of_ours("Handled", "ocr", label="handled", id="h"),
            [".", "Failed", ".", "ocr", {"stat": "Sum", "period": 60, "label": "failed", "id": "f"}],
            [SHARE],
        ],
        annotations={"horizontal": [{"value": 12, "label": "promised"}]},
    ),
    widget(
        "metric", 12, 12, title="Stacked", stacked=True, metrics=[of_ours("Handled", "ocr"), of_ours("Failed", "ocr")]
    ),
    widget(
        "metric",
        12,
        18,
        title="In all",
        view="singleValue",
        setPeriodToTimeRange=True,
        metrics=[of_ours("Handled", "ocr", label="handled")],
    ),
    widget(
        "metric",
        6,
        18,
        title="Full",
        view="gauge",
        yAxis={"left": {"min": 0, "max": 20}},
        metrics=[of_ours("Handled", "ocr")],
    ),
    widget("metric", 6, 18, title="Silent", metrics=[of_ours("Handled", "nobody")]),
    widget("log", 24, 24, title="Logs"),
]


@dataclass
class Visit:
    page: Page
    complaints: list[str]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[MemoryCloudWatch, str]]:
    cloudwatch = MemoryCloudWatch()
    with serving(cloudwatch) as address:
        yield cloudwatch, address


@pytest.fixture
def cloudwatch(server: tuple[MemoryCloudWatch, str]) -> MemoryCloudWatch:
    told = server[0]
    told.store = Store()
    told.dashboards = {"snaprace-dev-overview": WIDGETS, "snaprace-dev-business": WIDGETS[1:2], "snaprace-prod-x": []}
    told.tell("Handled", dict.fromkeys(range(1, 61), 10.0), Stage="ocr")
    told.tell("Failed", {5: 5.0, 4: 2.0}, Stage="ocr")
    told.composite_alarms = [alarm(RED, "ALARM", "P1: It hurts.", AlarmRule=f'ALARM("{CALM}")')]
    told.metric_alarms = [alarm(CALM, "OK", "P2: Old.")]
    return told


def alarm(name: str, state: str, meaning: str, **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "AlarmDescription": f"{meaning} Runbook: docs/runbooks/queue-age.md",
        "StateValue": state,
        "StateReason": "9 > 5",
        "StateUpdatedTimestamp": datetime.now(UTC) - timedelta(minutes=7),
        "AlarmActions": ["topic"],
        **more,
    }


@pytest.fixture
def visit(
    chromium: Browser, server: tuple[MemoryCloudWatch, str], cloudwatch: MemoryCloudWatch
) -> Iterator[Callable[..., Visit]]:
    contexts = []

    def open_page(path: str = "/", **context: Any) -> Visit:
        options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-US"}
        contexts.append(chromium.new_context(**{**options, **context}))
        page = contexts[-1].new_page()
        page.set_default_timeout(8_000)
        visited = Visit(page, [])
        page.on("console", lambda message: visited.complaints.append(message.text))
        page.on("pageerror", lambda error: visited.complaints.append(str(error)))
        page.clock.install()
        page.goto(server[1] + path)
        return visited

    yield open_page
    for context in contexts:
        context.close()


def test_all_widgets_are_shown_and_change_without_reload(
    visit: Callable[..., Visit], cloudwatch: MemoryCloudWatch
) -> None:
    visited = visit()
    page = visited.page
    expect(page.get_by_role("heading", level=1)).to_have_text("overview")
    alarms = page.locator(".states")
    expect(alarms.get_by_role("heading")).to_have_text("Pages: 1 of 2 ring")
    expect(alarms.locator("li.ALARM")).to_contain_text("It hurts.")
    expect(page.locator(".text").first).to_contain_text("<b>no html</b>")
    numbers = page.locator(".number dd")
    expect(numbers.first).to_have_text("600")
    expect(page.get_by_role("meter")).to_have_attribute("value", "10")
    expect(page.get_by_text("Nothing was told in this time.")).to_have_count(1)
    expect(page.get_by_text("Widgets of the kind log are not shown here")).to_be_visible()
    messages = page.locator("figure").first
    expect(messages.locator(".line")).to_have_count(3)
    expect(messages.locator(".dots")).to_have_count(3)
    expect(messages.locator(".limit")).to_have_count(1)
    expect(page.locator("figure").nth(1).locator(".area")).to_have_count(2)
    expect(messages.get_by_role("img")).to_have_attribute(
        "aria-label", "Messages. Last: handled: 10, failed: 2, failed, %: 0."
    )

    page.evaluate("document.querySelectorAll('#widgets > *, .line').forEach((node) => { node.same = 1; })")
    cloudwatch.tell("Failed", {1: 4.0}, Stage="ocr")
    cloudwatch.composite_alarms[0]["StateValue"] = "OK"
    with page.expect_response("**/api/boards/overview?*"):
        page.clock.fast_forward(61_000)
    expect(alarms.get_by_role("heading")).to_have_text("Pages: none rings")
    expect(messages.get_by_role("img")).to_have_attribute(
        "aria-label", "Messages. Last: handled: 10, failed: 4, failed, %: 40."
    )
    assert (
        page.evaluate("[...document.querySelectorAll('#widgets > *, .line')].filter((node) => !node.same).length") == 0
    )
    assert visited.complaints == []


def test_behind_each_chart_is_a_table_of_what_it_shows(visit: Callable[..., Visit]) -> None:
    page = visit("/?hours=1").page
    messages = page.locator("figure").first
    expect(messages.locator("tbody tr")).to_have_count(0)  # it is made when it is opened
    messages.locator("summary").click()
    heads = messages.locator("thead th")
    expect(heads).to_have_text(["Time", "handled", "failed", "failed, %"])
    rows = [[cell.strip() for cell in row.split("\t")][1:] for row in messages.locator("tbody tr").all_inner_texts()]
    assert rows.count(["10", "5", "50"]) == 1
    assert rows.count(["10", "2", "20"]) == 1
    assert ["10", "–", "0"] in rows
    page.locator("figure").first.locator("svg").hover()
    expect(messages.locator(".readout")).to_contain_text("handled 10")


def test_dashboard_and_time_are_chosen_and_stay_in_the_address(visit: Callable[..., Visit]) -> None:
    page = visit().page
    expect(page.locator("#board option")).to_have_text(["overview", "business"])
    page.get_by_label("Time").select_option("12 hours")
    page.get_by_label("Dashboard").select_option("business")
    expect(page.get_by_role("heading", level=1)).to_have_text("business")
    assert page.url.endswith("?board=business&hours=12")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("business")
    expect(page.get_by_label("Time")).to_have_value("12")


def test_an_alarm_leads_to_its_runbook(visit: Callable[..., Visit]) -> None:
    page = visit().page
    page.get_by_role("link", name=RED).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("queue-age (P2)")
    page.get_by_role("link", name="queue-backlog").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("queue-backlog")


def test_when_nobody_answers_that_is_said(visit: Callable[..., Visit]) -> None:
    page = visit().page
    expect(page.locator("#pill")).to_be_visible()
    page.route("**/api/**", lambda route: route.abort())
    page.clock.fast_forward(61_000)
    expect(page.get_by_role("status")).to_contain_text("does not answer")


@pytest.mark.parametrize("context", [{"color_scheme": "dark"}, PHONE], ids=["dark", "phone"])
def test_axe_finds_nothing_and_a_phone_needs_no_sideways_scrolling(visit: Callable[..., Visit], context: Any) -> None:
    page = visit(**context).page
    expect(page.locator(".line").first).to_be_attached()
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    expect(page.locator("tbody tr").first).to_be_attached()
    page.clock.resume()  # axe waits, too
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_everything_is_reached_from_the_keyboard(visit: Callable[..., Visit]) -> None:
    page = visit().page
    expect(page.locator(".line").first).to_be_attached()
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim().split('\\n')[0].slice(0, 24)"))
    assert reached[0].startswith("Skip to")
    assert RED[:24] in reached
    assert "As a table" in reached


def test_other_pages_and_hosts_are_refused(server: tuple[MemoryCloudWatch, str], cloudwatch: MemoryCloudWatch) -> None:
    address = server[1]
    assert httpx.get(f"{address}/api/boards", trust_env=False).json() == ["overview", "business"]
    for headers in (
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    ):
        assert httpx.get(f"{address}/api/boards", headers=headers, trust_env=False).status_code == 403
    for path in (
        "/docs/../pyproject.toml",
        "/docs/%2e%2e/README.md",
        "/page/index.html",
        "/api/boards/none",
        "/api/boards/overview?hours=x",
    ):
        assert httpx.get(address + path, trust_env=False).status_code in (400, 404)
