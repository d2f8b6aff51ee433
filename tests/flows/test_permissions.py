"""Invariant 9: what a function's card allows is what the function calls, no more and no less.

A race in which all kinds of things happen goes through the functions of all cards, also of a stage that is new: what
each asks of boto3 is held against its card, by action and resource.
"""

from __future__ import annotations

import base64
import functools
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest import mock

import pytest

from services import cards
from services.insight.domain import feed
from services.insight.domain.facts import Fact
from shared.contracts import naming
from shared.contracts.api import Route
from shared.contracts.card import Function
from shared.contracts.events import SOURCE_PREFIX, Box, ImageRef
from shared.contracts.keys import ORIGINAL, PREVIEW, PROCESSED, ROSTERS, THUMBNAIL, processed_key
from shared.contracts.metrics import Measure
from shared.kit.api.pages import NO_KEY
from shared.kit.telemetry import Telemetry
from tests.kit import events, pictures, small_race
from tests.kit.events import RACE, raw_key, said
from tests.kit.insight_collector import viewed
from tests.kit.lambdas import DERIVED, ENV, PHOTOS, as_letter
from tests.kit.search_stage import request
from tests.kit.small_race import FIRST, GROUP, HIDDEN, PLAIN, photo
from tests.kit.wire import Made
from tests.kit.world import World, world

Permission = tuple[str, str]
"""An IAM action, and on what: as the cards have it (shared/contracts/card.py, Call)."""

OF_STAGE = {
    card.name: {
        naming.table(ENV, card.name),
        *(naming.short_lived_table(ENV, card.name, each.name) for each in card.short_lived),
    }
    for card in cards()
}
SHORT_LIVED = {naming.short_lived_table(ENV, card.name, each.name) for card in cards() for each in card.short_lived}
FUNCTIONS = {f"{card.name}.{function.name}": function for card in cards() for function in card.functions}


# --- from calls to permissions ----------------------------------------------------------------------------


IN_DERIVED = {
    PROCESSED: "processed",
    PREVIEW: "previews",
    THUMBNAIL: "previews",
    ORIGINAL: "originals",
    ROSTERS: "rosters",
}


def place(bucket: str, key: str) -> str:
    """What the cards call an object's place."""
    return "photos" if bucket == PHOTOS else IN_DERIVED[key.split("/")[2]]


def of_object(action: str) -> Callable[[dict[str, Any]], set[Permission]]:
    return lambda asked: {(f"s3:{action}", place(asked["Bucket"], asked["Key"]))}


def of_put_object(asked: dict[str, Any]) -> set[Permission]:
    """Tags need an action of their own (source: Amazon S3 API Reference, PutObject, Permissions)."""
    actions = ("PutObject", "PutObjectTagging") if "Tagging" in asked else ("PutObject",)
    return {(f"s3:{action}", place(asked["Bucket"], asked["Key"])) for action in actions}


def of_get_object(asked: dict[str, Any]) -> set[Permission]:
    """A version needs actions of its own. Without those on the bucket S3 answers 403, not 404, for what is gone."""
    if asked["Key"] == NO_KEY:
        return set()
    on = place(asked["Bucket"], asked["Key"])
    if on != "photos":
        return {("s3:GetObject", on)}
    if "VersionId" in asked:
        return {("s3:GetObjectVersion", on), ("s3:ListBucketVersions", "photo-bucket")}
    return {("s3:GetObject", on), ("s3:ListBucket", "photo-bucket")}


def of_head_object(asked: dict[str, Any]) -> set[Permission]:
    """Whoever asks whether an object is there needs the answer 404, of our own pictures, too."""
    there = of_get_object(asked)
    return there if asked["Bucket"] == PHOTOS else {*there, ("s3:ListBucket", "derived-bucket")}


def of_transaction(asked: dict[str, Any]) -> set[Permission]:
    """There is no action for transactions: each part needs its own."""
    parts = {"Put": "PutItem", "Delete": "DeleteItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem"}
    return {
        (f"dynamodb:{parts[kind]}", kept_in(each)) for part in asked["TransactItems"] for kind, each in part.items()
    }


def of_table(action: str) -> Callable[[dict[str, Any]], set[Permission]]:
    return lambda asked: {(f"dynamodb:{action}", kept_in(asked))}


def kept_in(asked: dict[str, Any]) -> str:
    """What the cards call the table of a request, of which there is one."""
    (table,) = tables_of(asked)
    return "short-lived" if table in SHORT_LIVED else "table"


def of_collection(action: str) -> Callable[[dict[str, Any]], set[Permission]]:
    return lambda asked: {(f"rekognition:{action}", "collections")} | fetched(asked)


def of_picture(action: str) -> Callable[[dict[str, Any]], set[Permission]]:
    """Of a picture alone: these actions have no resource."""
    return lambda asked: {(f"rekognition:{action}", "any")} | fetched(asked)


def fetched(asked: dict[str, Any]) -> set[Permission]:
    """Rekognition fetches the picture with the caller's rights."""
    return (
        of_get_object({"Bucket": asked["Image"]["S3Object"]["Bucket"], "Key": asked["Image"]["S3Object"]["Name"]})
        if "S3Object" in asked.get("Image", {})
        else set()
    )


