"""The cards of the stages, for commands that name one: what it hears, and by which functions."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import cast

from ops.errors import Failed
from shared.contracts.card import Function, Stage

_SERVICES = Path(__file__).parents[1] / "services"


def stage_names() -> list[str]:
    """All stages, sorted."""
    return sorted(path.parent.name for path in _SERVICES.glob("*/stage.py"))


def card_of(stage: str) -> Stage:
    """The stage's card, read by its name: nothing else of a stage is imported here. Raises Failed with all names."""
    if stage not in stage_names():
        raise Failed(f"There is no stage '{stage}'. There are: {', '.join(stage_names())}.")
    return cast("Stage", importlib.import_module(f"services.{stage}.stage").STAGE)


def queued_functions(stage: str, only: str | None = None) -> tuple[Function, ...]:
    """The stage's functions that a queue feeds, or the one of them that is named. Raises Failed with all names."""
    functions = card_of(stage).queued
    if only is None:
        return functions
    chosen = tuple(function for function in functions if function.name == only)
    if not chosen:
        names = ", ".join(function.name for function in functions)
        raise Failed(f"The stage '{stage}' has no function '{only}' with a queue. It has: {names}.")
    return chosen
