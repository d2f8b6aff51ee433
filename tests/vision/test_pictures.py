"""What may be sent as a picture, and how everything else is refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests.vision.conftest import Objects
from tests.vision.drawing import heads, jpeg, nobody, png, words
from tests.vision.running import Server


def scene() -> Image.Image:
    """One head in the left half of a wide picture."""
    picture = nobody(560, 300)
    picture.paste(heads(3, unit=70), (0, 10))
    return picture


def turned(orientation: int, back: Image.Transpose) -> bytes:
    """The scene, stored turned, with the EXIF orientation that sets it upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return jpeg(scene().transpose(back), exif=exif)


def several() -> bytes:
    """What some phones save: a JPEG that further pictures follow, here stored turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    content = io.BytesIO()
    scene().transpose(Image.Transpose.ROTATE_90).save(
        content, "MPO", save_all=True, append_images=[nobody(560, 300)], exif=exif
    )
    return content.getvalue()


def in_several_scans() -> bytes:
    """A progressive JPEG in full colour resolution that would take 160 MB and more to decode."""
    return jpeg(nobody(5300, 5100), subsampling=0, progressive=True)


def sixteen_bits() -> bytes:
    return png(Image.fromarray(np.asarray(scene().convert("L")).astype(np.uint16) * 257))


def see_through() -> bytes:
    picture = scene().convert("RGBA")
    picture.paste((0, 0, 0, 0), (300, 0, 560, 300))
    return png(picture)


def bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG whose header promises 900 million pixels, and whose data are a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def broken_exif() -> bytes:
    exif = b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xf0garbage"
    return jpeg(scene(), exif=exif)


GOOD: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: jpeg(scene()),
    "progressive JPEG": lambda: jpeg(scene(), progressive=True),
    "CMYK JPEG": lambda: jpeg(scene().convert("CMYK")),
    "grey JPEG": lambda: jpeg(scene().convert("L")),
    "JPEG with broken EXIF": broken_exif,
    "JPEG turned left": lambda: turned(6, Image.Transpose.ROTATE_90),
    "JPEG turned right": lambda: turned(8, Image.Transpose.ROTATE_270),
    "JPEG upside down": lambda: turned(3, Image.Transpose.ROTATE_180),
    "several in one JPEG": several,
    "JPEG mirrored": lambda: turned(2, Image.Transpose.FLIP_LEFT_RIGHT),
    "palette PNG": lambda: png(scene().quantize(128)),
    "16-bit PNG": sixteen_bits,
    "see-through PNG": see_through,
    "animated PNG": lambda: png(scene(), save_all=True, append_images=[nobody(560, 300)]),
}

BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "text": (lambda: b"this is no picture", "InvalidImageFormatException"),
    "truncated JPEG": (lambda: jpeg(scene())[:4000], "InvalidImageFormatException"),
    "JPEG header only": (lambda: jpeg(scene())[:20], "InvalidImageFormatException"),
    "truncated PNG": (lambda: png(scene())[:4000], "InvalidImageFormatException"),
    "PNG of too little data": (lambda: bomb(400, 400), "InvalidImageFormatException"),
    "GIF": (lambda: _as(scene(), "GIF"), "InvalidImageFormatException"),
    "WebP": (lambda: _as(scene(), "WEBP"), "InvalidImageFormatException"),
    "TIFF": (lambda: _as(scene(), "TIFF"), "InvalidImageFormatException"),
    "decompression bomb": (bomb, "ImageTooLargeException"),
    "large progressive JPEG": (in_several_scans, "ImageTooLargeException"),
    "large PNG": (lambda: bomb(5700, 5700), "ImageTooLargeException"),
    "more than 5 MB": (lambda: jpeg(scene()) + bytes(5 * 1024 * 1024), "ImageTooLargeException"),
    "79 pixels high": (lambda: jpeg(nobody(200, 79)), "InvalidParameterException"),
}


def _as(picture: Image.Image, kind: str) -> bytes:
    content = io.BytesIO()
    picture.save(content, kind)
    return content.getvalue()


@pytest.mark.parametrize("name", GOOD)
def test_a_picture_is_seen_upright_whatever_its_kind(rekognition: Any, name: str) -> None:
    (face,) = rekognition.detect_faces(Image={"Bytes": GOOD[name]()})["FaceDetails"]
    box = face["BoundingBox"]
    assert abs(box["Left"] + box["Width"] / 2 - 140 / 560) < 0.04
    assert abs(box["Top"] + box["Height"] / 2 - 150 / 300) < 0.12


@pytest.mark.parametrize("name", BAD)
def test_any_other_content_has_a_typed_answer(rekognition: Any, server: Server, name: str) -> None:
    content, code = BAD[name]
    before = server.workers()
    with pytest.raises(ClientError) as refused:
        rekognition.detect_text(Image={"Bytes": content()})
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert server.workers() == before


@pytest.mark.parametrize(
    "content",
    [
        lambda: jpeg(nobody(5300, 5100), subsampling=0),
        lambda: jpeg(nobody(5000, 5100), subsampling=0, progressive=True),
        lambda: jpeg(nobody(7000, 7100), subsampling=2, progressive=True),
    ],
    ids=["baseline", "progressive", "progressive of half the colour resolution"],
)
def test_a_large_picture_that_costs_little_to_decode_is_seen(rekognition: Any, content: Callable[[], bytes]) -> None:
    assert rekognition.detect_faces(Image={"Bytes": content()})["FaceDetails"] == []


@pytest.mark.parametrize("size", [(2048, 80), (80, 2048), (2500, 90), (2049, 80), (60_000, 80), (80, 60_000)])
def test_a_strip_is_no_error(rekognition: Any, size: tuple[int, int]) -> None:
    image = {"Bytes": jpeg(nobody(*size))}
    assert rekognition.detect_faces(Image=image)["FaceDetails"] == []
    assert rekognition.detect_text(Image=image)["TextDetections"] == []


def test_words_are_read_in_the_longest_strip_that_is_looked_at(rekognition: Any) -> None:
    strip = words(("1042", 50, (900, 10)), size=(2048, 80))
    read = rekognition.detect_text(Image={"Bytes": jpeg(strip)})["TextDetections"]
    assert {each["DetectedText"] for each in read} == {"1042"}


def test_a_picture_in_s3_is_fetched_signed_by_path(rekognition: Any, objects: Objects) -> None:
    objects.content["/photos/org/evt/raw%20photos/%EB%8B%AC%EB%A6%AC%EA%B8%B0%2B1.jpg"] = jpeg(scene())
    image = {"S3Object": {"Bucket": "photos", "Name": "org/evt/raw photos/달리기+1.jpg", "Version": "v7"}}
    assert len(rekognition.detect_faces(Image=image)["FaceDetails"]) == 1
    path, headers = objects.seen[-1]
    assert path.endswith("?versionId=v7")
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")


def test_an_object_that_is_not_there_is_named(rekognition: Any) -> None:
    with pytest.raises(rekognition.exceptions.InvalidS3ObjectException, match=r"s3://photos/none\.jpg"):
        rekognition.detect_text(Image={"S3Object": {"Bucket": "photos", "Name": "none.jpg"}})


def test_an_object_of_more_than_15_mb_is_refused_and_a_smaller_one_not(rekognition: Any, objects: Objects) -> None:
    picture = jpeg(scene())
    objects.content["/photos/large.jpg"] = picture + bytes(15 * 1024 * 1024 - len(picture))
    objects.content["/photos/too-large.jpg"] = picture + bytes(15 * 1024 * 1024 + 1)
    assert rekognition.detect_faces(Image={"S3Object": {"Bucket": "photos", "Name": "large.jpg"}})["FaceDetails"]
    with pytest.raises(rekognition.exceptions.ImageTooLargeException):
        rekognition.detect_faces(Image={"S3Object": {"Bucket": "photos", "Name": "too-large.jpg"}})
