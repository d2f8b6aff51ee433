"""A real browser for the page tests. `python -m tests.kit.browser` makes sure that there is one.

Preferred is the system's Chromium or Chrome; as root on Debian it is installed; else Playwright fetches its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


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
