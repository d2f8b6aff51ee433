"""What XMP says of a picture. Source: ISO 16684-1, whose properties are attributes or elements of their own."""

from __future__ import annotations

import re

_ORIENTATION = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\s*["'<]""")


def orientation(xmp: bytes) -> int | None:
    """How the picture is to be turned, as EXIF numbers it (1 to 8); None where XMP does not say."""
    said = _ORIENTATION.search(xmp)
    return int(said[1]) if said else None
