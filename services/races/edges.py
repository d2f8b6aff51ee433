"""Where the races stage touches AWS: its table, the uploaded files, and the rosters it hands on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from services.races.domain.files import Checked, Known, check_size
from services.races.records import RaceHeld, RaceOutcome, RefusedBibs, RosterHeld, RosterOutcome
from shared.contracts.errors import Archived, Encrypted, InvalidRace, InvalidRoster
from shared.contracts.events import ObjectRef
from shared.contracts.keys import RACE_FILE, RaceRef
from shared.contracts.messages import ObjectCreated
from shared.contracts.roster.runners import Runner, from_json
from shared.kit import objects
from shared.kit.records import Put, Records, unchanged

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Races:
    """The stage's table."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def load(self, race: RaceRef, filename: str) -> Known:
        """What is kept of a file of the race."""
        get = self._records.get
        if filename == RACE_FILE:
            return Known(held=get(RaceHeld.locate(race)), outcome=get(RaceOutcome.locate(race)))
        return Known(held=get(RosterHeld.locate(race)), outcome=get(RosterOutcome.locate(race)))

    def save(self, race: RaceRef, checked: Checked, known: Known) -> bool:
        """Keep what an upload came to if the table still says `known`; False when somebody else was first.

        One transaction, so that an outcome that is good always is the outcome of what holds.
        """
        puts: list[Put] = []
        if checked.held:
            puts.append((race, checked.held, unchanged(known.held, "revision")))
        if known.counts(checked.outcome):
            puts.append((race, checked.outcome, unchanged(known.outcome, "sequencer")))
        return not puts or self._records.write(puts)

    def weighed(self, race: RaceRef) -> tuple[RaceHeld | None, RosterHeld | None, RefusedBibs | None]:
        """The settings and the roster that hold, and what is kept of the bibs that the former refuse."""
        places = RaceHeld.locate(race), RosterHeld.locate(race), RefusedBibs.locate(race)
        found = self._records.read(*places)
        return found.get(places[0]), found.get(places[1]), found.get(places[2])

    def save_weighed(self, race: RaceRef, refused: RefusedBibs, before: RefusedBibs | None) -> bool:
        """Keep the refused bibs if the table still says `before`; False when somebody else was first."""
        return self._records.put(race, refused, unchanged(before, "revision", "roster_revision"))


class Files:
    """The uploaded files, and the clean rosters made of them."""

    def __init__(self, client: S3Client, derived_bucket: str) -> None:
        self._client = client
        self.derived_bucket = derived_bucket

    def read(self, upload: ObjectCreated, filename: str) -> bytes | None:
        """The upload's bytes; None when it is gone or overwritten meanwhile, which S3 tells in its own message.

        Raises InvalidRace or InvalidRoster when it is too large to be read, encrypted with somebody else's key, or in
        an archive tier; S3 moves no file there that is as small as a race.json must be (128 KB).
        """
        try:
            fetched = objects.fetch(self._client, upload, partial(check_size, filename))
        except Archived:
            raise InvalidRoster("roster_archived", "roster.csv lies in an archive. Upload it again.") from None
        except Encrypted:
            sentence = f"{filename} is encrypted with a key that SnapRace does not have. Upload it again without one."
            if filename == RACE_FILE:
                raise InvalidRace("race_encrypted", sentence) from None
            raise InvalidRoster("roster_encrypted", sentence) from None
        return fetched.body if fetched else None

    def runners(self, roster: ObjectRef) -> list[Runner]:
        """The runners of a clean roster."""
        return from_json(self._client.get_object(Bucket=roster.bucket, Key=roster.key)["Body"].read())

    def write_roster(self, key: str, body: bytes) -> None:
        """Write a clean roster; its key is its content's digest, so writing it twice changes nothing."""
        self._client.put_object(
            Bucket=self.derived_bucket, Key=key, Body=body, ContentType="application/json; charset=utf-8"
        )
