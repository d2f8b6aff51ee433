"""Where every upload stands, asked of the tables and queues that the stages keep."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from ops.target import Target
from ops.upload import uploaded
from shared import messages, naming
from shared.errors import InvalidMessage
from shared.events import Envelope
from shared.keys import RaceRef
from shared.messages import Note

State = Literal["in progress", "waiting", "searchable", "rejected", "dead-lettered"]
_PEEK_SECONDS = 30  # for so long, at most, a dead letter that is being looked at is hidden from others
_MAX_PEEKED = 1_000  # of a queue: with more dead letters than that, their number matters, not their names


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """One raw photo's state; `reason` and `message` where it was rejected."""

    key: str
    state: State
    photo_id: str | None = None
    reason: str | None = None
    message: str | None = None


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """A dead-letter queue that is not empty."""

    queue: str
    messages: int


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A race's uploads, and the dead letters of the whole environment."""

    organizer_id: str
    event_id: str
    uploads: tuple[Upload, ...]
    dead_letters: tuple[DeadLetters, ...]

    @property
    def counts(self) -> Counter[State]:
        """How many uploads are in each state."""
        return Counter(upload.state for upload in self.uploads)

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        return not {"in progress", "waiting"} & set(self.counts)

    @property
    def duplicates(self) -> int:
        """Uploads whose content another upload already holds."""
        photos = [upload.photo_id for upload in self.uploads if upload.photo_id and upload.state != "rejected"]
        return len(photos) - len(set(photos))


def status(target: Target, race: RaceRef, keys: frozenset[str] | None = None) -> Status:
    """Ask for the state of all uploads (or of `keys`): what S3 holds, and what became of it."""
    records = {item["key"]: item for item in target.table("ingest").query(race.partition, "KEY#")}
    if keys is None:
        # Misplaced uploads lie elsewhere in the bucket, but their rejection is kept with the race.
        misplaced = {key for key, record in records.items() if record["state"] == "rejected"}
        keys = frozenset(uploaded(target, race)) | misplaced
    gallery = target.table("search").query(race.partition, "PHOTO#")
    searchable = {item["photo_id"] for item in gallery if item.get("searchable")}
    dead_letters = _dead_letters(target)
    dead = _dead(target, [letters.queue for letters in dead_letters])
    return Status(
        organizer_id=race.organizer_id,
        event_id=race.event_id,
        uploads=tuple(_upload(key, records.get(key), searchable, dead) for key in sorted(keys)),
        dead_letters=dead_letters,
    )


def _upload(key: str, record: dict[str, Any] | None, searchable: set[str], dead: set[str]) -> Upload:
    record = record or {}
    photo_id = record.get("photo_id")
    state: State = "in progress"
    if record.get("state") == "rejected":
        state = "rejected"
    elif photo_id in searchable:
        state = "searchable"
    elif key in dead or photo_id in dead:
        state = "dead-lettered"
    elif record.get("state") == "waiting":
        state = "waiting"
    return Upload(key=key, state=state, photo_id=photo_id, reason=record.get("reason"), message=record.get("message"))


def backlog(target: Target) -> int:
    """How many messages the stages have in work or waiting for them now, all races together."""
    return sum(depth for url, depth in _depths(target) if not url.endswith("-dlq"))


def _dead_letters(target: Target) -> tuple[DeadLetters, ...]:
    return tuple(
        DeadLetters(queue=url.rsplit("/", 1)[-1], messages=depth) for url, depth in _depths(target, "-dlq") if depth
    )


def _depths(target: Target, suffix: str = "") -> Iterator[tuple[str, int]]:
    """The environment's queues, by URL, with the messages that can be received or were and are not yet deleted."""
    client = target.client("sqs")
    pages = client.get_paginator("list_queues").paginate(QueueNamePrefix=naming.stack(target.env, ""))
    for url in sorted(url for page in pages for url in page.get("QueueUrls", ()) if url.endswith(suffix)):
        attributes = client.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        yield url, sum(map(int, attributes.values()))


def _dead(target: Target, queues: list[str]) -> set[str]:
    """The keys and photo_ids that dead letters are about."""
    client = target.client("sqs")
    about: set[str] = set()
    for queue in queues:
        url = client.get_queue_url(QueueName=queue)["QueueUrl"]
        for letter in _peek(client, url):
            about.update(_about(letter["Body"]))
    return about


def _peek(client: Any, url: str) -> Iterable[dict[str, Any]]:
    """A queue's messages. They are hidden from others while this looks for the next ones, and then put back."""
    taken: dict[str, dict[str, Any]] = {}
    try:
        while len(taken) < _MAX_PEEKED:
            answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=_PEEK_SECONDS)
            fresh = {letter["MessageId"]: letter for letter in answer.get("Messages", ())}
            if not fresh.keys() - taken.keys():
                break
            taken |= fresh
    finally:
        for letter in taken.values():
            with contextlib.suppress(client.exceptions.MessageNotInflight):
                client.change_message_visibility(
                    QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"], VisibilityTimeout=0
                )
    return taken.values()


def _about(body: str) -> Iterator[str]:
    """What a message is about: the upload it began with (its correlation id is `key@sequencer`), and its photo."""
    try:
        message = messages.parse(body)
    except InvalidMessage:
        return
    yield message.meta.correlation_id.rpartition("@")[0]
    match message:
        case Envelope(data=data) if photo_id := getattr(data, "photo_id", None):
            yield photo_id
        case Note(body={"photo_id": str(photo_id)}):
            yield photo_id


def as_json(found: Status) -> str:
    """The status for programs."""
    return json.dumps(
        {
            "organizer_id": found.organizer_id,
            "event_id": found.event_id,
            "uploads": len(found.uploads),
            "counts": dict(sorted(found.counts.items())),
            "duplicates": found.duplicates,
            "rejected": [
                {"key": upload.key, "reason": upload.reason, "message": upload.message}
                for upload in found.uploads
                if upload.state == "rejected"
            ],
            "dead_letters": {letters.queue: letters.messages for letters in found.dead_letters},
        },
        ensure_ascii=False,
        indent=2,
    )
