"""The token that a browser sends with its events: no page of another site can read one, or make one up.

A token is its time of issue and a keyed digest of that and the race: nothing is kept of it, and no cookie is needed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from shared.contracts.keys import RaceRef

LASTS_S = 7200
"""A page that is open for longer asks for another."""

_AHEAD_S = 60
"""By so much may the clocks of two functions differ."""

_FORM = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{32})", re.ASCII)
_DIGEST_BYTES = 24


def make(key: bytes, race: RaceRef, now_s: int) -> str:
    """A token of the race; `key` is that of the day at `now_s` (seconds since 1970)."""
    return f"{now_s}.{_digest(key, race, now_s)}"


def issued_at(token: str, now_s: int) -> int | None:
    """When it was issued, by what it says, which picks the key to check it by; None if it cannot hold any more."""
    match = _FORM.fullmatch(token)
    if match is None:
        return None
    issued = int(match[1])
    return issued if now_s - LASTS_S < issued <= now_s + _AHEAD_S else None


def holds(key: bytes, race: RaceRef, token: str) -> bool:
    """Whether the token was made by this key for this race. It takes as long for each that is wrong."""
    match = _FORM.fullmatch(token)
    return match is not None and hmac.compare_digest(_digest(key, race, int(match[1])), match[2])


def _digest(key: bytes, race: RaceRef, now_s: int) -> str:
    told = f"{race}@{now_s}".encode()
    return base64.urlsafe_b64encode(hashlib.blake2b(told, digest_size=_DIGEST_BYTES, key=key).digest()).decode()
