"""Where uploads stand, by what the stages keep and what lies in dead-letter queues."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.status import as_json, backlog, status
from ops.target import Target
from shared import naming
from shared.events import BibsRead, Meta, caused
from tests.adapters.deployed import ENV, RACE, deployed, put

PREFIX = f"{RACE.prefix}raw_photos/"


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    with deployed(monkeypatch, tmp_path / "home") as target:
        yield target


def uploaded(target: Target, name: str, **record: str) -> str:
    """A raw photo, and what the ingest stage keeps of it, if it has heard of it."""
    key = PREFIX + name
    target.client("s3").put_object(Bucket=target.photo_bucket, Key=key, Body=b"x")
    if record:
        put("ingest", f"KEY#{key}", key=key, sequencer="01", **record)
    return key


def searchable(photo_id: str, *, yes: bool = True) -> None:
    put("search", f"PHOTO#{photo_id}", photo_id=photo_id, searchable=yes)


def send(target: Target, queue: str, body: str) -> None:
    client = target.client("sqs")
    client.send_message(QueueUrl=client.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody=body)


def notification(target: Target, key: str) -> str:
    detail = {"bucket": {"name": target.photo_bucket}, "object": {"key": key, "sequencer": "01", "size": 1}}
    event = {"id": "n", "time": "2026-10-25T00:00:00Z", "source": "aws.s3", "detail-type": "Object Created"}
    return json.dumps(event | {"detail": detail})


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


def test_misplaced_uploads_are_told_of_and_race_files_are_no_uploads(target: Target) -> None:
    misplaced = f"{RACE.prefix}RAW-PHOTOS/a.jpg"
    for key in (misplaced, f"{RACE.prefix}race.json", f"{RACE.prefix}roster.csv", f"{RACE.prefix}notes/a.txt"):
        target.client("s3").put_object(Bucket=target.photo_bucket, Key=key, Body=b"x")
    put("ingest", f"KEY#{misplaced}", key=misplaced, state="rejected", reason="key_wrong_folder", message="…")
    assert [upload.key for upload in status(target, RACE).uploads] == [misplaced]


def test_other_races_do_not_mix_in(target: Target) -> None:
    for key in ("hanriver/seoul-2026b/raw_photos/a.jpg", "hanriver/seoul/raw_photos/b.jpg"):
        target.client("s3").put_object(Bucket=target.photo_bucket, Key=key, Body=b"x")
    assert status(target, RACE).uploads == ()


def test_dead_letters_name_their_uploads_and_stay_where_they_are(target: Target) -> None:
    dlq = naming.dead_letter_queue(ENV, "ocr", "read")
    key = uploaded(target, "never taken in 결승.jpg")
    uploaded(target, "never read.jpg", state="ingested", photo_id="p1")
    uploaded(target, "fine.jpg", state="ingested", photo_id="p2")
    searchable("p2")
    send(target, dlq, notification(target, key))
    read = BibsRead(**RACE._asdict(), photo_id="p1", readings=(), suggestions=(), photo_revision=1, revision=1)
    story = Meta(id="x", version=1, correlation_id="roster.csv@02", causation_id="x", occurred_at="")
    envelope = caused(read, story)
    send(
        target,
        dlq,
        json.dumps(
            {"source": envelope.source, "detail-type": envelope.detail_type, "detail": json.loads(envelope.detail())}
        ),
    )
    send(target, dlq, "what is this?")
    assert states(target) == {
        "never taken in 결승.jpg": "dead-lettered",
        "never read.jpg": "dead-lettered",
        "fine.jpg": "searchable",
    }
    found = status(target, RACE)
    assert found.settled
    assert [(letters.queue, letters.messages) for letters in found.dead_letters] == [(dlq, 3)]


def test_many_dead_letters_are_looked_at_once_each(target: Target) -> None:
    keys = [uploaded(target, f"{number:02}.jpg") for number in range(25)]
    for key in keys:
        send(target, naming.dead_letter_queue(ENV, "ocr", "read"), notification(target, key))
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
