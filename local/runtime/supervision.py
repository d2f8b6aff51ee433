"""Starts a part of the runtime again when it has ended, while the others go on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from local.runtime.description import RuntimeProblem
from local.runtime.processes import Part

_LOOK_EVERY_SECONDS = 0.1

_SOON_SECONDS = 5.0
_MOST_IN_A_ROW = 3
"""A part that ends so often, each time so soon after its start, is not started again."""

Ready = Callable[[Part], None]
"""Makes a part that was started again ready. Raises RuntimeProblem where that fails."""


class Supervision:
    """A thread that looks after the parts until it is ended."""

    def __init__(self, parts: list[Part], ready: Ready) -> None:
        self._parts = parts
        self._ready = ready
        self._ended_soon = dict.fromkeys(parts, 0)
        self._problem: RuntimeProblem | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervision", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise RuntimeProblem when a part cannot be kept running."""
        if self._problem:
            raise self._problem

    def end(self) -> None:
        """Look after them no longer. What is being made ready is waited for."""
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_SECONDS):
            for part in self._parts:
                if part.ended() and not self._stopping.is_set():
                    try:
                        self._start_again(part)
                    except RuntimeProblem as problem:
                        self._problem = problem
                        return

    def _start_again(self, part: Part) -> None:
        line = part.last_line()
        ended_soon = part.start_again() < _SOON_SECONDS
        self._ended_soon[part] = self._ended_soon[part] + 1 if ended_soon else 0
        if self._ended_soon[part] >= _MOST_IN_A_ROW:
            raise RuntimeProblem(f"{part.name} ends again and again: {line} (all of it: {part.log})")
        try:
            self._ready(part)
        except RuntimeProblem:
            if not part.ended():
                raise  # else it has ended meanwhile, and is started once more
