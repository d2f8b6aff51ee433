"""DetectText."""

from __future__ import annotations

from vision.front import detections
from vision.front.backend import Backend
from vision.front.protocol import EXTENSION, Json

TEXT_MODEL_VERSION = "3.0"


async def detect_text(backend: Backend, request: Json) -> Json:
    """The lines and words in a picture."""
    lines = await backend.lines(await backend.picture(request["Image"]))
    filters = request.get("Filters", {})
    return {
        "TextDetections": detections.of_lines(lines, filters),
        "TextModelVersion": TEXT_MODEL_VERSION,
        EXTENSION: detections.beyond(lines, filters),
    }
