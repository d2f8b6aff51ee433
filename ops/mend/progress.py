"""How what mends says how it gets on; the command line shows it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol


class Advance(Protocol):
    """Says how much is done, and of how much where that has changed."""

    def __call__(self, done: int, of: int | None = None) -> None:
        """Move the bar."""


Bar = Callable[[str, int | None], AbstractContextManager[Advance]]
"""Begins to show something by its title, with how much there is to do where that is known."""
