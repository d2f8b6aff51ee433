"""What kind of file an upload is, by its size, its bytes and its name."""

from __future__ import annotations

from typing import Literal

from shared.contracts.errors import InvalidPicture

MAX_BYTES = 40 * 1024 * 1024

RAW = "RAW"

_FORMATS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (8, b"WEBP", "WebP"),
    (0, b"8BPS", "Photoshop"),
    (0, b"FUJIFILMCCD-RAW", RAW),  # RAF
    (0, b"IIU\x00", RAW),  # RW2, RWL
    (0, b"IIRO", RAW),  # ORF
    (0, b"IIRS", RAW),
    (0, b"MMOR", RAW),
    (6, b"HEAPCCDR", RAW),  # CRW
    (0, b"FOVb", RAW),  # X3F
    (0, b"\x00MRM", RAW),
    (4, b"ftypcrx", RAW),  # CR3
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (4, b"ftyp", "video"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"%PDF-", "PDF"),
    (0, b"PK\x03\x04", "ZIP"),
)
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_RAW_SUFFIXES = frozenset(
    (
        "3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "gpr", "iiq", "kdc", "mef", "mos", "mrw", "nef",
        "nrw", "orf", "pef", "raf", "rw2", "rwl", "sr2", "srf", "srw", "x3f",
    )
)  # fmt: skip
"""Endings of cameras' RAW files, as dcraw and LibRaw know them."""

# Tags of a TIFF's first directory that make it a RAW file. Sources: TIFF 6.0, section 2; the DNG specification;
# ExifTool's tag tables of Nikon, Sony and Canon.
_MAKE, _SUB_DIRECTORIES, _DNG_VERSION = 0x010F, 0x014A, 0xC612
_CANON_RAW = b"CR\x02"  # after the TIFF header of a CR2
_MOST_TAGS = 200


def sniff(content: bytes, filename: str) -> str | None:
    """The format of a file by its content, or None when it is none we know.

    A camera's RAW file mostly is a TIFF inside; its tags tell, or its name, as for what has none of the formats here.
    """
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS:
        return "HEIC"
    found = next((name for at, magic, name in _FORMATS if content[at : at + len(magic)] == magic), None)
    named_raw = _suffix(filename) in _RAW_SUFFIXES
    if (found == "TIFF" and (named_raw or _is_raw(content))) or (found is None and named_raw):
        return RAW
    return found


def accept(content: bytes, filename: str, readable: frozenset[str]) -> str:
    """The format of an upload, if it is one of the `readable`. Raises InvalidPicture."""
    check_size(len(content))
    if not content:
        raise InvalidPicture("empty", "The file is empty. Upload it again.")
    found = sniff(content, filename)
    if found in readable:
        return found
    if found is None:
        raise InvalidPicture("not_an_image", "The file is not a picture. Upload photos as JPEG or PNG.")
    if found == RAW:
        suffix = _suffix(filename)
        kind = f" ({suffix.upper()})" if suffix in _RAW_SUFFIXES else ""
        raise InvalidPicture("raw_format", f"The file is a camera's RAW file{kind}. Export it as JPEG and upload that.")
    article = "an" if found == "AVIF" else "a"
    raise InvalidPicture(
        "unsupported_format", f"The file is {article} {found} file. Export it as JPEG and upload that."
    )


def check_size(size: int) -> None:
    """Refuse more bytes than we take in. Raises InvalidPicture."""
    if size > MAX_BYTES:
        raise InvalidPicture(
            "too_large",
            f"The file has {size:,} bytes; at most {MAX_BYTES:,} are taken. Save it with a higher compression.",
        )


def _suffix(filename: str) -> str:
    return filename.lower().rsplit(".", 1)[-1]


def _is_raw(tiff: bytes) -> bool:
    """Whether a TIFF is a RAW file: it says that it is DNG, or its picture is in a directory below a camera's own."""
    if tiff[8:11] == _CANON_RAW:
        return True
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"
    at = int.from_bytes(tiff[4:8], order)
    count = min(int.from_bytes(tiff[at : at + 2], order), _MOST_TAGS)
    starts = range(at + 2, at + 2 + 12 * count, 12)
    tags = {int.from_bytes(tiff[start : start + 2], order) for start in starts}
    return _DNG_VERSION in tags or {_MAKE, _SUB_DIRECTORIES} <= tags
