"""Raw paths that lead elsewhere than they seem: dot segments, in whatever encoding.

A client, a proxy and a server each decode and shorten a path by their own rules (RFC 3986, 5.2.4 and 6.2.2). What one
of them takes for the name of a file is the way up for the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from local.gate.asked import Refused

_MOST_DECODINGS = 8
"""Times that a path is decoded to see what is in it; nobody encodes that often for a good reason."""
_SEPARATORS = re.compile(r"[/\\;]")
"""A backslash is a slash to some (url.spec.whatwg.org/#path-state); ';' ends the name of a segment (RFC 3986, 3.3)."""


def check(raw_path: bytes) -> None:
    """Raise Refused for a path that has dot segments, or hides a slash, at any depth of encoding."""
    _check_form(raw_path)
    for decoded in _decodings(raw_path):
        _check_segments(decoded)
        if decoded.count(b"/") != raw_path.count(b"/") or b"\\" in decoded:
            raise Refused(400, "bad_path", "The path hides a slash; send it as '/' or leave it out.")


def check_of_api(raw_path: bytes) -> None:
    """Raise Refused for a path that has dot segments at any depth of encoding.

    A slash may be encoded: an ARN is one segment in the paths of AWS's APIs.
    """
    _check_form(raw_path)
    for decoded in _decodings(raw_path):
        _check_segments(decoded)


def check_of_object(raw_path: bytes) -> None:
    """Raise Refused for a path that has dot segments, as it is or decoded once.

    S3 decodes a path once. An object whose name holds "%2e%2e" is asked for as "%252e%252e", and must be found.
    """
    _check_form(raw_path)
    _check_segments(raw_path)
    _check_segments(unquote_to_bytes(raw_path))


def _check_form(raw_path: bytes) -> None:
    if not raw_path.startswith(b"/"):
        raise Refused(400, "bad_path", "The path must begin with '/'; send requests to this address directly.")


def _decodings(raw_path: bytes) -> Iterator[bytes]:
    """The path as it is, decoded, decoded again, until nothing more changes."""
    yield raw_path
    for _ in range(_MOST_DECODINGS):
        decoded = unquote_to_bytes(raw_path)
        if decoded == raw_path:
            return
        yield (raw_path := decoded)
    raise Refused(400, "bad_path", "The path is encoded too often; encode it once.")


def _check_segments(path: bytes) -> None:
    try:
        text = path.decode()  # strictly: an overlong form of '.' or '/' is none of UTF-8 (RFC 3629, 3)
    except UnicodeDecodeError:
        raise Refused(400, "bad_path", "The path is not UTF-8; encode its names as UTF-8.") from None
    if not {".", ".."}.isdisjoint(_SEPARATORS.split(text)):
        raise Refused(400, "bad_path", "The path has a segment '.' or '..'; send the path that it leads to.")
