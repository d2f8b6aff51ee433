"""Where lines of text are looked for: in the whole picture, then on the torso of everybody whose bib is not read yet.

The detector judges a line by what surrounds it, and misses legible numbers in one crop of a picture that it finds in
another. So each torso is looked at by itself: pasted side by side, torsos are taken for large characters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from vision.engine.lines import LineFinder, Tile, may_go_on
from vision.engine.pictures import Pixels, resized
from vision.engine.quads import Quad, between, height, shared, width
from vision.engine.torsos import TORSO_SHAPE, Torso

SCENE_SIDES = (2048, 800)
"""Longest sides, in pixels, at which the whole picture is looked at; the second look adds what the first did not see.

The first is for a runner in the distance, the second for digits of a hundred pixels. Characters are recognised at the
picture's own size, whatever these are.
"""
TORSO_WIDTHS = (320, 480)
"""Widths, in pixels, at which a torso is looked at, one after the other until a number is read: the digits of a bib
that fills a third of it are some 30 and 50 pixels high."""
MOST_TORSOS = 16
"""So many torsos are looked at, the widest first: it bounds the time that a crowd takes, to twice that of its scene."""
SAME_PLACE = 0.3
"""Two boxes that share this part of the smaller one hold the same line, if their heights are ALIKE."""
ALIKE = 2.0
"""Ratio of two boxes' heights from which one is no look at the other's line: small print beside a number, or noise
around it."""
LONGEST = 50.0
"""A line that is longer than so many of its heights, some hundred characters, is read in parts: the memory that reading
takes grows with the length.
"""


class Looks:
    """Looks for lines of text in BGR pictures, with one thread. Boxes are in pixels of the picture, each line once."""

    def __init__(self) -> None:
        self._lines = LineFinder()

    def warm(self, pixels: Pixels) -> None:
        """Look once, as `scene` does in each of its tiles."""
        self._lines.find(pixels)

    def scene(self, picture: Pixels) -> list[Quad]:
        """Where lines of text stand in the picture."""
        boxes: list[Quad] = []
        at_the_edge: list[Quad] = []
        longest = max(picture.shape[:2])
        for number, side in enumerate(SCENE_SIDES):
            if number and side >= longest:
                break  # it would see the same again
            scale = min(1.0, side / longest)
            for seen in self._lines.find(scaled(picture, scale)):
                boxes += new_lines([box / scale for box in seen.whole], boxes)
                at_the_edge += [box / scale for box in seen.at_the_edge]
        boxes += new_lines(at_the_edge, boxes)  # a part of a line counts where no other tile or look shows the whole
        return [part for box in boxes for part in _parts(box)]

    def torsos(self, picture: Pixels, torsos: Iterable[Torso], wide: int, known: Sequence[Quad]) -> list[Quad]:
        """Where lines stand on the MOST_TORSOS widest torsos, each seen `wide` pixels wide, that are none of `known`.

        A line that goes on beyond a torso is left out: it is a neighbour's, whose own torso shows it whole.
        """
        boxes: list[Quad] = []
        for torso in sorted(torsos, key=lambda each: each.left - each.right)[:MOST_TORSOS]:
            for box in self._on(picture, torso, wide):
                boxes += new_lines([box], [*known, *boxes])
        return [part for box in boxes for part in _parts(box)]

    def _on(self, picture: Pixels, torso: Torso, wide: int) -> list[Quad]:
        high, across = picture.shape[:2]
        tile = _inside(torso, across, high)
        left, top, right, bottom = tile
        if right <= left or bottom <= top:
            return []
        scale = min(wide / (torso.right - torso.left), wide * TORSO_SHAPE / (torso.bottom - torso.top))
        (seen,) = self._lines.find(scaled(picture[top:bottom, left:right], scale))
        boxes = [box / scale + np.array([left, top]) for box in seen.whole]
        return [box for box in boxes if not may_go_on(box, tile, (across, high))]


def scaled(picture: Pixels, scale: float) -> Pixels:
    """The picture with its sides times `scale`, in one piece of memory."""
    return np.ascontiguousarray(picture) if scale == 1 else resized(picture, scale)


def new_lines(boxes: Sequence[Quad], others: Sequence[Quad]) -> list[Quad]:
    """The boxes whose line is none of the others'."""
    return [box for box in boxes if not any(_same_line(box, other) for other in others)]


def _same_line(box: Quad, other: Quad) -> bool:
    ratio = height(box) / max(height(other), 1.0)
    return 1 / ALIKE < ratio < ALIKE and shared(box, other) > SAME_PLACE


def _parts(box: Quad) -> list[Quad]:
    """The box, or what it is cut into if it is longer than LONGEST."""
    count = max(1, math.ceil(width(box) / (LONGEST * max(height(box), 1.0))))
    return [between(box, number / count, (number + 1) / count) for number in range(count)]


def _inside(torso: Torso, across: int, high: int) -> Tile:
    """What of the torso lies in a picture of this width and height, in whole pixels."""
    left, top = max(round(torso.left), 0), max(round(torso.top), 0)
    return left, top, min(round(torso.right), across), min(round(torso.bottom), high)
