"""The cards of the stages, for commands that name one: what it hears, and by which functions."""

from __future__ import annotations

from ops.reach.errors import Failed
from services import cards
from shared.contracts.card import Function, Stage


def stage_names() -> list[str]:
    """All stages, sorted."""
    return sorted(card.name for card in cards())


def card_of(stage: str) -> Stage:
    """The stage's card. Raises Failed with all names."""
    found = {card.name: card for card in cards()}
    if stage not in found:
        raise Failed(f"There is no stage '{stage}'. There are: {', '.join(sorted(found))}.")
    return found[stage]


def fed_functions(stage: str, only: str | None = None) -> tuple[Function, ...]:
    """The stage's functions that rules bring their work, or the one of them that is named.

    Each has a dead-letter queue. Raises Failed with all names.
    """
    functions = tuple(function for function in card_of(stage).functions if function.has_rules)
    if only is None:
        return functions
    chosen = tuple(function for function in functions if function.name == only)
    if not chosen:
        names = ", ".join(function.name for function in functions)
        raise Failed(f"The stage '{stage}' has no function '{only}' with a queue. It has: {names}.")
    return chosen
