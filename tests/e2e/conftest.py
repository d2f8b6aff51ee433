"""The browser that the page tests share. It is each module's own: its event loop must not be there for other tests."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import nullcontext

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.kit.browser import Browsers, bounded


@pytest.fixture(scope="module")
def browser_arguments() -> list[str]:
    """Further arguments of Chromium; a module may have its own."""
    return []


@pytest.fixture(scope="module")
def browsers(browser_arguments: list[str]) -> Iterator[Browsers]:
    with sync_playwright() as playwright:
        made = Browsers(playwright, *browser_arguments)
        yield made
        made.close()


@pytest.fixture
def chromium(browsers: Browsers) -> Browser:
    return browsers.browser()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Let no test wait for a browser for ever."""
    has_browser = "browsers" in getattr(item, "fixturenames", ())
    with bounded() if has_browser else nullcontext():
        return (yield)


pytest_runtest_setup = pytest_runtest_teardown = pytest_runtest_call
