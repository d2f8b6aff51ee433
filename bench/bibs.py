"""How well bibs are read in labelled race photos: a part of snaprace bench accuracy.

A photo goes through the vision server's engine and what DetectText answers the ocr stage, and its words through the
stage's own rules, with settings as the race's organizer would choose them. A reading counts if it equals a number of
the photo exactly, leading zeros aside; numbers that the labels miss (`also_visible`) are right when read, and cost
nothing when not. `f1_with_roster` is the same with a roster of all photos' numbers and OTHERS more.

Time: the processor's time, decoding left out, on one thread; and in the same run that of a plain pass, which is one
call of rapidocr with its defaults (but without its classifier of upside-down lines).
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rapidocr import RapidOCR

from bench.labelled import Score, pixels, require_files, rows, share, times
from services.ocr.domain.bibs import read_bibs
from services.ocr.edges import FILTERS, words_of
from services.ocr.records import Word
from shared.contracts.bibs import BibRules, canonical
from shared.contracts.race import RaceSettings
from shared.kit.extension import EXTENSION
from vision.engine.messages import Line
from vision.engine.text import TextReader
from vision.front import detections

A_LENGTH = 1 / 50
"""Share of a set's labelled numbers from which an organizer counts their length among those that bibs have."""
NEWEST = "2026-01-01"
"""The race's date: no photo is newer, so any year that is printed in one can be a race's."""
OTHERS = 500
"""Runners in the roster who are in no photo; their numbers are as long as the others', and drawn with a fixed seed."""

_PLAIN_SCORE = 0.9  # from which the plain pass's words count, of 0 to 1


class Photo(NamedTuple):
    """The numbers to be read in a photo, and others that may be."""

    numbers: frozenset[str]
    also_visible: frozenset[str] = frozenset()


def labelled(data: Path) -> dict[str, Photo]:
    """The photos in `data`, by their file names, all of which are there. Raises CannotMeasure with what is missing."""
    photos = {
        row["filename"]: Photo(_numbers(row["numbers"]), _numbers(row["also_visible"]))
        for row in rows(data / "ground_truth.csv", "filename", "numbers", "also_visible")
    }
    require_files(data / name for name in photos)
    return photos


def settings_of(photos: Iterable[Photo]) -> RaceSettings:
    """What a race's organizer would set: how long its numbers are. Everything else is the product's default."""
    lengths = Counter(len(number) for photo in photos for number in photo.numbers)
    usual = [length for length, count in lengths.items() if count >= A_LENGTH * lengths.total()] or [1]
    rules = BibRules(min_digits=min(usual), max_digits=max(usual))
    return RaceSettings(name="Labelled photos", date=NEWEST, bib_rules=rules)


def run(data: Path) -> dict[str, Any]:
    """Measure with the photos in `data`. Raises CannotMeasure, with what is missing there, before it measures."""
    photos = labelled(data)
    race = settings_of(photos.values())
    reader, plain = TextReader(), PlainPass(race)
    roster = roster_of(photos.values())
    free, checked, plainly = {}, {}, {}
    seconds = plain_seconds = 0.0
    for name in sorted(photos):
        photo = pixels(data / name)
        began = time.process_time()
        words = _words(reader.read(photo))
        seconds += time.process_time() - began
        free[name] = frozenset(reading.bib for reading in read_bibs(words, race, None).readings)
        checked[name] = frozenset(reading.bib for reading in read_bibs(words, race, roster).readings)
        began = time.process_time()
        plainly[name] = plain.numbers(photo)
        plain_seconds += time.process_time() - began
    found, with_roster, by_plain = (score(photos, readings) for readings in (free, checked, plainly))
    return {
        **found.told(),
        "f1_with_roster": with_roster.f1,
        "plain": by_plain.told(),
        "photos": len(photos),
        "numbers": sum(len(photo.numbers) for photo in photos.values()),
        "digits": [race.bib_rules.min_digits, race.bib_rules.max_digits],
        **times(seconds, plain_seconds, len(photos)),
    }


def score(photos: Mapping[str, Photo], readings: Mapping[str, frozenset[str]]) -> Score:
    """The share of the readings that are right, and of the numbers that were read."""
    read = sum(len(found) for found in readings.values())
    right = sum(len(readings[name] & (photo.numbers | photo.also_visible)) for name, photo in photos.items())
    recalled = sum(len(readings[name] & photo.numbers) for name, photo in photos.items())
    return Score(share(right, read), share(recalled, sum(len(photo.numbers) for photo in photos.values())))


def roster_of(photos: Iterable[Photo]) -> frozenset[str]:
    """All numbers of the photos, and OTHERS more of the same lengths."""
    true = sorted(frozenset().union(*(photo.numbers | photo.also_visible for photo in photos)))
    if not true:
        return frozenset()
    draw = random.Random(2012)  # noqa: S311 - the same every time, and nobody's secret
    others: set[str] = set()
    while len(others) < OTHERS:
        length = len(draw.choice(true))
        number = str(draw.randrange(10 ** (length - 1), 10**length))
        if number not in true:
            others.add(number)
    return frozenset(true) | others


class PlainPass:
    """The reference: the library as it comes, with one thread."""

    def __init__(self, race: RaceSettings) -> None:
        self._rules = race.bib_rules
        self._ocr = RapidOCR(
            params={
                "Global.use_cls": False,
                "Global.log_level": "critical",
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def numbers(self, photo: Any) -> frozenset[str]:
        """The numbers that it is sure of, by the same rule of lengths."""
        found: Any = self._ocr(np.ascontiguousarray(photo[:, :, ::-1]))
        lines = zip(found.txts or (), found.scores or (), strict=True)
        words = [word for line, sure in lines if sure >= _PLAIN_SCORE for word in line.split()]
        return frozenset(bib for word in words if (bib := self._rules.admits(word)) is not None)


def _words(lines: list[Line]) -> tuple[Word, ...]:
    """The words as the ocr stage gets them from the vision server."""
    detected = {"TextDetections": detections.of_lines(lines, FILTERS), EXTENSION: detections.beyond(lines, FILTERS)}
    return words_of(detected)


def _numbers(cell: str) -> frozenset[str]:
    return frozenset(bib for number in cell.split() if (bib := canonical(number)) is not None)
