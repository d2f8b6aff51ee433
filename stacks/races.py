"""The races stage: reads race.json and roster.csv where organizers upload them."""

from __future__ import annotations

from services.races.stage import STAGE
from stacks.stage_stack import StageStack


class RacesStack(StageStack):
    """All of it comes from the card."""

    STAGE = STAGE
