"""Whether a number in a picture goes on beyond an end: then what is read is a part of it, and no bib.

An arm, another runner, a fold or the picture's edge hides the rest, and what is left reads as surely as a whole number.
The paper around it tells. A whole number stands in the middle of its bib with paper around each digit; so it goes on

- where a piece of one more digit stands in the paper's edge,
- where its outermost digit has no paper beside it, and the other end has a clear margin,
- where the paper ends at once, and the other end has a wide margin.

Where nothing of this is seen it counts as whole: most numbers are, and one that is called cut is lost to its runner.
In the 136 race photos by which the thresholds were chosen none of 203 whole numbers is called cut, and with boxes
moved by a tenth of their height 3 of 1,015. Of 183 parts of numbers, read where an arm or a body was drawn into these
photos over the rest, one in five is found out, and at the picture's edge nearly all. What covers a bib between two
digits looks like the edge of a small bib.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.engine.messages import End
from vision.engine.pictures import Pixels, resized

AT_THE_EDGE = 0.15
"""A number whose box ends so near the picture's edge, in heights of the box, may go on beyond it."""

# What follows is in heights of the number's digits, or a share of one. The whole numbers above stay below each by a
# tenth or more; real bibs have margins from almost nothing to two heights, mostly the same at both ends.
PIECE = 0.15
"""Ink in the paper's edge that is so high is a piece of a digit: a stroke is about as thick."""
ON_PAPER = 0.42
"""What has paper around so much of it is printed on the bib; the shirt beside a bib has it on one side only."""
UNBOUNDED = 0.5
"""An outermost digit that has no paper beside so much of its outer edge is cut, if the other end has CLEAR_MARGIN."""
CLEAR_MARGIN = 0.45
"""A margin in which one more digit would be seen, at least in part."""
NO_MARGIN = 0.07
"""No bib is printed with less paper beside its number where it has WIDE_MARGIN at the other end."""
WIDE_MARGIN = 0.5
ENDLESS = 2.0
"""A wider margin is no bib's: the shirt or the banner goes on in the paper's colour."""

OTHER_BOXES = ((0.08, 0.08), (-0.06, -0.06), (0.06, -0.04), (-0.04, 0.06))
"""How much longer and higher a number's box is made, at each side, in its heights, to look once more at one that seems
cut: where a reader puts the box must not decide.
"""
AGREEING = 3
"""In so many of them the number must seem cut, too."""
ENDS: tuple[End, End] = ("START", "END")

_HEIGHT = 40  # of the number's box as it is looked at, in pixels
_BESIDE, _ABOVE = 64, 10  # what is looked at around the box
_LEAST_HEIGHT = 8.0  # of a box in the picture, in pixels; in a smaller one a bib's margin is no pixel wide
_REDUCED_FROM = 60.0
_LIGHTNESS = 0.7  # what it weighs beside colour: a fold and a shadow change it, another thing mostly both
_PAPER, _OFF_PAPER = 0.45, 0.35  # how far from paper to ink a colour may lie, and how far beside that way
_MOST_INK, _OFF_INK = 1.6, 0.5
_FRAGMENT = 0.8  # of a digit's width: what is wider is a digit

Quad = NDArray[np.float64]
"""Four corners in pixels, clockwise from the text's start, as 4 x 2."""
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


class _Digit(NamedTuple):
    """The columns and rows that a digit takes, and its ink; `right` and `bottom` are the first without it."""

    left: int
    right: int
    top: int
    bottom: int
    ink: Mask

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def mirrored(self) -> _Digit:
        columns = self.ink.shape[1]
        return self._replace(left=columns - self.right, right=columns - self.left, ink=self.ink[:, ::-1])


class _Bib(NamedTuple):
    """Where paper and ink are, the digits in the number's box from its start to its end, and what is like one outside.

    `spare` are the digits in the box that were not read, `end` is the column at which the box ends.
    """

    paper: Mask
    ink: Mask
    digits: Sequence[_Digit]
    outside: Sequence[_Digit]
    spare: int
    end: int

    def mirrored(self) -> _Bib:
        return _Bib(
            self.paper[:, ::-1],
            self.ink[:, ::-1],
            [digit.mirrored() for digit in reversed(self.digits)],
            [digit.mirrored() for digit in reversed(self.outside)],
            self.spare,
            self.paper.shape[1] - _BESIDE,
        )


