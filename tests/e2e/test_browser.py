"""A browser that hangs fails the test that waits for it, and the next test has another one."""

from __future__ import annotations

import os
import signal

import pytest
from playwright.sync_api import Browser

from tests.kit.browser import Browsers, Hung, bounded


def _stop(chromium: Browser) -> None:
    """Let all processes of a browser hang."""
    session = chromium.new_browser_cdp_session()
    for process in session.send("SystemInfo.getProcessInfo")["processInfo"]:
        if process["type"] == "browser":
            os.killpg(process["id"], signal.SIGSTOP)


def test_a_browser_that_hangs_is_killed_and_another_one_is_started(browsers: Browsers) -> None:
    hanging = browsers.browser()
    _stop(hanging)
    with pytest.raises(Hung, match="did not do it within 1 s"), bounded(1):
        hanging.new_context()  # without a browser's answer, this waits for ever
    another = browsers.browser()
    assert another.is_connected() and not hanging.is_connected()
    another.new_context().close()
