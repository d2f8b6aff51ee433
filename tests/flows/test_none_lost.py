"""Invariants 1 and 5 over the whole pipeline: every upload comes to an end that somebody sees, and of a batch exactly
those messages come back that cannot be handled; of a stream's they are set aside, since coming back they would hold up
the others.
"""

from __future__ import annotations

import json
import random

from services.ingest.records import KeyRecord
from services.search.records import GalleryPhoto
from shared.contracts.card import Stream
from tests.kit import small_race
from tests.kit.compare import assert_same, settled
from tests.kit.events import Happened
from tests.kit.lambdas import Letter
from tests.kit.wire import Throttling
from tests.kit.world import World, world

MISPLACED = f"{small_race.RACE.prefix}raw_photos/day1/a.jpg"
UNUSABLE = ("no JSON", "{}", '{"source": "snaprace.ingest", "detail-type": "PhotoForgotten", "detail": {}}')


def uploads(here: World) -> list[Happened]:
    bad = [here.upload(small_race.key("bad.jpg"), b"no picture"), here.upload(MISPLACED, small_race.picture(9))]
    return [*small_race.photos(here), *bad]


def told(here: World, share: float) -> set[str]:
    """The keys that were uploaded, while so many of all requests were throttled."""
    here.tell(*small_race.race_files(here))
    here.run()
    here.wire.trouble = Throttling(random.Random(5), share)
    events = uploads(here)
    here.tell(*events)
    here.run()
    here.wire.trouble = None
    return {event["detail"]["object"]["key"] for event in events}


def ends(here: World) -> dict[str, set[str]]:
    """Which keys are searchable, which rejected, and which have a dead letter about them or about their photo."""
    tables = here.tables()
    photos = [item for item in tables["search"].values() if item["SK"].startswith(GalleryPhoto.prefix())]
    known = [item for item in tables["ingest"].values() if item["SK"].startswith(KeyRecord.prefix())]
    dead = " ".join(letter.body for function in here.functions for letter in function.dead)
    return {
        "searchable": {key for photo in photos if photo["searchable"] for key in photo["keys"]},
        "rejected": {event["detail"]["data"]["key"] for event in here.said if event["detail-type"] == "PhotoRejected"},
        "dead": {item["key"] for item in known if item.get("photo_id", item["key"]) in dead}
        | {event["detail"]["object"]["key"] for event in here.uploads_archive if json.dumps(event) in dead},
    }


def test_every_upload_comes_to_an_end() -> None:
    with world() as here:
        keys = told(here, share=0)
        found = ends(here)
        assert found["searchable"] | found["rejected"] == keys
        assert found["rejected"] == {small_race.key("bad.jpg"), MISPLACED}
        expected = here.state()
    with world() as here:
        keys = told(here, share=0.75)
        assert here.dead_letters, "so many are throttled that some are given up"
        assert set().union(*ends(here).values()) >= keys
        while here.dead_letters:
            here.redrive()
            here.run()
        assert_same(here.state(), expected)


def test_exactly_what_cannot_be_handled_comes_back() -> None:
    with world() as here:
        told(here, share=0)
        here.replay(name="replay-1")
        for function in here.functions:
            if isinstance(function.card.fed_by, Stream):
                continue
            good = function.due[:5]
            bad = [Letter(number=-number, body=body) for number, body in enumerate(UNUSABLE, start=1)]
            batch = random.Random(1).sample([*good, *bad], len(good) + len(bad))
            assert set(function.invoke(batch)) == set(bad), function.name
            assert good, f"{function.name} hears something"


def test_of_a_stream_what_cannot_be_read_is_set_aside_and_all_else_is_handled() -> None:
    with world() as here:
        told(here, share=0)
        streamed = [function for function in here.functions if isinstance(function.card.fed_by, Stream)]
        assert streamed
        for function in streamed:
            stage = function.stage.name
            kept = settled(here.tables()[stage])
            assert kept, f"{function.name} keeps something"
            archived = [*here.uploads_archive, *here.events_archive]
            good = [json.dumps(event) for event in archived if function.hears(event)]
            letters = [Letter(number=-number, body=body) for number, body in enumerate([*UNUSABLE, *good], start=1)]
            random.Random(1).shuffle(letters)
            assert len(letters) <= function.batch
            here.lose_table(stage)
            with here.wire.used_by(function.name):
                assert function.invoke(letters) == []
            assert sorted(letter.body for letter in function.dead) == sorted(UNUSABLE)
            assert_same({stage: settled(here.tables()[stage])}, {stage: kept})
