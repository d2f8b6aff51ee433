"""What an upload says about itself in texts: when and by which camera it was taken, and who sent it."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from urllib.parse import unquote

from services.ingest.records import Capture

_EXIF_TIME = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII)
_EXIF_OFFSET = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)


def capture(date_time: str, subsecond: str, offset: str) -> Capture | None:
    """Read EXIF's three texts; None where the camera's clock was never set (0000:00:00) or they make no sense."""
    match = _EXIF_TIME.fullmatch(date_time)
    if match is None:
        return None
    fraction = f".{subsecond:0<3.3}" if _DIGITS.fullmatch(subsecond) else ""
    try:
        local = datetime.fromisoformat("{}-{}-{}T{}:{}:{}".format(*match.groups()) + fraction)
    except ValueError:
        return None
    if not 1900 <= local.year < 9999:  # zones cannot be worked out at the ends of the calendar
        return None
    return Capture(
        local=local.isoformat(timespec="milliseconds" if fraction else "seconds"),
        offset=offset if _EXIF_OFFSET.fullmatch(offset) else None,
    )


def camera(make: str, model: str) -> str | None:
    """One name of what EXIF has as two: "Canon" + "Canon EOS R5" → "Canon EOS R5"."""
    make, model = tidy(make), tidy(model)
    return (model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()) or None


def tidy(text: str, limit: int = 100) -> str:
    """A name fit to be shown: no control characters, single spaces, at most `limit` characters."""
    printable = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return unicodedata.normalize("NFC", " ".join(printable.split()))[:limit].strip()


def photographer(metadata: Mapping[str, str]) -> str | None:
    """`x-amz-meta-photographer`, as a name.

    Headers are ASCII: our command line sends percent-encoded UTF-8, S3 itself answers RFC 2047 where a browser sent
    UTF-8, and some clients show that UTF-8 as Latin-1.
    """
    value = metadata.get("photographer", "")
    if re.search(r"=\?[\w-]+\?[bqBQ]\?", value):
        try:
            value = str(make_header(decode_header(value)))
        except (HeaderParseError, UnicodeDecodeError, LookupError, ValueError):
            return tidy(value) or None
    elif not value.isascii():
        with contextlib.suppress(UnicodeError):
            value = value.encode("latin-1").decode("utf-8")
    return tidy(unquote(value)) or None
