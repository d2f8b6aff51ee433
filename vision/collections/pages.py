"""Tokens that stand for a place in a list: only those that a list gave are taken, also after a restart."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from vision.errors import InvalidPaginationTokenException

_PLACE = struct.Struct(">q")
_MAC_BYTES = 16

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some items of a list, and the token for what follows; None at the end."""

    items: list[T]
    token: str | None


class Tokens:
    """Makes and reads tokens with a `secret` that is kept with the collections."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def token(self, listed: str, place: int) -> str:
        """For the place after `place` in what is `listed`."""
        packed = _PLACE.pack(place)
        mac = hmac.digest(self._secret, listed.encode() + b"\0" + packed, hashlib.sha256)
        return base64.urlsafe_b64encode(packed + mac[:_MAC_BYTES]).decode()

    def place(self, listed: str, token: str | None) -> int:
        """The place, 0 without a token. Raises InvalidPaginationTokenException for one that this list never gave."""
        if token is None:
            return 0
        try:
            (place,) = _PLACE.unpack_from(base64.urlsafe_b64decode(token))
        except (binascii.Error, ValueError, struct.error):
            place = 0
        if not hmac.compare_digest(token.encode(errors="replace"), self.token(listed, place).encode()):
            raise InvalidPaginationTokenException("The NextToken is none that this list gave.")
        return int(place)

    def page(self, listed: str, items: Sequence[tuple[int, T]], limit: int) -> Page[T]:
        """The first `limit` items of those from here on, each with its place."""
        token = self.token(listed, items[limit - 1][0]) if len(items) > limit else None
        return Page([item for _, item in items[:limit]], token)
