"""DetectText, as a boto3 client sees it."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from tests.vision.drawing import bib, jpeg, nobody, words

SIZE = (560, 350)


@pytest.fixture(scope="module")
def board() -> bytes:
    return jpeg(words(("10:42", 34, (42, 42)), ("42 KM", 42, (42, 140)), ("1234", 28, (350, 245)), size=SIZE))


@pytest.fixture(scope="module")
def read(rekognition: Any, board: bytes) -> list[dict[str, Any]]:
    return list(rekognition.detect_text(Image={"Bytes": board})["TextDetections"])


def texts(detections: list[dict[str, Any]], kind: str) -> list[str]:
    return [found["DetectedText"] for found in detections if found["Type"] == kind]


def test_a_clock_is_one_word_and_a_distance_two(read: list[dict[str, Any]]) -> None:
    assert sorted(texts(read, "LINE")) == ["10:42", "1234", "42 KM"]
    assert sorted(texts(read, "WORD")) == ["10:42", "1234", "42", "KM"]


def test_words_name_their_line(read: list[dict[str, Any]]) -> None:
    assert [found["Id"] for found in read] == list(range(len(read)))
    lines = {found["Id"]: found["DetectedText"] for found in read if found["Type"] == "LINE"}
    for found in read:
        assert 80 <= found["Confidence"] <= 100
        if found["Type"] == "WORD":
            assert found["DetectedText"] in lines[found["ParentId"]].split()
        else:
            assert "ParentId" not in found


def test_geometry_is_where_the_words_stand(read: list[dict[str, Any]]) -> None:
    boxes = {found["DetectedText"]: found["Geometry"]["BoundingBox"] for found in read if found["Type"] == "WORD"}
    for text, left, top in (("10:42", 42, 42), ("42", 42, 140), ("1234", 350, 245)):
        assert abs(boxes[text]["Left"] - left / SIZE[0]) < 0.03
        assert abs(boxes[text]["Top"] - top / SIZE[1]) < 0.05
    assert boxes["42"]["Left"] + boxes["42"]["Width"] <= boxes["KM"]["Left"] + 0.01
    for found in read:
        box, polygon = found["Geometry"]["BoundingBox"], found["Geometry"]["Polygon"]
        assert len(polygon) == 4
        assert box["Left"] == pytest.approx(min(point["X"] for point in polygon))
        assert box["Top"] + box["Height"] == pytest.approx(max(point["Y"] for point in polygon))
        assert polygon[0]["X"] < polygon[1]["X"]
        assert polygon[0]["Y"] < polygon[3]["Y"]


def test_bibs_of_a_photo_are_read(rekognition: Any) -> None:
    photo = nobody(1600, 1067)
    for printed, width, corner in (("73", 40, (200, 200)), ("20417", 60, (700, 500)), ("308", 120, (1300, 800))):
        photo.paste(bib(printed, width), corner)
    found = rekognition.detect_text(Image={"Bytes": jpeg(photo)})["TextDetections"]
    assert sorted(texts(found, "WORD")) == ["20417", "308", "73"]


def test_tilted_text_has_a_tilted_polygon(rekognition: Any) -> None:
    tilted = words(("4711", 48, (160, 110)), size=(400, 280)).rotate(-12, Image.Resampling.BICUBIC, fillcolor="white")
    found = rekognition.detect_text(Image={"Bytes": jpeg(tilted)})["TextDetections"]
    (word,) = [each for each in found if each["Type"] == "WORD"]
    assert word["DetectedText"] == "4711"
    first, second = word["Geometry"]["Polygon"][:2]
    assert second["Y"] > first["Y"] + 0.02  # turned clockwise: it runs downwards


def test_text_that_runs_downwards_starts_at_its_top(rekognition: Any) -> None:
    photo = words(("60321", 60, (60, 60)), size=(300, 180)).transpose(Image.Transpose.ROTATE_270)
    found = rekognition.detect_text(Image={"Bytes": jpeg(photo)})["TextDetections"]
    (word,) = [each for each in found if each["Type"] == "WORD"]
    assert word["DetectedText"] == "60321"
    first, second = word["Geometry"]["Polygon"][:2]
    assert second["Y"] > first["Y"] + 0.3


def test_lines_are_answered_row_by_row(rekognition: Any) -> None:
    rows = [("111", 40, (420, 60)), ("222", 40, (60, 64)), ("333", 40, (240, 58)), ("444", 40, (60, 200))]
    found = rekognition.detect_text(Image={"Bytes": jpeg(words(*rows, size=(600, 300)))})["TextDetections"]
    assert texts(found, "LINE") == ["222", "333", "111", "444"]


def test_a_word_is_in_a_region_if_more_than_half_of_it_is(rekognition: Any) -> None:
    board = jpeg(words(("1234567", 60, (100, 60)), size=(500, 200)))

    def kept(left: float, width: float) -> list[str]:
        region = {"BoundingBox": {"Left": left, "Top": 0.0, "Width": width, "Height": 1.0}}
        found = rekognition.detect_text(Image={"Bytes": board}, Filters={"RegionsOfInterest": [region]})
        return texts(found["TextDetections"], "WORD")

    (word,) = [each for each in rekognition.detect_text(Image={"Bytes": board})["TextDetections"] if "ParentId" in each]
    box = word["Geometry"]["BoundingBox"]
    assert kept(0.0, box["Left"] + 0.65 * box["Width"]) == ["1234567"]
    assert kept(0.0, box["Left"] + 0.35 * box["Width"]) == []
    assert kept(box["Left"] + 0.4 * box["Width"], 0.2 * box["Width"]) == [], "its middle alone does not count"


def test_nothing_to_read(rekognition: Any) -> None:
    assert rekognition.detect_text(Image={"Bytes": jpeg(nobody())})["TextDetections"] == []


def test_filters_keep_what_passes(rekognition: Any, board: bytes, read: list[dict[str, Any]]) -> None:
    def kept(**filters: Any) -> list[str]:
        return sorted(texts(rekognition.detect_text(Image={"Bytes": board}, Filters=filters)["TextDetections"], "WORD"))

    upper_left = {"BoundingBox": {"Left": 0.0, "Top": 0.0, "Width": 0.5, "Height": 0.3}}
    lower_right = {"Polygon": [{"X": 0.5, "Y": 1.0}, {"X": 1.0, "Y": 1.0}, {"X": 1.0, "Y": 0.4}, {"X": 0.6, "Y": 0.6}]}
    assert kept(RegionsOfInterest=[upper_left, lower_right]) == ["10:42", "1234"]
    heights = {found["DetectedText"]: found["Geometry"]["BoundingBox"]["Height"] for found in read}
    between = (heights["10:42"] + heights["KM"]) / 2
    assert kept(WordFilter={"MinBoundingBoxHeight": between}) == ["42", "KM"]
