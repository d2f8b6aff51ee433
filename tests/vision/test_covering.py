"""Sunglasses, masks and looking up or down, in drawn faces."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from tests.vision.drawing import heads, jpeg
from vision.engine.covering import covered_below, sunglasses
from vision.engine.embedding import CHIP, Places, upright
from vision.engine.faces import FaceFinder, _pitch
from vision.engine.pictures import Pixels

BARE = (8, 10, 14, 15, 17)
"""People of the demo race who wear no glasses: pale and dark, with and without a beard."""
FRAMED = (0, 2, 9, 13)
"""Some who wear glasses that one sees through."""
LENSES = {"black": (22, 22, 26), "mirrored": (236, 120, 20), "blue": (40, 90, 160)}
MASKS = {"blue": (120, 170, 210), "white": (236, 236, 236), "black": (24, 24, 28)}

Place = tuple[float, float]


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder("opencv")


def places_of(picture: Image.Image, finder: FaceFinder) -> Places:
    """Where eyes, nose and mouth corners are in a picture of one face."""
    (face,) = finder.find(np.asarray(picture), "NONE", 0)
    width, height = picture.size
    return np.array([(point.x * width, point.y * height) for point in face.landmarks.values()])


def chip_of(person: int, finder: FaceFinder, draw: Callable[[Image.Image, Places], None] | None = None) -> Pixels:
    """The person's upright face, with what is drawn onto it."""
    picture = heads(person)
    places = places_of(picture, finder)
    if draw:
        draw(picture, places)
    return upright(np.asarray(picture), places)


def shades(colour: tuple[int, int, int]) -> Callable[[Image.Image, Places], None]:
    """Draws two lenses and a frame across the nose."""

    def draw(picture: Image.Image, places: Places) -> None:
        (left, right), pen = places[:2], ImageDraw.Draw(picture)
        apart = float(np.hypot(*(right - left)))
        for x, y in (left, right):
            pen.rounded_rectangle(
                (x - 0.42 * apart, y - 0.24 * apart, x + 0.42 * apart, y + 0.3 * apart), 0.15 * apart, fill=colour
            )
        pen.line([tuple(left), tuple(right)], fill=colour, width=round(0.12 * apart))

    return draw


def mask(colour: tuple[int, int, int]) -> Callable[[Image.Image, Places], None]:
    """Draws a mask from below the eyes to the chin."""

    def draw(picture: Image.Image, places: Places) -> None:
        left, right, _, *mouth = places
        apart, low = float(np.hypot(*(right - left))), float(np.mean(mouth, axis=0)[1])
        top, bottom = (left[1] + right[1]) / 2 + 0.25 * apart, low + 0.6 * apart
        outline = [
            (left[0] - 0.45 * apart, top),
            (right[0] + 0.45 * apart, top),
            (right[0] + 0.3 * apart, bottom),
            (left[0] - 0.3 * apart, bottom),
        ]
        ImageDraw.Draw(picture).polygon(outline, fill=colour)

    return draw


@pytest.mark.parametrize("person", BARE)
def test_a_face_of_which_all_is_seen_is_not_covered(person: int, finder: FaceFinder) -> None:
    chip = chip_of(person, finder)
    assert (sunglasses(chip) or 0) < 20
    assert (covered_below(chip) or 0) < 50


@pytest.mark.parametrize("person", FRAMED)
def test_glasses_that_one_sees_through_are_no_sunglasses(person: int, finder: FaceFinder) -> None:
    assert (sunglasses(chip_of(person, finder)) or 0) < 50


@pytest.mark.parametrize("lens", LENSES)
@pytest.mark.parametrize("person", BARE)
def test_sunglasses_are_seen_whatever_their_colour(person: int, lens: str, finder: FaceFinder) -> None:
    assert (sunglasses(chip_of(person, finder, shades(LENSES[lens]))) or 0) > 80


@pytest.mark.parametrize("colour", MASKS)
@pytest.mark.parametrize("person", BARE)
def test_a_mask_covers_a_face_and_is_not_taken_for_sunglasses(person: int, colour: str, finder: FaceFinder) -> None:
    # Mutation: skin may have any colour. Then the eyes are strange to the mask's.
    chip = chip_of(person, finder, mask(MASKS[colour]))
    assert (covered_below(chip) or 0) > 80
    assert sunglasses(chip) is None


