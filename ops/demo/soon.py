"""How soon hidden bibs are found while uploads go on: watched, as often as one looks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ops.reach.target import Target
from services.faces.records import IndexingProgress
from services.ocr.records import ReadingProgress
from services.search.records import ShownPhoto
from shared.contracts.keys import RaceRef

Clock = Callable[[], float]
"""Seconds."""


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """How soon hidden bibs were found: within how many seconds a half and 95 percent of those `found`.

    `found` are those whose bib was read in a photo that was looked at before; from when theirs was, until runners see
    it, as exactly as one looks, which is every two seconds. `found_later` are those whose bib was read only later.
    """

    found: int
    p50: float | None
    p95: float | None
    found_later: int


class HiddenBibs:
    """Watches a race; `look` is to be called about every two seconds."""

    def __init__(self, target: Target, race: RaceRef, clock: Clock = time.monotonic) -> None:
        self._target, self._race, self._clock = target, race, clock
        self._looked_at: dict[str, float] = {}
        self._read_in: dict[str, set[str]] = {}
        self._found: dict[tuple[str, str], float] = {}

    def look(self) -> None:
        """Note what is new since one looked before."""
        now = self._clock()
        for photo_id in self._done(IndexingProgress, "faces") & self._done(ReadingProgress, "ocr"):
            self._looked_at.setdefault(photo_id, now)
        for photo in self._target.records("search").query(ShownPhoto, self._race):
            for runner in photo.runners:
                if runner.read:
                    self._read_in.setdefault(runner.bib, set()).add(photo.photo_id)
                elif runner.status == "inferred":
                    self._found.setdefault((photo.photo_id, runner.bib), now)

    def _done(self, kind: Any, stage: str) -> set[str]:
        return {photo.photo_id for photo in self._target.records(stage).query(kind, self._race) if photo.done}

    def waits(self) -> Waits:
        """What was seen until now."""
        return waits(self._looked_at, self._read_in, self._found)


def waits(
    looked_at: Mapping[str, float], read_in: Mapping[str, Iterable[str]], found: Mapping[tuple[str, str], float]
) -> Waits:
    """From when each photo was looked at, where each bib is read, and when which was found in a photo by the face."""
    # A photo can be shown before both its bibs and its faces are looked at.
    known = {
        bib: [looked_at[photo_id] for photo_id in photos if photo_id in looked_at] for bib, photos in read_in.items()
    }
    seen = {bib: min(times) for bib, times in known.items() if times}
    hidden = [(bib, looked_at[photo_id], at) for (photo_id, bib), at in found.items() if bib in seen]
    seconds = sorted(at - since for bib, since, at in hidden if seen[bib] <= since)
    return Waits(
        found=len(seconds), p50=_of(seconds, 0.5), p95=_of(seconds, 0.95), found_later=len(hidden) - len(seconds)
    )


def _of(ranked: Sequence[float], share: float) -> float | None:
    """The smallest that so large a share of all does not exceed (nearest rank); None where there are none."""
    return round(ranked[math.ceil(share * len(ranked)) - 1], 1) if ranked else None
