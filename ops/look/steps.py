"""The steps of a photo's way to the gallery, as the cards tell: which there are, and which come before which."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

from ops.reach.cards import in_order
from ops.reach.target import Target
from services.ingest.records import KeyState
from shared.contracts.card import Function, Step
from shared.contracts.keys import RaceRef
from shared.contracts.records import Progress

Found = Mapping[type[Progress], Progress]
"""The records of one upload's progress, by their kind; a kind of which there is none is left out."""


class Place(NamedTuple):
    """A step, and the function that takes it."""

    stage: str
    function: Function
    step: Step

    @property
    def waits(self) -> str:
        """What an upload waits for that is to take the step, in words."""
        return f"{self.step.waits} ({self.stage})"


def all_steps() -> tuple[Place, ...]:
    """All steps, in the order in which a photo takes them."""
    return tuple(
        Place(card.name, function, function.step) for card in in_order() for function in card.functions if function.step
    )


def next_steps(found: Found, steps: Iterable[Place]) -> tuple[Place, ...]:
    """The steps, of all, that are to be done next.

    A step is missing while its record of progress is absent or not done, and no other record has heard what its
    function says. One that hears from another missing step has its turn later, and is not named. Whoever hears from a
    function that comes later in the order, as of a correction, does not wait for it.
    """
    heard = {event for progress in found.values() for event in progress.heard}
    missing: list[Place] = []
    for place in steps:
        progress = found.get(place.step.progress)
        if not (progress and progress.done) and heard.isdisjoint(place.function.says):
            missing.append(place)
    return tuple(
        place
        for number, place in enumerate(missing)
        if not any(set(before.function.says) & set(place.function.hears) for before in missing[:number])
    )


def progress_of(
    target: Target,
    race: RaceRef,
    uploads: Collection[KeyState],
    steps: Iterable[Place],
    *,
    absent: Collection[type[Progress]] = (),
) -> dict[str, Found]:
    """The progress of uploads that are taken in, by their keys. Of the kinds that are `absent` there are no records."""
    found: dict[str, dict[type[Progress], Progress]] = {upload.key: {KeyState: upload} for upload in uploads}
    for stage, theirs in groupby(steps, key=lambda place: place.stage):
        kinds = [place.step.progress for place in theirs if place.step.progress not in (KeyState, *absent)]
        read = target.records(stage).read(*(kind.of(race, upload) for kind in kinds for upload in uploads))
        for upload in uploads:
            there = ((kind, read.get(kind.of(race, upload))) for kind in kinds)
            found[upload.key] |= {kind: progress for kind, progress in there if progress is not None}
    return dict(found)
