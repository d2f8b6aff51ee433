"""A real browser for the page tests. `python -m tests.kit.browser` makes sure that there is one.

Preferred is the system's Chromium or Chrome; as root on Debian it is installed; else Playwright fetches its own.

A browser can hang for ever, and some of Playwright's calls (`new_context`, `close`) wait for it without a time-out:
`bounded` kills it then, and the call fails.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
PATIENCE_S = 90.0
"""How long a test may take with its browser: the slowest takes a sixth of that on a machine that is busy."""
_MARK = f"--snaprace-tests={uuid.uuid4()}"
"""An argument that tells the browsers of this process from all others. Chromium ignores what it does not know."""


def executable() -> str | None:
    """The browser's path, or None when the tests have none to use."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and _MAC.exists():
        found = str(_MAC)
    return found or _playwrights_own()


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


class Hung(AssertionError):
    """The browser did not do what a test asked of it, and was killed."""


class Browsers:
    """Starts the browser of some tests, and another one, once, if the first is gone."""

    def __init__(self, playwright: Playwright, *arguments: str) -> None:
        """`arguments` are further ones of Chromium's."""
        path = executable()
        assert path, "The page tests need a browser: run `python -m tests.kit.browser`."
        self._playwright, self._path, self._arguments = playwright, path, [*ARGUMENTS, _MARK, *arguments]
        self._started: list[Browser] = []

    def browser(self) -> Browser:
        """The browser, connected."""
        if not self._started or not self._started[-1].is_connected():
            assert len(self._started) < 2, "The browser is gone for the second time: see which test it did not survive."
            self._started.append(self._launched())
        return self._started[-1]

    def close(self) -> None:
        """Close what was started."""
        for browser in self._started:
            browser.close()

    def _launched(self) -> Browser:
        """A new browser. On a machine that is busy the first attempt may take longer than Playwright waits."""
        from playwright.sync_api import Error

        chromium = self._playwright.chromium
        with suppress(Error):
            return chromium.launch(executable_path=self._path, args=self._arguments)
        kill()
        return chromium.launch(executable_path=self._path, args=self._arguments)


@contextmanager
def bounded(seconds: float = PATIENCE_S) -> Iterator[None]:
    """Kill the browsers of this process after so long: what waits for them fails.

    Raises:
        Hung: instead of what failed for that reason.
    """
    late = Event()

    def end() -> None:
        late.set()
        kill()

    timer = Timer(seconds, end)
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            raise Hung(f"The browser did not do it within {seconds:g} s, and was killed.") from error
        raise
    finally:
        timer.cancel()


def kill() -> None:
    """Kill the browsers that this process started, with their renderers."""
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,args="], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        # Only a browser's first process has the mark. Playwright makes it the leader of a process group.
        if _MARK in command:
            with suppress(ProcessLookupError):
                os.killpg(int(pid), signal.SIGKILL)


def _install() -> None:
    """Try Debian's package, then Playwright's download; what they say is shown only if both fail."""
    attempts = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        attempts.insert(0, ["apt-get", "install", "-y", "--no-install-recommends", "chromium"])
    for command in attempts:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode == 0 and executable():
            return


def main() -> int:
    """0 when there is a browser at the end."""
    if not executable():
        sys.stderr.write("Installing a browser for the page tests…\n")
        _install()
    if executable():
        return 0
    sys.stderr.write("The page tests need a browser: install Chromium or Chrome, then run `make test` again.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
