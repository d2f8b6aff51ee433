"""What an upload says about itself in texts: by which camera it was taken, and who sent it."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Mapping
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from urllib.parse import unquote


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
