"""From lines and words to DetectText's answer, with its filters, and what is known of them beyond that answer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from vision.engine.messages import Line, Point, Word
from vision.errors import InvalidParameterException
from vision.front.protocol import Json

MAX_WORDS = 100
"""Rekognition's limit for an image."""
DEFAULT_MIN_CONFIDENCE = 80.0
"""Rekognition's default, in percent, below which a word is left out."""

Polygon = Sequence[Point]


def of_lines(lines: Iterable[Line], filters: Json) -> list[Json]:
    """The TextDetections: all lines, then all words with their lines' ids as ParentId.

    Words that the filters leave out are in no line; a line without words is left out. A line's confidence is its
    words' mean.
    """
    kept = _kept(lines, filters)
    answered = [
        {
            "DetectedText": " ".join(word.text for word in words),
            "Type": "LINE",
            "Id": number,
            "Confidence": sum(word.confidence for word in words) / len(words),
            "Geometry": _geometry(_spanned(line, words)),
        }
        for number, (line, words) in enumerate(kept)
    ]
    for parent, (_, words) in enumerate(kept):
        answered += [
            {
                "DetectedText": word.text,
                "Type": "WORD",
                "Id": len(answered) + number,
                "ParentId": parent,
                "Confidence": word.confidence,
                "Geometry": _geometry(word.corners),
            }
            for number, word in enumerate(words)
        ]
    return answered


def beyond(lines: Iterable[Line], filters: Json) -> Json:
    """What is known of the words that `of_lines` answers and that Rekognition's answer has no field for.

    `Words` has, by the Id of a WORD, `Cut` (the ends beyond which a number goes on, "START" and "END"), `Torso` (true
    where it stands where somebody wears a bib), `Size` (where it stands on a body: its height in heights of the face
    above) and `Alternatives` (what some readings of a number say instead, each with `Text` and `Confidence`, a
    percentage; the surest first). What is not so is left out, and a word of which nothing is so.
    """
    kept = _kept(lines, filters)
    ids = itertools.count(len(kept))  # as `of_lines` has them: first the lines, then the words
    said = {str(next(ids)): _marks(word) for _, words in kept for word in words}
    return {"Words": {number: marks for number, marks in said.items() if marks}}


def _marks(word: Word) -> Json:
    said: Json = {
        "Cut": list(word.cut),
        "Torso": word.torso,
        "Size": None if word.size is None else round(word.size, 3),
        "Alternatives": [{"Text": each.text, "Confidence": each.confidence} for each in word.alternatives],
    }
    return {name: mark for name, mark in said.items() if mark}


def _kept(lines: Iterable[Line], filters: Json) -> list[tuple[Line, list[Word]]]:
    """The lines that the filters leave, and of each its words that they leave; of more than MAX_WORDS the surest."""
    word_filter = filters.get("WordFilter", {})
    regions = [_polygon(region) for region in filters.get("RegionsOfInterest", [])]
    passing = [(line, [word for word in line.words if _passes(word, word_filter, regions)]) for line in lines]
    surest = sorted((word for _, words in passing for word in words), key=lambda word: -word.confidence)[:MAX_WORDS]
    answered = {id(word) for word in surest}
    kept = [(line, [word for word in words if id(word) in answered]) for line, words in passing]
    return [(line, words) for line, words in kept if words]


def _spanned(line: Line, words: Sequence[Word]) -> Polygon:
    """The line's own corners, or those around the words that are left of it."""
    if len(words) == len(line.words):
        return line.corners
    return (words[0].corners[0], words[-1].corners[1], words[-1].corners[2], words[0].corners[3])


def _passes(word: Word, wanted: Json, regions: Sequence[Polygon]) -> bool:
    box = _bounds(word.corners)
    return (
        word.confidence >= wanted.get("MinConfidence", DEFAULT_MIN_CONFIDENCE)
        and box["Width"] >= wanted.get("MinBoundingBoxWidth", 0.0)
        and box["Height"] >= wanted.get("MinBoundingBoxHeight", 0.0)
        and (not regions or any(_mostly_inside(word.corners, region) for region in regions))
    )


def _polygon(region: Json) -> Polygon:
    if ("BoundingBox" in region) == ("Polygon" in region):
        raise InvalidParameterException("A region of interest has either a BoundingBox or a Polygon.")
    if "Polygon" in region:
        polygon = region["Polygon"]
        if len(polygon) < 3 or any("X" not in point or "Y" not in point for point in polygon):
            raise InvalidParameterException("A Polygon has three points or more, each with X and Y.")
        return [Point(point["X"], point["Y"]) for point in polygon]
    box = region["BoundingBox"]
    if any(name not in box for name in ("Left", "Top", "Width", "Height")):
        raise InvalidParameterException("A BoundingBox has Left, Top, Width and Height.")
    if box["Width"] <= 0 or box["Height"] <= 0:
        raise InvalidParameterException("A BoundingBox has a Width and a Height above 0.")
    left, top, right, bottom = box["Left"], box["Top"], box["Left"] + box["Width"], box["Top"] + box["Height"]
    return [Point(left, top), Point(right, top), Point(right, bottom), Point(left, bottom)]


def _mostly_inside(word: Polygon, region: Polygon) -> bool:
    """Whether more than half of the word is in the region, as Rekognition has it; looked at in 9 x 3 points."""
    points = [_within(word, (along + 0.5) / 9, (down + 0.5) / 3) for along in range(9) for down in range(3)]
    return 2 * sum(_inside(point, region) for point in points) > len(points)


def _within(word: Polygon, along: float, down: float) -> Point:
    """The place that is such shares of the word's length and height from its first corner."""
    a, b, c, d = word
    above = a.x + along * (b.x - a.x), a.y + along * (b.y - a.y)
    below = d.x + along * (c.x - d.x), d.y + along * (c.y - d.y)
    return Point(above[0] + down * (below[0] - above[0]), above[1] + down * (below[1] - above[1]))


def _inside(point: Point, polygon: Polygon) -> bool:
    """Whether a ray from the point to the right crosses the polygon's edges an odd number of times."""
    inside = False
    for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (a.y > point.y) != (b.y > point.y) and point.x < a.x + (point.y - a.y) * (b.x - a.x) / (b.y - a.y):
            inside = not inside
    return inside


def _bounds(polygon: Polygon) -> Json:
    left, top = min(p.x for p in polygon), min(p.y for p in polygon)
    return {
        "Width": max(p.x for p in polygon) - left,
        "Height": max(p.y for p in polygon) - top,
        "Left": left,
        "Top": top,
    }


def _geometry(polygon: Polygon) -> Json:
    return {"BoundingBox": _bounds(polygon), "Polygon": [{"X": p.x, "Y": p.y} for p in polygon]}
