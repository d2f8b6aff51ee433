"""Invariant 8 over the whole pipeline: with 30% of all requests throttled everything finishes, and the pauses grow."""

from __future__ import annotations

import random
from statistics import mean

import pytest

from shared.contracts import redelivery
from tests.kit import small_race
from tests.kit.compare import assert_same
from tests.kit.lambdas import Letter
from tests.kit.wire import Throttling
from tests.kit.world import World, world


def told(here: World) -> None:
    here.tell(*small_race.race_files(here), *small_race.photos(here))
    here.run()


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak), pytest.param(3, marks=pytest.mark.soak)])
def test_a_throttled_race_ends_like_any_other(seed: int) -> None:
    with world() as here:
        told(here)
        expected = here.state()
    random.seed(seed)  # botocore's jitter
    with world() as here:
        here.wire.trouble = throttling = Throttling(random.Random(seed))
        told(here)
        here.wire.trouble = None
        assert here.dead_letters == []
        assert_same(here.state(), expected)
        assert here.hidden_s and min(here.hidden_s) >= 30, "a throttled message is not seen for a while"
        assert here.wire.waited_s > 0, "calls of operations with a quota wait for their turn"
        pauses = list(here.wire.pauses.values())
    assert throttling.refused > 30
    assert sum(map(len, pauses)) > 0.7 * throttling.refused, "what is throttled is tried again after a pause"
    again = [pause for of_call in pauses for pause in of_call[1:]]
    assert mean(of_call[0] for of_call in pauses) < mean(again), "the more often, the longer"


def test_throttled_for_hours_is_not_failed_and_what_fails_is_given_up_all_the_same() -> None:
    # Mutation: MAX_RECEIVES = 5, as it was: then the photo that did nothing wrong is given up.
    with world() as here:
        here.tell(*small_race.race_files(here), *small_race.photos(here))
        reading = here.function("ocr.read")
        reading.queue.append(Letter(number=0, body="no event of ours"))
        here.wire.trouble = used_up = Throttling(random.Random(1), share=1.0, service="rekognition", most=300)
        here.run()
        assert used_up.refused == 300
        assert here.dead_letters == ["ocr.read"]
        (letter,) = reading.dead
        assert (letter.body, letter.why[redelivery.REASON]) == ("no event of ours", "InvalidMessage")
        assert int(letter.why[redelivery.RECEIVES]) == redelivery.MAX_FAILURES
        assert set(here.state()["shown"][str(small_race.RACE)]) > {"11", "22"}