class _Side(NamedTuple):
    """What is seen at one end, in heights of a digit: see PIECE, UNBOUNDED and the margins.

    `is_digit` is whether the outermost digit stands where the box ends, as the last one that was read does; `one_more`
    whether a part of another one stands beside it.
    """

    piece: float
    unbounded: float
    margin: float
    is_digit: bool
    one_more: bool


def cut_ends(pixels: Pixels, quad: Quad, text: str) -> tuple[End, ...]:
    """The ends at which a number goes on beyond what is seen of it.

    `pixels` are the picture as height x width x RGB, `quad` is the box of the number, which reads `text`. It takes some
    8 ms of one core, and where a number seems cut five times as much.
    """
    ends = _seen_ends(pixels, quad, len(text))
    if ends:
        others = [_seen_ends(pixels, _widened(quad, along, down), len(text)) for along, down in OTHER_BOXES]
        ends = {end for end in ends if sum(end in other for other in others) >= AGREEING}
    ends |= _at_the_edge(quad, pixels.shape[1], pixels.shape[0])
    return tuple(end for end in ENDS if end in ends)


def _seen_ends(pixels: Pixels, quad: Quad, characters: int) -> set[End]:
    """The ends at which the number goes on by what is around it, with this box for it."""
    view = _view(pixels, quad)
    bib = _bib(view, characters) if view is not None else None
    if bib is None:
        return set()
    end, start = _side(bib), _side(bib.mirrored())
    goes_on: dict[End, bool] = {"START": _goes_on(start, end), "END": _goes_on(end, start)}
    return {each for each in ENDS if goes_on[each]}


def _goes_on(side: _Side, other: _Side) -> bool:
    """Whether the number goes on at this side, the other being what is seen at its other end."""
    if side.one_more or (side.is_digit and side.piece >= PIECE):
        return True
    if not side.is_digit or other.unbounded > UNBOUNDED / 2 or other.margin > ENDLESS:
        return False  # nothing to compare this margin with
    if side.unbounded >= UNBOUNDED:
        return other.margin >= CLEAR_MARGIN
    return side.margin <= NO_MARGIN and other.margin >= WIDE_MARGIN and other.is_digit


def _at_the_edge(quad: Quad, width: int, height: int) -> set[End]:
    """The ends that lie at the picture's edge, or would a little further along the text."""
    along = quad[1] + quad[2] - quad[0] - quad[3]
    step = AT_THE_EDGE * _mean_length(quad[3] - quad[0], quad[2] - quad[1]) * along / (np.linalg.norm(along) or 1.0)
    size = np.array([width, height])
    places: dict[End, NDArray[np.float64]] = {
        "START": quad[[0, 3]].mean(axis=0) - step,
        "END": quad[[1, 2]].mean(axis=0) + step,
    }
    return {end for end, place in places.items() if np.any(place < 0) or np.any(place > size)}


# --- looking ------------------------------------------------------------------------------------------


def _view(pixels: Pixels, quad: Quad) -> _View | None:
    """The number with its surroundings, or None if it is too small to be judged."""
    height = _mean_length(quad[3] - quad[0], quad[2] - quad[1])
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


def _bib(view: _View, characters: int) -> _Bib | None:
    """Paper, ink and digits. Which of the two colours in the box is ink is told by the digits that it makes."""
    tones = _two_tones(view)
    if tones is None:
        return None
    ways = [(paper, ink, _near(view, paper, ink)) for paper, ink in (tones, tones[::-1])]
    ways.sort(key=lambda way: -_longest(way[2][view.box]))  # paper is in one piece rather than ink
    bibs: list[_Bib] = []
    for paper_tone, ink_tone, plain in ways:
        paper, ink = _paper_and_ink(view, plain, paper_tone, ink_tone)
        digits, outside = _digits(ink, view.length)
        if digits:
            bibs.append(_Bib(paper, ink, digits, outside, len(digits) - characters, _BESIDE + view.length))
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


