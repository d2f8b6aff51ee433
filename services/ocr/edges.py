"""Where the ocr stage touches AWS: Rekognition, and the roster's claim check."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from services.ocr.domain.photos import Look
from services.ocr.records import Word
from shared.contracts import boxes
from shared.contracts.errors import PictureRefused, TemporaryFailure
from shared.contracts.events import ImageRef, ObjectRef
from shared.contracts.roster.runners import bibs_of_roster, digest
from shared.kit.detection import Pictures

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_s3 import S3Client


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


class Rosters:
    """Rosters by claim check; the last few stay in memory, since every photo of a race asks for the same."""

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self.bibs = functools.lru_cache(maxsize=4)(self._fetch)
        """The canonical bibs of a roster."""

    def _fetch(self, roster: ObjectRef) -> frozenset[str]:
        body = self._client.get_object(Bucket=roster.bucket, Key=roster.key)["Body"].read()
        if digest(body) != roster.sha256:
            raise TemporaryFailure(f"The roster at {roster.key} is not the one that was announced.")
        return bibs_of_roster(body)