def of(permission: str, on: str) -> Callable[[dict[str, Any]], set[Permission]]:
    return lambda _: {(permission, on)}


TABLE = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem")
COLLECTION = (
    "CreateCollection",
    "DeleteCollection",
    "IndexFaces",
    "DeleteFaces",
    "ListFaces",
    "SearchFaces",
    "SearchFacesByImage",
)
NEEDS: dict[str, Callable[[dict[str, Any]], set[Permission]]] = {
    "s3.GetObject": of_get_object,
    "s3.HeadObject": of_head_object,
    "s3.HeadBucket": of("s3:ListBucket", "photo-bucket"),
    "s3.PutObject": of_put_object,
    "s3.DeleteObject": of_object("DeleteObject"),
    **{f"dynamodb.{name}": of_table(name) for name in TABLE},
    "dynamodb.TransactWriteItems": of_transaction,
    "eventbridge.PutEvents": of("events:PutEvents", "bus"),
    "kinesis.PutRecords": of("kinesis:PutRecords", "stream"),
    "sqs.SendMessage": of("sqs:SendMessage", "queue"),
    "sqs.SendMessageBatch": of("sqs:SendMessage", "queue"),
    # What a worker does with messages that failed, the mapping lets it: tests/templates/test_stages.py.
    "sqs.ChangeMessageVisibilityBatch": lambda _: set(),
    **{f"rekognition.{name}": of_collection(name) for name in COLLECTION},
    **{f"rekognition.{name}": of_picture(name) for name in ("DetectFaces", "DetectText")},
}


def tables_of(asked: Any) -> set[str]:
    """The tables that a request to DynamoDB names."""
    if isinstance(asked, list):
        return set().union(*map(tables_of, asked))
    if not isinstance(asked, dict):
        return set()
    named = {asked["TableName"]} if "TableName" in asked else set(asked.get("RequestItems", ()))
    return named.union(
        *(tables_of(value) for key, value in asked.items() if key in ("TransactItems", "Put", "Delete", "Update"))
    )


# --- a race in which everything happens ---------------------------------------------------------------------


LATER = "2026-10-25T01:30:00Z"  # when the minutes of what happened are over
BEFORE_MS = 1_792_889_940_000  # the minute before the world begins
FACE = Box(left=0.05, top=0.2, width=0.06, height=0.09)  # of the first person in a photo of the small race


def tell(here: World, *happened: events.Happened) -> None:
    here.tell(*happened)
    here.run()


def hear(here: World, *heard: Any) -> None:
    here.hear(*(said(event, f"2026-10-25T03:00:{number:02}Z") for number, event in enumerate(heard)))
    here.run()


def uploads(here: World) -> None:
    """A photo before its race, then of each kind one; files of the race, good and bad, and another zone."""
    floating = pictures.jpeg(30, (96, 80), exif=pictures.exif(original="2026:10:25 09:00:00"))
    tell(here, photo(here, "waits.jpg", PLAIN, 1))
    tell(here, *small_race.race_files(here))
    tell(here, *small_race.photos(here), here.upload(raw_key("floating.jpg"), floating))
    tell(here, photo(here, "copy.jpg", PLAIN, 1))
    tell(here, here.upload(raw_key("bad.jpg"), b"no picture"), here.upload(raw_key("day1/a.jpg"), b"misplaced"))
    settings = {**small_race.SETTINGS, "timezone": "Europe/Paris"}
    tell(here, here.upload(f"{RACE.prefix}race.json", json.dumps(settings).encode()))
    tell(
        here,
        here.upload(f"{RACE.prefix}race.json", b"{"),
        small_race.roster(here, "bib,name\n11,Kim\n22,Lee\n33,Park\n"),
    )


def changes(here: World) -> None:
    """Keys are overwritten, deleted and restored; a bucket without versions is heard of; rosters change again."""
    tell(here, photo(here, "over.jpg", FIRST, 11))
    tell(here, photo(here, "over.jpg", GROUP, 12), here.delete(raw_key("hidden.jpg")))
    tell(here, photo(here, "hidden.jpg", HIDDEN, 3))
    for key in (raw_key("plain.jpg"), f"{RACE.prefix}roster.csv"):
        unversioned = here.upload(key, b"bib\n11\n22\n")
        del unversioned["detail"]["object"]["version-id"]
        tell(here, unversioned)


def organizers_words(here: World) -> None:
    """Corrections and a cut; faces are switched off, and on again."""
    one, other, *_ = ids(here)
    hear(
        here,
        events.corrected(one, "22"),
        events.corrected(one, "11", here=False),
        events.match_cut((one, FACE), (other, FACE)),
    )
    for faces in (False, True):
        tell(here, here.upload(f"{RACE.prefix}race.json", json.dumps({**small_race.SETTINGS, "faces": faces}).encode()))
    settings = {**small_race.SETTINGS, "originals": True}
    tell(here, here.upload(f"{RACE.prefix}race.json", json.dumps(settings).encode()))


