"""Reading text: rapidocr finds lines and recognises their characters; here they become words with places."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from rapidocr import RapidOCR

from vision.engine.messages import Line, Point, Word
from vision.engine.pictures import Pixels

DETECTION_SIDE = 1280
"""Longest side, in pixels, at which lines are looked for. The price is about 1 s per megapixel on one core.

On 105 race photos: 960 finds .88 of the bibs in 0.8 s a photo, 1280 .93 in 1.5 s, 1600 .94 in 2.8 s.
Characters are recognised at the picture's own size, whatever this is.
"""
MAX_ENLARGEMENT = 2.0
"""Small pictures are enlarged towards DETECTION_SIDE, by this at most."""

Quad = tuple[Point, Point, Point, Point]


class TextReader:
    """Reads the text in pictures, with one thread. Loading takes about a second."""

    def __init__(self) -> None:
        self._ocr = RapidOCR(
            params={
                "Global.use_cls": False,
                "Global.log_level": "critical",
                "Global.max_side_len": 4096,
                "Global.return_word_box": True,
                "Global.return_single_char_box": True,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "Det.limit_type": "max",
                "Det.limit_side_len": DETECTION_SIDE,
            }
        )

    def read(self, pixels: Pixels) -> list[Line]:
        """The lines of text, in reading order."""
        height, width = pixels.shape[:2]
        enlargement = min(MAX_ENLARGEMENT, max(1.0, DETECTION_SIDE / max(height, width)))
        seen = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        if enlargement > 1:
            seen = cv2.resize(seen, None, fx=enlargement, fy=enlargement, interpolation=cv2.INTER_CUBIC)
        result: Any = self._ocr(seen)
        if result.boxes is None or result.txts is None:
            return []
        size = np.array([seen.shape[1], seen.shape[0]], dtype=np.float64)
        characters = result.word_results or [()] * len(result.txts)
        if len(characters) != len(result.txts):  # rapidocr leaves out lines whose characters it could not place
            characters = [()] * len(result.txts)
        lines = (
            _line(text, float(score), np.asarray(box, dtype=np.float64) / size, placed, size)
            for text, score, box, placed in zip(result.txts, result.scores, result.boxes, characters, strict=True)
        )
        return [line for line in lines if line.words]


def _line(text: str, score: float, box: Any, placed: Sequence[Any], size: Any) -> Line:
    """One line's words; `placed` are (character, score, corners in pixels) of everything but spaces, if known."""
    along = _Along(box)
    known = "".join(str(character) for character, _, _ in placed) == "".join(text.split())
    words = []
    for start, end in _word_spans(text):
        if known:
            first = len("".join(text[:start].split()))
            own = placed[first : first + end - start]
            confidence = 100 * sum(float(certain) for _, certain, _ in own) / len(own)
            shares = [along.share(np.asarray(corners, dtype=np.float64).mean(axis=0) / size) for _, _, corners in own]
            half = _half_character(text, box, size, along)
            corners = along.between(min(shares) - half, max(shares) + half)
        else:
            confidence = 100 * score
            corners = along.between(start / len(text), end / len(text))
        words.append(Word(text=text[start:end], confidence=min(max(confidence, 0.0), 100.0), corners=corners))
    return Line(words=words, corners=along.between(0.0, 1.0))


def _word_spans(text: str) -> Iterator[tuple[int, int]]:
    start = None
    for place, character in enumerate([*text, " "]):
        if character.isspace():
            if start is not None:
                yield start, place
            start = None
        elif start is None:
            start = place


def _half_character(text: str, box: Any, size: Any, along: _Along) -> float:
    """Half a character's width as a share of the line: an even share of it, but never wider than the line is high."""
    if along.length == 0:
        return 0.5
    high = float(np.linalg.norm((box[3] - box[0]) * size)) / float(np.linalg.norm((box[1] - box[0]) * size) or math.inf)
    return min(1 / max(len(text), 1), high) / 2


class _Along:
    """Places along a line of text: 0 is its start, 1 its end. `box`: four corners clockwise from the start."""

    def __init__(self, box: Any) -> None:
        self._box = box
        self._start = (box[0] + box[3]) / 2
        self._way = (box[1] + box[2]) / 2 - self._start
        self.length = float(self._way @ self._way)

    def share(self, point: Any) -> float:
        return float((point - self._start) @ self._way / self.length) if self.length else 0.0

    def between(self, start: float, end: float) -> Quad:
        start, end = min(max(start, 0.0), 1.0), min(max(end, 0.0), 1.0)
        top_left, top_right, bottom_right, bottom_left = self._box
        corners = (
            top_left + start * (top_right - top_left),
            top_left + end * (top_right - top_left),
            bottom_left + end * (bottom_right - bottom_left),
            bottom_left + start * (bottom_right - bottom_left),
        )
        a, b, c, d = (Point(*(float(min(max(v, 0.0), 1.0)) for v in corner)) for corner in corners)
        return a, b, c, d
