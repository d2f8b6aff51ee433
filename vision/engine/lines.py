"""Where lines of text stand in a picture: rapidocr's detector, given tiles of a bounded size."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper
from rapidocr.ch_ppocr_det.utils import DBPostProcess

from vision.engine.pictures import Pixels
from vision.engine.quads import Quad, along_the_text, height

MOST_SEEN = 1280 * 1024
"""Pixels that the detector is given at once, some 200 MB of memory; a larger picture is seen in tiles that overlap."""
OVERLAP = 128
"""Pixels that neighbouring tiles share: five digits of 30 pixels, which is what a look at a large picture is for."""
_LONGER, _SHORTER = 1280, 1024  # sides of the largest tile

_MODEL = "PP-OCRv6_det_small.onnx"
_STEP = 32  # the detector takes sides that are multiples of it
_FINE = 8  # places are asked for in this part of a pixel: the post-processing rounds them to whole ones

Tile = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""


class Seen(NamedTuple):
    """Lines of text that one tile shows; those `at_the_edge` of it may be parts of lines that go on in the next."""

    whole: list[Quad]
    at_the_edge: list[Quad]


class LineFinder:
    """Finds lines of text, with one thread."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # it would keep the memory of the largest picture
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(_model(), options, providers=["CPUExecutionProvider"])
        (self._name,) = (each.name for each in self._session.get_inputs())
        # What rapidocr's own config.yaml has for this model.
        self._boxes = DBPostProcess(thresh=0.3, box_thresh=0.5, unclip_ratio=1.6, use_dilation=True)

    def find(self, picture: Pixels) -> list[Seen]:
        """The lines in a BGR picture as they stand in it, tile by tile; what two tiles show is in both."""
        size = picture.shape[1], picture.shape[0]
        return [self._seen(picture, tile, size) for tile in tiles(*size)]

    def _seen(self, picture: Pixels, tile: Tile, size: tuple[int, int]) -> Seen:
        left, top, right, bottom = tile
        corners = self._corners(np.ascontiguousarray(picture[top:bottom, left:right]))
        seen = Seen([], [])
        for box in (along_the_text(each + np.array([left, top])) for each in corners):
            (seen.at_the_edge if may_go_on(box, tile, size) else seen.whole).append(box)
        return seen

    def _corners(self, picture: Pixels) -> NDArray[np.float64]:
        """N x 4 x 2 in pixels of the picture."""
        high, wide = picture.shape[:2]
        taken = tuple(max(round(side / _STEP), 1) * _STEP for side in (wide, high))
        given = picture if taken == (wide, high) else cv2.resize(picture, taken)
        blob = cv2.dnn.blobFromImage(given, 1 / 127.5, mean=(127.5, 127.5, 127.5))
        (likely,) = self._session.run(None, {self._name: blob})
        boxes, _ = self._boxes(likely, (high * _FINE, wide * _FINE))
        return np.asarray(boxes, dtype=np.float64).reshape(-1, 4, 2) / _FINE


def tiles(wide: int, high: int) -> list[Tile]:
    """What the detector is given of a picture of this size: all of it, or tiles of one size that overlap."""
    if wide * high <= MOST_SEEN:
        return [(0, 0, wide, high)]
    across, down = (_LONGER, _SHORTER) if wide >= high else (_SHORTER, _LONGER)
    return [(left, top, right, bottom) for top, bottom in _spans(high, down) for left, right in _spans(wide, across)]


def _spans(length: int, most: int) -> Iterator[tuple[int, int]]:
    """Equal parts of a length, none longer than `most`, that overlap by OVERLAP or more."""
    count = max(1, math.ceil((length - OVERLAP) / (most - OVERLAP)))
    part = math.ceil((length + (count - 1) * OVERLAP) / count)
    for number in range(count):
        start = number * (length - part) // max(count - 1, 1)
        yield start, start + part


def may_go_on(box: Quad, tile: Tile, size: tuple[int, int]) -> bool:
    """Whether the box ends less than its height from an edge of the tile that is not the picture's.

    `size` is the picture's width and height.
    """
    near = height(box)
    left, top = box.min(axis=0)
    right, bottom = box.max(axis=0)
    return bool(
        (tile[0] > 0 and left < tile[0] + near)
        or (tile[1] > 0 and top < tile[1] + near)
        or (tile[2] < size[0] and right > tile[2] - near)
        or (tile[3] < size[1] and bottom > tile[3] - near)
    )


def _model() -> bytes:
    """The detector without its denormal weights, as the content of an ONNX file.

    In the file a tenth of the weights are smaller than the least normal float32 (1.2e-38). They change no output, but
    processors take a hundred times as long to multiply them: without them it takes a third of the time.
    """
    model = onnx.load(_file())
    for weights in model.graph.initializer:
        array = numpy_helper.to_array(weights)
        if array.dtype == np.float32:
            kept = np.where(np.abs(array) < np.finfo(np.float32).tiny, np.float32(0), array)
            weights.CopyFrom(numpy_helper.from_array(kept, weights.name))
    content: bytes = model.SerializeToString()
    return content


def _file() -> Path:
    """The model's file. Raises FileNotFoundError if rapidocr does not carry it."""
    found = importlib.util.find_spec("rapidocr")
    file = Path(found.origin).parent / "models" / _MODEL if found and found.origin else Path(_MODEL)
    if not file.is_file():
        raise FileNotFoundError(f"rapidocr does not carry {_MODEL}; `make setup` installs the release that does.")
    return file
