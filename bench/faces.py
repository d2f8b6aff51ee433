"""How well faces are found and told apart in labelled pictures: a part of snaprace bench accuracy.

Detection: a labelled runner's face is found if a face is found whose middle lies in the labelled box and the other way
round; one found face counts for one label. Race photos show many faces that nobody labelled, so what is found beyond
the labels is reported, but only what lies on a labelled bib is known to be wrong.

Search: each portrait in turn against a collection of all the others, at the default threshold; a hit is the same
person, so that a pair counts both ways. A portrait's face is the largest one found; a portrait in which none is found
misses all its pairs.

Time: the processor's time for the race photos, decoding left out, on one thread; and in the same run that of a plain
pass, which is the same detector once at 2000 pixels and one embedding for each face that it finds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from bench.labelled import CannotMeasure, require_files, rows, share
from bench.labelled import pixels as read_pixels
from vision.collections.index import FaceIndex, Vectors
from vision.collections.similarity import DEFAULT_THRESHOLD
from vision.engine.embedding import Embedder, upright
from vision.engine.face_models import load_detector
from vision.engine.faces import DETECTION_THRESHOLD, SMALLEST_FACE, FaceFinder
from vision.engine.messages import Face
from vision.engine.pictures import Pixels, resized

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
    """A labelled runner: where the face is, and the bib."""

    face: Area
    bib: Area


class Labelled(NamedTuple):
    """What is to be looked at: photos, by their paths, with their labelled runners; and portraits, with whose they are.

    A photo may show runners whom nobody labelled.
    """

    photos: Mapping[Path, Sequence[Runner]]
    portraits: Sequence[tuple[Path, str]]


def labelled(data: Path) -> Labelled:
    """The labelled pictures in `data`, all of which are there. Raises CannotMeasure with what is missing."""
    boxes, truth, portraits = data / "bibs" / "boxes.csv", data / "bibs" / "ground_truth.csv", data / "faces"
    photos: dict[Path, list[Runner]] = {}
    for row in rows(boxes, "filename"):
        photos.setdefault(boxes.with_name(row["filename"]), []).append(_runner(row, boxes))
    for row in rows(truth, "filename"):
        photos.setdefault(truth.with_name(row["filename"]), [])
    if not photos:
        raise CannotMeasure(f"{truth} names no photo.")
    require_files(photos)
    people = rows(portraits / "ground_truth.csv", "filename", "identity")
    found = Labelled(photos, [(portraits / row["filename"], row["identity"]) for row in people])
    require_files(path for path, _ in found.portraits)
    return found


def run(data: Path) -> dict[str, Any]:
    """Measure with the pictures in `data`. Raises CannotMeasure, with what is missing there, before it measures."""
    pictures = labelled(data)
    finder = FaceFinder()
    return {**_runners(pictures.photos, finder), **_portraits(pictures.portraits, finder)}


def _runners(photos: Mapping[Path, Sequence[Runner]], finder: FaceFinder) -> dict[str, Any]:
    plain = PlainPass()
    found_runners = found = wrong = 0
    seconds = plain_seconds = 0.0
    for path, labels in sorted(photos.items()):
        pixels = read_pixels(path)
        started = time.process_time()
        faces = finder.find(pixels, "NONE", _EVERY_FACE)
        between = time.process_time()
        plain.look(pixels)
        seconds += between - started
        plain_seconds += time.process_time() - between
        areas = [_area(face, pixels) for face in faces]
        found_runners += count_found([runner.face for runner in labels], areas)
        found += len(areas)
        wrong += sum(any(runner.bib.holds(area.middle) for runner in labels) for area in areas)
    number = sum(map(len, photos.values()))
    return {
        "photos": len(photos),
        "labelled_runners": number,
        "detection_recall": share(found_runners, number),
        "found_faces": found,
        "false_detections_share": share(wrong, found),
        "seconds_per_photo": round(seconds / len(photos), 4),
        "plain_seconds_per_photo": round(plain_seconds / len(photos), 4),
        "time_ratio": round(seconds / plain_seconds, 3),
    }


def _portraits(portraits: Sequence[tuple[Path, str]], finder: FaceFinder) -> dict[str, Any]:
    people = [identity for _, identity in portraits]
    vectors = [_largest(finder.find(read_pixels(path), "NONE", 1)) for path, _ in portraits]
    return {
        "pictures": len(portraits),
        "people": len(set(people)),
        "unfound_portraits": sum(vector is None for vector in vectors),
        **score_search(people, vectors),
    }


def count_found(labels: Sequence[Area], faces: Sequence[Area]) -> int:
    """How many of the labelled faces were found; each of `faces` counts once."""
    near = [
        (np.hypot(label.middle[0] - face.middle[0], label.middle[1] - face.middle[1]), one, other)
        for (one, label), (other, face) in product(enumerate(labels), enumerate(faces))
        if label.holds(face.middle) and face.holds(label.middle)
    ]
    pairs: dict[int, int] = {}
    for _, label_number, face_number in sorted(near):
        if label_number not in pairs and face_number not in pairs.values():
            pairs[label_number] = face_number
    return len(pairs)


def score_search(people: Sequence[str], vectors: Sequence[Vectors | None]) -> dict[str, float]:
    """Precision, recall and F1 of searching each face among all others; `people` says whose face a vector is."""
    index = FaceIndex()
    seen = {key: vector for key, vector in enumerate(vectors) if vector is not None}
    index.add(list(seen), np.array(list(seen.values()), dtype=np.float32))
    answers = hits = 0
    for key, vector in seen.items():
        matches = index.search(vector, DEFAULT_THRESHOLD, limit=len(people), leave_out=key)
        answers += len(matches)
        hits += sum(people[match.key] == people[key] for match in matches)
    pairs = sum(count * (count - 1) for count in Counter(people).values())
    return {
        "search_precision": share(hits, answers),
        "search_recall": share(hits, pairs),
        "f1": share(2 * hits, answers + pairs),
    }


class PlainPass:
    """The library calls without anything of ours: the detector once, one embedding a face."""

    def __init__(self) -> None:
        self._detector = load_detector(DETECTION_THRESHOLD, 0.3)
        self._embedder = Embedder()

    def look(self, pixels: Pixels) -> int:
        """Find and embed; how many faces there were that the server would not call too small."""
        scale = PLAIN_SIDE / max(pixels.shape[:2])
        seen = resized(pixels, scale)
        self._detector.setInputSize((seen.shape[1], seen.shape[0]))
        rows = self._detector.detect(cv2.cvtColor(seen, cv2.COLOR_RGB2BGR))[1]
        faces = [row for row in ([] if rows is None else rows) if max(row[2:4]) >= SMALLEST_FACE * PLAIN_SIDE]
        for row in faces:
            self._embedder.embedding(upright(seen, row[4:14].reshape(5, 2).astype(np.float64)))
        return len(faces)


def _largest(faces: Sequence[Face]) -> Vectors | None:
    vector = faces[0].vector if faces else None
    return None if vector is None else np.frombuffer(vector, dtype="<f4")


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
    return Runner(face, bib)
