"""What the gallery measures: each photo that can be found once, how long it took, and who was found without a bib."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from services.search.functions.gallery import Learner
from shared.contracts.events import DomainEvent
from shared.contracts.metrics import INFERENCES, LATE, PROMISED_S, SEARCHABLE, SECONDS_TO_SEARCHABLE, Measure
from tests.kit import events
from tests.kit.search_stage import ingested, matched, runner, search_stage, withdrawn

UPLOADED = datetime.fromisoformat(ingested(1).uploaded_at).timestamp()


class Gallery:
    """The gallery function, and what it measured since it was asked last."""

    def __init__(self, learned: Any) -> None:
        self.took = 30.0
        self._measured: list[tuple[Measure, float]] = []
        self._learner = Learner(learned, self, clock=lambda: UPLOADED + self.took)  # type: ignore[arg-type]

    def measure(self, measure: Measure, value: float = 1) -> None:
        self._measured.append((measure, float(value)))

    def hears(self, *said: DomainEvent) -> dict[str, float]:
        self._measured.clear()
        self._learner.handle([events.said(each) for each in said])
        return {measure.name: value for measure, value in self._measured}


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    with search_stage() as stage:
        yield Gallery(stage.gallery)


def found(seconds: float, *, late: bool) -> dict[str, float]:
    return {SEARCHABLE.name: 1, SECONDS_TO_SEARCHABLE.name: seconds, LATE.name: float(late)}


def test_a_photo_is_found_first_when_it_is_here_and_all_is_said_of_it(gallery: Gallery) -> None:
    # Mutation: counted with the first event of both, or with each that comes later.
    assert gallery.hears(ingested(1)) == {}
    assert gallery.hears(matched(1, complete=False)) == {}
    assert gallery.hears(matched(1, runner("7"), revision=2)) == found(30, late=False)
    assert gallery.hears(matched(1, runner("7"), runner("8"), revision=3)) == {}
    assert gallery.hears(matched(1, runner("7"), revision=2)) == {}, "a repetition"


def test_what_takes_longer_than_promised_is_late(gallery: Gallery) -> None:
    gallery.took = PROMISED_S
    assert gallery.hears(ingested(1), matched(1)) == found(PROMISED_S, late=False)
    gallery.took = PROMISED_S + 0.5
    assert gallery.hears(ingested(2), matched(2)) == found(PROMISED_S + 0.5, late=True)
    gallery.took = -5  # a clock of ours that is behind S3's
    assert gallery.hears(ingested(3), matched(3)) == found(0, late=False)


def test_a_photo_that_comes_back_is_not_found_for_the_first_time(gallery: Gallery) -> None:
    gallery.hears(ingested(1), matched(1))
    gallery.hears(withdrawn(1))
    assert gallery.hears(ingested(1, revision=3), matched(1, revision=2, photo_revision=3)) == {}


def test_runners_found_without_their_bib_are_counted_once(gallery: Gallery) -> None:
    two = (runner("7", "inferred"), runner("8", "inferred"))
    assert gallery.hears(ingested(1), matched(1, runner("9"), *two))[INFERENCES.name] == 2
    assert gallery.hears(matched(1, runner("9"), *two, revision=2)) == {}
    assert gallery.hears(matched(1, *two, runner("10", "inferred"), revision=3)) == {INFERENCES.name: 1}
    assert gallery.hears(matched(1, runner("7"), runner("10", "inferred"), revision=4)) == {}
