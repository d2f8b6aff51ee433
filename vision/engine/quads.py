"""Boxes around text: four corners in pixels, clockwise from the text's start, which may stand at any angle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Quad = NDArray[np.float64]
"""Four corners as 4 x 2, x and then y."""


def along_the_text(box: Quad) -> Quad:
    """A tall box holds text that runs downwards: it starts at its upper right corner."""
    return np.roll(box, -1, axis=0) if height(box) >= 1.5 * width(box) else box


def width(box: Quad) -> float:
    """Along the text."""
    return float(max(np.linalg.norm(box[1] - box[0]), np.linalg.norm(box[2] - box[3])))


def height(box: Quad) -> float:
    """Across the text."""
    return float(max(np.linalg.norm(box[3] - box[0]), np.linalg.norm(box[2] - box[1])))


def middle(box: Quad) -> NDArray[np.float64]:
    """Its x and y."""
    return np.asarray(box.mean(axis=0), dtype=np.float64)


def between(box: Quad, start: float, end: float) -> Quad:
    """The part of the box from `start` to `end`, 0 being its start and 1 its end."""
    start, end = max(start, 0.0), min(end, 1.0)
    top, bottom = box[1] - box[0], box[2] - box[3]
    return np.stack([box[0] + start * top, box[0] + end * top, box[3] + end * bottom, box[3] + start * bottom])


def widened(box: Quad, before: float, after: float, beside: float) -> Quad:
    """The box with so many of its heights more at its start, at its end, and above and below."""
    high = height(box)
    along, down = (
        _of_length(box[1] + box[2] - box[0] - box[3], high),
        _of_length(box[3] + box[2] - box[0] - box[1], high),
    )
    start, end, up = -before * along, after * along, beside * down
    return box + np.stack([start - up, end - up, end + up, start + up])


def _of_length(way: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    return way / (float(np.linalg.norm(way)) or 1.0) * length


def apart(box: Quad, other: Quad) -> float:
    """From middle to middle."""
    return float(np.linalg.norm(middle(box) - middle(other)))


def shared(box: Quad, other: Quad) -> float:
    """How much of the smaller box lies in the other, both taken as upright."""
    low, high = np.maximum(box.min(axis=0), other.min(axis=0)), np.minimum(box.max(axis=0), other.max(axis=0))
    smaller = min(np.prod(np.ptp(box, axis=0)), np.prod(np.ptp(other, axis=0)))
    return float(np.prod(np.clip(high - low, 0, None)) / max(smaller, 1.0))
