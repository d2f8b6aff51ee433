"""Finding and embedding faces: dlib's HOG detector, its 5-point landmarks and its ResNet.

The model files come with the package face_recognition_models. The 68-point landmarks in it may not be used
commercially, and are not used here.
"""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import cv2
import dlib
import msgspec
import numpy as np

from vision.engine.messages import Box, Face, Point, QualityBar, Reason
from vision.engine.pictures import Pixels

DETECTION_SIDE = 2000
"""Pictures are resized to this longest side: the detector sees faces of 80 pixels and more, here 1/25 of it."""
MAX_ENLARGEMENT = 4.0
DETECTION_THRESHOLD = -0.3
"""Lowest score of dlib's detector that counts as a face; its own default of 0 misses a tenth of race photos' faces."""

_CHIP = 150  # pixels: what the network was trained on
# dlib's five points, as they lie in the picture: right eye's outer and inner corner, left eye's, base of the nose.
_NAMES = ("rightEyeRight", "rightEyeLeft", "leftEyeLeft", "leftEyeRight", "nose")

_Place = tuple[float, float]


class _Bar(msgspec.Struct, frozen=True):
    """The least that a face must have; what it means is in `Face`."""

    confidence: float
    sharpness: float
    brightness: float
    width: float
    yaw: float


# Of 219 detections in 105 race photos 7 were knees, shoes and the like; AUTO leaves out 4 of those, and 3 runners.
_BARS: dict[QualityBar, _Bar] = {
    "NONE": _Bar(confidence=0, sharpness=0, brightness=0, width=0, yaw=180),
    "LOW": _Bar(confidence=70, sharpness=8, brightness=8, width=0.005, yaw=75),
    "AUTO": _Bar(confidence=76, sharpness=14, brightness=10, width=0.01, yaw=60),
    "MEDIUM": _Bar(confidence=85, sharpness=20, brightness=15, width=0.02, yaw=45),
    "HIGH": _Bar(confidence=95, sharpness=32, brightness=25, width=0.04, yaw=30),
}


class FaceFinder:
    """Finds faces and turns them into vectors, with one thread. Loading takes about half a second."""

    def __init__(self) -> None:
        models = _model_folder()
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
        self._network = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))

    def find(self, pixels: Pixels, quality: QualityBar, embed: int) -> list[Face]:
        """All faces, the largest first; the first `embed` of those that pass `quality` have a vector."""
        seen = _resized(pixels)
        rectangles, scores, _ = self._detector.run(seen, 0, DETECTION_THRESHOLD)
        found = sorted(zip(rectangles, scores, strict=True), key=lambda face: (-face[0].area(), face[0].left()))
        faces = []
        for rectangle, score in found:
            shape = self._landmarks(seen, rectangle)
            chip = np.asarray(dlib.get_face_chip(seen, shape, size=_CHIP))
            face = _described(seen, rectangle, score, shape, chip, _BARS[quality])
            if embed > 0 and not face.reasons:
                embed -= 1
                face = msgspec.structs.replace(face, vector=self._vector(chip))
            faces.append(face)
        return faces

    def _vector(self, chip: Pixels) -> bytes:
        """The mean of the face's embedding and its mirror image's, which is steadier than either, at length 1."""
        both = self._network.compute_face_descriptor([chip, np.ascontiguousarray(chip[:, ::-1])])
        mean = np.mean(np.array(both, dtype=np.float64), axis=0)
        vector: bytes = (mean / np.linalg.norm(mean)).astype("<f4").tobytes()
        return vector


def _model_folder() -> Path:
    # Found without being imported: the package's __init__ needs pkg_resources, which newer Pythons do not bring.
    found = importlib.util.find_spec("face_recognition_models")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("The package face_recognition_models is not installed; `make setup` installs it.")
    return Path(next(iter(found.submodule_search_locations))) / "models"


def _resized(pixels: Pixels) -> Pixels:
    scale = min(DETECTION_SIDE / max(pixels.shape[:2]), MAX_ENLARGEMENT)
    if 0.95 < scale < 1.05:
        return pixels
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how), dtype=np.uint8)


def _described(seen: Pixels, rectangle: Any, score: float, shape: Any, chip: Pixels, bar: _Bar) -> Face:
    height, width = seen.shape[:2]
    points = {name: shape.part(number) for number, name in enumerate(_NAMES)}
    left_eye = _middle(points["leftEyeLeft"], points["leftEyeRight"])
    right_eye = _middle(points["rightEyeLeft"], points["rightEyeRight"])
    roll, yaw = _pose(left_eye, right_eye, (points["nose"].x, points["nose"].y))
    grey = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)
    left, top = max(rectangle.left(), 0), max(rectangle.top(), 0)
    right, bottom = min(rectangle.right() + 1, width), min(rectangle.bottom() + 1, height)
    face = Face(
        box=Box(left / width, top / height, max(right - left, 1) / width, max(bottom - top, 1) / height),
        landmarks={
            "eyeLeft": Point(left_eye[0] / width, left_eye[1] / height),
            "eyeRight": Point(right_eye[0] / width, right_eye[1] / height),
            **{name: Point(point.x / width, point.y / height) for name, point in points.items()},
        },
        roll=roll,
        yaw=yaw,
        brightness=float(grey.mean()) / 255 * 100,
        sharpness=_sharpness(grey),
        confidence=_confidence(score),
    )
    return msgspec.structs.replace(face, reasons=_reasons(face, bar))


def _middle(a: Any, b: Any) -> _Place:
    return (a.x + b.x) / 2, (a.y + b.y) / 2


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


def _sharpness(grey: Any) -> float:
    """0 to 100 by the variance of the Laplacian, which is some 10 for a blurred face and over 1,000 for a crisp one."""
    return float(min(100.0, max(0.0, 25 * math.log10(max(cv2.Laplacian(grey, cv2.CV_64F).var(), 1.0)))))


def _confidence(score: float) -> float:
    """Percent for the detector's score."""
    return 100 / (1 + math.exp(-(2.0 + 3.0 * score)))


def _reasons(face: Face, bar: _Bar) -> list[Reason]:
    reasons: list[Reason] = []
    if face.confidence < bar.confidence:
        reasons.append("LOW_CONFIDENCE")
    if face.sharpness < bar.sharpness:
        reasons.append("LOW_SHARPNESS")
    if face.brightness < bar.brightness:
        reasons.append("LOW_BRIGHTNESS")
    if face.box.width < bar.width:
        reasons.append("SMALL_BOUNDING_BOX")
    if abs(face.yaw) > bar.yaw:
        reasons.append("EXTREME_POSE")
    return reasons
