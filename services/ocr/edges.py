"""Where the ocr stage touches AWS: Rekognition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.ocr.domain.photos import Look
from services.ocr.records import Word
from shared.contracts import boxes
from shared.contracts.errors import PictureRefused
from shared.contracts.events import ImageRef
from shared.kit.detection import Pictures

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient


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
        response = self._pictures.asked(self._client.detect_text, image)
        return tuple(
            Word(
                text=found["DetectedText"],
                confidence=round(found["Confidence"], 2),
                box=boxes.from_rekognition(found["Geometry"]["BoundingBox"]),
            )
            for found in response["TextDetections"]
            if found.get("Type") == "WORD"
        )
