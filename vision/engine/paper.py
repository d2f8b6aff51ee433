"""The paper and the ink around a number in a picture, and the digits that the ink makes.

A bib has two colours where its number stands. What is like one of them, in its shade nearby, is paper or ink; pieces of
ink that are as high as most are digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.engine.pictures import Pixels, resized
from vision.engine.quads import Quad

_HEIGHT = 40  # of the number's box as it is looked at, in pixels
_BESIDE, _ABOVE = 64, 10  # what is looked at around the box
_LEAST_HEIGHT = 8.0  # of a box in the picture, in pixels; in a smaller one a bib's margin is no pixel wide
_REDUCED_FROM = 60.0
_LIGHTNESS = 0.7  # what it weighs beside colour: a fold and a shadow change it, another thing mostly both
_PAPER, _OFF_PAPER = 0.45, 0.35  # how far from paper to ink a colour may lie, and how far beside that way
_MOST_INK, _OFF_INK = 1.6, 0.5

Mask = NDArray[np.bool_]
_Colours = NDArray[np.float32]
"""A picture as lightness and two colours (CIE L*a*b*)."""


class _View(NamedTuple):
    """A number and what is around it, turned upright and scaled; `inside` is where the picture is."""

    colours: _Colours
    inside: Mask
    length: int

    @property
    def box(self) -> tuple[slice, slice]:
        return slice(_ABOVE, _ABOVE + _HEIGHT), slice(_BESIDE, _BESIDE + self.length)


class Digit(NamedTuple):
    """The columns and rows that a digit takes, and its ink; `right` and `bottom` are the first without it."""

    left: int
    right: int
    top: int
    bottom: int
    ink: Mask

    @property
    def width(self) -> int:
        """In columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In rows."""
        return self.bottom - self.top

    def mirrored(self) -> Digit:
        """As it is in a picture that is mirrored from left to right."""
        columns = self.ink.shape[1]
        return self._replace(left=columns - self.right, right=columns - self.left, ink=self.ink[:, ::-1])


class Bib(NamedTuple):
    """Where paper and ink are, the digits in the number's box from its start to its end, and what is like one outside.

    `spare` are the digits in the box that were not read, `end` is the column at which the box ends.
    """

    paper: Mask
    ink: Mask
    digits: Sequence[Digit]
    outside: Sequence[Digit]
    spare: int
    end: int

    def mirrored(self) -> Bib:
        """As it is in a mirrored picture: its end is where its start was."""
        return Bib(
            self.paper[:, ::-1],
            self.ink[:, ::-1],
            [digit.mirrored() for digit in reversed(self.digits)],
            [digit.mirrored() for digit in reversed(self.outside)],
            self.spare,
            self.paper.shape[1] - _BESIDE,
        )


def bib_around(pixels: Pixels, quad: Quad, characters: int) -> Bib | None:
    """What is seen of the bib on which a number of so many characters stands.

    `pixels` are the picture as height x width x RGB, `quad` is the number's box. None where that is too small to be
    judged, or has one colour.
    """
    view = _view(pixels, quad)
    return _bib(view, characters) if view is not None else None


def mean_height(quad: Quad) -> float:
    """Across the text, in pixels."""
    return _mean_length(quad[3] - quad[0], quad[2] - quad[1])


def _view(pixels: Pixels, quad: Quad) -> _View | None:
    """The number with its surroundings, or None if it is too small to be judged."""
    height = mean_height(quad)
    width = _mean_length(quad[1] - quad[0], quad[2] - quad[3])
    if height < _LEAST_HEIGHT or width < _LEAST_HEIGHT:
        return None
    around = 2 + height * (_BESIDE + _ABOVE) / _HEIGHT
    low = np.maximum(np.floor(quad.min(axis=0) - around), 0).astype(int)
    high = np.ceil(quad.max(axis=0) + around).astype(int)
    pixels, quad = np.ascontiguousarray(pixels[low[1] : high[1], low[0] : high[0]]), quad - low
    if height > _REDUCED_FROM:  # else what lies between two pixels would be left out
        pixels, quad = resized(pixels, _HEIGHT / height), quad * (_HEIGHT / height)
    length = max(8, round(_HEIGHT * width / height))
    upright = np.array([[0, 0], [length, 0], [length, _HEIGHT], [0, _HEIGHT]]) + np.array([_BESIDE, _ABOVE])
    turn = cv2.getPerspectiveTransform(quad.astype(np.float32), upright.astype(np.float32))
    size = (length + 2 * _BESIDE, _HEIGHT + 2 * _ABOVE)
    seen = cv2.warpPerspective(pixels, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpPerspective(np.ones(pixels.shape[:2], np.uint8), turn, size, flags=cv2.INTER_NEAREST)
    colours = cv2.cvtColor(seen.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    weighed = np.asarray(colours * np.array([_LIGHTNESS, 1, 1]), dtype=np.float32)
    return _View(weighed, inside.astype(bool), length)


def _bib(view: _View, characters: int) -> Bib | None:
    """Paper, ink and digits. Which of the two colours in the box is ink is told by the digits that it makes."""
    tones = _two_tones(view)
    if tones is None:
        return None
    ways = [(paper, ink, _near(view, paper, ink)) for paper, ink in (tones, tones[::-1])]
    ways.sort(key=lambda way: -_longest(way[2][view.box]))  # paper is in one piece rather than ink
    bibs: list[Bib] = []
    for paper_tone, ink_tone, plain in ways:
        paper, ink = _paper_and_ink(view, plain, paper_tone, ink_tone)
        digits, outside = _digits(ink, view.length)
        if digits:
            bibs.append(Bib(paper, ink, digits, outside, len(digits) - characters, _BESIDE + view.length))
        if len(digits) == characters:
            break
    return min(bibs, key=lambda bib: abs(bib.spare), default=None)


def _two_tones(view: _View) -> tuple[_Colours, _Colours] | None:
    """The two colours of the box's middle, which no margin, frame or neighbour reaches."""
    aside = view.length // 8
    rows = slice(_ABOVE + _HEIGHT // 5, _ABOVE + 4 * _HEIGHT // 5)
    middle = view.colours[rows, _BESIDE + aside : _BESIDE + view.length - aside].reshape(-1, 3)
    axis = np.linalg.eigh(np.cov(middle.T))[1][:, -1]  # the two are told apart best along it
    along = middle @ axis
    first = (along > along.mean()).astype(np.int32)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    _, labels, _ = cv2.kmeans(middle, 2, first, criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    second = labels.ravel().astype(bool)
    if second.all() or not second.any():
        return None
    return np.median(middle[~second], axis=0), np.median(middle[second], axis=0)


def _near(view: _View, tone: _Colours, other: _Colours) -> Mask:
    """Where the colour is surely this one of the two."""
    distance = np.linalg.norm(view.colours - tone, axis=2)
    near = (distance <= np.linalg.norm(view.colours - other, axis=2)) & (distance < np.linalg.norm(tone - other) / 2)
    return np.asarray(near & view.inside)


def _paper_and_ink(view: _View, plain: Mask, paper_tone: _Colours, ink_tone: _Colours) -> tuple[Mask, Mask]:
    """Where paper is, in its shade nearby, and where ink: colours between the two are a digit's soft edges."""
    known = np.zeros_like(plain)
    known[:, view.box[1]] = plain[:, view.box[1]]
    spread = 0.35 * _HEIGHT
    weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), spread)[..., None]
    shades = cv2.GaussianBlur(np.where(known[..., None], view.colours, 0).astype(np.float32), (0, 0), spread)
    shade = (shades + 1e-3 * paper_tone) / (weight + 1e-3)
    way = ink_tone - shade
    length = np.maximum(np.linalg.norm(way, axis=2), 1.0)
    along = ((view.colours - shade) * way).sum(axis=2) / length**2
    off = np.linalg.norm(view.colours - shade - along[..., None] * way, axis=2) / length
    paper = (np.abs(along) < _PAPER) & (off < _OFF_PAPER) & view.inside
    ink = (along >= _PAPER) & (along < _MOST_INK) & (off < _OFF_INK) & view.inside
    return paper, ink