def ids(here: World) -> list[str]:
    """The photos that can be found."""
    return sorted(shown["photo_id"] for shown in here.state()["shown"][str(RACE)]["all"])


def gone(here: World) -> None:
    """A photo is heard of when its pictures are deleted already."""
    photo = f"{9:032x}"
    key = processed_key(RACE, photo)
    hear(here, events.ingested(photo, 1, processed=ImageRef(bucket=DERIVED, key=key, width=96, height=80)))


def questions(here: World) -> None:
    """Every route of every API, with what it must be asked and with all that it may."""
    selfie = small_race.picture(1)
    here.paint_selfie(selfie, "kim")
    known: dict[str, Any] = {**RACE._asdict(), "photo_id": ids(here)[0], "bib": "11", "file": "app.js", "limit": 2}
    known |= {"from": "2026-10-25", "to": "2026-10-26", "bucket": "hour", "events": [viewed()]}
    known["image_b64"] = base64.b64encode(selfie).decode()
    for name, function in FUNCTIONS.items():
        for route in function.routes:
            for required in (True, False):
                answer = here.call(name, question(route, known, required))
                assert answer["statusCode"] < 400, (
                    f"{route.path}: say in `known` what else it is asked ({answer['body']})"
                )
                if route.name == "selfie":  # its answer is what the next route takes
                    known["face"] = json.loads(answer["body"])["face"]


def late_visitors(here: World) -> None:
    """What visitors did is heard of when later minutes are worked out already."""
    here.tick(at=LATER)
    fact = Fact(id=b"late" * 2, at_ms=BEFORE_MS, kind="page_view", visitor=b"visitor.", subject="gallery")
    assert here.deliver("insight.aggregate", *map(as_letter, feed.encode(RACE, [fact]))) == []
    here.tick(at=LATER)


def question(route: Route, known: dict[str, Any], only_required: bool) -> dict[str, Any]:
    wanted = [each for each in route.arguments if each.key in known and (each.required or not only_required)]
    parts: dict[str, dict[str, Any]] = defaultdict(dict)
    for each in wanted:
        parts[each.source][each.key] = known[each.key] if each.source == "body" else str(known[each.key])
    body = json.dumps(parts["body"]) if route.method in ("POST", "PUT") else None
    return request(route.path, method=route.method, path=parts["path"] or None, query=parts["query"], body=body)


class Seen(NamedTuple):
    """What was seen of each function: what it needs for the calls it makes, and what it measured."""

    needs: dict[str, set[Permission]]
    measured: dict[str, set[Measure]]


@functools.cache
def seen() -> Seen:
    """What the functions did in that race."""
    found: dict[str, set[Permission]] = defaultdict(set)
    measured: dict[str, set[Measure]] = defaultdict(set)
    measure = Telemetry.measure

    def overlook(telemetry: Telemetry, what: Measure, *more: Any, **named: Any) -> None:
        measured[telemetry.logger.service].add(what)
        measure(telemetry, what, *more, **named)

    def overhear(made: Made, asked: dict[str, Any]) -> None:
        stage, _, function = made.function.partition(".")
        if made.service == "dynamodb":
            assert tables_of(asked) <= OF_STAGE[stage], f"{made.function} is at another stage's table"
        if made.service == "eventbridge":
            may_say = {(f"{SOURCE_PREFIX}{each.STAGE}", each.__name__) for each in FUNCTIONS[made.function].says}
            assert {(entry["Source"], entry["DetailType"]) for entry in asked["Entries"]} <= may_say, made.function
        if made.service == "sqs":
            assert asked["QueueUrl"].endswith(f"/{naming.queue(ENV, stage, function)}"), made
        found[made.function] |= NEEDS[f"{made.service}.{made.operation}"](asked)

    with world() as here, mock.patch.object(Telemetry, "measure", overlook):
        here.wire.overhear = overhear
        # Asked twice: by then there is something of the visitors who asked before.
        for happens in (uploads, changes, organizers_words, questions, questions, late_visitors, gone):
            happens(here)
            here.run()
            assert here.dead_letters == []
        here.tick(at=LATER)
        tell(here, *(here.delete(raw_key(name)) for name in ("twice.jpg", "group.jpg")))
        assert here.dead_letters == []
    return Seen(found, measured)


def allowed(function: Function) -> set[Permission]:
    return {(action, call.on) for call in function.calls for action in call.actions}


def test_just_those_write_to_themselves_whose_cards_say_so() -> None:
    """Lambda is told by the card which loops are meant, and stops any other after some 16 rounds."""
    # Mutation: a function that sends to its queue and lists no note, or one that lists notes and sends none.
    sending = {name for name, permissions in seen().needs.items() if ("sqs:SendMessage", "queue") in permissions}
    assert sending == {name for name, function in FUNCTIONS.items() if function.writes_to_itself}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_card_allows_what_is_called_and_nothing_else(name: str) -> None:
    assert seen().needs[name] == allowed(FUNCTIONS[name])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_card_names_what_is_measured_and_nothing_else(name: str) -> None:
    assert seen().measured[name] == set(FUNCTIONS[name].measures)
