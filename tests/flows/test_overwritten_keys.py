"""Keys that are overwritten, deleted and restored, over the whole pipeline: whatever order S3 tells of them in, and
however often, what is kept and shown is what the keys hold now.
"""

from __future__ import annotations

import functools
import itertools
import random
from typing import Any

import pytest

from tests.kit import small_race
from tests.kit.compare import assert_same
from tests.kit.events import Happened
from tests.kit.small_race import FIRST, GROUP, HIDDEN, PLAIN, photo
from tests.kit.wire import Made, Once
from tests.kit.world import World, world


def stories(here: World) -> list[list[Happened]]:
    """What happens to some keys, a list for each key or for keys that share a picture."""
    overwritten = [
        photo(here, "overwritten.jpg", PLAIN, 1),
        photo(here, "overwritten.jpg", FIRST, 2),
        photo(here, "overwritten.jpg", GROUP, 3),
    ]
    deleted = [
        photo(here, "deleted.jpg", PLAIN, 4),
        photo(here, "deleted.jpg", FIRST, 5),
        here.delete(small_race.key("deleted.jpg")),
    ]
    restored = [
        photo(here, "restored.jpg", PLAIN, 6),
        here.delete(small_race.key("restored.jpg")),
        photo(here, "restored.jpg", PLAIN, 6),
    ]
    moved = [
        photo(here, "moved.jpg", HIDDEN, 7),
        photo(here, "copy.jpg", HIDDEN, 7),
        photo(here, "moved.jpg", FIRST, 8),
        here.delete(small_race.key("copy.jpg")),
    ]
    return [overwritten, deleted, restored, moved]


SHOWN = {"11": {"overwritten.jpg", "restored.jpg"}, "22": {"overwritten.jpg", "moved.jpg"}}


def told(here: World, turn: int, *, repeats: int = 1) -> None:
    """Each story in the `turn`-th of its orders; one message at a time, or all shuffled with repetitions."""
    orders = [list(itertools.permutations(story)) for story in stories(here)]
    here.tell(*small_race.race_files(here))
    here.run()
    messages = [event for one in orders for event in one[turn % len(one)]]
    if repeats == 1:
        for message in messages:
            here.tell(message)
            here.run()
    else:
        here.tell(*messages)
        here.run(random.Random(turn), repeats=repeats)


@functools.cache
def in_order() -> dict[str, Any]:
    with world() as here:
        told(here, 0)
        return here.state()


def test_keys_show_what_they_hold_now() -> None:
    shown = in_order()["shown"][str(small_race.RACE)]
    assert {bib: set(names) for bib, names in shown.items() if bib != "all"} == SHOWN


@pytest.mark.parametrize("turn", [*range(1, 6), *(pytest.param(n, marks=pytest.mark.soak) for n in range(6, 24))])
def test_every_order_ends_the_same(turn: int) -> None:
    expected = in_order()
    with world() as here:
        told(here, turn)
        assert here.dead_letters == []
        assert_same(here.state(), expected)


@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(n, marks=pytest.mark.soak) for n in range(2, 40))])
def test_repetitions_and_interleavings_end_the_same(seed: int) -> None:
    expected = in_order()
    with world() as here:
        told(here, seed, repeats=3)
        assert here.dead_letters == []
        assert_same(here.state(), expected)


def test_pictures_of_an_upload_that_was_overwritten_after_it_failed_are_removed() -> None:
    """They were made, but nothing points to them; when the upload is tried again it is history."""

    def tell(here: World) -> None:
        here.tell(*small_race.race_files(here))
        here.run()
        here.tell(photo(here, "a.jpg", PLAIN, 1), photo(here, "a.jpg", FIRST, 2))
        here.run()

    with world() as here:
        tell(here)
        expected, calls = here.state(), here.wire.calls
    saving = calls.index(Made("ingest.intake", "dynamodb", "TransactWriteItems")) + 1
    with world() as here:
        here.wire.trouble = Once(saving, "unreachable")
        tell(here)
        assert here.wire.calls.count(Made("ingest.intake", "s3", "GetObject")) == 3
        assert_same(here.state(), expected)
