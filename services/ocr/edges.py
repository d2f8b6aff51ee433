"""Where the ocr stage touches AWS: Rekognition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from services.ocr.domain.photos import Look
from services.ocr.records import Alternative, Word
from shared.contracts import boxes
from shared.contracts.errors import PictureRefused
from shared.contracts.events import ImageRef
from shared.kit.detection import Pictures
from shared.kit.extension import extension_of

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient


FILTERS = {"WordFilter": {"MinConfidence": 10.0}}
"""Below the race's own bar a word is only evidence, and faint ones only with what our vision server says beyond
Rekognition. Without a filter Rekognition leaves out words below 80 percent.

Source: Amazon Rekognition API reference, DetectionFilter, MinConfidence.
"""


class TextDetector:
    """Rekognition DetectText."""

    def __init__(self, client: RekognitionClient, pictures: Pictures) -> None:
        self._client = client
        self._pictures = pictures

    def look(self, image: ImageRef) -> Look:
        """What stands in a picture, or why that cannot be read. Raises PictureGone."""
        try:
            return Look(words=self._words(image))
        except PictureRefused as refused:
            return Look(unreadable=str(refused))

    def _words(self, image: ImageRef) -> tuple[Word, ...]:
        """The words in a picture; lines are only groups of them."""
        return words_of(self._pictures.asked(self._client.detect_text, image, Filters=FILTERS))


def words_of(response: Mapping[str, Any]) -> tuple[Word, ...]:
    """The words of DetectText's answer."""
    more = extension_of(response).get("Words", {})
    return tuple(
        _word(found, more.get(str(found.get("Id")), {}))
        for found in response["TextDetections"]
        if found.get("Type") == "WORD"
    )


def _word(found: Mapping[str, Any], more: Mapping[str, Any]) -> Word:
    """A word of Rekognition's answer, with what our vision server says `more` of it."""
    return Word(
        text=found["DetectedText"],
        confidence=round(found["Confidence"], 2),
        box=boxes.from_rekognition(found["Geometry"]["BoundingBox"]),
        cut=tuple(more.get("Cut", ())),
        torso=bool(more.get("Torso", False)),
        size=more.get("Size"),
        alternatives=tuple(
            Alternative(text=each["Text"], confidence=round(each["Confidence"], 2))
            for each in more.get("Alternatives", ())
        ),
    )
