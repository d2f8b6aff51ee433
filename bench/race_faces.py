"""How well runners' faces are found and told apart in race photos: a part of snaprace bench accuracy.

Detection: a labelled runner's face is found if a face is found whose middle lies in the labelled box and the other way
round; one found face counts for one label. Race photos show many faces that nobody labelled, so what is found beyond
the labels is reported, but only what lies on a labelled bib is known to be wrong.

Telling apart: two labelled runners of one race with the same bib are one person. People of different races are
strangers, since nobody is in two of them. Photos are of one race by the column `set` of their table, or, where it has
none, by the letters that their names begin with. All faces that IndexFaces would keep take part. Faces are one person's
by the rule of the faces stage, which counts on a match alone.

Clothes: those of two races differ more than those of two strangers at one. So strangers of different races are judged
with the clothes of every two people who are certainly strangers at one race (two faces of a photo, two labelled bibs),
and the mean of these is what counts: a part of a pair. `by_face_alone` leaves clothes out, and `within_seconds` is what
two strangers come to whom one camera takes within a second. bench/bursts.py tells `blurred_seconds_later`.

Time: the processor's, decoding left out, on one thread; and in the same run that of a plain pass, which is the
same detector once at PLAIN_SIDE pixels and one embedding for each face that it finds.
"""

from __future__ import annotations

import math
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench import bursts
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
_SAME_PLACE = 0.3  # of a face's width


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
    """Somebody in a photo (any name of it) of a race; `number` where she is a labelled runner."""

    race: str
    number: str | None
    face: Seen
    photo: str = ""


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
    again = list[tuple[Seen, Seen]]()
    found_runners = found = wrong = 0
    seconds = plain_seconds = 0.0
    for number, photo in enumerate(photos):
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
        kept = [seen(face) for face in faces]
        people += _people(photo, areas, kept)
        again += _seen_again(finder, pixels, areas, kept, number)
        plain_people += _people(photo, [Area(*each.area) for each in plainly], [each.seen for each in plainly])
    labels = sum(len(photo.runners) for photo in photos)
    undressed = [person._replace(face=person.face.undressed) for person in people]
    at_once = [person._replace(face=person.face.taken(bursts.FIRST)) for person in people]
    worn = worn_by_strangers(people)
    return {
        **told_apart(people, is_one_person, worn),
        "by_face_alone": told_apart(undressed, is_one_person),
        "within_seconds": {
            name: told for name, told in told_apart(at_once, is_one_person, worn).items() if "strang" in name
        },
        "blurred_seconds_later": bursts.told(again),
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
    return [
        Person(photo.race, numbers.get(at), face, str(photo.path)) for at, face in enumerate(faces) if face is not None
    ]


def _seen_again(
    finder: FaceFinder, pixels: Pixels, areas: Sequence[Area], faces: Sequence[Seen | None], number: int
) -> Iterable[tuple[Seen, Seen]]:
    """The faces of the `number`th photo, each with itself in a blurred later frame, where it is found there."""
    if not areas:
        return
    later = bursts.later_frame(pixels, float(np.median([area.right - area.left for area in areas])), number)
    found = [(_area(face, later.pixels), seen(face)) for face in finder.find(later.pixels, "AUTO", _EVERY_FACE)]
    for area, face in zip(areas, faces, strict=True):
        place = later.place(area.middle)
        for there, other in found:
            if face and other and math.dist(place, there.middle) < _SAME_PLACE * (area.right - area.left):
                yield face, other


Worn = tuple[tuple[float, ...], tuple[float, ...]]
"""The clothes of two people."""


def worn_by_strangers(people: Sequence[Person]) -> list[Worn]:
    """The clothes of every two people who are certainly strangers at one race: in one photo, or with two bibs."""
    return [
        (one.face.sight.clothes, other.face.sight.clothes)
        for one, other in combinations(people, 2)
        if one.race == other.race
        and (one.photo == other.photo or (one.number and other.number and one.number != other.number))
        and one.face.sight.clothes
        and other.face.sight.clothes
    ]


def _share_taken(one: Seen, other: Seen, is_one: Callable[[Seen, Seen], bool], worn: Sequence[Worn]) -> float:
    """Whether two strangers are taken for one person; with clothes, the mean of what each of `worn` makes of them."""
    if not worn or not is_one_person_by_default(one, other):
        return is_one(one, other)
    return float(np.mean([is_one(one.wearing(mine), other.wearing(theirs)) for mine, theirs in worn]))


def told_apart(
    people: Sequence[Person], is_one: Callable[[Seen, Seen], bool], worn: Sequence[Worn] = ()
) -> dict[str, Any]:
    """How well faces are told apart: same people within races, strangers between them in clothes that are `worn`."""
    one_person = same = strangers = 0
    taken = 0.0
    for one, other in combinations(people, 2):
        if one.race != other.race:
            strangers += 1
            taken += _share_taken(one.face, other.face, is_one, worn)
        elif one.number is not None and one.number == other.number:
            same += 1
            one_person += is_one(one.face, other.face)
    return {
        **Score(share(one_person, one_person + taken), share(one_person, same)).told(),
        "pairs_of_one_person": same,
        "pairs_of_strangers": strangers,
        "strangers_taken_for_one_another": round(taken, 2),
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
