"""What the stage keeps."""

from __future__ import annotations

from typing import ClassVar

from shared.contracts.events import PhotoMatched
from shared.contracts.records import Origins, Record


class Heard(Record, frozen=True, kw_only=True):
    """A photo that was heard of."""

    SORT_KEY: ClassVar[str] = "HEARD#{photo_id}"
    FROM: ClassVar[Origins] = {PhotoMatched: ("photo_id",)}

    photo_id: str
