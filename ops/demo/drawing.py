"""The demo race is drawn once for each version of its code, in the background, and kept in build/."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from local import runtime
from ops.reach.errors import Failed

_DRAWN = runtime.CHECKOUT / "build" / "demo-race"
_DRAW_SECONDS = 300


@contextlib.contextmanager
def drawing() -> Iterator[Callable[[], Path]]:
    """Begin to draw the demo race in the background; call what is given to wait for its folder.

    A drawing that was not waited for is ended.
    """
    folder = drawn_folder()
    if folder.is_dir():
        yield lambda: folder
        return
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    with subprocess.Popen(
        [sys.executable, "-m", "local.tether", "local.race", str(fresh)],
        cwd=runtime.CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:

        @functools.cache
        def finished() -> Path:
            _wait_for(process)
            fresh.rename(folder)
            return folder

        try:
            yield finished
        finally:
            process.terminate()


def _wait_for(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(_DRAW_SECONDS)  # not communicate(), which would close the tether
    except subprocess.TimeoutExpired:
        raise Failed(f"The demo race was not drawn within {_DRAW_SECONDS} s.") from None
    complaint = process.stderr.read() if process.stderr else ""
    if process.returncode:
        raise Failed(f"The demo race could not be drawn: {(complaint.strip().splitlines() or ['?'])[-1]}")


def drawn_folder() -> Path:
    """Where the demo race lies, or will: drawn by the code as it is now."""
    sources = sorted((runtime.CHECKOUT / "local" / "race").glob("*.py"))
    return _DRAWN / hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
