"""The api function: answers how many runners were found."""

from __future__ import annotations

from services.tally.domain.counting import total
from services.tally.questions import NothingCounted, TallyAnswer, TallyApi, TallyAsked
from services.tally.records import PhotoTally
from services.tally.stage import STAGE
from shared.kit.api.routes import serves
from shared.kit.records import Records


class Tally(TallyApi):
    """The tally API's answers."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def tally(self, asked: TallyAsked) -> TallyAnswer | NothingCounted:
        """All counts of a race together."""
        answer = total(self._records.query(PhotoTally, asked.race))
        return answer if answer.photos else NothingCounted()


handler = serves(STAGE, "api", lambda here: Tally(here.records))
