"""How well runners' faces are found and told apart in race photos: a part of snaprace bench accuracy.

Detection: a labelled runner's face is found if a face is found whose middle lies in the labelled box and the other way
round; one found face counts for one label. Race photos show many faces that nobody labelled, so what is found beyond
the labels is reported, but only what lies on a labelled bib is known to be wrong.

Telling apart: two labelled runners of one race with the same bib are one person. People of different races are
strangers, since nobody is in two of them. Photos are of one race by the column `set` of their table, or, where it has
none, by the letters that their names begin with. All faces that IndexFaces would keep take part. Faces are one person's
by the rule of the faces stage, which counts on a match alone.

Time: the processor's time, decoding left out, on one thread; and in the same run that of a plain pass, which is the
same detector once at PLAIN_SIDE pixels and one embedding for each face that it finds.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.faces import PlainPass
from bench.labelled import CannotMeasure, Score, require_files, rows, share, times
from bench.labelled import pixels as read_pixels
from bench.matching import Seen, is_one_person, is_one_person_by_default, is_one_person_plainly, seen
from vision.engine.faces import FaceFinder
from vision.engine.messages import Face
from vision.engine.pictures import Pixels

SETS = ("bibs", "bibs-modern")
"""The folders of race photos; boxes.csv is in the first alone."""
PLAIN_SIDE = 2000
_EVERY_FACE = 100  # more than any photo here shows


class Area(NamedTuple):
    """An upright rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> tuple[float, float]:
        """The point that is as far from the left as from the right, from the top as from the bottom."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def holds(self, point: tuple[float, float]) -> bool:
        """Whether the point is inside."""
        return self.left <= point[0] <= self.right and self.top <= point[1] <= self.bottom


class Runner(NamedTuple):
    """A labelled runner: the number, where the face is, and where the bib is."""

    number: str
    face: Area
    bib: Area


class Photo(NamedTuple):
    """A photo of a race, with its labelled runners; it may show others whom nobody labelled."""

    path: Path
    race: str
    runners: Sequence[Runner] = ()


class Person(NamedTuple):
    """Somebody in a race; `number` where she is a labelled runner."""

    race: str
    number: str | None
    face: Seen


def labelled(data: Path) -> list[Photo]:
    """The race photos in `data`, all of which are there. Raises CannotMeasure with what is missing."""
    photos = [photo for folder in SETS for photo in _labelled(data / folder)]
    if not photos:
        raise CannotMeasure(f"{data} names no race photo.")
    require_files(photo.path for photo in photos)
    return photos


def _labelled(folder: Path) -> list[Photo]:
    boxes: defaultdict[str, list[Runner]] = defaultdict(list)
    if folder.name == SETS[0]:
        for row in rows(folder / "boxes.csv", "filename", "number"):
            boxes[row["filename"]].append(_runner(row, folder / "boxes.csv"))
    races = {row["filename"]: _race(folder, row) for row in rows(folder / "ground_truth.csv", "filename")}
    if strange := sorted(boxes.keys() - races.keys()):
        raise CannotMeasure(f"{folder / 'boxes.csv'} has boxes of {strange[0]}, of which ground_truth.csv has no row.")
    return [Photo(folder / name, race, tuple(boxes[name])) for name, race in sorted(races.items())]


def _race(folder: Path, row: Mapping[str, str]) -> str:
    letters = re.match("[a-z]*", row["filename"], re.IGNORECASE)
    return f"{folder.name}/{row.get('set') or (letters[0] if letters else '')}"


def run(data: Path) -> dict[str, Any]:
    """Measure with the photos in `data`. Raises CannotMeasure, with what is missing there, before it measures."""
    photos = labelled(data)
    finder, plain = FaceFinder(), PlainPass()
    people, plain_people = list[Person](), list[Person]()
    found_runners = found = wrong = 0
    seconds = plain_seconds = 0.0
    for photo in photos:
        pixels = read_pixels(photo.path)
        started = time.process_time()
        faces = finder.find(pixels, "AUTO", _EVERY_FACE)
        between = time.process_time()
        plainly = plain.find(pixels, PLAIN_SIDE)
        seconds += between - started
        plain_seconds += time.process_time() - between
        areas = [_area(face, pixels) for face in faces]
        found_runners += len(paired(photo.runners, areas))
        found += len(areas)
        wrong += sum(any(runner.bib.holds(area.middle) for runner in photo.runners) for area in areas)
        people += _people(photo, areas, [seen(face) for face in faces])
        plain_people += _people(photo, [Area(*each.area) for each in plainly], [each.seen for each in plainly])
    labels = sum(len(photo.runners) for photo in photos)
    return {
        **told_apart(people, is_one_person),
        "by_the_default_threshold": told_apart(people, is_one_person_by_default),
        "plain": told_apart(plain_people, is_one_person_plainly),
        "photos": len(photos),
        "labelled_runners": labels,
        "detection_recall": share(found_runners, labels),
        "found_faces": found,
        "false_detections_share": share(wrong, found),
        **times(seconds, plain_seconds, len(photos)),
    }


def _people(photo: Photo, areas: Sequence[Area], faces: Sequence[Seen | None]) -> Iterable[Person]:
    """Who is in a photo and has an embedding, labelled runners with their numbers."""
    numbers = {face: photo.runners[runner].number for runner, face in paired(photo.runners, areas).items()}
    return [Person(photo.race, numbers.get(at), face) for at, face in enumerate(faces) if face is not None]


def told_apart(people: Sequence[Person], is_one: Callable[[Seen, Seen], bool]) -> dict[str, Any]:
    """How well faces are told apart: same people within races, strangers between them."""
    one_person = same = strangers = taken = 0
    for one, other in combinations(people, 2):
        if one.race != other.race:
            strangers += 1
            taken += is_one(one.face, other.face)
        elif one.number is not None and one.number == other.number:
            same += 1
            one_person += is_one(one.face, other.face)
    return {
        **Score(share(one_person, one_person + taken), share(one_person, same)).told(),
        "pairs_of_one_person": same,
        "pairs_of_strangers": strangers,
        "strangers_taken_for_one_another": taken,
        "one_stranger_in": round(strangers / taken) if taken else None,
    }


def paired(runners: Sequence[Runner], faces: Sequence[Area]) -> dict[int, int]:
    """Which of `faces` is which runner's, both by their place; each of them once, the nearest first."""
    near = [
        (np.hypot(runner.face.middle[0] - face.middle[0], runner.face.middle[1] - face.middle[1]), one, other)
        for (one, runner), (other, face) in product(enumerate(runners), enumerate(faces))
        if runner.face.holds(face.middle) and face.holds(runner.face.middle)
    ]
    pairs: dict[int, int] = {}
    for _, one, other in sorted(near):
        if one not in pairs and other not in pairs.values():
            pairs[one] = other
    return pairs


def _area(face: Face, pixels: Pixels) -> Area:
    height, width = pixels.shape[:2]
    box = face.box
    return Area(box.left * width, box.top * height, (box.left + box.width) * width, (box.top + box.height) * height)


def _runner(row: Mapping[str, str], table: Path) -> Runner:
    try:
        face, bib = (
            Area(*(float(row[f"{part}_{edge}"]) for edge in ("c0", "r0", "c1", "r1"))) for part in ("face", "tag")
        )
    except (KeyError, ValueError) as error:
        raise CannotMeasure(
            f"{table} must give face_r0 … tag_c1 as numbers in every row; it fails at {error}."
        ) from error
    return Runner(row["number"], face, bib)
