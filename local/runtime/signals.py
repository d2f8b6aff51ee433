"""Signals that end a run."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def raise_interrupts() -> None:
    """Let each of them raise KeyboardInterrupt(number) in the main thread from now on."""

    def interrupt(number: int, _: object) -> None:
        raise KeyboardInterrupt(number)

    if threading.current_thread() is threading.main_thread():
        # SIGINT too: a shell that starts us in the background has it ignored.
        for number in _ENDING:
            signal.signal(number, interrupt)


@contextlib.contextmanager
def ignored() -> Iterator[None]:
    """Ignore them meanwhile: a second Ctrl-C must not leave anything behind. What is done within is bounded in time."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
