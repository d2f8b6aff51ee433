"""Which numbers go on beyond what is seen of them: bibs that are drawn whole, and then with something in front."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from shared.kit.extension import EXTENSION, extension_of, keep_extension
from tests.vision.drawing import bib, jpeg, nobody, words
from tests.vision.running import Server
from vision.engine.cut import cut_ends
from vision.engine.messages import Alternative, Line, Point, Word
from vision.engine.pictures import Pixels
from vision.engine.quads import Quad
from vision.front import detections, protocol

WHITE, BLACK, NAVY, RED, GREEN, YELLOW, SKIN, LAWN = (
    (244, 244, 242),
    (22, 22, 28),
    (32, 40, 92),
    (190, 36, 40),
    (44, 130, 70),
    (236, 206, 60),
    (205, 148, 118),
    (126, 140, 118),
)
DIGITS = 42  # their height in pixels
SIZE = (520, 360)
CENTRE = (SIZE[0] / 2, SIZE[1] / 2)


class Number(NamedTuple):
    """A picture with a number in its middle, and where each of its digits stands: left and right, in pixels."""

    picture: Image.Image
    digits: list[tuple[float, float]]

    def seen(self, first: int, last: int) -> Quad:
        """The box in which a reader finds these digits: as wide as its detector makes it, a fifth of a height more."""
        left, right = self.digits[first][0] - DIGITS / 5, self.digits[last][1] + DIGITS / 5
        top, bottom = CENTRE[1] - 0.68 * DIGITS, CENTRE[1] + 0.68 * DIGITS
        return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float64)

    def between(self, digit: int, share: float) -> float:
        """The column that leaves this share of a digit to its left."""
        left, right = self.digits[digit]
        return left + share * (right - left)


Colour = tuple[int, int, int]


def number(
    printed: str = "3761",
    *,
    paper: Colour | None = WHITE,
    ink: Colour = BLACK,
    shirt: Colour = NAVY,
    margin: float = 0.6,
) -> Number:
    """A runner's chest with a bib, whose margin beside the number is so many heights of a digit; None is no bib."""
    picture = Image.new("RGB", SIZE, LAWN)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((70, 0, SIZE[0] - 70, SIZE[1]), fill=shirt)
    font = ImageFont.load_default(round(DIGITS / 0.73))
    boxes = [font.getbbox(digit, anchor="ls") for digit in printed]
    gap = DIGITS / 7
    length = sum(box[2] - box[0] for box in boxes) + gap * (len(printed) - 1)
    if paper is not None:
        beside, above = length / 2 + margin * DIGITS, 1.2 * DIGITS
        draw.rectangle((CENTRE[0] - beside, CENTRE[1] - above, CENTRE[0] + beside, CENTRE[1] + above), fill=paper)
    left, digits = CENTRE[0] - length / 2, []
    for digit, box in zip(printed, boxes, strict=True):
        draw.text((left - box[0], CENTRE[1] + DIGITS / 2), digit, font=font, fill=ink, anchor="ls")
        digits.append((left, left + box[2] - box[0]))
        left += box[2] - box[0] + gap
    return Number(picture, digits)


def covered(drawn: Number, at: float, colour: Colour, *, lean: float = 0.0, start: bool = False) -> Pixels:
    """The picture with an arm or a body in front of it, from this column on or up to it; its edge leans by so much."""
    far = -10 if start else SIZE[0] + 10
    edge = [(at - lean * CENTRE[1], 0), (at + lean * CENTRE[1], SIZE[1])]
    picture = drawn.picture.copy()
    ImageDraw.Draw(picture).polygon([*edge, (far, SIZE[1]), (far, 0)], fill=colour)
    return pixels(picture)


def pixels(picture: Image.Image) -> Pixels:
    """As a camera sees it: soft, and with some noise."""
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)), dtype=np.float64)
    noise = np.random.default_rng(14).normal(0, 3, soft.shape)
    return np.clip(soft + noise, 0, 255).astype(np.uint8)


