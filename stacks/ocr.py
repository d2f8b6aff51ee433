"""The ocr stage: one text detection a photo; a changed roster reads the kept words again."""

from __future__ import annotations

from services.ocr.stage import STAGE
from stacks.stage_stack import StageStack


class OcrStack(StageStack):
    """All of it comes from the card."""

    STAGE = STAGE
