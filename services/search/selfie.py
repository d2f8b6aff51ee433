"""What a search by selfie sends, checked before anybody looks at the picture. Pure; the picture is never kept."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.search import finding
from services.search.finding import Query
from shared.contracts.errors import RequestRefused
from shared.contracts.keys import RaceRef

# Lambda takes 6 MB of request, in which base64 makes three bytes four characters.
MAX_IMAGE_BYTES = 4_000_000
MAX_BODY = 5_700_000

DEFAULT_THRESHOLD = 80.0

# With others in the picture, whose face is meant is clear only if it is so many times larger than the next.
DOMINANCE = 3.0

NO_FACE = "There is no face to be seen. Send a picture with your face large, from the front and well lit."
NOT_AN_IMAGE = "This is not a picture we can read. Send a whole JPEG or PNG file."
SEVERAL_FACES = (
    "There are several faces, so whose photos you want is unclear. Send a picture of one person, or crop it."
)
TOO_LARGE = "The picture is too large. Make it smaller: 1,280 pixels a side are plenty for a selfie."

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


class SelfieRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A face to look for in a race. `threshold` is the least similarity in percent."""

    ref: RaceRef
    image: bytes
    query: Query
    threshold: float


def parse(body: Mapping[str, Any]) -> SelfieRequest:
    """Read the request's JSON. Raises RequestRefused."""
    return SelfieRequest(
        ref=finding.parse_race(_text(body, "organizer_id"), _text(body, "event_id")),
        query=finding.parse_query(body, ranked=True),
        threshold=_threshold(body.get("threshold", DEFAULT_THRESHOLD)),
        image=_image(_text(body, "image_b64")),
    )


def check_one_person(areas: Sequence[float]) -> None:
    """Given the faces' sizes, the largest first: raises RequestRefused unless it is clear whose face is meant."""
    if not areas:
        raise RequestRefused("no_face", NO_FACE, 422)
    if len(areas) > 1 and areas[0] < DOMINANCE * areas[1]:
        raise RequestRefused("several_faces", SEVERAL_FACES, 422)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None or value == "":
        raise RequestRefused("missing_field", f"Send '{name}' in the request's JSON.")
    if not isinstance(value, str):
        raise RequestRefused("bad_field", f"Send '{name}' as text.")
    return value


def _threshold(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise RequestRefused("bad_field", "Send 'threshold' as a percentage from 0 to 100.")
    return float(value)


def _image(text: str) -> bytes:
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        image = base64.b64decode(text, validate=True)
    except ValueError:
        raise RequestRefused("not_an_image", "Send 'image_b64' as base64 of a JPEG or PNG file.", 415) from None
    if len(image) > MAX_IMAGE_BYTES:
        raise RequestRefused("too_large", TOO_LARGE, 413)
    if not image.startswith(_SIGNATURES):
        raise RequestRefused("not_an_image", NOT_AN_IMAGE, 415)
    return image
