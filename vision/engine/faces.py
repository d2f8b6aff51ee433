"""Finding faces, describing them and judging whether they are good enough to be told apart."""

from __future__ import annotations

import math
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from vision.engine.clothes import clothes
from vision.engine.covering import covered_below, sunglasses
from vision.engine.embedding import Embedder, Places, upright
from vision.engine.face_models import DETECTION_THRESHOLD, SAME_FACE, load_detector
from vision.engine.hardware import Hardware
from vision.engine.messages import Box, Face, Point, QualityBar, Reason
from vision.engine.networks import load_embedder
from vision.engine.pictures import Pixels, resized

SEARCH_SIDES = (1280, 320)
"""A picture is searched at these longest sides. The detector knows faces of about 10 to 300 pixels: the first is for a
runner in a crowd, the second for a selfie, whose face the first misses from two thirds of the picture's height on."""
MAX_ENLARGEMENT = 2.0
SMALLEST_FACE = 1 / 48
"""Least height or width of a face as part of the picture's longest side: Rekognition's 40 pixels in 1920."""

MOST_EMBEDDED = 100
"""Faces of a picture that are turned into vectors, at about 30 ms each: Rekognition looks at the 100 largest."""

# The detector's five points, from the picture's left to its right, by Rekognition's names.
_NAMES = ("eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight")

NOSE_DOWN, NOSE_AHEAD = 0.56, 0.43
"""Of the way from the eyes to the mouth: where the detector sees the nose's tip in the median of 620 portraits, and
half an eye distance, by which it lies before the eyes."""

_Place = tuple[float, float]


class _Found(msgspec.Struct, frozen=True):
    """A face in pixels of the picture; `score` from 0 to 1."""

    left: float
    top: float
    width: float
    height: float
    places: Places
    score: float


class _Bar(msgspec.Struct, frozen=True):
    """The least that a face must have; what it means is in `Face`, and for `detail` in `Embedded`."""

    confidence: float
    sharpness: float
    brightness: float
    width: float
    yaw: float
    detail: float


# Of 138 labelled runners in 105 race photos AUTO keeps 137, MEDIUM 133 and HIGH 84; of the 234 other faces that are
# found there, mostly people further away, 192, 126 and 33.
_BARS: dict[QualityBar, _Bar] = {
    "NONE": _Bar(confidence=0, sharpness=0, brightness=0, width=0, yaw=180, detail=0),
    "LOW": _Bar(confidence=78, sharpness=8, brightness=8, width=0.005, yaw=75, detail=5),
    "AUTO": _Bar(confidence=80, sharpness=14, brightness=10, width=0.01, yaw=60, detail=6),
    "MEDIUM": _Bar(confidence=85, sharpness=20, brightness=15, width=0.02, yaw=45, detail=7.5),
    "HIGH": _Bar(confidence=90, sharpness=32, brightness=25, width=0.04, yaw=30, detail=9),
}


class FaceFinder:
    """Finds faces and turns them into vectors, with one thread of the processor.

    `hardware` is what the embedder runs on; None asked for takes the fastest that there is.
    """

    def __init__(self, hardware: Hardware | None = None) -> None:
        cv2.setNumThreads(1)
        self._detector = load_detector()
        self.hardware, network = load_embedder(hardware)
        self._embedder = Embedder(network)

    def find(self, pixels: Pixels, quality: QualityBar, embed: int) -> list[Face]:
        """All faces, the largest first; the first `embed` of those that pass `quality` have a vector."""
        bar, tries, faces = _BARS[quality], MOST_EMBEDDED, []
        for found in self._search(pixels):
            chip = upright(pixels, found.places)
            face = _described(found, pixels, chip, bar)
            if embed > 0 and tries > 0 and not face.reasons:
                tries -= 1
                face = self._embedded(face, chip, bar)
                embed -= face.vector is not None
            faces.append(face)
        return faces

    def _embedded(self, face: Face, chip: Pixels, bar: _Bar) -> Face:
        """The face with its vector, unless that is not worth keeping."""
        embedded = self._embedder.embed(chip)
        if embedded.detail < bar.detail:
            return msgspec.structs.replace(face, reasons=["LOW_FACE_QUALITY"])
        return msgspec.structs.replace(face, vector=embedded.vector)

    def _search(self, pixels: Pixels) -> list[_Found]:
        """Every face once, as it was seen best."""
        seen = [found for side in SEARCH_SIDES for found in self._search_at(pixels, side)]
        best = cv2.dnn.NMSBoxes(
            [(found.left, found.top, found.width, found.height) for found in seen],
            [found.score for found in seen],
            DETECTION_THRESHOLD,
            SAME_FACE,
        )
        least = SMALLEST_FACE * max(pixels.shape[:2])
        faces = [found for found in (seen[number] for number in best) if max(found.width, found.height) >= least]
        return sorted(faces, key=lambda found: (-found.width * found.height, found.left))

    def _search_at(self, pixels: Pixels, side: int) -> list[_Found]:
        scale = min(side / max(pixels.shape[:2]), MAX_ENLARGEMENT)
        seen = resized(pixels, scale)
        self._detector.setInputSize((seen.shape[1], seen.shape[0]))
        _, rows = self._detector.detect(cv2.cvtColor(seen, cv2.COLOR_RGB2BGR))
        return [] if rows is None else [_found(row, scale) for row in rows]


def _found(row: NDArray[np.float32], scale: float) -> _Found:
    """What one row of the detector says: a box, five points and a score, in a picture that was resized by `scale`."""
    left, top, width, height = (row[:4] / scale).tolist()
    places = (row[4:14].reshape(5, 2) / scale).astype(np.float64)
    return _Found(left, top, width, height, places, score=float(row[14]))


def _described(found: _Found, pixels: Pixels, chip: Pixels, bar: _Bar) -> Face:
    height, width = pixels.shape[:2]
    left, top = max(found.left, 0.0), max(found.top, 0.0)
    right, bottom = min(found.left + found.width, width), min(found.top + found.height, height)
    places = {name: (float(x), float(y)) for name, (x, y) in zip(_NAMES, found.places, strict=True)}
    roll, yaw = _pose(places["eyeLeft"], places["eyeRight"], places["nose"])
    glasses = sunglasses(chip)
    covers = [cover for cover in (glasses, covered_below(chip)) if cover is not None]
    grey = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)
    face = Face(
        box=Box(left / width, top / height, max(right - left, 1.0) / width, max(bottom - top, 1.0) / height),
        landmarks={name: Point(x / width, y / height) for name, (x, y) in places.items()},
        roll=roll,
        yaw=yaw,
        pitch=_pitch(found.places),
        brightness=float(grey.mean()) / 255 * 100,
        sharpness=_sharpness(grey),
        confidence=100 * found.score,
        sunglasses=glasses,
        occluded=max(covers, default=None),
        clothes=clothes(pixels, found.left, found.top, found.width, found.height),
    )
    return msgspec.structs.replace(face, reasons=_reasons(face, bar))


def _pose(left_eye: _Place, right_eye: _Place, nose: _Place) -> tuple[float, float]:
    """Degrees of roll (clockwise is positive) and yaw (towards the picture's right is positive).

    Yaw is an estimate: the nose's tip lies about half an eye distance before the eyes, so it moves aside by that
    times the angle's tangent.
    """
    across, down = right_eye[0] - left_eye[0], right_eye[1] - left_eye[1]
    apart = across**2 + down**2 or 1.0
    middle = (left_eye[0] + right_eye[0]) / 2, (left_eye[1] + right_eye[1]) / 2
    aside = ((nose[0] - middle[0]) * across + (nose[1] - middle[1]) * down) / apart
    return math.degrees(math.atan2(down, across)), math.degrees(math.atan(aside / 0.5))


def _pitch(places: Places) -> float:
    """Degrees by which the face looks up, or down below 0, as in published answers of Rekognition.

    An estimate: seen from before, the nose's tip is NOSE_DOWN of the way from the eyes to the mouth. It lies before
    them by NOSE_AHEAD of that way, so that it rises by that times the angle's tangent as the face does.
    """
    left_eye, right_eye, nose, left_mouth, right_mouth = places
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    way = mouth - eyes
    down = float((nose - eyes) @ way / (way @ way or 1.0))
    return math.degrees(math.atan((NOSE_DOWN - down) / NOSE_AHEAD))


def _sharpness(grey: NDArray[Any]) -> float:
    """0 to 100 by the variance of the Laplacian, which is some 10 for a blurred face and over 1,000 for a crisp one."""
    return float(min(100.0, max(0.0, 25 * math.log10(max(cv2.Laplacian(grey, cv2.CV_64F).var(), 1.0)))))


def _reasons(face: Face, bar: _Bar) -> list[Reason]:
    below: dict[Reason, bool] = {
        "LOW_CONFIDENCE": face.confidence < bar.confidence,
        "LOW_SHARPNESS": face.sharpness < bar.sharpness,
        "LOW_BRIGHTNESS": face.brightness < bar.brightness,
        "SMALL_BOUNDING_BOX": face.box.width < bar.width,
        "EXTREME_POSE": abs(face.yaw) > bar.yaw,
    }
    return [reason for reason, holds in below.items() if holds]
