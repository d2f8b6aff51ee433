"""SnapRace in one process: the real handlers of all functions that a queue feeds, and deliveries in the test's hand.

All that a handler touches is AWS, and that is answered below boto3 (see wire.py): S3 by moto, the rest here. A
message that fails is seen again when nothing else is left, and one whose process died when that is through, too; it
becomes a dead letter as its worker or the queue says.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import random
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from botocore import xform_name
from botocore.exceptions import ClientError
from moto import mock_aws

from services.search.records import Race
from shared.contracts import keys, naming, redelivery
from shared.contracts.card import Queue, Schedule, Stream
from shared.contracts.events import SOURCE_PREFIX, Box, DomainEvent, Envelope, RosterImported, parse
from shared.contracts.keys import RaceRef
from shared.contracts.redelivery import MAX_RECEIVES
from shared.kit.table import Item
from tests.kit import events
from tests.kit.compare import settled
from tests.kit.dynamodb import DynamoDB
from tests.kit.events import Happened
from tests.kit.fake_aws import FakeRekognition, Seen
from tests.kit.lambdas import (
    AFTER_A_DEATH,
    AFTER_A_WHILE,
    DERIVED,
    ENV,
    PHOTOS,
    Deployed,
    Letter,
    as_letter,
    deployed,
)
from tests.kit.search_stage import request
from tests.kit.wire import NOWHERE, Mishap, Once, Refused, Wire, client

MAX_RECEIVED = 10  # at once, as SQS has it
MAX_DELIVERIES = 5_000  # a race of a test that needs more goes in circles
EARLY = 0.02  # where chance rules, the share of deliveries before which delays run out while others still wait

Word = tuple[str, float, Box]
"""Text that Rekognition reads in a picture, how sure it is (percent), and where."""


@dataclass
class World:
    """An environment of SnapRace, from the photo bucket to the gallery. Made by `world()`."""

    rekognition: FakeRekognition = field(default_factory=FakeRekognition)
    dynamodb: DynamoDB = field(default_factory=DynamoDB)
    wire: Wire = field(default_factory=Wire)
    uploads_archive: list[Happened] = field(default_factory=list)
    events_archive: list[Happened] = field(default_factory=list)
    said: list[Happened] = field(default_factory=list)
    hidden_s: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        everything = deployed()
        self.functions = [function for function in everything if isinstance(function.card.fed_by, Queue | Stream)]
        self.others = [function for function in everything if function not in self.functions]
        self.stages = sorted({function.stage.name for function in self.functions})
        self._clock = itertools.count(1)
        self._numbers = itertools.count(1)
        self._asked_for = 0
        self._names: dict[str, str] = {}  # of what AWS names at random
        self.wire.doubles |= {
            "dynamodb": self.dynamodb.answer,
            "eventbridge": self._bus,
            "sqs": self._queues,
            "rekognition": self._vision,
            "kinesis": self._stream,
        }
        self.stop()  # what another test's processes keep
        for bucket in (PHOTOS, DERIVED):
            client("s3").create_bucket(Bucket=bucket)
        client("s3").put_bucket_versioning(Bucket=PHOTOS, VersioningConfiguration={"Status": "Enabled"})

    def stop(self) -> None:
        """End all processes."""
        for function in [*self.functions, *self.others]:
            function.restart()

    def function(self, name: str) -> Deployed:
        """The function of that name, as "ocr.read"."""
        return next(function for function in [*self.functions, *self.others] if function.name == name)

    # --- what happens outside -----------------------------------------------------------------------------

    def upload(self, key: str, body: bytes, **metadata: str) -> Happened:
        """Put an object; what S3 will tell of it, perhaps late, perhaps twice (see `tell`)."""
        written = client("s3").put_object(Bucket=PHOTOS, Key=key, Body=body, Metadata=metadata)
        target = {"size": len(body), "etag": written["ETag"].strip('"'), "version-id": written["VersionId"]}
        return self._notification("Created", key, target)

    def delete(self, key: str) -> Happened:
        """Put a delete marker on an object."""
        written = client("s3").delete_object(Bucket=PHOTOS, Key=key)
        target = {"version-id": written["VersionId"]}
        return self._notification("Deleted", key, target, **{"deletion-type": "Delete Marker Created"})

    def erase(self, uploaded: Happened) -> Happened:
        """Delete for good the version that was `uploaded`."""
        key, version = (uploaded["detail"]["object"][name] for name in ("key", "version-id"))
        client("s3").delete_object(Bucket=PHOTOS, Key=key, VersionId=version)
        return self._notification("Deleted", key, {"version-id": version}, **{"deletion-type": "Permanently Deleted"})

    def erased(self) -> list[Happened]:
        """What S3 tells of uploads whose version somebody else deleted for good meanwhile."""
        created = [event for event in self.uploads_archive if event["detail-type"] == "Object Created"]
        return [self.erase(event) for event in created if not _stands(event["detail"]["object"])]

    def _notification(self, kind: str, key: str, target: dict[str, Any], **detail: str) -> Happened:
        now, at = self._now()
        self._names.setdefault(target["version-id"], f"version {now}")
        sequencer = f"0065{now:012X}"
        return events.notification(key, kind, bucket=PHOTOS, at=at, sequencer=sequencer, target=target, **detail)

    def says(self, event: DomainEvent) -> Happened:
        """What the bus will bring of an event that another stage says now."""
        _, at = self._now()
        return events.on_the_bus(event, at)

    def _now(self) -> tuple[int, str]:
        """Seconds that passed, and the time (ISO 8601); every look at the clock takes one."""
        now = next(self._clock)
        return now, f"2026-10-25T{1 + now // 3600:02}:{now // 60 % 60:02}:{now % 60:02}Z"

    def hand_on(self, bibs: Iterable[str], revision: str = "01") -> RosterImported:
        """Put a roster where the races stage puts it; what that stage says of it."""
        imported = events.roster_imported(bibs, revision, bucket=DERIVED)
        client("s3").put_object(Bucket=DERIVED, Key=imported.roster.key, Body=events.roster_of(bibs))
        return imported

    def show(self, photo_id: str, words: list[Word]) -> None:
        """Put a processed copy of a photo where the ingest stage puts it, and decide what Rekognition reads there."""
        client("s3").put_object(Bucket=DERIVED, Key=keys.processed_key(events.RACE, photo_id), Body=b"a picture")
        self.rekognition.words_in[photo_id] = words

    def tell(self, *notifications: Happened) -> None:
        """What S3 says on the default bus."""
        for event in notifications:
            self.uploads_archive.append(event)
            self._route(event)

    def hear(self, *said: Envelope) -> None:
        """Domain events from elsewhere, as the bus brings them."""
        for one in said:
            self._route(events.on_the_bus(one))

    def replay(self, *stages: str, name: str, newest_first: bool = False) -> None:
        """Give these stages, or all, once more what is archived. EventBridge keeps its order within limits only."""
        archived = [*self.uploads_archive, *self.events_archive]
        for event in reversed(archived) if newest_first else archived:
            self._route({**event, "replay-name": name}, stages)

    def redrive(self) -> None:
        """Move all dead letters back into their queues."""
        for function in self.functions:
            for letter in function.dead:
                letter.receives = 0
            function.queue += function.dead
            function.dead = []

    def lose_table(self, stage: str) -> None:
        """Drop all that a stage keeps."""
        self.dynamodb.tables.pop(naming.table(ENV, stage), None)

    # --- deliveries to one function -----------------------------------------------------------------------

    def deliver(self, function: str, *happened: Happened | str | bytes) -> list[int]:
        """Hand one batch to a function; which of it came back, by position."""
        bodies = [one if isinstance(one, str | bytes) else json.dumps(one, ensure_ascii=False) for one in happened]
        letters = [Letter(number=next(self._numbers), body=body, receives=1) for body in bodies]
        failed = self._invoke(self.function(function), letters)
        return [place for place, letter in enumerate(letters) if letter in failed]

    def deliver_dying(self, function: str, told: Sequence[Happened | str], mishap: Mishap, dies_at: int) -> int:
        """Hand over messages one by one, with a mishap at one of the calls; what failed comes once more.

        `dies_at` counts the calls of the whole story from 1 (0: none). Returns how many calls were made.
        """
        before = len(self.wire.calls)
        self.wire.trouble = Once(before + dies_at, mishap) if dies_at else None
        for message in told:
            if self.deliver(function, message):
                assert self.deliver(function, message) == []
        self.wire.trouble = None
        return len(self.wire.calls) - before

    def work_off(self, function: str) -> int:
        """Deliver what a function finds in its queue until there is nothing more; how many messages that were."""
        deployed, worked_off = self.function(function), 0
        while bodies := self._take_out(deployed, deployed.due[:MAX_RECEIVED]):
            worked_off += len(bodies)
            assert self.deliver(function, *bodies) == []
        return worked_off

    def take(self, function: str) -> list[str]:
        """Take all messages that can be seen now out of a function's queue."""
        return self._take_out(self.function(function), self.function(function).due)

    def take_put_off(self, function: str) -> list[str]:
        """Take the messages out of a function's queue that were sent with a delay."""
        return self._take_out(self.function(function), self.function(function).put_off)

    def _take_out(self, function: Deployed, letters: list[Letter]) -> list[str]:
        function.queue = [letter for letter in function.queue if letter not in letters]
        return [letter.body for letter in letters]

    # --- deliveries of everything --------------------------------------------------------------------------

    def run(self, dice: random.Random | None = None, *, repeats: int = 1) -> None:
        """Deliver until all queues are empty.

        Without `dice` the oldest letter comes first, with as many of its queue as the card takes, and what was sent
        with a delay when nothing else is left. With them any function may be next, with any of its letters, each
        handled up to `repeats` times.
        """
        for _ in range(MAX_DELIVERIES):
            if not any(function.due for function in self.functions) or (dice and dice.random() < EARLY):
                self._let_delays_run_out()
            ready = [function for function in self.functions if function.due]
            if not ready:
                return
            if dice is None:
                function = min(ready, key=lambda function: function.due[0].number)
                self._deliver(function, function.due[: function.batch])
            else:
                function = dice.choice(ready)
                size = dice.randint(1, min(len(function.due), function.batch))
                batch = dice.sample(function.due, size)
                self._deliver(function, batch, times=dice.randint(1, repeats))
        raise AssertionError("the deliveries do not end")

    def _let_delays_run_out(self) -> None:
        """Let those be seen that wait least."""
        waiting = [letter for function in self.functions for letter in function.queue if letter.later]
        least = min((letter.later for letter in waiting), default=0)
        for letter in waiting:
            letter.later -= least

    def _deliver(self, function: Deployed, batch: list[Letter], *, times: int = 1) -> None:
        """Hand over a batch; what failed, or was not handled so many times, stays in the queue.

        What failed is not seen for a while, whatever its worker asked for: a time there is not.
        """
        for letter in batch:
            letter.receives += 1
        failed = self._invoke(function, batch)
        unseen = AFTER_A_DEATH if function.died else AFTER_A_WHILE
        for letter in batch:
            if letter in function.dead:
                function.queue.remove(letter)
                continue
            if letter not in failed:
                letter.handled, letter.receives = letter.handled + 1, 0
            letter.number, letter.later = next(self._numbers), unseen if letter in failed else 0
            if letter.receives == MAX_RECEIVES:
                function.dead.append(letter)
            if letter.receives == MAX_RECEIVES or (letter not in failed and letter.handled >= times):
                function.queue.remove(letter)

    def _invoke(self, function: Deployed, batch: list[Letter]) -> list[Letter]:
        with self.wire.used_by(function.name):
            return function.invoke(batch)

    def tick(self, at: str = events.AT) -> None:
        """Let every clock strike."""
        for function in self.others:
            if isinstance(function.card.fed_by, Schedule):
                self.call(function.name, {"time": at})

    def call(self, function: str, event: dict[str, Any]) -> Any:
        """Have a function answer a request, or a clock."""
        with self.wire.used_by(function):
            return self.function(function).call(event)

    # --- what stands in for AWS ---------------------------------------------------------------------------

    def _bus(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        assert operation == "PutEvents"
        for entry in asked["Entries"]:
            assert entry["EventBusName"] == naming.bus(ENV)
            detail = json.loads(entry["Detail"])
            event = {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": detail}
            event["time"] = detail["meta"]["occurred_at"]
            self.said.append(event)
            # The archive's pattern: see stacks/platform.py.
            if event["source"].startswith(SOURCE_PREFIX) and "replay" not in detail["meta"]:
                self.events_archive.append(event)
            self._route(event)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "event"} for _ in asked["Entries"]]}

    def _route(self, event: Happened, only: Collection[str] = ()) -> None:
        for function in self.functions:
            if function.hears(event) and (not only or function.stage.name in only):
                self._send(function, json.dumps(event))

    def _queues(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        url = asked["QueueUrl"]
        function = next(each for each in self.functions if url in (each.queue_url, each.dead_letter_queue_url))
        if url == function.dead_letter_queue_url:
            assert operation == "SendMessage"
            self._give_up(function, asked)
            return {"MessageId": "message"}
        if operation == "ChangeMessageVisibilityBatch":
            self.hidden_s += [entry["VisibilityTimeout"] for entry in asked["Entries"]]
            return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}
        if operation == "SendMessage":
            self._send(function, asked["MessageBody"], later=AFTER_A_WHILE if asked.get("DelaySeconds") else 0)
            return {"MessageId": "message"}
        assert operation == "SendMessageBatch"
        for entry in asked["Entries"]:
            self._send(function, entry["MessageBody"], later=AFTER_A_WHILE if entry.get("DelaySeconds") else 0)
        return {"Successful": [{"Id": entry["Id"], "MessageId": "message"} for entry in asked["Entries"]], "Failed": []}

    def _stream(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        assert operation == "PutRecords"
        function = next(each for each in self.functions if asked["StreamName"] == each.stream_name)
        for record in asked["Records"]:
            self._send(function, as_letter(base64.b64decode(record["Data"])))
        return {
            "FailedRecordCount": 0,
            "Records": [{"SequenceNumber": "1", "ShardId": "shard"} for _ in asked["Records"]],
        }

    def _give_up(self, function: Deployed, asked: dict[str, Any]) -> None:
        """A worker's dead letter: the message that it is about, where that is in the queue and not just `deliver`ed."""
        why = {name: value["StringValue"] for name, value in asked["MessageAttributes"].items()}
        known = (letter for letter in function.queue if str(letter.number) == why[redelivery.MESSAGE_ID])
        letter = next(known, Letter(number=next(self._numbers), body=asked["MessageBody"]))
        letter.why = why
        function.dead.append(letter)

    def _send(self, function: Deployed, body: str, *, later: int = 0) -> None:
        function.queue.append(Letter(number=next(self._numbers), body=body, later=later))

    def _vision(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """The fake knows a picture by its photo, whichever of the photo's objects is looked at."""
        fake, image = self.rekognition, asked.get("Image", {})
        if picture := image.get("S3Object"):
            if not _there(picture["Bucket"], picture["Name"]):
                raise Refused("InvalidS3ObjectException")
            asked["Image"] = {"S3Object": {"Name": _PHOTO_ID.findall(picture["Name"])[-1]}}
        elif "Bytes" in image:
            asked["Image"] = {"S3Object": {"Name": _selfie(base64.b64decode(image["Bytes"]))}}
        try:
            if operation == "ListFaces":
                (page,) = fake.get_paginator("list_faces").paginate(asked["CollectionId"], {"PageSize": 4096})
                return dict(page)
            answer: dict[str, Any] = getattr(fake, xform_name(operation))(**asked) or {}
        except tuple(error for name, error in vars(fake.exceptions).items() if name.endswith("Exception")) as error:
            raise Refused(type(error).__name__) from None
        for place, record in enumerate(answer.get("FaceRecords", [])):
            self._names[record["Face"]["FaceId"]] = f"face {place} of {asked['ExternalImageId']}"
        return answer

    def paint(self, race: RaceRef, body: bytes, faces: list[Seen], words: list[Word]) -> None:
        """Decide what Rekognition sees in a picture."""
        photo = keys.photo_id(race, hashlib.sha256(body).hexdigest())
        self.rekognition.faces_in[photo], self.rekognition.words_in[photo] = faces, words

    def paint_selfie(self, body: bytes, person: str) -> None:
        """Decide whose face Rekognition sees in a selfie."""
        self.rekognition.faces_in[_selfie(body)] = [Seen(person, events.BOX)]

    # --- what came of it ----------------------------------------------------------------------------------

    @property
    def dead_letters(self) -> list[str]:
        """The names of the functions that gave up a message, once for each."""
        return [function.name for function in self.functions for _ in function.dead]

    def heard(self) -> list[DomainEvent]:
        """The domain events said since last asked."""
        return [envelope.data for envelope in self.envelopes()]

    def envelopes(self) -> list[Envelope]:
        """What was said since last asked, with its metadata."""
        new, self._asked_for = self.said[self._asked_for :], len(self.said)
        return [parse(one["detail-type"], one["detail"]) for one in new]

    def items(self, stage: str, partition: RaceRef | str = events.RACE) -> dict[str, Item]:
        """What a stage keeps of a race, by sort key."""
        pk = partition.partition if isinstance(partition, RaceRef) else partition
        return {item["SK"]: item for item in self._items(stage).values() if item["PK"] == pk}

    def tables(self) -> dict[str, dict[str, Any]]:
        """All items, by table and key."""
        return {stage: self._items(stage) for stage in self.stages}

    def collections(self) -> dict[str, list[str]]:
        """The ids of all faces that Rekognition has, by collection."""
        return {name: sorted(faces) for name, faces in self.rekognition.collections.items()}

    def derived(self) -> list[str]:
        """The keys of all that was made of uploads."""
        return [found["Key"] for found in client("s3").list_objects_v2(Bucket=DERIVED).get("Contents", [])]

    def state(self) -> dict[str, Any]:
        """All that is kept and shown, in such a form that two worlds in which the same is true are equal.

        Left out is what only remembers the way there (WAYS), and that photos were here which are withdrawn. Faces are
        named by photo and place.
        """
        whole = {
            "tables": {stage: settled(items) for stage, items in self.tables().items()},
            "collections": self.collections(),
            "derived": self.derived(),
            "shown": {str(race): self._shown(race) for race in self._races()},
        }
        return self._readable(whole)

    def _items(self, stage: str) -> dict[str, Any]:
        items = self.dynamodb.table(naming.table(ENV, stage)).items
        return {f"{pk} {sk}": item for (pk, sk), item in copy.deepcopy(items).items()}

    def _races(self) -> list[RaceRef]:
        return [
            RaceRef.from_partition(item["PK"]) for item in self._items("search").values() if item["SK"] == Race.prefix()
        ]

    def _shown(self, race: RaceRef) -> dict[str, Any]:
        """What the API answers: all photos, and those of each bib."""
        everything = self._asked(race)
        bibs = sorted({runner["bib"] for photo in everything for runner in photo["runners"]})
        return {"all": everything, **{bib: [photo["filename"] for photo in self._asked(race, bib=bib)] for bib in bibs}}

    def _asked(self, race: RaceRef, **query: str) -> list[dict[str, Any]]:
        asked = request("/races/{organizer_id}/{event_id}/photos", path=race._asdict(), query={"limit": "100", **query})
        answer = self.call("search.api", asked)
        assert answer["statusCode"] == 200, answer
        return [
            {name: value for name, value in photo.items() if not name.endswith("_url")}
            for photo in json.loads(answer["body"])["photos"]
        ]

    def _readable(self, whole: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(whole, sort_keys=True)
        text = _RANDOM.sub(lambda found: self._names.get(found[0], found[0]), text)
        readable: dict[str, Any] = json.loads(_GENERATION.sub(r"\1", text))
        readable["collections"] = {name: sorted(faces) for name, faces in readable["collections"].items()}
        return readable


_PHOTO_ID = re.compile(r"[0-9a-f]{32}")
_GENERATION = re.compile(r"([0-9a-f]{32})-\d+")
_RANDOM = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@contextmanager
def world() -> Iterator[World]:
    """An empty environment at an account that does not exist."""
    of_ours: Any = {"services": ["dynamodb", "events", "kinesis", "sqs", "rekognition"], "urls": [NOWHERE]}
    wire = Wire()
    milliseconds = itertools.count(1_792_890_000_000)
    clock = mock.patch("time.time_ns", side_effect=lambda: 1_000_000 * next(milliseconds))
    with mock_aws(config={"core": {"passthrough": of_ours}}), clock, wire.strung():
        made = World(wire=wire)
        try:
            yield made
        finally:
            made.stop()


def _selfie(body: bytes) -> str:
    """By what name the fake knows it."""
    return hashlib.sha256(body).hexdigest()


def latest(said: Iterable[DomainEvent], **same: str) -> DomainEvent | None:
    """What consumers believe after hearing these: the highest revision about one thing."""
    about = [event for event in said if all(getattr(event, name, None) == value for name, value in same.items())]
    return max(about, key=lambda event: event.revision, default=None)  # type: ignore[attr-defined]


def _stands(uploaded: dict[str, Any]) -> bool:
    """Whether the version that was uploaded is still there."""
    found = client("s3").list_object_versions(Bucket=PHOTOS, Prefix=uploaded["key"]).get("Versions", [])
    return uploaded["version-id"] in {each["VersionId"] for each in found}


def _there(bucket: str, key: str) -> bool:
    try:
        client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError:
        return False
    return True
