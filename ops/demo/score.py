"""How well the product did against a truth: precision, recall, f1. Pure.

precision = right among what was found; recall = found among what had to be found;
f1 = their harmonic mean, 2PR / (P + R) (van Rijsbergen, Information Retrieval, 1979).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Literal

import msgspec

from shared.contracts.bibs import canonical

Pair = tuple[str, str]
"""A photo (one file name for all copies of it) and a runner's bib, in the canonical spelling."""

Visibility = Literal["full", "half", "hidden"]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Three fractions between 0 and 1."""

    precision: float
    recall: float
    f1: float


class TrueRunner(msgspec.Struct, frozen=True):
    """A runner in a photo, and how much of the bib can be seen."""

    bib: str
    visibility: Visibility


class TruePhoto(msgspec.Struct, frozen=True):
    """Who is in a photo; strangers wear a number that is not on the roster, or none, and do not count."""

    runners: tuple[TrueRunner, ...] = ()


class Truth(msgspec.Struct, frozen=True):
    """What is in a drawn race, by file name: photos, bad files with their reason, and copies of others."""

    photos: Mapping[str, TruePhoto]
    bad: Mapping[str, str] = {}
    duplicates: Mapping[str, str] = {}

    def original(self, filename: str) -> str:
        """The one name by which a photo counts, whatever name this copy has."""
        return self.duplicates.get(filename, filename)

    def pairs(self, roster: AbstractSet[str], *visibilities: Visibility) -> frozenset[Pair]:
        """The photos and runners of the roster whose bib is visible in one of these ways."""
        return frozenset(
            (self.original(filename), bib)
            for filename, photo in self.photos.items()
            for runner in photo.runners
            if runner.visibility in visibilities and (bib := canonical(runner.bib)) in roster and bib is not None
        )


class Found(msgspec.Struct, frozen=True):
    """An answer of the product: a photo's file names (all its copies), a runner, whether the bib was read there."""

    filenames: tuple[str, ...]
    bib: str
    read: bool


def score(found: AbstractSet[Pair], *, right: AbstractSet[Pair], required: AbstractSet[Pair]) -> Score:
    """Compare what was found with what may (`right`) and what must (`required`) be found.

    Nothing found is precise only where nothing had to be found, and so on: no case divides by zero.
    """
    precision = _ratio(len(found & right), len(found), empty=not required)
    recall = _ratio(len(found & required), len(required), empty=True)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Score(precision=round(precision, 4), recall=round(recall, 4), f1=round(f1, 4))


def score_bibs(truth: Truth, roster: AbstractSet[str], answers: Iterable[Found]) -> Score:
    """Bibs read in a photo against the bibs that can be read there.

    A half-hidden bib that was read all the same is right, but did not have to be.
    """
    read = _pairs(truth, (answer for answer in answers if answer.read))
    return score(read, right=truth.pairs(roster, "full", "half"), required=truth.pairs(roster, "full"))


def score_people(truth: Truth, roster: AbstractSet[str], answers: Iterable[Found]) -> Score:
    """Runners found in photos, by bib or by face, against everybody who is there, hidden bibs included."""
    everybody = truth.pairs(roster, "full", "half", "hidden")
    return score(_pairs(truth, answers), right=everybody, required=everybody)


def _pairs(truth: Truth, answers: Iterable[Found]) -> frozenset[Pair]:
    return frozenset((truth.original(filename), answer.bib) for answer in answers for filename in answer.filenames)


def _ratio(part: int, whole: int, *, empty: bool) -> float:
    return part / whole if whole else float(empty)
