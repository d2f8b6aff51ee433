"""From a picture file that anyone may have sent to pixels of a bounded size."""

from __future__ import annotations

import ctypes
import io
import struct
import sys
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from vision.errors import ImageTooLargeException, InvalidImageFormatException, InvalidParameterException, ServiceError

MAX_PIXELS = 50_000_000
"""More are refused before anything is decoded: a file of 20 KB can hold a gigabyte of pixels."""
MAX_DECODING_BYTES = 160_000_000
"""Memory that decoding may take, as `_decoding_bytes` foretells it: 32 megapixels of PNG, 17 of a see-through one, 26
of a progressive JPEG in full colour. Memory for the engine itself comes on top, but not at the same time."""
_MUCH = 30_000_000
"""Bytes to decode from which memory is given back to the system before and after."""
MAX_SCANS = 200
"""A progressive JPEG of any encoder has some ten; one of 100,000 keeps a worker busy for minutes."""
MAX_RATIO = 25.6
"""Longest side to shortest: once reduced to WORKING_SIDE, a longer strip has less than MIN_SIDE, and shows nothing.

Rekognition's guidelines and quotas know no such limit: a strip of which each side has MIN_SIDE or more is no error.
"""
MIN_SIDE = 80
"""Rekognition's smallest width and height."""
WORKING_SIDE = 2048
"""Larger pictures are reduced to this longest side; nothing here sees more in more pixels."""

_FORMATS = ("JPEG", "PNG")  # Pillow would try some forty decoders
_JPEG = ("JPEG", "MPO")  # what Pillow calls a JPEG that more pictures follow; only the first one is looked at
_START_OF_SCAN = 0xDA
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WHITE = (255, 255, 255)

Pixels = NDArray[np.uint8]


def decode(content: bytes) -> Pixels:
    """The picture upright, as height x width x RGB. Raises ServiceError for what is no whole JPEG or PNG."""
    Image.MAX_IMAGE_PIXELS = None  # our own limit is below Pillow's, and checked first
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            _check_size(image.size)
            cost = _decoding_bytes(image, content)
            _check_cost(image, content, cost)
            if cost < _MUCH:
                return _upright(image)
            _give_memory_back()
            try:
                return _upright(image)
            finally:
                image.close()
                _give_memory_back()
    except ServiceError:
        raise
    except Exception as error:
        raise InvalidImageFormatException("The image is not a whole JPEG or PNG file.") from error


def _check_size(size: tuple[int, int]) -> None:
    has = f"The image has {size[0]} x {size[1]} pixels"
    if size[0] * size[1] > MAX_PIXELS:
        raise ImageTooLargeException(f"{has}, {size[0] * size[1]:,} in all; at most {MAX_PIXELS:,} are allowed.")
    if min(size) < MIN_SIDE:
        raise InvalidParameterException(f"{has}; both must be {MIN_SIDE} pixels or more.")


def _check_cost(image: Image.Image, content: bytes, cost: int) -> None:
    if image.format in _JPEG and content.count(bytes((0xFF, _START_OF_SCAN))) > MAX_SCANS:
        raise InvalidImageFormatException(f"The JPEG has more than {MAX_SCANS} scans.")
    if cost > MAX_DECODING_BYTES:
        raise ImageTooLargeException(
            f"The image has {image.width} x {image.height} pixels, which is too large for a PNG or a progressive JPEG. "
            "Send it smaller, or as a baseline JPEG."
        )


def _decoding_bytes(image: Image.Image, content: bytes) -> int:
    """About how much memory it takes to decode the file, before any of it is decoded."""
    pixels = image.width * image.height
    if image.format not in _JPEG:
        # Pillow holds 1 byte or 4 of each, and converting needs both; what is see-through is once more multiplied out.
        return pixels * (9 if image.mode in ("RGBA", "LA") or "transparency" in image.info else 5)
    if _is_interleaved(content):
        return 0  # read row by row, and reduced on the way
    # libjpeg collects the coefficients of all scans, at 2 bytes each; components may be subsampled.
    layers = [(across, down) for _, across, down, _ in cast(JpegImageFile, image).layer]
    finest = max(across for across, _ in layers) * max(down for _, down in layers)
    return 2 * pixels * sum(across * down for across, down in layers) // finest


def _is_interleaved(content: bytes) -> bool:
    """Whether a JPEG is baseline with all its components in one scan; False also where that cannot be told."""
    place, frame = 2, 0
    try:
        while True:
            mark, kind, length = struct.unpack_from(">BBH", content, place)
            if mark != 0xFF:
                return False
            if kind in (0xC0, 0xC1):
                frame = content[place + 9]
            if kind == _START_OF_SCAN:
                return frame > 0 and content[place + 4] == frame
            place += 2 + length
    except (struct.error, IndexError):
        return False


def _upright(image: Image.Image) -> Pixels:
    turn = _UPRIGHT.get(_orientation(image)) if image.format in _JPEG else None
    longest = max(image.size)
    if longest > WORKING_SIDE:
        scale = WORKING_SIDE / longest
        small = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image.draft("RGB", small)  # a JPEG is decoded at 1/2, 1/4 or 1/8 where that suffices
        pixels = _eight_bits(image).resize(small, Image.Resampling.LANCZOS, reducing_gap=2.0)
    else:
        pixels = _eight_bits(image)
    pixels = _without_alpha(pixels)
    return np.ascontiguousarray(pixels if turn is None else pixels.transpose(turn), dtype=np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - broken EXIF does not make the picture unreadable
        return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey; converting alone would clip everything above 255
        return image.point(lambda level: level * (1 / 256)).convert("L")
    if image.mode in ("RGB", "RGBA", "L", "LA"):
        image.load()
        return image
    return image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")


def _without_alpha(image: Image.Image) -> Image.Image:
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB")
    image = image.convert("RGBA")
    paper = Image.new("RGB", image.size, _WHITE)
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def _give_memory_back() -> None:
    """Let glibc return to the system what is free; it would keep it, and the next large picture's come on top."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other libraries than glibc have none, and need none
        if trim is not None:
            trim(0)


def shows_nothing(pixels: Pixels) -> bool:
    """Whether the picture is too thin for words or faces."""
    sides = pixels.shape[:2]
    return bool(max(sides) > MAX_RATIO * min(sides))


def resized(pixels: Pixels, scale: float) -> Pixels:
    """The picture with its sides times `scale`."""
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how), dtype=np.uint8)


def blank(width: int, height: int) -> Pixels:
    """A white picture."""
    return np.full((height, width, 3), 255, dtype=np.uint8)
