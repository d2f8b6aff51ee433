"""What a JPEG's markers say of it, before or beside its decoding. Source: ITU-T T.81, annexes B and G."""

from __future__ import annotations

from shared.contracts.jpeg import SCAN, segments

_BASELINE = (0xC0, 0xC1)
_NO_FRAMES = (0xC4, 0xC8, 0xCC)  # of the markers from C0 to CF: tables, and one that is reserved
_COEFFICIENTS = 64


def has_one_scan(jpeg: bytes) -> bool:
    """Whether all components come in the first scan of a sequential JPEG, so that it can be read row by row."""
    components = 0
    for segment in segments(jpeg):
        marker, body = segment.marker, segment.body
        if _is_frame(marker):
            if marker not in _BASELINE:
                return False
            components = body[5] if len(body) > 5 else 0
        if marker == SCAN:
            return bool(body) and body[0] == components
    return False


def has_all_scans(jpeg: bytes) -> bool:
    """Whether a JPEG without an end marker has begun every scan that a whole picture needs.

    Each coefficient of each component must have come with its last bit. False where there is an end marker.
    """
    missing: set[tuple[int, int]] | None = None
    for segment in segments(jpeg):
        if segment.is_end:
            return False
        marker, body = segment.marker, segment.body
        if _is_frame(marker) and missing is None:
            missing = {(component, at) for component in body[6::3] for at in range(_COEFFICIENTS)}
        if marker == SCAN and missing is not None and len(body) >= 4:
            first, last, approximation = body[-3:]
            if approximation & 0x0F == 0:
                missing -= {(component, at) for component in body[1:-3:2] for at in range(first, last + 1)}
    return missing is not None and not missing


def _is_frame(marker: int) -> bool:
    return 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES
