"""How well faces are told apart in labelled portraits: a part of snaprace bench accuracy.

Each portrait is searched in turn in a collection of all the others, at the default threshold; a hit is the same
person, so that a pair counts both ways. A portrait's face is the largest one found; a portrait in which none is found
misses all its pairs.

The plain pass uses the same two networks as their library does by default: the detector once, one embedding a face, and
the threshold that OpenCV's documentation of FaceRecognizerSF gives. Time is the processor's, decoding left out, on one
thread.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.labelled import Score, require_files, rows, share, times
from bench.labelled import pixels as read_pixels
from bench.matching import PLAIN_DISTANCE, Seen, is_one_person, seen
from vision.collections.index import FaceIndex
from vision.collections.similarity import DEFAULT_THRESHOLD, similarity
from vision.engine.embedding import upright
from vision.engine.face_models import embedder_file, load_detector
from vision.engine.faces import SMALLEST_FACE, FaceFinder
from vision.engine.pictures import Pixels, resized

Portraits = Sequence[tuple[Path, str]]
"""Pictures with whose they are."""


def labelled(data: Path) -> Portraits:
    """The portraits in the folder, all of which are there. Raises CannotMeasure with what is missing."""
    people = rows(data / "ground_truth.csv", "filename", "identity")
    portraits = [(data / row["filename"], row["identity"]) for row in people]
    require_files(path for path, _ in portraits)
    return portraits


def run(data: Path) -> dict[str, Any]:
    """Measure with the portraits in `data`. Raises CannotMeasure, with what is missing there, before it measures."""
    portraits = labelled(data)
    finder, plain = FaceFinder(), PlainPass()
    people = [identity for _, identity in portraits]
    faces, plain_faces = list[Seen | None](), list[Seen | None]()
    seconds = plain_seconds = 0.0
    for path, _ in portraits:
        pixels = read_pixels(path)
        started = time.process_time()
        found = finder.find(pixels, "NONE", 1)
        between = time.process_time()
        found_plainly = plain.find(pixels, max(pixels.shape[:2]))
        seconds += between - started
        plain_seconds += time.process_time() - between
        face = seen(found[0]) if found else None
        faces.append(face and face.undressed)  # portraits are of many days
        plain_faces.append(found_plainly[0].seen if found_plainly else None)
    return {
        **score_search(people, faces, DEFAULT_THRESHOLD).told(),
        "matched_by_faces_stage": score_pairs(people, faces).told(),
        "plain": score_search(people, plain_faces, similarity(PLAIN_DISTANCE)).told(),
        "pictures": len(portraits),
        "people": len(set(people)),
        "unfound_portraits": sum(face is None for face in faces),
        **times(seconds, plain_seconds, len(portraits)),
    }


def score_search(people: Sequence[str], faces: Sequence[Seen | None], threshold: float) -> Score:
    """How well searching each face among all others finds its person; `people` says whose each face is."""
    index = FaceIndex()
    vectors = {key: face.vector for key, face in enumerate(faces) if face is not None}
    index.add(list(vectors), np.array(list(vectors.values()), dtype=np.float32))
    answers = hits = 0
    for key, vector in vectors.items():
        matches = index.search(vector, threshold, limit=len(people), leave_out=key)
        answers += len(matches)
        hits += sum(people[match.key] == people[key] for match in matches)
    return Score(share(hits, answers), share(hits, _pairs_of_one_person(people)))


def score_pairs(people: Sequence[str], faces: Sequence[Seen | None]) -> Score:
    """How well the faces stage tells who is one person, by the matches that it counts on."""
    answers = hits = 0
    known = [(person, face) for person, face in zip(people, faces, strict=True) if face is not None]
    for (person, face), (other, other_face) in combinations(known, 2):
        if is_one_person(face, other_face):
            answers += 2
            hits += 2 * (person == other)
    return Score(share(hits, answers), share(hits, _pairs_of_one_person(people)))


def _pairs_of_one_person(people: Sequence[str]) -> int:
    """Each counts both ways."""
    return sum(count * (count - 1) for count in Counter(people).values())


class PlainFace(NamedTuple):
    """A face's left, top, right and bottom in pixels, and its embedding at length 1."""

    area: tuple[float, float, float, float]
    seen: Seen


class PlainPass:
    """The library calls without anything of ours: the detector once, one embedding a face, the models as they come."""

    def __init__(self) -> None:
        self._detector = load_detector()
        self._embedder = cv2.dnn.readNetFromONNX(str(embedder_file()), cv2.dnn.ENGINE_CLASSIC)

    def find(self, pixels: Pixels, side: int) -> list[PlainFace]:
        """The faces that the server would not call too small, looked for at this longest side, the largest first."""
        scale = side / max(pixels.shape[:2])
        seen = resized(pixels, scale)
        self._detector.setInputSize((seen.shape[1], seen.shape[0]))
        found = self._detector.detect(cv2.cvtColor(seen, cv2.COLOR_RGB2BGR))[1]
        faces = [row for row in ([] if found is None else found) if max(row[2:4]) >= SMALLEST_FACE * side]
        return [self._embedded(row, seen, scale) for row in sorted(faces, key=lambda row: -float(row[2] * row[3]))]

    def _embedded(self, row: NDArray[np.float32], seen: Pixels, scale: float) -> PlainFace:
        """A face by what the detector says of it in a picture that was resized by `scale`."""
        chip = upright(seen, row[4:14].reshape(5, 2).astype(np.float64))
        self._embedder.setInput(cv2.dnn.blobFromImage(chip))
        vector = self._embedder.forward()[0].astype(np.float64)
        left, top, width, height = (row[:4] / scale).tolist()
        return PlainFace(
            area=(left, top, left + width, top + height),
            seen=Seen(np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)),
        )
