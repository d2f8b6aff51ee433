"""From uploaded bytes to the pictures that are looked at and shown.

A picture is decoded once, as small as will do; everything else is made from that. What memory the decoder would take
is worked out from the header before anything is decoded, since a file of 20 KB can ask for a gigabyte.
"""

from __future__ import annotations

import base64
import functools
import io
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageDraw, ImageFilter, ImageFont

from services.ingest.domain import jpeg
from services.ingest.domain.formats import accept
from services.ingest.domain.texts import camera, tidy
from services.ingest.domain.times import Found, Stamp, found
from services.ingest.records import Look, Size, TimeField
from shared.contracts import xmp
from shared.contracts.errors import InvalidPicture
from shared.contracts.jpeg import END

if TYPE_CHECKING:
    from PIL.Image import Exif

try:
    import pillow_heif
except ImportError:  # not in every environment's layer; then HEIC is refused like any other format
    pillow_heif = None  # type: ignore[assignment]

MAX_PIXELS = 100_000_000
PROCESSED_SIDE = 2048
PREVIEW_SIDE = 1280
THUMBNAIL_SIDE = 320
PLACEHOLDER_SIDE = 16
MIN_SIDE = 80
"""Pixels that each side of an upload needs: Rekognition takes none with fewer (its guidelines and quotas)."""
MIN_SHOWN_SIDE = 20
"""Pixels that each side of the preview needs for anything to be seen; that is 64 times as many of the other."""

# What a decoder may hold at once. Function, libraries and file come on top; together they stay below 512 MB.
MAX_DECODED_BYTES = 320_000_000

READABLE = frozenset({"JPEG", "PNG", "HEIC"} if pillow_heif else {"JPEG", "PNG"})
_PILLOW_NAMES = {"JPEG": "JPEG", "PNG": "PNG", "HEIC": "HEIF"}
if pillow_heif:
    pillow_heif.register_heif_opener(thumbnails=False)

# Damaged files make Pillow's plugins stumble in all these ways; each means that the file is damaged.
_STUMBLES = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError,
    RuntimeError, struct.error, zlib.error,
)  # fmt: skip

_BOMB = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # where Pillow raises DecompressionBombError

_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"

