"""Picture files for tests, good and bad, each made as small as shows the point."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

from PIL import Image, ImageDraw


def scene(seed: int = 0, size: tuple[int, int] = (640, 480), mode: str = "RGB") -> Image.Image:
    """A picture with shapes in it, another for each seed."""
    dice = random.Random(seed)
    image = Image.new("RGB", size, (dice.randrange(256), dice.randrange(256), 120))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = dice.randrange(size[0]), dice.randrange(size[1])
        colour = tuple(dice.randrange(256) for _ in range(3))
        draw.ellipse((x, y, x + size[0] // 5, y + size[1] // 5), fill=colour)
    return image if mode == "RGB" else image.convert(mode)


def encoded(image: Image.Image, picture_format: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, picture_format, **options)
    return buffer.getvalue()


def jpeg(seed: int = 0, size: tuple[int, int] = (640, 480), **options: Any) -> bytes:
    return encoded(scene(seed, size), "JPEG", **options)


def png_header(width: int, height: int, colour: int = 2, depth: int = 8) -> bytes:
    """A PNG that says it is so large, with next to nothing in it."""
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def png_bomb(width: int, height: int, colour: int = 2) -> bytes:
    """A PNG of one colour, complete and valid: kilobytes that unpack to gigabytes."""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    row = b"\x00" + bytes(width * channels)
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return png_header(width, height, colour) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def exif(**tags: Any) -> Image.Exif:
    """EXIF of: orientation, make, model, original, digitized, changed, offset, changed_offset, subsecond, gps."""
    block = Image.Exif()
    for number, name in ((0x0112, "orientation"), (0x010F, "make"), (0x0110, "model"), (0x0132, "changed")):
        if name in tags:
            block[number] = tags[name]
    details = {
        0x9003: tags.get("original"),
        0x9004: tags.get("digitized"),
        0x9010: tags.get("changed_offset"),
        0x9011: tags.get("offset"),
        0x9291: tags.get("subsecond"),
    }
    for number, value in details.items():
        if value is not None:
            block.get_ifd(0x8769)[number] = value
    if tags.get("gps"):
        block.get_ifd(0x8825)[1] = "N"
        block.get_ifd(0x8825)[2] = (37.0, 33.0, 58.0)
    return block


def without_end(jpeg: bytes) -> bytes:
    """A JPEG without its end marker."""
    assert jpeg.endswith(b"\xff\xd9")
    return jpeg[:-2]


def xmp(orientation: str) -> bytes:
    """An XMP packet with these words for the orientation, an attribute or an element."""
    attribute, element = (orientation, "") if "=" in orientation else ("", orientation)
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" {attribute}>{element}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def tiff(tags: dict[int, int], order: str = "<") -> bytes:
    """A TIFF whose first directory has these tags, each a LONG, and no picture."""
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    magic = b"II*\x00" if order == "<" else b"MM\x00*"
    return magic + struct.pack(f"{order}IH", 8, len(tags)) + entries + bytes(4)


def opened(body: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


BAD_REASONS = [
    ("empty.jpg", "empty"),
    ("large.jpg", "too_large"),
    ("text.jpg", "not_an_image"),
    ("animated.gif", "unsupported_format"),
    ("scan.tiff", "unsupported_format"),
    ("web.webp", "unsupported_format"),
    ("raw.nef", "raw_format"),
    ("named.jpg.webp.jpg", "unsupported_format"),
    ("half.jpg", "truncated"),
    ("half.png", "truncated"),
    ("header.jpg", "truncated"),
    ("header.png", "truncated"),
    ("bomb.png", "too_many_pixels"),
    ("broad.jpg", "too_many_pixels"),
    ("damaged.png", "corrupt"),
    ("damaged.jpg", "corrupt"),
    ("tiny.png", "too_small"),
    ("thread.png", "too_small"),
    ("cut scan.jpg", "truncated"),
    ("cut refinement.jpg", "truncated"),
    ("filled up.jpg", "truncated"),
]


def bad(name: str) -> bytes:
    """The bytes of one of the bad files."""
    picture = scene(1, (320, 240))
    whole_png, whole_jpeg = encoded(picture, "PNG"), encoded(picture)
    match name:
        case "empty.jpg":
            return b""
        case "large.jpg":
            return whole_jpeg + bytes(40 * 1024 * 1024)
        case "text.jpg":
            return "이것은 사진이 아닙니다".encode()
        case "animated.gif":
            return encoded(picture, "GIF")
        case "scan.tiff" | "raw.nef":
            return encoded(picture, "TIFF")
        case "web.webp" | "named.jpg.webp.jpg":
            return encoded(picture, "WEBP")
        case "half.jpg":
            return whole_jpeg[: len(whole_jpeg) // 2]
        case "half.png":
            return whole_png[: len(whole_png) // 2]
        case "header.jpg":
            return whole_jpeg[:30]
        case "header.png":
            return whole_png[:20]
        case "bomb.png":
            return png_bomb(14_000, 14_000, colour=0)
        case "broad.jpg":
            return _resized_jpeg(whole_jpeg, 12_000, 9_000)
        case "damaged.png":
            middle = whole_png.index(b"IDAT") + 40
            return whole_png[:middle] + bytes(60) + whole_png[middle + 60 :]
        case "damaged.jpg":
            tables = whole_jpeg.index(b"\xff\xdb") + 2
            return whole_jpeg[:tables] + b"\x00\x01" + whole_jpeg[tables + 2 :]
        case "cut scan.jpg":
            return whole_jpeg[:-200]
        case "cut refinement.jpg":
            # Between two scans: what is there is complete, and blurred.
            progressive = encoded(picture, progressive=True)
            return progressive[: progressive.rindex(b"\xff\xda")]
        case "filled up.jpg":
            return whole_jpeg[: len(whole_jpeg) // 2] + bytes(len(whole_jpeg))
        case "tiny.png":
            return encoded(scene(1, (79, 300)), "PNG")
        case "thread.png":
            return encoded(scene(1, (30_000, 100)), "PNG")
    raise ValueError(name)


def _resized_jpeg(jpeg: bytes, width: int, height: int) -> bytes:
    """The same JPEG, whose header says another size."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]
