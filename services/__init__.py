"""The stages: each folder here that has a card."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.contracts.card import Stage


def cards() -> tuple[Stage, ...]:
    """The cards of all stages, in the order in which a photo goes through them.

    Next comes whoever hears from the fewest stages that are not placed yet, so that loops (a correction leads back)
    do no harm; of several the first by name.
    """
    names = sorted(card.parent.name for card in Path(__file__).parent.glob("*/stage.py"))
    left: dict[str, Stage] = {name: importlib.import_module(f"services.{name}.stage").STAGE for name in names}
    placed: list[Stage] = []
    while left:
        upstream = {name: {event.STAGE for event in card.hears} & left.keys() - {name} for name, card in left.items()}
        placed.append(left.pop(min(left, key=lambda name: (len(upstream[name]), name))))
    return tuple(placed)
