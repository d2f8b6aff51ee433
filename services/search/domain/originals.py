"""An upload without what its camera and its programs noted in it, its picture untouched.

Nothing is decoded: of a file's parts those are kept that say what its pixels are and how they look. Whatever else
there is goes: EXIF and XMP (place, time, camera, serial number), IPTC, comments, further pictures, films, what follows
the end.
How the picture is turned is written again, alone, since cameras do not turn the pixels.

Formats: JPEG (ITU-T T.81, annex B), PNG (W3C, Portable Network Graphics, third edition), HEIC (ISO/IEC 14496-12, boxes
and items; there the turn is a property of the image).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import msgspec

from shared.contracts import jpeg, xmp
from shared.contracts.jpeg import Segment


class Original(msgspec.Struct, frozen=True):
    """A picture that can be given away."""

    content_type: str
    body: bytes


def bare(upload: bytes) -> Original | None:
    """The upload's picture alone; None where its format is not known or its parts cannot be told apart."""
    try:
        if upload.startswith(b"\xff\xd8\xff"):
            return Original("image/jpeg", b"".join(_jpeg(upload)))
        if upload.startswith(_PNG):
            return Original("image/png", b"".join(_png(upload)))
        if _is_heic(upload):
            return Original("image/heic", _heic(upload))
    except (struct.error, IndexError, ValueError):
        return None
    return None


# --- JPEG -------------------------------------------------------------------------------------------------

_APP0, _APP1, _APP2, _APP14, _APP15, _COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"


def _jpeg(upload: bytes) -> Iterator[bytes]:
    segments = list(jpeg.segments(upload))
    if not segments or not (segments[-1].is_end or segments[-1].marker == jpeg.SCAN):
        raise ValueError("cut off, or no segments")
    yield jpeg.START
    turn = _turn_of_jpeg(segments)
    if turn != 1:
        exif = _EXIF + _tiff_with(turn)
        yield b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif
    for segment in segments:
        if _is_kept(segment):
            yield bytes((0xFF, segment.marker)) + struct.pack(">H", 2 + len(segment.body)) + segment.body
            yield segment.scan
    yield jpeg.END  # also where the upload lacks it


def _is_kept(segment: Segment) -> bool:
    if not (_APP0 <= segment.marker <= _APP15 or segment.marker == _COM):
        return not segment.is_end
    return segment.marker in (_APP0, _APP14) or (segment.marker == _APP2 and segment.body.startswith(_ICC))


def _turn_of_jpeg(segments: list[Segment]) -> int:
    notes = [segment.body for segment in segments if segment.marker == _APP1]
    by_exif = next((_turn(body[len(_EXIF) :]) for body in notes if body.startswith(_EXIF)), 0)
    return by_exif or next((xmp.orientation(body) for body in notes if body.startswith(_XMP)), None) or 1


def _turn(tiff: bytes) -> int:
    """The orientation (1 to 8) that a TIFF block says in its first directory, 0 if none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 0
    try:
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, first)
        for entry in range(first + 2, first + 2 + 12 * entries, 12):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 0
    except struct.error:  # damaged; the picture is shown as it lies
        return 0
    return 0


_ORIENTATION, _SHORT = 0x0112, 3


def _tiff_with(turn: int) -> bytes:
    """A TIFF block whose only entry is the orientation."""
    return b"MM\0\x2a" + struct.pack(">IHHHIHHI", 8, 1, _ORIENTATION, _SHORT, 1, turn, 0, 0)


# --- PNG --------------------------------------------------------------------------------------------------

_PNG = b"\x89PNG\r\n\x1a\n"
_XMP_OF_PNG = b"XML:com.adobe.xmp\0\0"  # the second zero: not compressed, as the XMP specification (part 3) has it
_LOOKS = {b"cHRM", b"cICP", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"tRNS", b"bKGD", b"pHYs", b"mDCV", b"cLLI"}


def _png(upload: bytes) -> Iterator[bytes]:
    chunks = list(_chunks(upload))
    turn = _turn_of_png(chunks)
    yield _PNG
    for kind, body in chunks:
        if kind == b"IDAT" and turn != 1:  # before the first, where any viewer has it in time
            yield _chunk(b"eXIf", _tiff_with(turn))
            turn = 1
        if kind[:1].isupper() or kind in _LOOKS:  # what a picture cannot be shown without begins with a capital
            yield _chunk(kind, body)
    yield _chunk(b"IEND", b"")  # also where the upload lacks it


def _chunks(upload: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content, up to the end of the picture, or of the upload."""
    at = len(_PNG)
    while at < len(upload):
        length, kind = struct.unpack_from(">I4s", upload, at)
        end = at + 12 + length
        if kind == b"IEND":
            return
        if end > len(upload):
            raise ValueError("cut off")
        yield kind, upload[at + 8 : end - 4]
        at = end


