"""The ingest stage: every upload and every deletion goes to one function, which needs memory for large pictures."""

from __future__ import annotations

from services.ingest.stage import STAGE
from stacks.stage_stack import StageStack


class IngestStack(StageStack):
    """All of it comes from the card."""

    STAGE = STAGE