def _digits(ink: Mask, length: int) -> tuple[list[_Digit], list[_Digit]]:
    """The pieces of ink in the box that are as high as most, from left to right, and those beside it."""
    count, labels, boxes, centres = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=4)
    found: list[_Digit] = []
    outside: list[_Digit] = []
    for number in range(1, count):
        x, y, width, height, _ = (int(each) for each in boxes[number])
        apart = y > 0 and y + height < ink.shape[0]  # from what is above and below the number
        if apart and height >= 0.2 * _HEIGHT and width <= 1.2 * _HEIGHT:
            digit = _Digit(x, x + width, y, y + height, np.asarray(labels == number))
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


# --- judging one end; the number's end is at the right, that of its start is mirrored -------------------


def _side(bib: _Bib) -> _Side:
    last = bib.digits[-1]
    height = float(np.median([digit.height for digit in bib.digits]))
    top, bottom = (int(np.median([getattr(digit, side) for digit in bib.digits])) for side in ("top", "bottom"))
    unbounded = _unbounded(bib.paper, last)
    return _Side(
        piece=_piece(bib, unbounded),
        unbounded=unbounded,
        margin=_margin(bib.paper[top:bottom, last.right :]),
        is_digit=-0.7 < (last.right - bib.end) / height < 0.1,
        one_more=_one_more(bib, height),
    )


def _one_more(bib: _Bib, height: float) -> bool:
    """Whether a part of one more digit stands on the paper, which is neither read nor whole."""
    last, widest = bib.digits[-1], max(digit.width for digit in bib.digits)
    parts = [last] if bib.spare > 0 and last.width < _FRAGMENT * widest else []
    parts += [
        part
        for part in bib.outside
        if 0 <= part.left - last.right <= 0.35 * height
        and part.top > last.top - 0.15 * height
        and part.bottom < last.bottom + 0.15 * height
        and part.width < 1.2 * widest
    ]
    return any(
        part.width >= PIECE * height
        and _unbounded(bib.paper, part) >= UNBOUNDED
        and _around(bib.paper, part) >= ON_PAPER
        for part in parts
    )


def _around(paper: Mask, digit: _Digit) -> float:
    """The share of what is next to the ink that is paper."""
    ink = digit.ink.astype(np.uint8)
    return float(paper[cv2.dilate(ink, np.ones((5, 5), np.uint8)).astype(bool) & ~digit.ink].mean())


def _unbounded(paper: Mask, digit: _Digit) -> float:
    """The share of the digit's outer edge that has no paper beside it."""
    reach, near = max(2, int(0.1 * digit.height)), int(0.15 * digit.height)
    beside = []
    for row in np.flatnonzero(digit.ink.any(axis=1)):
        column = int(np.flatnonzero(digit.ink[row])[-1])
        if column >= digit.right - 1 - near:
            beside.append(bool(paper[row, column + 1 : column + 1 + reach].any()))
    return 1 - sum(beside) / len(beside) if beside else 0.0


def _margin(paper: Mask) -> float:
    """How wide the paper is that begins at the left, in heights of `paper`; beyond what is looked at it is endless."""
    height = len(paper)
    shares = paper.mean(axis=0)
    window = max(2, int(0.12 * height))
    if len(shares) < window:
        return 0.0
    ends = np.flatnonzero(np.convolve(shares, np.ones(window) / window, "valid") < 0.4)
    return float(ends[0]) / height if len(ends) else np.inf


