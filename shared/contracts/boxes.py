"""Boxes in one picture: how Rekognition has them, and how far two of them are the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts.events import Box

SAME_FACE_OVERLAP = 0.3  # intersection over union; what a detector boxes again overlaps far more, neighbours far less


def from_rekognition(bounding_box: Mapping[str, float]) -> Box:
    """A BoundingBox of Rekognition, to five digits."""
    left, top, width, height = (round(bounding_box[side], 5) for side in ("Left", "Top", "Width", "Height"))
    return Box(left=left, top=top, width=width, height=height)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / (one.width * one.height + other.width * other.height - across * down)


def same_face(one: Box, other: Box) -> bool:
    """Whether two boxes of one photo are of one face."""
    return overlap(one, other) >= SAME_FACE_OVERLAP
