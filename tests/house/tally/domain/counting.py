"""What an event makes of a count, and what counts come to."""

from __future__ import annotations

from collections.abc import Iterable

from services.tally.questions import TallyAnswer
from services.tally.records import PhotoTally
from shared.contracts.events import PhotoMatched


def counted(held: PhotoTally | None, event: PhotoMatched) -> PhotoTally | None:
    """The photo's count after `event`, or None when one as new is known: neither order nor repetition matters."""
    if held is not None and held.revision >= event.revision:
        return None
    return PhotoTally(photo_id=event.photo_id, runners=len(event.runners), revision=event.revision)


def total(counts: Iterable[PhotoTally]) -> TallyAnswer:
    """All counts together."""
    runners = [count.runners for count in counts]
    return TallyAnswer(photos=len(runners), runners=sum(runners))