def _turn_of_png(chunks: list[tuple[bytes, bytes]]) -> int:
    by_exif = next((_turn(body) for kind, body in chunks if kind == b"eXIf"), 0)
    by_xmp = (xmp.orientation(body) for kind, body in chunks if kind == b"iTXt" and body.startswith(_XMP_OF_PNG))
    return by_exif or next(by_xmp, None) or 1


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


# --- HEIC -------------------------------------------------------------------------------------------------

_OF_THE_PICTURE = {b"ftyp", b"meta", b"mdat"}
_OF_ITS_ITEMS = {b"hdlr", b"dinf", b"pitm", b"iloc", b"iinf", b"iref", b"iprp", b"idat", b"grpl"}
_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_NOTES = {b"Exif", b"mime", b"uri "}

Box = tuple[bytes, int, int]
"""A box: its type, and from where to where its content is."""


def _is_heic(upload: bytes) -> bool:
    """Raw files and films begin with the same box, and name other brands in it."""
    return upload[4:8] == b"ftyp" and upload[8:12] in _BRANDS


def _heic(upload: bytes) -> bytes:
    """Written over with zeros, since items are found by where they are in the file."""
    blank = bytearray(upload)
    for kind, begin, end in _boxes(upload, 0, len(upload)):
        if kind == b"meta":
            places = list(_places_of_notes(upload, begin + 4, end))
        elif kind not in _OF_THE_PICTURE:
            places = [(begin, end)]
        else:
            places = []
        for first, last in places:
            blank[first:last] = bytes(last - first)
    return bytes(blank)


def _boxes(upload: bytes, at: int, end: int) -> Iterator[Box]:
    while at < end:
        size, kind = struct.unpack_from(">I4s", upload, at)
        begin = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", upload, begin)
            begin += 8
        last = at + size if size else end
        if not begin <= last <= end:
            raise ValueError("a box is longer than what holds it")
        yield kind, begin, last
        at = last


def _places_of_notes(upload: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the items are that are no pictures."""
    boxes = list(_boxes(upload, begin, end))
    yield from ((first, last) for kind, first, last in boxes if kind not in _OF_ITS_ITEMS)
    found = {kind: (first, last) for kind, first, last in boxes}
    notes = set(_notes(upload, *found[b"iinf"])) if b"iinf" in found else set()
    if not notes:
        return
    for item, inside, first, length in _extents(upload, found[b"iloc"][0]):
        if item in notes:
            start = first + (found[b"idat"][0] if inside else 0)
            if not 0 <= start <= start + length <= len(upload):
                raise ValueError("an item is not in the file")
            yield start, start + length


def _notes(upload: bytes, begin: int, end: int) -> Iterator[int]:
    """The ids of items that are no pictures, of an iinf box."""
    counted = 2 if upload[begin] == 0 else 4
    for kind, first, _ in _boxes(upload, begin + 4 + counted, end):
        if kind == b"infe" and upload[first] >= 2:
            item, _protection, of = struct.unpack_from(">HH4s" if upload[first] == 2 else ">IH4s", upload, first + 4)
            if of in _NOTES:
                yield item


def _extents(upload: bytes, at: int) -> Iterator[tuple[int, bool, int, int]]:
    """Of an iloc box each extent: its item, whether it counts from the box idat, its first byte, and its length."""
    version = upload[at]
    sizes = struct.unpack_from(">BB", upload, at + 4)
    offset_size, length_size, base_size, index_size = (half for size in sizes for half in (size >> 4, size & 15))
    if not length_size:
        raise ValueError("items without a length")
    reader = _Numbers(upload, at + 6)
    id_size = 2 if version < 2 else 4
    for _ in range(reader.take(id_size)):
        item = reader.take(id_size)
        inside = version > 0 and reader.take(2) & 15 == 1
        reader.take(2)
        base = reader.take(base_size)
        for _ in range(reader.take(2)):
            reader.take(index_size if version > 0 else 0)
            first = base + reader.take(offset_size)
            yield item, inside, first, reader.take(length_size)


class _Numbers:
    """Reads numbers one after the other, each of so many bytes."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content, self._at = content, at

    def take(self, size: int) -> int:
        """The next number; 0 of no bytes. Raises ValueError behind the end."""
        taken = self._content[self._at : self._at + size]
        if len(taken) < size:
            raise ValueError("cut off")
        self._at += size
        return int.from_bytes(taken, "big")
