"""A roster for a race of many photos is read again to the end, on the embedded AWS, which stops chains as Lambda does.

The ocr stage looks through a race's photos a page after the other, each by a note to its own queue: a chain of
invocations that is longer than the 16 that Lambda allows a function that is not meant to call itself. The photos are
written to the stage's table as it would have written them, and none of them reads differently by the roster but the
last.

The suite's stage goes through 50 photos at a time, so that 801 are a chain of 17; the soak's goes through 500, as the
product's does, and 20,000 photos.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.aws import deployment
from local.runtime import Running
from services.ocr.records import ReadPhoto, RulesHeard, Word
from shared.contracts import naming
from shared.contracts.events import Bibs, Box, Reading
from shared.contracts.keys import RaceRef
from shared.contracts.race import RaceSettings
from shared.kit.records import Records
from shared.kit.table import Table
from tests.kit import events
from tests.runtime.assemblies import with_code
from tests.runtime.conftest import launched, until
from tests.runtime.test_recursion import dropped

RACE = RaceRef("org", "large")
BOX = Box(left=0.4, top=0.5, width=0.1, height=0.05)
SEEN = Word(text="42", confidence=99.0, box=BOX)
PAGE, CHAIN = 50, 16
"""Photos that one note of the suite's stage goes through, and invocations of a chain without leave."""
FEW, MANY = PAGE * CHAIN + 1, 20_000


def photo_of(number: int, *words: Word) -> ReadPhoto:
    """A photo that was read without a roster."""
    readings = tuple(Reading(bib=word.text, text=word.text, confidence=99.0, box=BOX, verified=False) for word in words)
    bibs = Bibs(readings=readings)
    return ReadPhoto(photo_id=f"{number:032x}", photo_revision=1, revision=1, words=words, bibs=bibs)


@pytest.fixture
def running(assembly: Path, tmp_path: Path, photos: int) -> Iterator[Running]:
    """An environment of the test's own: what is done to its photos again later disturbs no other test."""
    if photos == FEW:
        module, shorter = "services/ocr/functions/read.py", f"PAGE = {PAGE}"
        assembly = with_code(assembly, tmp_path / "cdk.out", module, r"PAGE = 500\b", shorter)
    with launched(tmp_path / "aws") as running:
        deployment.deploy(assembly, running.client, verify=False)
        yield running


@pytest.mark.parametrize("photos", [FEW, pytest.param(MANY, marks=pytest.mark.soak)])
def test_a_roster_is_read_in_all_photos_however_many_there_are(running: Running, photos: int) -> None:
    client = running.client
    records = Records(Table(client("dynamodb"), naming.table("dev", "ocr")))
    race = RaceRef(RACE.organizer_id, f"large-{photos}")
    settings = RaceSettings(name="Large", date="2026-10-25")
    records.put(race, RulesHeard(settings=settings, revision="01"))
    records.put_all(race, (photo_of(number) for number in range(photos - 1)))
    last = photo_of(photos - 1, SEEN)
    records.put(race, last)
    imported = events.roster_imported(
        ["42"], "02", race=race, bucket=naming.derived_bucket("dev", "000000000000", "us-east-1")
    )
    client("s3").put_object(Bucket=imported.roster.bucket, Key=imported.roster.key, Body=events.roster_of(["42"]))

    said = events.said(imported)
    entry = {"Source": said.source, "DetailType": said.detail_type, "Detail": said.detail()}
    client("events").put_events(Entries=[{"EventBusName": naming.bus("dev"), **entry}])

    def is_verified() -> bool:
        assert dropped(running, naming.function("dev", "ocr", "read")) == 0
        found = records.get(last.place(race))
        assert found is not None and found.bibs is not None
        return found.bibs.readings[0].verified

    until(is_verified, seconds=600)  # the emulator looks at all items of a race for each page
