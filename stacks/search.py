"""The search stage: a queue function keeps the gallery; an API function answers from it and serves the page."""

from __future__ import annotations

from services.search.stage import STAGE
from stacks.stage_stack import StageStack


class SearchStack(StageStack):
    """All of it comes from the card."""

    STAGE = STAGE
