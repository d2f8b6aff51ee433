"""What the vision server says beyond Rekognition is what the ocr stage takes, and Rekognition's answer is enough."""

from __future__ import annotations

from services.ocr.edges import FILTERS, words_of
from services.ocr.records import Alternative as Known
from shared.kit.extension import EXTENSION
from vision.engine.messages import Alternative, Line, Point, Word
from vision.front import detections

CORNERS = (Point(0.1, 0.4), Point(0.3, 0.4), Point(0.3, 0.5), Point(0.1, 0.5))
NUMBER = Word(
    text="9475",
    confidence=60.0,
    corners=CORNERS,
    cut=("END",),
    torso=True,
    size=0.41267,
    alternatives=(Alternative("2475", 31.256), Alternative("0475", 12.5)),
)
LINE = Line(words=[NUMBER, Word(text="RUN", confidence=99.0, corners=CORNERS)], corners=CORNERS)
ANSWER = {"TextDetections": detections.of_lines([LINE], FILTERS)}


def test_all_that_the_vision_server_says_of_a_word_reaches_the_stage() -> None:
    number, other = words_of({**ANSWER, EXTENSION: detections.beyond([LINE], FILTERS)})
    assert (number.text, number.cut, number.torso, number.size) == ("9475", ("END",), True, 0.413)
    assert number.alternatives == (Known(text="2475", confidence=31.26), Known(text="0475", confidence=12.5))
    assert (other.text, other.cut, other.torso, other.size, other.alternatives) == ("RUN", (), False, None, ())


def test_rekognitions_answer_has_the_words_and_nothing_more_of_them() -> None:
    number, _ = words_of(ANSWER)
    assert (number.text, number.confidence) == ("9475", 60.0)
    assert (number.cut, number.torso, number.size, number.alternatives) == ((), False, None, ())
