"""A race that is deleted: the whole pipeline withdraws it, and nothing is left anywhere, whatever comes late."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from ops.race.erase import ROUNDS, erase_race, left_of
from ops.reach.errors import Failed
from ops.reach.target import Target
from shared.contracts.keys import RaceRef
from tests.kit import small_race
from tests.kit.lambdas import ACCOUNT, DERIVED, ENV, PHOTOS
from tests.kit.small_race import RACE
from tests.kit.wire import client
from tests.kit.world import World, world

OTHER = RaceRef("org", "race2")


@pytest.fixture
def here() -> Iterator[World]:
    """Two races, of which one has everything: photos, faces, a roster, a deleted photo."""
    with world() as made:
        made.tell(*small_race.race_files(made), *small_race.photos(made))
        made.tell(made.upload(f"{OTHER.prefix}race.json", b'{"name": "Other", "date": "2026-10-25"}'))
        made.tell(made.upload(f"{OTHER.prefix}raw_photos/a.jpg", small_race.picture(8)))
        made.run()
        made.tell(made.delete(small_race.key("plain.jpg")))
        made.run()
        made.tell(small_race.photo(made, "late.jpg", small_race.LATE, 7))
        made.run()
        made.tick()
        queues = made.wire.doubles["sqs"]
        made.wire.doubles["sqs"] = lambda operation, asked: (
            {"QueueUrls": []} if operation == "ListQueues" else queues(operation, asked)
        )
        yield made


@pytest.fixture
def target(here: World) -> Target:
    return Target(env=ENV, account=ACCOUNT, where="a test", session=boto3.DEFAULT_SESSION or boto3.Session())


def resting(here: World) -> Callable[[], bool]:
    """Let S3 tell what was deleted, and the stages work it off."""

    def rest() -> bool:
        here.tell(*here.erased())
        here.run()
        here.tick()  # what is worked out by the minute
        return True

    return rest


def kept(here: World, race: RaceRef) -> dict[str, Any]:
    """All there is of a race, looked for without what deletes it: anything that names it."""
    mark = re.compile(rf"{re.escape(race.partition)}(?!\w)|{re.escape(race.prefix)}")
    found = {
        f"{stage} {key}": item
        for stage, items in here.tables().items()
        for key, item in items.items()
        if mark.search(str({**item, "key": key}))
    }
    for bucket in (PHOTOS, DERIVED):
        listed = client("s3").list_object_versions(Bucket=bucket, Prefix=race.prefix)
        found |= {f"{bucket} {each['Key']} {each['VersionId']}": each for each in listed.get("Versions", [])}
        found |= {f"{bucket} {each['Key']} mark": each for each in listed.get("DeleteMarkers", [])}
    name = f"{race.organizer_id}-{race.event_id}-"
    return found | {each: faces for each, faces in here.collections().items() if name in each}


def test_nothing_is_left_of_it_and_other_races_stay(here: World, target: Target) -> None:
    others = kept(here, OTHER)
    there = left_of(target, RACE)
    assert there["versions of uploads"] == 9, "six of photos, a deletion, and the race's two files"
    assert there["faces in it"] > 0
    assert {f"items of the {stage} stage" for stage in here.stages} <= there.keys()
    erase_race(target, RACE, rest=resting(here), tell=lambda _: None)
    assert left_of(target, RACE) == {}
    assert kept(here, RACE) == {}
    assert kept(here, OTHER) == others
    assert here.dead_letters == []


def test_the_archives_have_its_withdrawals_so_that_no_replay_brings_a_photo_back(here: World, target: Target) -> None:
    erase_race(target, RACE, rest=resting(here), tell=lambda _: None)
    here.replay(*here.stages, name="replay-after")
    here.run()
    assert here.collections().keys() == {name for name in here.collections() if "race2" in name}
    assert not [key for key in here.derived() if key.startswith(RACE.prefix) and "roster" not in key]
    erase_race(target, RACE, rest=resting(here), tell=lambda _: None)
    assert kept(here, RACE) == {}


@pytest.mark.parametrize("at", range(1, 24, 4))
def test_it_goes_on_where_it_was_cut_off(here: World, target: Target, at: int) -> None:
    calls = 0

    def cut(**_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise KeyboardInterrupt

    for service in ("s3", "dynamodb", "rekognition"):
        target.client(service).meta.events.register_first(f"before-call.{service}.*", cut)
    with pytest.raises(KeyboardInterrupt):
        erase_race(target, RACE, rest=resting(here), tell=lambda _: None)
    erase_race(target, RACE, rest=resting(here), tell=lambda _: None)
    assert kept(here, RACE) == {}


def test_what_comes_meanwhile_is_deleted_too_and_what_never_ends_is_said(here: World, target: Target) -> None:
    rest, late = resting(here), iter(["late 1.jpg"])

    def uploading() -> bool:
        done = rest()
        for name in late:
            here.tell(here.upload(small_race.key(name), small_race.picture(6)))
        here.run()
        return done

    erase_race(target, RACE, rest=uploading, tell=lambda _: None)
    assert kept(here, RACE) == {}
    late = iter([f"{number}.jpg" for number in range(100)])

    def always() -> bool:
        here.tell(here.upload(small_race.key(next(late)), b"x"))
        return rest()

    with pytest.raises(Failed, match=r"Of the race org/race there is left: 2 versions of uploads.* still uploads"):
        erase_race(target, RACE, rest=always, tell=lambda _: None)


def test_without_rest_it_is_not_said_to_be_deleted(here: World, target: Target) -> None:
    rest, told = resting(here), []
    with pytest.raises(Failed, match=r"Nothing of the race org/race is left now, but .* Repeat the command"):
        erase_race(target, RACE, rest=lambda: not rest(), tell=told.append)
    assert len(told) == 2 * ROUNDS
