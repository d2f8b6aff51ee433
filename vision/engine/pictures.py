"""From a picture file that anyone may have sent to pixels of a bounded size."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vision.errors import ImageTooLargeException, InvalidImageFormatException, InvalidParameterException, ServiceError

MAX_PIXELS = 50_000_000
"""More are refused before anything is decoded: a file of 20 KB can hold a gigabyte of pixels."""
MIN_SIDE = 80
"""Rekognition's smallest width and height."""
WORKING_SIDE = 2048
"""Larger pictures are reduced to this longest side; nothing here sees more in more pixels."""

_FORMATS = ("JPEG", "PNG")  # Pillow would try some forty decoders
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
            return _upright(image)
    except ServiceError:
        raise
    except Exception as error:
        raise InvalidImageFormatException("The image is not a whole JPEG or PNG file.") from error


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageTooLargeException(f"The image has {width} x {height} pixels; at most {MAX_PIXELS:,} are allowed.")
    if min(size) < MIN_SIDE:
        raise InvalidParameterException(
            f"The image has {width} x {height} pixels; both must be {MIN_SIDE} pixels or more."
        )


def _upright(image: Image.Image) -> Pixels:
    turn = _UPRIGHT.get(_orientation(image)) if image.format == "JPEG" else None
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
    if image.mode.startswith("I"):  # 16 bits of grey; converting would clip everything above 255
        return Image.fromarray((np.asarray(image, dtype=np.uint32) >> 8).clip(0, 255).astype(np.uint8))
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


def blank(side: int) -> Pixels:
    """A white square."""
    return np.full((side, side, 3), 255, dtype=np.uint8)
