"""What a JPEG's markers say of it, before or beside its decoding. Source: ITU-T T.81, annexes B and G."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

END = b"\xff\xd9"
_SCAN = 0xDA
_BASELINE = (0xC0, 0xC1)
_NO_FRAMES = (0xC4, 0xC8, 0xCC)  # of the markers from C0 to CF: tables, and one that is reserved
_COEFFICIENTS = 64

# In the data of a scan a byte FF is followed by 00; D0 to D7 are restarts within it.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class _Segment(NamedTuple):
    """A marker, and what belongs to it without the length."""

    marker: int
    body: bytes


def has_one_scan(jpeg: bytes) -> bool:
    """Whether all components come in the first scan of a sequential JPEG, so that it can be read row by row."""
    components = 0
    for marker, body in _segments(jpeg):
        if _is_frame(marker):
            if marker not in _BASELINE:
                return False
            components = body[5] if len(body) > 5 else 0
        if marker == _SCAN:
            return bool(body) and body[0] == components
    return False


def has_all_scans(jpeg: bytes) -> bool:
    """Whether a JPEG without an end marker has begun every scan that a whole picture needs.

    Each coefficient of each component must have come with its last bit. False where there is an end marker.
    """
    missing: set[tuple[int, int]] | None = None
    for marker, body in _segments(jpeg):
        if marker == END[1]:
            return False
        if _is_frame(marker) and missing is None:
            missing = {(component, at) for component in body[6::3] for at in range(_COEFFICIENTS)}
        if marker == _SCAN and missing is not None and len(body) >= 4:
            first, last, approximation = body[-3:]
            if approximation & 0x0F == 0:
                missing -= {(component, at) for component in body[1:-3:2] for at in range(first, last + 1)}
    return missing is not None and not missing


def _segments(jpeg: bytes) -> Iterator[_Segment]:
    """The segments from the start to the end marker, or as far as they can be followed."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == END[1]:
            yield _Segment(marker, b"")
            return
        length = int.from_bytes(jpeg[at + 2 : at + 4])
        yield _Segment(marker, jpeg[at + 4 : at + 2 + length])
        at += 2 + length
        if marker == _SCAN:
            following = _NEXT_MARKER.search(jpeg, at)
            if following is None:
                return
            at = following.start()
    if jpeg[at : at + 2] == END:
        yield _Segment(END[1], b"")


def _is_frame(marker: int) -> bool:
    return 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES
