"""What a service will never do, however often it is asked, ends at once: as an outcome, or as a dead letter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.faces.records import IndexedPhoto
from services.ingest.records import KeyRecord
from services.ocr.records import ReadPhoto
from shared.contracts import redelivery
from shared.contracts.events import ImageRef, PhotoIngested, PhotoRejected
from shared.contracts.keys import processed_key
from shared.kit.detection import REFUSED
from tests.kit import events, small_race
from tests.kit.events import RACE, Happened, raw_key
from tests.kit.fake_aws import Seen
from tests.kit.lambdas import DERIVED
from tests.kit.wire import Once, Refusing, client
from tests.kit.world import World, world

PHOTO = f"{7:032x}"


@pytest.fixture
def here() -> Iterator[World]:
    with world() as made:
        yield made


def ingested(here: World, revision: int = 1) -> Happened:
    processed = ImageRef(bucket=DERIVED, key=processed_key(RACE, PHOTO), width=96, height=80)
    return here.says(events.ingested(PHOTO, revision, processed=processed))


def configured(here: World) -> Happened:
    return here.says(events.configured("01", faces=True))


# --- what a detector says of a picture ----------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(REFUSED))
@pytest.mark.parametrize("operation", ["DetectText", "IndexFaces"])
def test_a_photo_that_a_detector_cannot_use_is_searchable_without_what_it_would_see(
    here: World, operation: str, code: str
) -> None:
    # Mutation: the error raised. Half an hour of retries, then a dead letter, and the photo was never shown.
    here.wire.trouble = refusing = Refusing(f"rekognition.{operation}", code)
    here.tell(*small_race.race_files(here), small_race.photo(here, "plain.jpg", small_race.PLAIN, 1))
    here.run()
    assert refusing.refused == 1
    assert (here.dead_letters, here.hidden_s) == ([], [])
    (photo,) = (event for event in here.heard() if isinstance(event, PhotoIngested))
    assert here.state()["shown"][str(RACE)]["all"]
    stage, kind = ("ocr", ReadPhoto) if operation == "DetectText" else ("faces", IndexedPhoto)
    assert code in here.items(stage)[kind.prefix(photo.photo_id)]["unreadable"]


def test_what_is_heard_of_a_photo_that_is_gone_is_history(here: World) -> None:
    # Mutation: InvalidS3ObjectException as a temporary failure. It was asked for again 64 times.
    assert here.deliver("faces.index", configured(here)) == []
    for function, stage, kind in (("ocr.read", "ocr", ReadPhoto), ("faces.index", "faces", IndexedPhoto)):
        assert here.deliver(function, ingested(here)) == []
        assert kind.prefix(PHOTO) not in here.items(stage), "nothing is kept of it, also in a race that was deleted"
    assert (here.dead_letters, here.hidden_s) == ([], [])


def test_faces_that_a_dying_delivery_added_of_a_photo_that_is_gone_do_not_stay(here: World) -> None:
    here.show(PHOTO, [])
    here.rekognition.faces_in[PHOTO] = [Seen("kim", events.BOX)]
    assert here.deliver("faces.index", configured(here)) == []
    photo, calls = ingested(here), ["BatchGetItem", "IndexFaces", "CreateCollection", "IndexFaces"]
    here.wire.trouble = Once(len(here.wire.calls) + len(calls), "killed")
    assert here.deliver("faces.index", photo) == [0]
    assert [made.operation for made in here.wire.calls[-len(calls) :]] == calls
    here.wire.trouble = None
    assert [len(faces) for faces in here.collections().values()] == [1]
    client("s3").delete_object(Bucket=DERIVED, Key=processed_key(RACE, PHOTO))
    assert here.deliver("faces.index", photo) == []
    assert [len(faces) for faces in here.collections().values()] == [0]


def test_a_picture_that_is_there_and_not_got_is_asked_for_again(here: World) -> None:
    here.show(PHOTO, [])
    here.wire.trouble = Refusing("rekognition.DetectText", "InvalidS3ObjectException")
    assert here.deliver("ocr.read", ingested(here)) == [0]
    here.wire.trouble = None
    assert here.deliver("ocr.read", ingested(here)) == []


# --- what a service does not take ---------------------------------------------------------------------------

TOO_LARGE = {"CancellationReasons": [{"Code": "ValidationError"}, {"Code": "None"}]}


@pytest.mark.parametrize(
    ("function", "refusing", "reason"),
    [
        ("ingest.intake", Refusing("s3.PutObject", "EntityTooLarge"), "ClientError"),
        (
            "ingest.intake",
            Refusing("dynamodb.TransactWriteItems", "TransactionCanceledException", more=TOO_LARGE),
            "RefusedForGood",
        ),
        ("ocr.read", Refusing("dynamodb.PutItem", "ValidationException"), "ClientError"),
        ("ingest.intake", Refusing("eventbridge.PutEvents", "ValidationException"), "ClientError"),
        (
            "faces.index",
            Refusing("rekognition.IndexFaces", "ServiceQuotaExceededException"),
            "ServiceQuotaExceededException",
        ),
    ],
)
def test_what_is_refused_for_good_is_a_dead_letter_at_once(
    here: World, function: str, refusing: Refusing, reason: str
) -> None:
    # Mutation: any of them as a temporary failure, as a cancelled transaction was: 64 receives.
    here.tell(*small_race.race_files(here))
    here.run()
    here.wire.trouble = refusing
    refusing.refused = 0
    here.tell(small_race.photo(here, "plain.jpg", small_race.PLAIN, 1))
    here.run()
    assert function in here.dead_letters
    (letter,) = here.function(function).dead
    assert (letter.why[redelivery.REASON], letter.why[redelivery.RECEIVES]) == (reason, "1")
    assert refusing.code in letter.why[redelivery.ERROR] or "ValidationError" in letter.why[redelivery.ERROR]


@pytest.mark.parametrize(
    ("code", "status"), [("InvalidRequest", 400), ("KMS.DisabledException", 400), ("KMS.NotFoundException", 400)]
)
def test_an_upload_that_somebody_elses_key_encrypts_is_rejected_in_words(here: World, code: str, status: int) -> None:
    here.tell(*small_race.race_files(here))
    here.run()
    here.wire.trouble = Refusing("s3.GetObject", code, status)
    here.tell(
        small_race.photo(here, "plain.jpg", small_race.PLAIN, 1),
        here.upload(f"{RACE.prefix}race.json", b"{}"),
        here.upload(f"{RACE.prefix}roster.csv", b"bib"),
    )
    here.run()
    assert (here.dead_letters, here.hidden_s) == ([], [])
    assert here.items("ingest")[KeyRecord.prefix(raw_key("plain.jpg"))]["reason"] == "encrypted"
    said = {event.reason for event in here.heard() if hasattr(event, "reason") and not isinstance(event, PhotoRejected)}
    assert said == {"race_encrypted", "roster_encrypted"}
