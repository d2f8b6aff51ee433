"""Whether a number in a picture goes on beyond an end: then what is read is a part of it, and no bib.

An arm, another runner, a fold or the picture's edge hides the rest, and what is left reads as surely as a whole number.
The paper around it tells. A whole number stands in the middle of its bib with paper around each digit; so it goes on

- where a piece of one more digit stands in the paper's edge,
- where its outermost digit has no paper beside it, and the other end has a clear margin,
- where the paper ends at once, and the other end has a wide margin.

Where nothing of this is seen it counts as whole: most numbers are, and one that is called cut is lost to its runner.
In the 136 race photos by which the thresholds were chosen two of 221 whole numbers are called cut, one of them where a
hand touches its first digit, and with boxes moved by a tenth of their height 9 of 884. Of 183 parts of numbers, read
where an arm or a body was drawn into these photos over the rest, one in five is found out, and at the picture's edge
nearly all. What covers a bib between two digits looks like the edge of a small bib, and a digit that is read although
half of it is hidden like a piece of one more.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.engine.messages import End
from vision.engine.paper import Bib, Digit, Mask, bib_around, mean_height
from vision.engine.pictures import Pixels
from vision.engine.quads import Quad

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

_FRAGMENT = 0.8  # of a digit's width: what is wider is a digit


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
    bib = bib_around(pixels, quad, characters)
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
    step = AT_THE_EDGE * mean_height(quad) * along / (np.linalg.norm(along) or 1.0)
    size = np.array([width, height])
    places: dict[End, NDArray[np.float64]] = {
        "START": quad[[0, 3]].mean(axis=0) - step,
        "END": quad[[1, 2]].mean(axis=0) + step,
    }
    return {end for end, place in places.items() if np.any(place < 0) or np.any(place > size)}


# --- one end; the number's end is at the right, that of its start is mirrored ---------------------------


def _side(bib: Bib) -> _Side:
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


def _one_more(bib: Bib, height: float) -> bool:
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


def _around(paper: Mask, digit: Digit) -> float:
    """The share of what is next to the ink that is paper."""
    ink = digit.ink.astype(np.uint8)
    return float(paper[cv2.dilate(ink, np.ones((5, 5), np.uint8)).astype(bool) & ~digit.ink].mean())


def _unbounded(paper: Mask, digit: Digit) -> float:
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


def _piece(bib: Bib, unbounded: float) -> float:
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
    height = mean_height(quad)
    way, turn = quad[1] + quad[2] - quad[0] - quad[3], quad[3] + quad[2] - quad[0] - quad[1]
    right = along * height * way / (np.linalg.norm(way) or 1.0)
    below = down * height * turn / (np.linalg.norm(turn) or 1.0)
    return np.asarray(quad + np.stack([-right - below, right - below, right + below, below - right]))
