"""Invariants 6 and 7 over the whole pipeline: reprocessing changes nothing, rebuilds what was lost, and makes good."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit import small_race
from tests.kit.compare import assert_same
from tests.kit.wire import Outage
from tests.kit.world import World, world

REPLAY = "replay-7"


def told(here: World) -> None:
    """A race with a past: photos waited for it, the roster came last, and one photo was gone for a while."""
    settings, roster = small_race.race_files(here)
    for happened in (small_race.photos(here), [settings], [roster], [here.delete(small_race.key("plain.jpg"))]):
        here.tell(*happened)
        here.run()
    here.tell(small_race.photo(here, "plain.jpg", small_race.PLAIN, 1))
    here.run()


def later(here: World) -> None:
    """What happens to it then: a photo is deleted, another comes, the roster changes."""
    here.tell(here.delete(small_race.key("plain.jpg")), small_race.photo(here, "late.jpg", small_race.LATE, 6))
    here.tell(small_race.roster(here, "bib,name\n11,Kim\n33,Park\n"))
    here.run()


@functools.cache
def undisturbed() -> tuple[dict[str, Any], dict[str, Any]]:
    """The state of such a race, and what is shown after what happens later."""
    with world() as here:
        told(here)
        state = here.state()
        later(here)
        return state, here.state()["shown"]


@pytest.fixture
def here() -> Iterator[World]:
    undisturbed()  # before, because there is one moto
    with world() as made:
        told(made)
        yield made


@pytest.mark.parametrize("dice", [None, random.Random(1)], ids=["in order", "shuffled"])
def test_replaying_everything_changes_nothing(here: World, dice: random.Random | None) -> None:
    tables, derived, collections = here.tables(), here.derived(), here.collections()
    archived, said = [*here.uploads_archive, *here.events_archive], len(here.said)

    here.replay(name=REPLAY)
    here.run(dice)

    assert here.dead_letters == []
    assert_same(here.tables(), tables)
    assert (here.derived(), here.collections()) == (derived, collections)
    assert [*here.uploads_archive, *here.events_archive] == archived
    repeated = here.said[said:]
    assert repeated, "a stage repeats what it said, so that one behind it can be rebuilt"
    assert {event["detail"]["meta"].get("replay") for event in repeated} == {REPLAY}


@pytest.mark.parametrize("stage", ["races", "ingest", "ocr", "faces", "search"])
def test_replay_rebuilds_a_stage_that_lost_its_table(here: World, stage: str) -> None:
    """Exactly as it was; and what it says from then on counts for more than what it said before.

    A stage that a stream feeds is none of these: it hears no replay, which its numbers would take for news.

    One thing is forgotten with ingest's table: pictures of a photo's earlier generation, which stay beside the new.
    """
    state, shown_later = undisturbed()
    here.lose_table(stage)
    here.replay(stage, name=REPLAY, newest_first=True)
    here.run()
    assert here.dead_letters == []
    rebuilt = here.state()
    assert_same(rebuilt | {"derived": set(rebuilt["derived"])}, state | {"derived": set(state["derived"])})
    later(here)
    assert_same(here.state()["shown"], shown_later)


@pytest.mark.parametrize("service", ["rekognition", "eventbridge", "dynamodb"])
def test_redrive_after_an_outage_ends_like_a_race_without_one(service: str) -> None:
    state, _ = undisturbed()
    with world() as here:
        here.wire.trouble = Outage(service)
        told(here)
        here.wire.trouble = None
        assert here.dead_letters, "what cannot be handled is kept"
        while here.dead_letters:
            here.redrive()
            here.run()
        assert_same(here.state(), state)
