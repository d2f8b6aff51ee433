"""Deleting a race: everything of it in every stage, counted before and after.

The uploads go first, with all their versions. The pipeline hears of that, and withdraws each photo everywhere: so the
archives of events have the withdrawals, too, and no replay can bring back what was deleted. When it is done, what the
stages still keep of the race (tombstones, settings, rosters, corrections) is deleted from their tables.

Where something may be follows from the cards: a table for each stage that keeps something, the race's face collection
where one may call it, a dead-letter queue for each function. Whatever is gone already is not looked for twice, so the
same command goes on after it was cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ops.look.about import about_of
from ops.look.backlog import backlog, dead_letters
from ops.reach import queues
from ops.reach.cards import in_order
from ops.reach.errors import Failed
from ops.reach.target import Target
from shared.contracts.keys import RaceRef, collection_id
from shared.contracts.parts import one_each, parts

ROUNDS = 3
"""Of deleting and counting: a function that was at work meanwhile may have written once more."""

_MOST_AT_ONCE = 1_000  # Source: Amazon S3 API Reference, DeleteObjects
_HIDDEN_SECONDS = 300  # for so long, at most, a dead letter of another race is not seen by others

Left = dict[str, int]
"""What there is of a race: words for a kind of thing → how many."""


def left_of(target: Target, race: RaceRef) -> Left:
    """All there is of a race, counted where it lies; without what there is none of."""
    found: Left = {}
    for bucket, words in ((target.photo_bucket, "uploads"), (target.derived_bucket, "files made of them")):
        found[f"versions of {words}"] = sum(1 for _ in versions(target, bucket, race.prefix))
    for stage in _keeping():
        found[f"items of the {stage} stage"] = sum(1 for _ in _items(target, stage, race))
    if (faces := _faces(target, race)) is not None:
        found["face collection"] = 1
        found["faces in it"] = faces
    found["dead letters"] = sum(_letters(target, race, delete=False).values())
    return {words: number for words, number in found.items() if number}


def erase_race(target: Target, race: RaceRef, *, rest: Callable[[], bool], tell: Callable[[str], None]) -> None:
    """Delete everything of a race, and prove by counting that nothing is left; `tell` hears what is done.

    `rest` waits until no stage has a message in work, and says whether that is so. Raises Failed when something is
    left, and when it cannot be known because the stages have no rest.
    """
    left: Left = {}
    for _ in range(ROUNDS):
        erase_versions(target, target.photo_bucket, versions(target, target.photo_bucket, race.prefix))
        tell("Its uploads are deleted; waiting until every stage has withdrawn its photos")
        rest()
        _erase_what_is_kept(target, race)
        tell("What the stages kept of it is deleted; counting what is left")
        resting = rest()
        left = left_of(target, race)
        if not left and resting:
            return
    if left:
        listed = ", ".join(f"{number:,} {words}" for words, number in left.items())
        raise Failed(f"Of the race {race} there is left: {listed}. Somebody still uploads; the same command goes on.")
    raise Failed(
        f"Nothing of the race {race} is left now, but the stages have {backlog(target):,} messages in work, "
        "of which some may be about it. Repeat the command when they are done."
    )


def _erase_what_is_kept(target: Target, race: RaceRef) -> None:
    """Delete derived files, the stages' items, the face collection, and dead letters."""
    erase_versions(target, target.derived_bucket, versions(target, target.derived_bucket, race.prefix))
    for stage in _keeping():
        for table in target.tables(stage):
            table.delete_all((item["PK"], item["SK"]) for item in table.query(race.partition, only=("PK", "SK")))
    if _faces(target, race) is not None:
        target.client("rekognition").delete_collection(CollectionId=collection_id(target.env, race))
    _letters(target, race, delete=True)


# --- tables and collections ---------------------------------------------------------------------------------


def _keeping() -> list[str]:
    """The stages that keep something."""
    return [card.name for card in in_order() if card.keeps]


def _items(target: Target, stage: str, race: RaceRef) -> Iterator[dict[str, Any]]:
    """The keys of all that a stage keeps of a race: its partition."""
    for table in target.tables(stage):
        yield from table.query(race.partition, only=("PK", "SK"))


def _faces(target: Target, race: RaceRef) -> int | None:
    """How many faces are in the race's collection; None where there is none, or no stage may call one."""
    if not any(call.on == "collections" for card in in_order() for each in card.functions for call in each.calls):
        return None
    client = target.client("rekognition")
    try:
        return int(client.describe_collection(CollectionId=collection_id(target.env, race))["FaceCount"])
    except client.exceptions.ResourceNotFoundException:
        return None


# --- objects ----------------------------------------------------------------------------------------------


def versions(target: Target, bucket: str, beginning: str) -> Iterator[dict[str, str]]:
    """All versions of the objects whose keys begin so, and the marks of deleted ones: as DeleteObjects takes them."""
    pages = target.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=beginning)
    for page in pages:
        for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            yield {"Key": each["Key"], "VersionId": each["VersionId"]}


def erase_versions(target: Target, bucket: str, found: Iterator[dict[str, str]]) -> int:
    """Delete versions for good; how many. Raises Failed with the first that S3 does not delete."""
    erased = 0
    for part in parts(found, (one_each, _MOST_AT_ONCE)):
        answer = target.client("s3").delete_objects(Bucket=bucket, Delete={"Objects": part, "Quiet": True})
        if refused := answer.get("Errors"):
            first = refused[0]
            raise Failed(f"S3 did not delete {first['Key']}: {first.get('Message', first['Code']).rstrip('.')}.")
        erased += len(part)
    return erased


# --- dead letters -----------------------------------------------------------------------------------------


def _letters(target: Target, race: RaceRef, *, delete: bool) -> dict[str, int]:
    """How many dead letters are about the race, by queue; they are deleted where that is asked for."""
    client = target.client("sqs")
    return {name: _in_queue(client, queues.url_of(client, name), race, delete=delete) for name in dead_letters(target)}


def _in_queue(client: Any, url: str, race: RaceRef, *, delete: bool) -> int:
    theirs: dict[str, queues.Message] = {}
    others: dict[str, queues.Message] = {}
    try:
        while received := queues.receive(client, url, hidden_s=_HIDDEN_SECONDS):
            new = [each for each in received if each["MessageId"] not in theirs and each["MessageId"] not in others]
            if not new:
                break  # the first ones come again: all were seen
            of_race = [each for each in new if about_of(each["Body"]).race == race]
            theirs |= {each["MessageId"]: each for each in of_race}
            others |= {each["MessageId"]: each for each in new if each not in of_race}
            if delete:
                queues.delete(client, url, of_race)
    finally:
        queues.release(client, url, [*others.values(), *theirs.values()])  # also what SQS failed to delete
    return len(theirs)
