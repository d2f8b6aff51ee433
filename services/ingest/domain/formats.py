"""What kind of file an upload is, by its size and its first bytes."""

from __future__ import annotations

from shared.contracts.errors import InvalidPicture

MAX_BYTES = 40 * 1024 * 1024

_FORMATS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (8, b"WEBP", "WebP"),
    (0, b"8BPS", "Photoshop"),
    (0, b"FUJIFILMCCD-RAW", "RAW"),
    (0, b"IIU\x00", "RAW"),
    (0, b"IIRO", "RAW"),
    (0, b"IIRS", "RAW"),
    (4, b"ftypcrx", "RAW"),
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
_RAW_SUFFIXES = ("nef", "nrw", "cr2", "arw", "sr2", "dng", "pef", "srw", "3fr", "iiq", "erf")


def sniff(head: bytes, filename: str) -> str | None:
    """The format of a file that begins with `head` (32 bytes will do), or None when it is none we know.

    A camera's RAW file mostly is a TIFF inside; there the name tells.
    """
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "HEIC"
    found = next((name for at, magic, name in _FORMATS if head[at : at + len(magic)] == magic), None)
    if found == "TIFF" and filename.lower().rsplit(".", 1)[-1] in _RAW_SUFFIXES:
        return "RAW"
    return found


def accept(size: int, head: bytes, filename: str, readable: frozenset[str]) -> str:
    """The format of an upload, if it is one of the `readable`. Raises InvalidPicture."""
    check_size(size)
    if size == 0:
        raise InvalidPicture("empty", "The file is empty. Upload it again.")
    found = sniff(head, filename)
    if found in readable:
        return found
    if found is None:
        raise InvalidPicture("not_an_image", "The file is not a picture. Upload photos as JPEG or PNG.")
    article = "an" if found == "AVIF" else "a"
    raise InvalidPicture(
        "unsupported_format", f"The file is {article} {found} file. Export it as JPEG and upload that."
    )


def check_size(size: int) -> None:
    """Refuse more bytes than we take in. Raises InvalidPicture."""
    if size > MAX_BYTES:
        raise InvalidPicture(
            "too_large",
            f"The file has {size / 1024**2:.1f} MB; at most {MAX_BYTES // 1024**2} MB are taken. "
            "Save it with a higher compression.",
        )