def _piece(bib: _Bib, unbounded: float) -> float:
    """How high the highest piece of a digit is that stands in the paper's edge, in heights of a digit.

    The edge is the line at which the paper ends in most rows. Ink from some paper up to this line, with paper up to the
    line above it and below it, is a piece of a digit; what is dark beside the bib is not between paper.
    """
    usual = float(np.median([digit.width for digit in bib.digits]))
    is_piece = unbounded >= UNBOUNDED / 2 and len(bib.digits) > 1 and bib.digits[-1].width < _FRAGMENT * usual
    last = bib.digits[-2 if is_piece else -1]
    height, more = last.height, int(0.18 * last.height) + 1
    rows = slice(max(0, last.top - more), last.bottom + more)
    paper, ink = bib.paper[rows, last.right :], bib.ink[rows, last.right :]
    ends = _paper_ends(paper, max(1, int(0.06 * height)))
    if 2 * np.count_nonzero(ends) < len(ends):
        return 0.0
    edge = _edge(ends, max(1.0, 0.05 * height))
    at_edge = (ends > 0) & (np.abs(ends - edge) <= max(1.0, 0.05 * height))
    beyond = [
        _mean(row[max(0, column + 2) :][: max(2, height // 6)], 0.0) for row, column in zip(paper, edge, strict=True)
    ]
    if at_edge.mean() < 0.4 or np.mean(beyond) > 0.35:
        return 0.0  # no edge of paper
    held = ink | paper
    inked = [
        0 < end <= column - 0.07 * height
        and _mean(row[end:column], 0.0) >= 0.3
        and _mean(whole[end:column], 0.0) >= 0.9
        for row, whole, end, column in zip(ink, held, ends, edge, strict=True)
    ]
    return _highest(np.array(inked) & ~at_edge, at_edge, int(0.2 * height)) / height


def _paper_ends(paper: Mask, gap: int) -> NDArray[np.intp]:
    """In each row the column at which the paper ends that begins at the left, small gaps aside; 0 is no paper."""
    ends = np.zeros(len(paper), dtype=np.intp)
    for number, row in enumerate(paper):
        columns = np.concatenate([[-1], np.flatnonzero(row)])
        breaks = np.flatnonzero(np.diff(columns) > gap + 1)
        ends[number] = columns[breaks[0] if len(breaks) else -1] + 1
    return ends


def _edge(ends: NDArray[np.intp], near: float) -> NDArray[np.intp]:
    """The column in each row of the straight line that most ends are near to, and few beyond."""
    rows = np.arange(len(ends)) - (len(ends) - 1) / 2
    seen = ends > 0
    slopes = np.linspace(-0.6, 0.6, 25)
    places = ends - slopes[:, None] * rows  # for each slope where a line through this row's end is in the middle row
    starts = np.round(places[:, seen])
    apart = places[:, None, :] - starts[:, :, None]
    on_line = (seen & (np.abs(apart) <= near)).sum(axis=2)
    beyond = (seen & (apart > 2 * near)).sum(axis=2)
    score = on_line - 0.5 * beyond - 0.1 * len(ends) * np.abs(slopes)[:, None]
    slope, start = np.unravel_index(int(score.argmax()), score.shape)
    return np.asarray(np.round(starts[slope, start] + slopes[slope] * rows), dtype=np.intp)


def _highest(inked: Mask, at_edge: Mask, gap: int) -> int:
    """The rows of the highest run of `inked` that has the paper's edge above and below, at most `gap` rows apart."""
    highest, edge = 0, np.flatnonzero(at_edge)
    for first, last in _runs(inked):
        above, below = edge[edge < first], edge[edge > last]
        if len(above) >= 2 and len(below) >= 2 and first - above[-1] <= gap and below[0] - 1 - last <= gap:
            highest = max(highest, last + 1 - first)
    return highest


def _runs(mask: Mask) -> list[tuple[int, int]]:
    """The first and the last place of each run."""
    steps = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(steps == 1).tolist(), (np.flatnonzero(steps == -1) - 1).tolist(), strict=True))


def _mean(values: Mask, of_none: float) -> float:
    return float(values.mean()) if len(values) else of_none


def _widened(quad: Quad, along: float, down: float) -> Quad:
    """The box with so many of its heights more at its start and its end, and above and below."""
    height = _mean_length(quad[3] - quad[0], quad[2] - quad[1])
    way, turn = quad[1] + quad[2] - quad[0] - quad[3], quad[3] + quad[2] - quad[0] - quad[1]
    right = along * height * way / (np.linalg.norm(way) or 1.0)
    below = down * height * turn / (np.linalg.norm(turn) or 1.0)
    return np.asarray(quad + np.stack([-right - below, right - below, right + below, below - right]))


def _mean_length(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(one) + np.linalg.norm(other)) / 2