def turned(seen: Pixels, quad: Quad, degrees: float) -> tuple[Pixels, Quad]:
    """The picture and the box, turned about the picture's middle."""
    turn = cv2.getRotationMatrix2D(CENTRE, degrees, 1.0)
    picture = cv2.warpAffine(seen, turn, SIZE, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(picture, dtype=np.uint8), quad @ turn[:, :2].T + turn[:, 2]


BIBS: dict[str, dict[str, Any]] = {
    "white bib": {},
    "white bib on a white shirt": {"shirt": WHITE},
    "dark bib with light digits": {"paper": NAVY, "ink": WHITE, "shirt": RED},
    "red digits on yellow": {"paper": YELLOW, "ink": RED, "shirt": GREEN},
    "bib that is hardly wider than its number": {"margin": 0.15},
    "bib much wider than its number": {"margin": 1.5},
    "number printed on the shirt": {"paper": None, "ink": WHITE},
}
each_bib = pytest.mark.parametrize("kind", BIBS)


@each_bib
@pytest.mark.parametrize("printed", ["3761", "8305", "2017", "411", "64"])
def test_a_whole_number_is_not_cut(kind: str, printed: str) -> None:
    drawn = number(printed, **BIBS[kind])
    assert cut_ends(pixels(drawn.picture), drawn.seen(0, len(printed) - 1), printed) == ()


@each_bib
@pytest.mark.parametrize("lean", [0.0, 0.1])
def test_an_arm_leaves_a_piece_of_the_next_digit(kind: str, lean: float) -> None:
    drawn = number("3764", **BIBS[kind])
    seen = covered(drawn, drawn.between(3, 0.6), SKIN, lean=lean)
    assert cut_ends(seen, drawn.seen(0, 2), "376") == ("END",)
    drawn = number("2301", **BIBS[kind])
    seen = covered(drawn, drawn.between(0, 0.4), SKIN, start=True)
    assert cut_ends(seen, drawn.seen(1, 3), "301") == ("START",)


@each_bib
@pytest.mark.parametrize("colour", [(60, 160, 190), BLACK])
def test_another_runner_leaves_a_piece_of_the_next_digit(kind: str, colour: Colour) -> None:
    drawn = number("3764", **BIBS[kind])
    assert cut_ends(covered(drawn, drawn.between(3, 0.6), colour), drawn.seen(0, 2), "376") == ("END",)


def test_another_runner_in_the_same_shirt() -> None:
    drawn = number("3764", shirt=NAVY)
    assert cut_ends(covered(drawn, drawn.between(3, 0.6), NAVY), drawn.seen(0, 2), "376") == ("END",)


def test_a_digit_that_is_read_although_half_of_it_is_hidden() -> None:
    drawn = number("3768")
    seen = covered(drawn, drawn.between(3, 0.6), SKIN)
    box = drawn.seen(0, 3)
    box[[1, 2], 0] = drawn.between(3, 0.6) + DIGITS / 5
    assert cut_ends(seen, box, "3763") == ("END",)


def test_paper_that_ends_at_once_at_one_end_and_goes_on_at_the_other() -> None:
    drawn = number("3761", margin=0.9)
    last = drawn.digits[2][1]
    assert cut_ends(covered(drawn, last + 0.5, GREEN), drawn.seen(0, 2), "376") == ("END",)
    drawn = number("376", margin=0.9)
    assert cut_ends(covered(drawn, drawn.digits[2][1] + DIGITS / 3, GREEN), drawn.seen(0, 2), "376") == (), "a margin"


def test_the_edge_of_the_picture() -> None:
    drawn = number()
    seen = pixels(drawn.picture)
    right, left = int(drawn.between(3, 0.5)), int(drawn.between(0, 0.5))
    assert cut_ends(seen[:, :right], drawn.seen(0, 3), "376") == ("END",)
    assert cut_ends(seen[:, left:], drawn.seen(1, 3) - (left, 0) - (DIGITS / 3, 0), "761") == ("START",)
    assert cut_ends(seen[:, left:right], drawn.seen(0, 3) - (left, 0), "76") == ("START", "END")
    downwards = np.ascontiguousarray(np.rot90(seen[:, :right], -1))
    quad = np.array([[downwards.shape[1] - y, x] for x, y in drawn.seen(0, 3)])
    assert cut_ends(downwards, quad, "376") == ("END",), "it ends at the lower edge"
    above = drawn.seen(0, 3) - (0, CENTRE[1] - 0.7 * DIGITS)
    assert cut_ends(seen[int(CENTRE[1] - 0.7 * DIGITS) :], above, "3761") == (), "it runs along the upper edge"


def test_a_fold_in_the_paper_and_one_that_hides_a_digit() -> None:
    drawn = number("3764", margin=0.5)
    fold = int(drawn.between(2, 1.1))
    shaded = np.asarray(drawn.picture).copy()
    shaded[:, fold:] = (shaded[:, fold:] * 0.8).astype(np.uint8)
    assert cut_ends(pixels(Image.fromarray(shaded)), drawn.seen(0, 3), "3764") == ()
    fold = int(drawn.between(3, 0.6))
    hidden = np.asarray(drawn.picture).copy()
    hidden[:, fold:] = (np.array(NAVY) * 0.6).astype(np.uint8)
    assert cut_ends(pixels(Image.fromarray(hidden)), drawn.seen(0, 2), "376") == ("END",)


@pytest.mark.parametrize("degrees", [-24, 11, 40])
def test_a_number_that_stands_aslant(degrees: float) -> None:
    drawn = number("3764")
    assert cut_ends(*turned(pixels(drawn.picture), drawn.seen(0, 3), degrees), "3764") == ()
    seen = covered(drawn, drawn.between(3, 0.6), SKIN)
    assert cut_ends(*turned(seen, drawn.seen(0, 2), degrees), "376") == ("END",)


def test_a_large_number_is_seen_like_a_small_one() -> None:
    for scale in (0.5, 4.0):
        for at, last, expected in ((None, 3, ()), (0.6, 2, ("END",))):
            drawn = number("3764")
            seen = pixels(drawn.picture) if at is None else covered(drawn, drawn.between(3, at), SKIN)
            scaled = cv2.resize(seen, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            assert cut_ends(np.asarray(scaled), drawn.seen(0, last) * scale, "3764"[: last + 1]) == expected


def test_a_large_number_on_coarse_cloth() -> None:
    drawn = number("3764")
    for seen, last, expected in (
        (pixels(drawn.picture), 3, ()),
        (covered(drawn, drawn.between(3, 0.6), SKIN), 2, ("END",)),
    ):
        scaled = np.asarray(cv2.resize(seen, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC), dtype=np.float64)
        weave = np.random.default_rng(3).normal(0, 90, scaled.shape[:2])[..., None]
        cloth = np.clip(scaled + weave, 0, 255).astype(np.uint8)
        assert cut_ends(cloth, drawn.seen(0, last) * 6, "3764"[: last + 1]) == expected


def test_a_line_of_a_banner_is_not_cut_where_it_goes_on() -> None:
    board = np.asarray(words(("CITY RUN 2026 FINISH", 40, (20, 60)), size=(560, 160)))
    left = 20 + ImageFont.load_default(40).getlength("CITY RUN ")
    width = ImageFont.load_default(40).getlength("2026")
    box = np.array([[left - 5, 65], [left + width + 5, 65], [left + width + 5, 108], [left - 5, 108]], dtype=np.float64)
    assert cut_ends(board, box, "2026") == ()


@pytest.mark.parametrize("colours", [0, 1])
def test_nothing_is_said_of_what_cannot_be_judged(colours: int) -> None:
    blank = np.full((80, 120, 3), 200, dtype=np.uint8)
    blank[:, 60:] += np.uint8(colours)
    box = np.array([[40, 30], [80, 30], [80, 50], [40, 50]], dtype=np.float64)
    assert cut_ends(blank, box, "12") == ()
    assert cut_ends(blank, box[[0, 0, 0, 0]], "12") == (), "a box without a size"
    assert cut_ends(blank, (box - 60) / 10 + 60, "12") == (), "one of four pixels"


# --- as DetectText answers it ---------------------------------------------------------------------------


def word(text: str, confidence: float, left: float, **said: Any) -> Word:
    box = ((left, 0.4), (left + 0.1, 0.4), (left + 0.1, 0.5), (left, 0.5))
    a, b, c, d = (Point(x, y) for x, y in box)
    return Word(text=text, confidence=confidence, corners=(a, b, c, d), **said)


def line(*seen: Word) -> Line:
    return Line(words=list(seen), corners=seen[0].corners)


def test_what_is_said_beyond_rekognition_is_by_the_id_of_each_word() -> None:
    lines = [
        line(word("faint", 20, 0.1, cut=("END",))),
        line(word("CITY", 99, 0.1), word("376", 79, 0.3, cut=("END",), torso=True)),
        line(word("2167", 99, 0.6, torso=True), word("61", 60, 0.8, cut=("START", "END"))),
    ]
    filters = {"WordFilter": {"MinConfidence": 50}}
    texts = {found["Id"]: found["DetectedText"] for found in detections.of_lines(lines, filters)}
    said = detections.beyond(lines, filters)["Words"]
    assert {texts[int(number)]: marks for number, marks in said.items()} == {
        "376": {"Cut": ["END"], "Torso": True},
        "2167": {"Torso": True},
        "61": {"Cut": ["START", "END"]},
    }
    assert detections.beyond(lines, {}) == {"Words": {"3": {"Torso": True}}}, "the same filters for both"
    region = {"BoundingBox": {"Left": 0.75, "Top": 0.0, "Width": 0.25, "Height": 1.0}}
    assert detections.beyond(lines, {**filters, "RegionsOfInterest": [region]}) == {
        "Words": {"1": {"Cut": ["START", "END"]}}
    }
    many = [line(*(word("1", 99, 0.1, torso=True) for _ in range(150)))]
    assert len(detections.beyond(many, {})["Words"]) == detections.MAX_WORDS


def test_of_more_words_than_are_answered_the_surest_are_in_the_order_of_reading() -> None:
    faint = line(*(word("1", 20, 0.1) for _ in range(60)))
    sure = line(*(word(str(number), 90, 0.1) for number in range(90)))
    found = detections.of_lines([faint, sure], {"WordFilter": {"MinConfidence": 10}})
    texts = [each["DetectedText"] for each in found if each["Type"] == "WORD"]
    assert texts == ["1"] * 10 + [str(number) for number in range(90)]


def test_what_else_a_number_may_be_and_how_large_it_is_are_said_where_they_are_known() -> None:
    instead = (Alternative("2475", 31.25), Alternative("0475", 12.5))
    lines = [line(word("9475", 60, 0.1, torso=True, size=0.41267, alternatives=instead), word("RUN", 99, 0.5))]
    assert detections.beyond(lines, {}) == {"Words": {}}, "a word that is not answered"
    assert detections.beyond(lines, {"WordFilter": {"MinConfidence": 50}})["Words"] == {
        "1": {
            "Torso": True,
            "Size": 0.413,
            "Alternatives": [{"Text": "2475", "Confidence": 31.25}, {"Text": "0475", "Confidence": 12.5}],
        }
    }


def test_the_field_has_one_name() -> None:
    assert protocol.EXTENSION == EXTENSION


@pytest.fixture(scope="module")
def race_photo() -> bytes:
    """A whole bib, and one that another runner covers from within its fourth digit on."""
    photo = nobody(900, 600)
    photo.paste(bib("20417", 200), (90, 90))
    drawn = number("3764", margin=0.6)
    photo.paste(Image.fromarray(covered(drawn, drawn.between(3, 0.4), RED)), (330, 220))
    return jpeg(photo)


def detected(server: Server, photo: bytes, **filters: float) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The words of a photo by their text, and what is said beyond Rekognition by the words' texts."""
    client = server.client()
    keep_extension(client)
    answer = client.detect_text(Image={"Bytes": photo}, Filters={"WordFilter": filters} if filters else {})
    found = {each["DetectedText"]: each for each in answer["TextDetections"] if each["Type"] == "WORD"}
    texts = {str(each["Id"]): text for text, each in found.items()}
    return found, {texts[number]: marks for number, marks in extension_of(answer)["Words"].items()}


def test_a_cut_number_is_a_word_for_those_who_ask_for_less(server: Server, race_photo: bytes) -> None:
    found, said = detected(server, race_photo, MinConfidence=50)
    assert set(found) == {"20417", "376"}
    assert 50 <= found["376"]["Confidence"] <= 79
    assert found["20417"]["Confidence"] > 90
    assert said["376"]["Cut"] == ["END"]
    assert "Cut" not in said.get("20417", {})


def test_a_default_answer_has_no_cut_number(server: Server, race_photo: bytes) -> None:
    found, said = detected(server, race_photo)
    assert set(found) == {"20417"}
    assert not any("Cut" in marks for marks in said.values())


def test_a_number_at_the_edge_of_the_picture_goes_on_beyond_it(server: Server) -> None:
    photo = nobody(900, 600)
    photo.paste(bib("20417", 200), (120, 250))
    photo.paste(bib("20417", 200), (780, 250))  # of which "20" or "204" is left
    found, said = detected(server, jpeg(photo), MinConfidence=20)
    assert "Cut" not in said.get("20417", {})
    (part,) = set(found) - {"20417"}
    assert found[part]["Confidence"] <= 79
    assert said[part]["Cut"] == ["END"]
