"""Invariant 8 over the whole pipeline: with 30% of all requests throttled everything finishes, and the pauses grow."""

from __future__ import annotations

import random
from statistics import mean

import pytest

from tests.kit import small_race
from tests.kit.compare import assert_same
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
        pauses = list(here.wire.pauses.values())
    assert throttling.refused > 30
    assert sum(map(len, pauses)) > 0.9 * throttling.refused, "what is throttled is tried again after a pause"
    again = [pause for of_call in pauses for pause in of_call[1:]]
    assert mean(of_call[0] for of_call in pauses) < mean(again), "the more often, the longer"
