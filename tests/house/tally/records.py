"""What the tally stage keeps: a count for each photo, and no sum.

A sum that is added to would count a redelivered event twice. Counts by photo say which events they know.
"""

from __future__ import annotations

from typing import ClassVar

from shared.contracts.events import PhotoMatched
from shared.contracts.records import Origins, Record


class PhotoTally(Record, frozen=True, kw_only=True):
    """How many runners are in a photo, by the newest PhotoMatched, of `revision`."""

    SORT_KEY: ClassVar[str] = "TALLY#{photo_id}"
    FROM: ClassVar[Origins] = {PhotoMatched: ("photo_id", "runners", "revision")}

    photo_id: str
    runners: int
    revision: int
