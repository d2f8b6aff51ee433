"""Two workers on the same person at once, on the embedded AWS with the product's own stacks.

Forty photos of twenty people, two of each. All that there is to hear of them comes at the same moment, many batches of
it, so that several workers write the same photos and their neighbours at once. Nothing of it may be lost: in the end
each photo says what it says where one worker hears one thing after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws import deployment
from ops.look.backlog import backlog, dead_letters
from ops.reach.target import Target, of_runtime
from services.faces.records import IdentifiedPhoto
from services.search.records import GalleryPhoto
from shared.contracts import keys, naming
from shared.contracts.events import Box, DomainEvent, Envelope, Face, Reading
from shared.contracts.keys import RaceRef
from shared.kit.table import Table
from tests.kit.compare import assert_same
from tests.kit.events import bibs_read, corrected, faces_indexed, said
from tests.kit.fake_aws import FakeRekognition, Seen
from tests.kit.world import world
from tests.runtime.conftest import launched, until
from tests.runtime.rekognition import answering

RACE = RaceRef("org", "crowd")
FACE = Box(left=0.4, top=0.2, width=0.1, height=0.15)
BIB = Box(left=0.41, top=0.5, width=0.08, height=0.05)
PEOPLE = range(1, 21)
NOT_HERE = range(901, 913)
IDENTITY, GALLERY = IdentifiedPhoto.prefix(), GalleryPhoto.prefix()
SURE, UNSURE = 97.5, 84.0  # percent: a face whose bib was read surely is not searched


def photo_id(person: int, side: str) -> str:
    return f"{person:031x}{side}"


def face_id(person: int, side: str) -> str:
    return f"00000000-0000-4000-8000-{person:011x}{side}"


def seen() -> FakeRekognition:
    """All faces are in the collection already."""
    faces = {
        face_id(person, side): (photo_id(person, side), Seen(str(person), FACE)) for person in PEOPLE for side in "ab"
    }
    return FakeRekognition(collections={keys.collection_id("dev", RACE): faces})


def indexed(person: int, side: str) -> DomainEvent:
    face = Face(face_id=face_id(person, side), box=FACE, confidence=99.5)
    return faces_indexed(photo_id(person, side), 1, face, race=RACE)


def read(person: int, side: str) -> DomainEvent:
    """The first photos' bibs are read, two of three surely; the second ones' are hidden."""
    sure = SURE if person % 3 else UNSURE
    found = Reading(bib=str(person), text=str(person), confidence=sure, box=BIB, verified=True)
    return bibs_read(photo_id(person, side), 1, *((found,) if side == "a" else ()), race=RACE)


def denied(person: int, side: str, bib: int) -> DomainEvent:
    """An organizer says of somebody that she is not here, as of many others."""
    return corrected(photo_id(person, side), str(bib), race=RACE, here=False, revision=bib)


def crowd() -> list[Envelope]:
    """What is heard, one thing of each photo after the other: what comes soon after one another is about the same."""
    photos = [(person, side) for side in "ab" for person in PEOPLE]
    heard = [
        *(denied(*photo, bib) for bib in NOT_HERE[:4] for photo in photos),
        *(indexed(*photo) for photo in photos),
        *(denied(*photo, bib) for bib in NOT_HERE[4:8] for photo in photos),
        *(read(*photo) for photo in photos),
        *(denied(*photo, bib) for bib in NOT_HERE[8:] for photo in photos),
    ]
    return [said(event) for event in heard]


def known(items: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What is known of each photo and follows from it, without how it came to be known."""
    kept = ("complete", "runners", "bibs", "faces", "corrections")
    return {item["photo_id"]: {name: item[name] for name in kept if name in item} for item in items}


@pytest.fixture(scope="module")
def expected() -> dict[str, dict[str, Any]]:
    """Who is in the photos where one worker hears all of it in order, by table."""
    with world() as here:
        here.rekognition.collections = seen().collections
        here.hear(*crowd())
        here.run()
        assert here.dead_letters == []
        tables = here.tables()
    return {
        "faces": known(item for item in tables["faces"].values() if item["SK"].startswith(IDENTITY)),
        "search": known(item for item in tables["search"].values() if item["SK"].startswith(GALLERY)),
    }


@pytest.fixture
def target(hurried: Path, tmp_path: Path) -> Iterator[Target]:
    with launched(tmp_path) as running, answering(running.ports.vision, seen()):
        deployment.deploy(hurried, running.client, verify=False)
        yield of_runtime(running)


def say(target: Target, envelopes: list[Envelope]) -> None:
    entries = [
        {"EventBusName": naming.bus("dev"), "Source": one.source, "DetailType": one.detail_type, "Detail": one.detail()}
        for one in envelopes
    ]
    for first in range(0, len(entries), 10):
        target.client("events").put_events(Entries=entries[first : first + 10])


def wait_until_quiet(target: Target) -> None:
    """Between two queues a message is in neither, so look more than once."""
    looks: list[bool] = []

    def quiet() -> bool:
        looks.append(backlog(target) == 0)
        return len(looks) > 10 and all(looks[-10:])

    until(quiet, seconds=180)


def test_two_workers_on_the_same_people_end_like_one(target: Target, expected: dict[str, dict[str, Any]]) -> None:
    assert all(len(found) == 2 * len(PEOPLE) for found in expected.values())
    say(target, crowd())
    wait_until_quiet(target)
    assert dead_letters(target) == {}
    for stage, prefix in (("faces", IDENTITY), ("search", GALLERY)):
        table = Table(target.client("dynamodb"), naming.table("dev", stage))
        assert_same({stage: known(table.query(RACE.partition, prefix))}, {stage: expected[stage]})