def _digits(ink: Mask, length: int) -> tuple[list[Digit], list[Digit]]:
    """The pieces of ink in the box that are as high as most, from left to right, and those beside it."""
    count, labels, boxes, centres = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=4)
    found: list[Digit] = []
    outside: list[Digit] = []
    for number in range(1, count):
        x, y, width, height, _ = (int(each) for each in boxes[number])
        apart = y > 0 and y + height < ink.shape[0]  # from what is above and below the number
        if apart and height >= 0.2 * _HEIGHT and width <= 1.2 * _HEIGHT:
            digit = Digit(x, x + width, y, y + height, np.asarray(labels == number))
            in_box = _BESIDE <= centres[number][0] <= _BESIDE + length
            (found if in_box and height >= 0.4 * _HEIGHT else outside).append(digit)
    usual = float(np.median([digit.height for digit in found])) if found else 0.0
    return (
        sorted((digit for digit in found if 0.75 * usual <= digit.height <= 1.3 * usual), key=lambda each: each.left),
        sorted((digit for digit in outside if 0.3 * usual <= digit.height <= 1.2 * usual), key=lambda each: each.left),
    )


def _longest(mask: Mask) -> int:
    """The width of the widest piece."""
    _, _, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return int(boxes[1:, cv2.CC_STAT_WIDTH].max(initial=0))


def _mean_length(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(one) + np.linalg.norm(other)) / 2
