"""All dashboards of an environment, made of the cards: for who is on call, for each stage, and for the business."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dashboards import business, overview, stage
from dashboards.widgets import Alarms, Board
from shared.contracts.card import Stage

__all__ = ["Alarms", "all_of"]


def all_of(env: str, cards: Sequence[Stage], account: str, region: str, alarms: Alarms) -> Iterator[Board]:
    """Each dashboard; the overview first."""
    yield overview.board(env, cards, account, region, alarms)
    yield business.board(env)
    for card in cards:
        yield stage.board(env, card)