def test_what_cannot_be_compared_with_skin_is_not_judged(finder: FaceFinder) -> None:
    chip = chip_of(BARE[0], finder, shades(LENSES["black"]))
    grey = np.repeat(chip.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    for unlike in (grey, chip // 12, np.zeros((CHIP, CHIP, 3), dtype=np.uint8)):
        assert sunglasses(unlike) is None
        assert covered_below(unlike) is None


# --- pitch ------------------------------------------------------------------------------------------------


def seen(pitch: float, roll: float = 0.0) -> Places:
    """Eyes, nose and mouth of a head in space that looks up by `pitch` degrees and leans by `roll`."""
    head = np.array([(-17.5, 0, 0), (17.5, 0, 0), (0, 0.56 * 40.7, 17.5), (-14.5, 40.7, 0), (14.5, 40.7, 0)])
    up, lean = math.radians(pitch), math.radians(roll)
    flat = np.stack([head[:, 0], head[:, 1] * math.cos(up) - head[:, 2] * math.sin(up)], axis=1)
    return flat @ np.array([(math.cos(lean), math.sin(lean)), (-math.sin(lean), math.cos(lean))]) + 200


@pytest.mark.parametrize("roll", [0, 25])
@pytest.mark.parametrize("pitch", [-30, -10, 0, 20, 35])
def test_pitch_is_how_far_the_head_looks_up(pitch: float, roll: float) -> None:
    assert _pitch(seen(pitch, roll)) == pytest.approx(pitch, abs=1)


# --- as a client sees it ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shaded(finder: FaceFinder) -> bytes:
    picture = heads(BARE[0])
    shades(LENSES["black"])(picture, places_of(picture, finder))
    return jpeg(picture)


@pytest.mark.parametrize(
    ("attributes", "members"),
    [
        (["DEFAULT"], set()),
        (["SUNGLASSES"], {"Sunglasses"}),
        (["DEFAULT", "FACE_OCCLUDED"], {"FaceOccluded"}),
        (["ALL"], {"Sunglasses", "FaceOccluded"}),
        (["BEARD"], set()),
    ],
)
def test_attributes_are_answered_where_they_are_asked_for(
    rekognition: Any, shaded: bytes, attributes: list[str], members: set[str]
) -> None:
    default = {"BoundingBox", "Landmarks", "Pose", "Quality", "Confidence"}
    (face,) = rekognition.detect_faces(Image={"Bytes": shaded}, Attributes=attributes)["FaceDetails"]
    assert face.keys() == default | members
    assert set(face["Pose"]) == {"Roll", "Yaw", "Pitch"}


def test_index_faces_answers_attributes_of_faces_with_and_without_sunglasses(
    rekognition: Any, collection: str, shaded: bytes
) -> None:
    def asked(picture: bytes) -> Any:
        answer = rekognition.index_faces(
            CollectionId=collection, Image={"Bytes": picture}, DetectionAttributes=["SUNGLASSES", "FACE_OCCLUDED"]
        )
        return answer["FaceRecords"][0]["FaceDetail"]

    for member in ("Sunglasses", "FaceOccluded"):
        covered, bare = asked(shaded)[member], asked(jpeg(heads(BARE[0])))[member]
        assert (covered["Value"], bare["Value"]) == (True, False)
        assert 80 < covered["Confidence"] <= 100
        assert 50 <= bare["Confidence"] <= 100
    assert (
        "Sunglasses"
        not in rekognition.index_faces(CollectionId=collection, Image={"Bytes": shaded})["FaceRecords"][0]["FaceDetail"]
    )


def test_a_face_with_too_little_detail_is_left_out_and_told_why(rekognition: Any, collection: str) -> None:
    # Mutation: `detail` of every bar 0.
    image = {"Bytes": jpeg(heads(3, unit=120).filter(ImageFilter.GaussianBlur(20)))}
    answer = rekognition.index_faces(CollectionId=collection, Image=image, QualityFilter="LOW")
    assert answer["FaceRecords"] == []
    assert [left["Reasons"] for left in answer["UnindexedFaces"]] == [["LOW_FACE_QUALITY"]]
    assert rekognition.index_faces(CollectionId=collection, Image=image, QualityFilter="NONE")["FaceRecords"]
