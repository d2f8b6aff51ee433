"""All the cards, found where they lie: services/<stage>/stage.py."""

from __future__ import annotations

import importlib
from pathlib import Path

from shared.contracts.card import Stage

ROOT = Path(__file__).parents[2]


def all_cards() -> tuple[Stage, ...]:
    """The card of every stage folder, by name."""
    names = sorted(path.parent.name for path in (ROOT / "services").glob("*/stage.py"))
    return tuple(importlib.import_module(f"services.{name}.stage").STAGE for name in names)
