"""What the tally stage's API takes, answers and refuses."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.contracts.api import Otherwise, Questions, Refusal, route
from shared.contracts.keys import ID, RaceRef


class NothingCounted(Refusal, status=404):
    """No photo of such a race is counted yet. Check the organizer and the event."""


Id = Annotated[str, Meta(pattern=f"^{ID}$"), Otherwise(NothingCounted())]


class TallyAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which race."""

    organizer_id: Id
    event_id: Id

    @property
    def race(self) -> RaceRef:
        """The race as a pair."""
        return RaceRef(self.organizer_id, self.event_id)


class TallyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many photos were counted, and how many runners are in all of them; one who is in two counts twice."""

    photos: int
    runners: int


class TallyApi(Questions):
    """Says how many runners were found."""

    @route("GET", "/races/{organizer_id}/{event_id}/tally", who="anybody")
    @abstractmethod
    def tally(self, asked: TallyAsked) -> TallyAnswer | NothingCounted:
        """How many runners were found in a race's photos."""