_MORE_DATA = bytes((167 * number + 89) % 255 for number in range(2048))
"""What no scan goes on with: data that decode to something else than the zeros which a decoder puts after an end."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


_ORIENTATIONS = range(1, 9)


class Rendition(msgspec.Struct, frozen=True, kw_only=True):
    """The JPEGs made of a picture, and what is known about it."""

    look: Look
    processed: bytes
    preview: bytes
    thumbnail: bytes


def render(content: bytes, filename: str, watermark: str) -> Rendition:
    """Check and render an upload. Raises InvalidPicture with the reason.

    `watermark` is written across the preview. The results are upright sRGB without any metadata. Up to 100 megapixels
    are taken as JPEG; formats that can only be decoded whole are bounded by MAX_DECODED_BYTES, which is 80 megapixels
    of PNG in colour.
    """
    picture_format = accept(content, filename, READABLE)
    try:
        if picture_format == "PNG":
            _check_sums(content)
        opened = _opened(content, picture_format)
    except Image.DecompressionBombError:
        raise InvalidPicture("too_many_pixels", _too_many(f"more than {_BOMB:,}")) from None
    except _STUMBLES as error:
        unended = _opened_without_end(content, picture_format)
        if unended is None:
            raise _damaged(content, picture_format, error) from None
        opened = unended
    return _renditions(opened, watermark)


class _Opened(NamedTuple):
    """A picture upright and in sRGB, at most PROCESSED_SIDE long, and its EXIF block where it can be read."""

    picture: Image.Image
    exif: Exif | None


def _opened(content: bytes, picture_format: str) -> _Opened:
    """Decode a file. Raises InvalidPicture, and _STUMBLES for a damaged one."""
    with (
        warnings.catch_warnings(action="ignore"),
        Image.open(io.BytesIO(content), formats=[_PILLOW_NAMES[picture_format]]) as image,
    ):
        _check_dimensions(image, picture_format, content)
        exif = _exif(image)
        orientation = _orientation(image, exif)
        return _Opened(_upright(_decoded(image), orientation), exif)


def _opened_without_end(content: bytes, picture_format: str) -> _Opened | None:
    """A picture that lacks nothing but its end marker, which every viewer shows; None where a part of it is missing."""
    try:
        if picture_format == "PNG":
            _check_sums(content + _PNG_END)
            return _opened(content + _PNG_END, "PNG")
        return _jpeg_without_end(content) if picture_format == "JPEG" else None
    except _STUMBLES:
        return None


def _jpeg_without_end(content: bytes) -> _Opened | None:
    """A JPEG that is whole but for its end. Raises _STUMBLES.

    The decoder takes whatever follows a scan's data for more of it, as far as the picture needs more. So the data are
    whole if two files come to the same picture that go on differently.
    """
    if not jpeg.has_all_scans(content):
        return None
    ended = _opened(content + END, "JPEG")
    going_on = _opened(content + _MORE_DATA + END, "JPEG")
    return ended if ImageChops.difference(ended.picture, going_on.picture).getbbox() is None else None


# --- checking -----------------------------------------------------------------------------------------


def _check_dimensions(image: Image.Image, picture_format: str, content: bytes) -> None:
    width, height = image.size
    has = f"The picture has {width:,} x {height:,} pixels"
    if width * height > MAX_PIXELS:
        raise InvalidPicture("too_many_pixels", _too_many(f"{width:,} x {height:,} = {width * height:,}"))
    if _decoder_bytes(image, picture_format, content) > MAX_DECODED_BYTES:
        kind = "progressive JPEG" if picture_format == "JPEG" else picture_format
        raise InvalidPicture(
            "too_many_pixels",
            f"{has}, {width * height:,} in all, too many for a {kind} of its kind. "
            "Save it as a baseline (not progressive) JPEG.",
        )
    if min(width, height) < MIN_SIDE:
        raise InvalidPicture("too_small", f"{has}; each side must have at least {MIN_SIDE}. Upload a larger one.")
    shown = _fitting(image.size, PREVIEW_SIDE)
    if min(shown) < MIN_SHOWN_SIDE:
        raise InvalidPicture(
            "too_small",
            f"{has}, of which {shown[0]:,} x {shown[1]:,} would be shown; each side must have at least "
            f"{MIN_SHOWN_SIDE} then. Cut it into shorter parts.",
        )


def _check_sums(png: bytes) -> None:
    """Let a PNG's checksums tell damage: decoding alone would show it as coloured noise."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        image.verify()


def _decoder_bytes(image: Image.Image, picture_format: str, content: bytes) -> int:
    """What the decoder holds at once: for PNG the whole picture; for a JPEG in several scans all coefficients.

    A baseline JPEG is read in strips and scaled on the way. libheif keeps planes and a copy: measured,
    6 bytes a pixel (388 MB for the whole process at 48 megapixels).
    """
    width, height = image.size
    if picture_format == "JPEG":
        draft = _draft_scale(image.size)
        scaled = (width // draft + 1) * (height // draft + 1) * 4
        if jpeg.has_one_scan(content):
            return scaled
        layers: list[tuple[int, int, int, int]] = getattr(image, "layer", [])
        widest = max((h * v for _, h, v, _ in layers), default=1)
        return scaled + 2 * width * height * sum(h * v for _, h, v, _ in layers) // widest
    if picture_format == "HEIC":
        return 6 * width * height
    return width * height * {"1": 1, "L": 1, "P": 1, "I;16": 2}.get(image.mode, 4)


def _too_many(how_many: str) -> str:
    return f"The picture has {how_many} pixels; at most {MAX_PIXELS:,} are taken. Save it smaller."


def _damaged(content: bytes, picture_format: str, error: Exception) -> InvalidPicture:
    end = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}.get(picture_format, b"")
    if isinstance(error, EOFError) or "truncated" in str(error).lower() or end not in content[-64:]:
        return InvalidPicture("truncated", "The file ends in the middle of the picture. Upload it again.")
    return InvalidPicture("corrupt", "The picture is damaged. Export it anew and upload that.")


