"""How a function's name reads in construct ids, and so in logical ids."""

from __future__ import annotations


def title(name: str) -> str:
    """The name in the style of logical ids: "read-again" → "ReadAgain"."""
    return "".join(part.capitalize() for part in name.replace("_", "-").split("-"))
