"""Where uploads stand, by what the stages keep and what lies in dead-letter queues."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

import ops.reach.cards
from ops.look.backlog import backlog
from ops.look.status import as_json, status
from ops.look.steps import all_steps
from ops.reach.target import Target
from services import cards
from services.faces.records import IdentifiedPhoto, IndexedPhoto, NewPhoto
from services.ingest.records import KeyRecord
from services.ocr.records import ReadPhoto
from services.search.records import ExplainedRunner, GalleryPhoto
from shared.contracts import naming
from shared.contracts.card import Function, Queue, Stage, Step
from shared.contracts.events import Evidence, ImageRef, Meta, PhotoMatched
from shared.contracts.keys import RaceRef
from shared.contracts.records import PhotoProgress
from tests.kit.deployed import ENV, create_table, deployed, keep
from tests.kit.events import RACE, as_body, bibs_read, raw_key, said
from tests.kit.mending import notified

PREFIX = f"{RACE.prefix}raw_photos/"
PICTURE = ImageRef(bucket="derived", key="preview.jpg", width=1200, height=800)
replace = msgspec.structs.replace


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    with deployed(monkeypatch, tmp_path / "home") as target:
        yield target


def uploaded(target: Target, name: str, **record: str) -> str:
    """A raw photo, and what the ingest stage keeps of it, if it has heard of it."""
    key = PREFIX + name
    target.client("s3").put_object(Bucket=target.photo_bucket, Key=key, Body=b"x")
    if record:
        keep(key_record(key, **record))
    return key


def key_record(key: str, **changed: Any) -> KeyRecord:
    return KeyRecord(**{"key": key, "sequencer": "01", "at": "2026-10-25T08:00:00Z"} | changed)


def searchable(photo_id: str, *, yes: bool = True) -> None:
    keep(GalleryPhoto(photo_id=photo_id, preview=PICTURE, complete=yes))


def send(target: Target, queue: str, body: str) -> None:
    client = target.client("sqs")
    client.send_message(QueueUrl=client.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody=body)


def states(target: Target) -> dict[str, str]:
    return {upload.key.removeprefix(PREFIX): upload.state for upload in status(target, RACE).uploads}


def test_each_upload_is_where_the_stages_say(target: Target) -> None:
    uploaded(target, "just arrived.jpg")
    uploaded(target, "waits.jpg", state="waiting")
    uploaded(target, "being read.jpg", state="ingested", photo_id="p1")
    uploaded(target, "half done.jpg", state="ingested", photo_id="p2")
    uploaded(target, "done.jpg", state="ingested", photo_id="p3")
    uploaded(target, "copy of it.jpg", state="ingested", photo_id="p3")
    uploaded(target, "none.jpg", state="rejected", reason="not_an_image", message="The file is not a picture.")
    searchable("p2", yes=False)
    searchable("p3")
    assert states(target) == {
        "just arrived.jpg": "in progress",
        "waits.jpg": "waiting",
        "being read.jpg": "in progress",
        "half done.jpg": "in progress",
        "done.jpg": "searchable",
        "copy of it.jpg": "searchable",
        "none.jpg": "rejected",
    }
    found = status(target, RACE)
    assert (found.duplicates, found.settled) == (1, False)
    told = json.loads(as_json(found))
    assert told["uploads"] == 7
    assert told["counts"] == {"in progress": 3, "rejected": 1, "searchable": 2, "waiting": 1}
    assert told["rejected"] == [
        {"key": PREFIX + "none.jpg", "reason": "not_an_image", "message": "The file is not a picture."}
    ]


def test_what_is_not_done_says_which_step_it_waits_for(target: Target) -> None:
    uploaded(target, "just arrived.jpg")
    uploaded(target, "no race.jpg", state="waiting")
    for photo in ("nothing", "bibs", "faces", "both", "told", "done"):
        uploaded(target, f"{photo}.jpg", state="ingested", photo_id=photo)
    for photo in ("bibs", "both"):
        keep(ReadPhoto(photo_id=photo, photo_revision=1, revision=1))
    keep(ReadPhoto(photo_id="nothing", photo_revision=1))  # read, but the race's rules are not known
    for photo in ("faces", "both"):
        keep(IndexedPhoto(photo_id=photo, photo_revision=1, enabled=False))
    keep(IndexedPhoto(photo_id="nothing", photo_revision=1))
    keep(IdentifiedPhoto(photo_id="told", bibs_revision=1, faces_revision=1, complete=True))
    searchable("done")
    found = status(target, RACE)
    assert {upload.filename: upload.waits_for for upload in found.uploads} == {
        "just arrived.jpg": ("ingest",),
        "no race.jpg": ("race",),
        "nothing.jpg": ("ocr", "faces"),
        "bibs.jpg": ("faces",),
        "faces.jpg": ("ocr",),
        "both.jpg": ("identity",),
        "told.jpg": ("gallery",),
        "done.jpg": (),
    }


class Tallied(PhotoProgress, frozen=True, kw_only=True):
    """A photo that was counted."""

    SORT_KEY: ClassVar[str] = "TALLIED#{photo_id}"


TALLY = Stage(
    name="tally",
    purpose="Counts.",
    functions=(
        Function(
            name="count",
            purpose="Counts.",
            fed_by=Queue(hears=(PhotoMatched,)),
            keeps=(Tallied,),
            step=Step(name="tally", waits="not counted yet", progress=Tallied),
        ),
    ),
)


def test_a_new_stages_step_queue_and_dead_letters_are_known_by_its_card(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops.reach.cards, "cards", lambda: (*cards(), TALLY))
    create_table("tally")
    queue, dlq = naming.queue(ENV, "tally", "count"), naming.dead_letter_queue(ENV, "tally", "count")
    for name in (queue, dlq):
        target.client("sqs").create_queue(QueueName=name)
    for photo in ("unmatched", "uncounted", "counted"):
        uploaded(target, f"{photo}.jpg", state="ingested", photo_id=photo)
        complete = photo != "unmatched"
        keep(IdentifiedPhoto(photo_id=photo, bibs_revision=1, faces_revision=1, complete=complete))
    target.records("tally").put(RACE, Tallied(photo_id="counted"))
    send(target, queue, "one")
    send(target, dlq, "dead")
    found = status(target, RACE)
    assert {upload.filename: upload.waits_for for upload in found.uploads} == {
        "unmatched.jpg": ("identity",),
        "uncounted.jpg": ("gallery", "tally"),
        "counted.jpg": ("gallery",),
    }
    assert "not counted yet (tally)" in {upload.filename: upload.why for upload in found.uploads}["uncounted.jpg"]
    assert found.dead_letters.keys() == {dlq}
    assert backlog(target) == 1


def test_every_step_has_a_name_of_its_own_and_a_record_that_its_function_keeps() -> None:
    steps = all_steps()
    assert len({place.step.name for place in steps}) == len(steps)
    for place in steps:
        assert place.step.progress.SORT_KEY in {kind.SORT_KEY for kind in place.function.keeps}, place.step.name


def test_what_is_stuck_is_grouped_by_reason_with_the_oldest_first(target: Target) -> None:
    uploaded(target, "second.jpg", state="ingested", photo_id="p2", at="2026-10-25T09:00:00Z")
    uploaded(target, "first.jpg", state="ingested", photo_id="p1", at="2026-10-25T08:00:00Z")
    uploaded(target, "oldest, but done.jpg", state="ingested", photo_id="p3", at="2026-10-25T07:00:00Z")
    uploaded(target, "older, but given up.jpg", state="ingested", photo_id="p4", at="2026-10-25T07:30:00Z")
    searchable("p3")
    dlq = naming.dead_letter_queue(ENV, "ocr", "read")
    send(target, dlq, notified(PREFIX + "older, but given up.jpg", bucket=target.photo_bucket))
    found = status(target, RACE)
    assert [(len(stuck.uploads), stuck.uploads[0].filename) for stuck in found.stuck] == [
        (2, "first.jpg"),
        (1, "older, but given up.jpg"),
    ]
    assert found.stuck[1].why.startswith(f"given up in {dlq}: bibs not read yet")
    assert found.oldest_waiting is not None
    assert found.oldest_waiting.filename == "first.jpg"
    told = json.loads(as_json(found, every_upload=True))
    assert told["oldest_waiting"]["key"] == PREFIX + "first.jpg"
    assert told["oldest_waiting"]["seconds"] > 0
    assert told["stuck"][0]["uploads"] == 2
    assert [upload["state"] for upload in told["all"]].count("in progress") == 2


def test_an_upload_nobody_has_heard_of_is_as_old_as_s3_says(target: Target) -> None:
    uploaded(target, "just arrived.jpg")
    found = status(target, RACE)
    assert found.oldest_waiting is not None
    age = found.oldest_waiting.age(datetime.fromisoformat(found.at))
    assert age is not None
    assert -2 <= age < 60 * 60


def test_photos_that_are_matched_when_the_race_goes_quiet_are_counted(target: Target) -> None:
    keep(NewPhoto(at=1000, photo_id="p1"), NewPhoto(at=2000, photo_id="p2"))
    assert status(target, RACE).unmatched == 2


def test_messages_in_work_are_told_of_also_when_nobody_sees_them(target: Target) -> None:
    """What a function was working on when it died is invisible for minutes, and a hidden bib may wait for it."""
    queue = naming.queue(ENV, "ocr", "read")
    for _ in range(2):
        send(target, queue, "{}")
    client = target.client("sqs")
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    assert client.receive_message(QueueUrl=url, VisibilityTimeout=720)["Messages"]
    found = status(target, RACE)
    assert (found.in_work, json.loads(as_json(found))["in_work"]) == (2, 2)


def test_a_letter_about_a_photo_that_is_searchable_is_told_but_it_stays_searchable(target: Target) -> None:
    key = uploaded(target, "done.jpg", state="ingested", photo_id="p1")
    searchable("p1")
    dlq = naming.dead_letter_queue(ENV, "ocr", "read")
    send(target, dlq, notified(key, bucket=target.photo_bucket))
    (upload,) = status(target, RACE).uploads
    assert (upload.state, upload.dead_letters) == ("searchable", (dlq,))


# --- the state hash -----------------------------------------------------------------------------------


def runner(**changed: Any) -> ExplainedRunner:
    reasons = (
        Evidence(kind="reading", bib="42", score=97.5, weight=0.975, photo_id="p1"),
        Evidence(kind="match", bib="42", score=99.0, weight=0.9, photo_id="p2"),
    )
    known = {"bib": "42", "status": "confirmed", "confidence": 97.5, "read": True, "evidence": reasons}
    return ExplainedRunner(**known | changed)


def because(**changed: Any) -> dict[str, Any]:
    """The same evidence, but for its first reason."""
    first, *others = runner().evidence
    return {"evidence": (replace(first, **changed), *others)}


def gallery_photo(**changed: Any) -> GalleryPhoto:
    seen = {"photo_id": "p1", "preview": PICTURE, "complete": True, "keys": (PREFIX + "a.jpg",), "runners": (runner(),)}
    memory = {"ingest_revision": 3, "match_revision": 5, "photo_revision": 3, "placeholder": "data:…"}
    return GalleryPhoto(**seen | memory | changed)


def hash_of(
    target: Target, photo: GalleryPhoto | None, reason: str = "truncated", *, besides: Any = None, **rejected: Any
) -> str | None:
    for stage, kind in (("search", GalleryPhoto), ("ingest", KeyRecord)):
        records = target.records(stage)
        records.delete_all([record.place(RACE) for record in records.query(kind, RACE)])
    if photo:
        keep(photo, **(besides or {}))
    key = PREFIX + "bad.jpg"
    keep(key_record(**{"key": key, "state": "rejected", "reason": reason, "message": "…"} | rejected))
    return status(target, RACE, hashed=True).state_hash


def test_the_state_hash_forgets_the_way_to_the_state(target: Target) -> None:
    first = hash_of(target, gallery_photo())
    assert first is not None
    assert len(first) == 64
    assert int(first, 16)
    counters = {"ingest_revision": 1_790_000_000_000, "match_revision": 9, "photo_revision": 7, "withdrawn_revision": 2}
    assert hash_of(target, gallery_photo(**counters), sequencer="FF", at="2027-01-01T00:00:00Z") == first
    other_faces = [msgspec.to_builtins(runner()) | {"face_id": "f-2", "box": {"left": 0.2}}]
    assert hash_of(target, gallery_photo(), besides={"runners": other_faces}) == first
    assert hash_of(target, gallery_photo(runners=(runner(evidence=runner().evidence[::-1]),))) == first
    assert status(target, RACE).state_hash is None, "it is worked out only where it is asked for"


def test_the_state_hash_of_a_state_is_the_same_in_every_version(target: Target) -> None:
    race = RaceRef("hanriver", "seoul-2026")
    photo = gallery_photo(keys=(raw_key("a.jpg", race),), runners=(runner(confidence=100.0),))
    bad = key_record(raw_key("bad.jpg", race), state="rejected", reason="truncated", message="…")
    keep(photo, bad, race=race)
    first = "8d9ba546ba2e2e51a1a37f25453a5c17f5fe22622cfcd9987d56b6ea3de0514b"
    assert status(target, race, hashed=True).state_hash == first


@pytest.mark.parametrize(
    "changed",
    [
        {"photo_id": "p9"},
        {"keys": (PREFIX + "a.jpg", PREFIX + "copy.jpg")},
        {"runners": ()},
        {"runners": (runner(), runner(bib="7"))},
        {"runners": (runner(bib="43"),)},
        {"runners": (runner(status="inferred"),)},
        {"runners": (runner(confidence=97.4),)},
        {"runners": (runner(read=False),)},
        {"runners": (runner(evidence=runner().evidence[:1]),)},
        {"runners": (runner(**because(kind="suggestion")),)},
        {"runners": (runner(**because(score=97.4)),)},
        {"runners": (runner(**because(weight=0.5)),)},
        {"runners": (runner(**because(photo_id="p3")),)},
        None,
    ],
)
def test_what_users_see_changes_the_state_hash(target: Target, changed: dict[str, Any] | None) -> None:
    assert hash_of(target, gallery_photo()) != hash_of(target, None if changed is None else gallery_photo(**changed))


def test_a_rejection_and_its_reason_are_part_of_the_state(target: Target) -> None:
    hashes = [
        hash_of(target, None),
        hash_of(target, None, reason="empty"),
        hash_of(target, None, key=PREFIX + "other.jpg"),
        hash_of(target, None, state="withdrawn"),
    ]
    assert len(set(hashes)) == 4


def test_a_withdrawn_photo_is_no_part_of_the_state(target: Target) -> None:
    tombstone = GalleryPhoto(photo_id="p1", withdrawn_revision=4)
    assert hash_of(target, tombstone) == hash_of(target, None)


def test_misplaced_uploads_are_told_of_and_race_files_are_no_uploads(target: Target) -> None:
    misplaced = f"{RACE.prefix}RAW-PHOTOS/a.jpg"
    for key in (misplaced, f"{RACE.prefix}race.json", f"{RACE.prefix}roster.csv", f"{RACE.prefix}notes/a.txt"):
        target.client("s3").put_object(Bucket=target.photo_bucket, Key=key, Body=b"x")
    keep(key_record(misplaced, state="rejected", reason="key_wrong_folder", message="…"))
    assert [upload.key for upload in status(target, RACE).uploads] == [misplaced]


def test_other_races_do_not_mix_in(target: Target) -> None:
    for key in ("org/race2/raw_photos/a.jpg", "org/rac/raw_photos/b.jpg"):
        target.client("s3").put_object(Bucket=target.photo_bucket, Key=key, Body=b"x")
    assert status(target, RACE).uploads == ()


def test_dead_letters_name_their_uploads_and_stay_where_they_are(target: Target) -> None:
    dlq = naming.dead_letter_queue(ENV, "ocr", "read")
    key = uploaded(target, "never taken in 결승.jpg")
    uploaded(target, "never read.jpg", state="ingested", photo_id="p1")
    uploaded(target, "fine.jpg", state="ingested", photo_id="p2")
    searchable("p2")
    send(target, dlq, notified(key, bucket=target.photo_bucket))
    story = Meta(id="x", version=1, correlation_id="roster.csv@02", causation_id="x", occurred_at="")
    send(target, dlq, as_body(said(bibs_read("p1"), cause=story)))
    send(target, dlq, "what is this?")
    assert states(target) == {
        "never taken in 결승.jpg": "dead-lettered",
        "never read.jpg": "dead-lettered",
        "fine.jpg": "searchable",
    }
    found = status(target, RACE)
    assert found.settled
    assert found.dead_letters == {dlq: 3}


def test_many_dead_letters_are_looked_at_once_each(target: Target) -> None:
    keys = [uploaded(target, f"{number:02}.jpg") for number in range(25)]
    for key in keys:
        send(target, naming.dead_letter_queue(ENV, "ocr", "read"), notified(key, bucket=target.photo_bucket))
    assert status(target, RACE).counts == {"dead-lettered": 25}


def test_the_backlog_is_what_the_stages_have_before_them(target: Target) -> None:
    assert backlog(target) == 0
    queue = naming.queue(ENV, "ocr", "read")
    send(target, queue, "one")
    send(target, queue, "two")
    send(target, naming.dead_letter_queue(ENV, "ocr", "read"), "dead")
    url = target.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
    target.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    assert backlog(target) == 2, "what is being worked on counts too"
