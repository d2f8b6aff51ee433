"""The segments of a JPEG: its markers, and what belongs to each. Source: ITU-T T.81, annex B."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

START = b"\xff\xd8"
END = b"\xff\xd9"
SCAN = 0xDA
_END, _FILL = 0xD9, 0xFF

# In the data of a scan a byte FF is followed by 00; D0 to D7 are restarts within it (B.1.1.5).
_AFTER_A_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class Segment(NamedTuple):
    """A marker's second byte, what belongs to it without the length, and of a scan the data that follows."""

    marker: int
    body: bytes
    scan: bytes = b""

    @property
    def is_end(self) -> bool:
        """Whether it is the end marker."""
        return self.marker == _END


def segments(jpeg: bytes) -> Iterator[Segment]:
    """The segments up to the end marker, which is the last, or as far as they can be followed."""
    at = len(START)
    while at + 1 < len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker == _FILL:
            at += 1
            continue
        if marker == _END:
            yield Segment(marker, b"")
            return
        if at + 4 > len(jpeg):
            return
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        scan = b""
        if marker == SCAN:
            following = _AFTER_A_SCAN.search(jpeg, end)
            scan = jpeg[end : following.start() if following else len(jpeg)]
        yield Segment(marker, jpeg[at + 4 : end], scan)
        at = end + len(scan)
