"""Who a visitor is, for a day: a hash that neither leads back to her nor on to the next day.

The hash is made with a salt of the race's day, which is random, kept nowhere but in a table without a past, and gone a
day later: whoever has the hashes cannot try addresses out then. Two days' hashes of one visitor have nothing in common.
A session that is under way at midnight goes on, so for half an hour events carry yesterday's hash too.
"""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from services.insight.domain.facts import ID_BYTES
from services.insight.domain.sessions import GAP_MS
from shared.contracts.keys import RaceRef

_IPV6_NETWORK = 64


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """A visitor of a day: her hash, that of the day before while it still matters, and whether she is a program."""

    id: bytes
    earlier: bytes = b""
    robot: bool = False


def day(at_ms: int, zone: ZoneInfo) -> date:
    """The race's day at a time (milliseconds since 1970)."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).date()


def day_before(at_ms: int, zone: ZoneInfo) -> date | None:
    """The day that a session may have begun in which is still under way, where that is not this day."""
    ended = day(at_ms - GAP_MS, zone)
    return ended if ended != day(at_ms, zone) else None


def end_of_use(which: date, zone: ZoneInfo) -> datetime:
    """When a day's salt has told its last visitor, with an hour to spare."""
    next_day = datetime.combine(which + timedelta(days=1), datetime.min.time(), zone)
    return next_day.astimezone(UTC) + timedelta(milliseconds=GAP_MS, hours=1)


def hash_of(salt: bytes, race: RaceRef, address: str, user_agent: str) -> bytes:
    """The visitor of a race who asks from this address with this browser; `salt` of at most 64 bytes."""
    told = msgspec.msgpack.encode((*race, network(address), user_agent))
    return hashlib.blake2b(told, digest_size=ID_BYTES, key=salt).digest()


def network(address: str) -> str:
    """What of an address stays the same while a visitor is here.

    A device of IPv6 takes a new address in its network every few hours, and each of its applications may have another.
    The network has 64 bits, and is one household's. Source: RFC 8981, and RFC 6177.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, _IPV6_NETWORK)))
