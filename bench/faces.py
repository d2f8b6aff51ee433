"""How well faces are told apart in labelled portraits: a part of snaprace bench accuracy.

Each portrait is searched in turn in a collection of all the others, at the default threshold; a hit is the same
person, so that a pair counts both ways. A portrait's face is the largest one found; a portrait in which none is found
misses all its pairs. `as_identity` is how the pipeline finds them, which asks more (bench/alike.py).

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

from bench.alike import Alike, Looks, as_identity, looks_of
from bench.labelled import Score, require_files, rows, share, times
from bench.labelled import pixels as read_pixels
from vision.collections.index import FaceIndex, Vectors
from vision.collections.similarity import DEFAULT_THRESHOLD, similarity
from vision.engine.embedding import upright
from vision.engine.face_models import embedder_file, load_detector
from vision.engine.faces import DETECTION_THRESHOLD, SMALLEST_FACE, FaceFinder
from vision.engine.messages import Face
from vision.engine.pictures import Pixels, resized

PLAIN_DISTANCE = 1.128
"""Of two embeddings of length 1, up to which the library calls them one person:
https://docs.opencv.org/4.x/d0/dd4/tutorial_dnn_face.html.
"""

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
    seen, plain_vectors = list[Looks | None](), list[Vectors | None]()
    seconds = plain_seconds = 0.0
    for path, _ in portraits:
        pixels = read_pixels(path)
        started = time.process_time()
        seen.append(_largest(finder.find(pixels, "NONE", 1)))
        between = time.process_time()
        plain_vectors.append(next((face.vector for face in plain.find(pixels, max(pixels.shape[:2]))), None))
        seconds += between - started
        plain_seconds += time.process_time() - between
    vectors = [looks and looks.vector for looks in seen]
    return {
        **score_search(people, vectors, DEFAULT_THRESHOLD).told(),
        "as_identity": score_pairs(people, seen, as_identity).told(),
        "plain": score_search(people, plain_vectors, similarity(PLAIN_DISTANCE)).told(),
        "pictures": len(portraits),
        "people": len(set(people)),
        "unfound_portraits": sum(vector is None for vector in vectors),
        **times(seconds, plain_seconds, len(portraits)),
    }


def score_search(people: Sequence[str], vectors: Sequence[Vectors | None], threshold: float) -> Score:
    """How well searching each face among all others finds its person; `people` says whose face a vector is."""
    index = FaceIndex()
    seen = {key: vector for key, vector in enumerate(vectors) if vector is not None}
    index.add(list(seen), np.array(list(seen.values()), dtype=np.float32))
    answers = hits = 0
    for key, vector in seen.items():
        matches = index.search(vector, threshold, limit=len(people), leave_out=key)
        answers += len(matches)
        hits += sum(people[match.key] == people[key] for match in matches)
    pairs = sum(count * (count - 1) for count in Counter(people).values())
    return Score(share(hits, answers), share(hits, pairs))


def score_pairs(people: Sequence[str], faces: Sequence[Looks | None], are_alike: Alike) -> Score:
    """How well pairs of faces that are alike are one person's; `people` says whose they are."""
    seen = [(person, looks) for person, looks in zip(people, faces, strict=True) if looks is not None]
    alike = [one == other for (one, its), (other, others) in combinations(seen, 2) if are_alike(its, others)]
    pairs = sum(count * (count - 1) // 2 for count in Counter(people).values())
    return Score(share(sum(alike), len(alike)), share(sum(alike), pairs))


class PlainFace(NamedTuple):
    """A face's left, top, right and bottom in pixels, and its embedding at length 1."""

    area: tuple[float, float, float, float]
    vector: Vectors


class PlainPass:
    """The library calls without anything of ours: the detector once, one embedding a face, the models as they come."""

    def __init__(self) -> None:
        self._detector = load_detector(DETECTION_THRESHOLD, 0.3)
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
            vector=np.asarray(vector / np.linalg.norm(vector), dtype=np.float32),
        )


def _largest(faces: Sequence[Face]) -> Looks | None:
    return looks_of(faces[0]) if faces else None
