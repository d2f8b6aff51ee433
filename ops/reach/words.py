"""Words for people, and JSON for programs."""

from __future__ import annotations

import json
from typing import Any

import msgspec


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 photo, 1,200 photos."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def to_json(told: object) -> str:
    """JSON on several lines; structs are told with all their fields."""
    return json.dumps(msgspec.to_builtins(told), ensure_ascii=False, indent=2)


def some_of(thing: object, *names: str) -> dict[str, Any]:
    """An object's attributes of these names, in this order; None for one that it does not have."""
    return {name: getattr(thing, name, None) for name in names}
