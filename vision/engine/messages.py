"""What the front asks of a worker process, and what the worker answers.

Lengths are fractions of the picture's width or height, after its EXIF orientation was applied.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Literal

import msgspec

from vision.engine.hardware import Hardware

QualityBar = Literal["NONE", "AUTO", "LOW", "MEDIUM", "HIGH"]
End = Literal["START", "END"]
"""An end of a word, as its text runs."""
Reason = Literal[
    "EXTREME_POSE", "LOW_BRIGHTNESS", "LOW_SHARPNESS", "LOW_CONFIDENCE", "SMALL_BOUNDING_BOX", "LOW_FACE_QUALITY"
]

VECTOR_LENGTH = 128
EMBEDDING = 2
"""Which network the vectors are of: 2 is SFace, 1 was dlib's. Those of different ones cannot be compared."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Whatever passes between front and worker."""


class Point(msgspec.Struct, frozen=True, array_like=True):
    """A place in the picture."""

    x: float
    y: float


class Box(msgspec.Struct, frozen=True, array_like=True):
    """An upright rectangle in the picture."""

    left: float
    top: float
    width: float
    height: float

    def overlap(self, other: Box) -> float:
        """Intersection over union: 1 for the same box, 0 for boxes apart."""
        width = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        height = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        both = width * height
        return both / (self.width * self.height + other.width * other.height - both)


class Alternative(msgspec.Struct, frozen=True, array_like=True):
    """What some readings of a number say instead, and how sure that is, in percent."""

    text: str
    confidence: float


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """Characters without a space between them. `confidence` in percent, `corners` clockwise from the text's start.

    `cut` are the ends beyond which a number goes on, hidden by whatever is there; `torso` is whether its middle lies
    where somebody wears a bib; `size`, where it stands on a body, its height in heights of the face above.
    `alternatives` are what a number may be instead, the surest first.
    """

    text: str
    confidence: float
    corners: tuple[Point, Point, Point, Point]
    cut: tuple[End, ...] = ()
    torso: bool = False
    size: float | None = None
    alternatives: tuple[Alternative, ...] = ()


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Words that stand in a row, and the corners of all of them."""

    words: list[Word]
    corners: tuple[Point, Point, Point, Point]


class Face(msgspec.Struct, frozen=True, kw_only=True):
    """A face in a picture.

    `landmarks` by Rekognition's names; `roll`, `yaw` and `pitch` in degrees, estimated; `brightness`, `sharpness` and
    `confidence` from 0 to 100. `sunglasses` and `occluded`: how likely it wears some, and how likely these or
    something else cover eyes or mouth, in percent; None where that cannot be judged. `clothes` are shares of colours
    below it (vision.engine.clothes). `reasons` are why it is below the quality bar asked for. `vector`, where it was
    asked for, is its embedding: 128 little-endian float32 of length 1.
    """

    box: Box
    landmarks: dict[str, Point]
    roll: float
    yaw: float
    pitch: float
    brightness: float
    sharpness: float
    confidence: float
    sunglasses: float | None = None
    occluded: float | None = None
    clothes: tuple[float, ...] | None = None
    reasons: list[Reason] = []
    vector: bytes | None = None


class Ready(Message, frozen=True, kw_only=True):
    """The worker has loaded its models. `embedder` is what the network for faces runs on."""

    embedder: Hardware


class ReadText(Message, frozen=True, kw_only=True):
    """Read the text in a picture file."""

    picture: bytes


class FindFaces(Message, frozen=True, kw_only=True):
    """Find the faces in a picture file; embed the largest `embed` of those that pass `quality`."""

    picture: bytes
    quality: QualityBar = "NONE"
    embed: int = 0


class Text(Message, frozen=True, kw_only=True):
    """All lines in the picture, in reading order."""

    lines: list[Line]


class Faces(Message, frozen=True, kw_only=True):
    """All faces in the picture, the largest first."""

    faces: list[Face]


class Failed(Message, frozen=True, kw_only=True):
    """The request cannot be fulfilled: an error code and text for the client."""

    code: str
    message: str


Job = ReadText | FindFaces
Reply = Ready | Text | Faces | Failed

_LENGTH = struct.Struct(">I")
HEADER_BYTES = _LENGTH.size
_job_decoder = msgspec.msgpack.Decoder(Job)
_reply_decoder = msgspec.msgpack.Decoder(Reply)


def frame(message: Message) -> bytes:
    """The message with its length before it, as it goes through the pipe."""
    content = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(content)) + content


def length_in(header: bytes) -> int:
    """The number of bytes that follow `header`."""
    (length,) = _LENGTH.unpack(header)
    return int(length)


def reply_in(content: bytes) -> Reply:
    """The worker's message."""
    reply: Reply = _reply_decoder.decode(content)
    return reply


def next_job(pipe: BinaryIO) -> Job | None:
    """The front's next message, or None when the front is gone. Blocks."""
    header = pipe.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    length = length_in(header)
    content = pipe.read(length)
    return _job_decoder.decode(content) if len(content) == length else None