# --- decoding -----------------------------------------------------------------------------------------


def _draft_scale(size: tuple[int, int]) -> int:
    """By what the JPEG decoder may divide (1, 2, 4, 8) and still give enough pixels."""
    return max(scale for scale in (1, 2, 4, 8) if scale == 1 or max(size) // scale >= PROCESSED_SIDE)


def _decoded(image: Image.Image) -> Image.Image:
    """The picture as sRGB, at most PROCESSED_SIDE long."""
    scale = _draft_scale(image.size)
    target = _fitting(image.size, PROCESSED_SIDE)
    if scale > 1:
        image.draft(None, (image.width // scale, image.height // scale))
    image.load()
    profile = image.info.get("icc_profile")
    small = _in_srgb(_reduced(image, target), profile)
    return small if small.size == target else small.resize(target, Image.Resampling.LANCZOS)


def _reduced(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """`image` in a plain mode, divided by a whole number as long as it stays at least `target`.

    Band by band, because converting a large palette or 16-bit picture whole would take four times its memory.
    """
    factor = max(1, min(image.width // target[0], image.height // target[1]))
    if factor == 1:
        return _plain(image)
    small = None
    rows = factor * max(1, 512 // factor)
    for top in range(0, image.height, rows):
        band = _plain(image.crop((0, top, image.width, min(image.height, top + rows)))).reduce(factor)
        if small is None:
            small = Image.new(band.mode, (band.width, -(-image.height // factor)))
        small.paste(band, (0, top // factor))
    assert small is not None  # noqa: S101 - a picture has rows
    return small


def _plain(image: Image.Image) -> Image.Image:
    """`image` as RGB, L or CMYK; what is transparent becomes white."""
    if image.mode in ("RGB", "L", "CMYK"):
        if "transparency" not in image.info:
            return image
    elif image.mode in ("I;16", "I;16B", "I;16L", "I"):
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif not image.has_transparency_data:
        return image.convert("L" if image.mode == "1" else "RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGB", layer.size, "white")
    white.paste(layer, mask=layer.getchannel("A"))
    return white


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours as browsers expect them; where a profile is unusable, the numbers as they are."""
    if profile and b"sRGB" not in profile[:4096] and image.mode in ("RGB", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, _srgb(), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    method = _UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


# --- EXIF ---------------------------------------------------------------------------------------------


def _exif(image: Image.Image) -> Exif | None:
    """The EXIF block; None where it is damaged, which is no reason to refuse the picture."""
    try:
        exif = image.getexif()
        exif.get_ifd(ExifTags.IFD.Exif)
    except _STUMBLES:
        return None
    return exif


def _orientation(image: Image.Image, exif: Exif | None) -> int:
    """How the picture is to be turned, by EXIF, or where that does not say, by XMP.

    Pillow reads XMP where it is written as Adobe writes it; XML has other forms of the same.
    """
    told = exif.get(ExifTags.Base.Orientation) if exif else None
    if isinstance(told, int) and told in _ORIENTATIONS:
        return told
    said = image.info.get("xmp", b"")
    return xmp.orientation(said if isinstance(said, bytes) else str(said).encode()) or 1


def _time(exif: Exif | None) -> Found:
    if exif is None:
        return Found(None, None)
    tags, details = ExifTags.Base, exif.get_ifd(ExifTags.IFD.Exif)

    def stamp(field: TimeField | None, time: object, subsecond: int, offset: int) -> Stamp:
        return Stamp(field, _text(time), _text(details.get(subsecond)), _text(details.get(offset)))

    return found(
        (
            stamp(None, details.get(tags.DateTimeOriginal), tags.SubsecTimeOriginal, tags.OffsetTimeOriginal),
            stamp(
                "DateTimeDigitized",
                details.get(tags.DateTimeDigitized),
                tags.SubsecTimeDigitized,
                tags.OffsetTimeDigitized,
            ),
            stamp("DateTime", exif.get(tags.DateTime), tags.SubsecTime, tags.OffsetTime),
        )
    )


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return tidy(value.split("\x00")[0]) if isinstance(value, str) else ""


# --- rendering ----------------------------------------------------------------------------------------


def _renditions(opened: _Opened, watermark: str) -> Rendition:
    whole, exif = opened
    plain = _shrunk(whole, PREVIEW_SIDE)
    thumbnail = _shrunk(plain, THUMBNAIL_SIDE)
    preview = _watermarked(plain, watermark)
    time = _time(exif)
    return Rendition(
        look=Look(
            processed=_size(whole),
            preview=_size(preview),
            thumbnail=_size(thumbnail),
            placeholder=_placeholder(thumbnail),
            camera=camera(_text(exif.get(ExifTags.Base.Make)), _text(exif.get(ExifTags.Base.Model))) if exif else None,
            capture=time.capture,
            no_time=time.no_time,
        ),
        processed=_jpeg(whole, 90),
        preview=_jpeg(preview, 82),
        thumbnail=_jpeg(thumbnail, 80),
    )


def _fitting(size: tuple[int, int], side: int) -> tuple[int, int]:
    """`size`, made smaller if its longer side is above `side`."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    size = _fitting(image.size, side)
    return image if size == image.size else image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _size(image: Image.Image) -> Size:
    return Size(width=image.width, height=image.height)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    """JPEG bytes without any metadata: a fresh buffer has none to pass on."""
    buffer = io.BytesIO()
    Image.Image.save(_bare(image), buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _bare(image: Image.Image) -> Image.Image:
    image.info.clear()
    return image


def _placeholder(thumbnail: Image.Image) -> str:
    """A data URI of a few hundred bytes; browsers scale it up, which blurs it."""
    tiny = thumbnail.resize(_fitting(thumbnail.size, PLACEHOLDER_SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    _bare(tiny.filter(ImageFilter.GaussianBlur(0.6))).save(buffer, "WEBP", quality=40, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _watermarked(image: Image.Image, text: str) -> Image.Image:
    mask = _watermark(text, PREVIEW_SIDE).crop((0, 0, *image.size))
    marked = image.copy()
    marked.paste("black", (2, 2), mask)  # a shadow, so that it shows on white shirts too
    marked.paste("white", (0, 0), mask)
    return marked


@functools.lru_cache(maxsize=4)
def _watermark(text: str, side: int) -> Image.Image:
    """A square mask with `text` in slanted rows, opaque where the text is to show through at 30%."""
    font = ImageFont.load_default(side / 36)
    canvas = Image.new("L", (side * 3 // 2, side * 3 // 2))
    draw = ImageDraw.Draw(canvas)
    step_x, step_y = int(draw.textlength(text, font)) + side // 8, side // 7
    for row, top in enumerate(range(0, canvas.height, step_y)):
        for left in range(-step_x + (row % 2) * step_x // 2, canvas.width, step_x):
            draw.text((left, top), text, fill=76, font=font)
    turned = canvas.rotate(24, Image.Resampling.BICUBIC)
    inset = (turned.width - side) // 2
    return turned.crop((inset, inset, inset + side, inset + side))


def watermark_text(race_name: str, event_id: str) -> str:
    """What is written across previews: the race's name where the built-in font has its letters, else its id."""
    name = tidy(race_name, 60)
    return name if name and _legible(name) else f"SnapRace · {event_id}"


def _legible(text: str) -> bool:
    """Whether Pillow's built-in font, which ships without Korean, draws every letter."""
    return all(" " <= character <= "~" or "\xa1" <= character <= "\xff" for character in text)
