"""What a person sees: on stderr, so that stdout holds a command's answer alone."""

from __future__ import annotations

from rich.console import Console

console = Console(stderr=True, highlight=False)
answers = Console(highlight=False, soft_wrap=True)


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 photo, 1,200 photos."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
