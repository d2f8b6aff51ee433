"""The faces stage: two functions share one table; index asks Rekognition, identity only thinks."""

from __future__ import annotations

from services.faces.stage import STAGE
from stacks.stage_stack import StageStack


class FacesStack(StageStack):
    """All of it comes from the card."""

    STAGE = STAGE
