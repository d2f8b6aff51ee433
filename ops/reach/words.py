"""Words for people."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 photo, 1,200 photos."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
