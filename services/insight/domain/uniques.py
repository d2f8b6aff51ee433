"""How many different visitors: exactly for a thousand, beyond that by a sketch whose error is known.

The sketch is HyperLogLog with 4,096 registers, so its standard error is 1.04 / sqrt(4096) = 1.6%; few visitors are
counted by the registers that are empty (linear counting). Sketches are merged by the larger of each two registers: the
same visitor, or the same sketch, counts once however often it is added. Source: Flajolet, Fusy, Gandouet, Meunier,
"HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm" (2007), figure 3. Visitors are hashes
already, of 64 bits, so that its correction for large numbers is not needed (Heule, Nunkesser, Hall, 2013, section 4).
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

EXACT_UP_TO = 1_000
STANDARD_ERROR = 0.016
_INDEX_BITS = 12
_REGISTERS = 1 << _INDEX_BITS
_RANK_BITS = 64 - _INDEX_BITS
_RANK_MASK = (1 << _RANK_BITS) - 1
_ALPHA = 0.7213 / (1 + 1.079 / _REGISTERS)
_SMALL = 2.5 * _REGISTERS
_BYTES = 8
_REMEMBERED = 512
"""Unpacked sets, at most some 60 KB each: the API adds up the same minutes and quarters of an hour again and again."""
_EXACTLY, _SKETCHED = b"E", b"H"
_TOP_BITS, _OTHER_BITS = int.from_bytes(b"\x80" * _REGISTERS), int.from_bytes(b"\x7f" * _REGISTERS)


@dataclass(frozen=True)
class Uniques:
    """A set of visitors that can be counted; `registers` are used beyond EXACT_UP_TO.

    A visitor is the number that the eight bytes of her hash are.
    """

    visitors: frozenset[int] = frozenset()
    registers: bytes | None = None

    @classmethod
    def of(cls, visitors: Iterable[bytes]) -> Uniques:
        """These visitors, each a hash of eight bytes."""
        return cls(_numbers(b"".join(visitors)))._shrunk()

    @classmethod
    def merged(cls, parts: Iterable[Uniques]) -> Uniques:
        """All that are in any of the parts."""
        visitors: set[int] = set()
        registers: bytes | None = None
        for part in parts:
            visitors |= part.visitors
            if part.registers is not None:
                registers = _larger(registers, part.registers) if registers else part.registers
        return cls(frozenset(visitors), registers)._shrunk()

    @property
    def count(self) -> int:
        """How many there are; an estimate where there are more than EXACT_UP_TO."""
        if self.registers is None:
            return len(self.visitors)
        empty = self.registers.count(0)
        ranks = range(max(self.registers) + 1)
        estimate = _ALPHA * _REGISTERS**2 / sum(self.registers.count(rank) * 2.0**-rank for rank in ranks)
        if estimate <= _SMALL and empty:
            estimate = _REGISTERS * math.log(_REGISTERS / empty)
        return round(estimate)

    @property
    def exact(self) -> bool:
        """Whether `count` is no estimate."""
        return self.registers is None

    def _shrunk(self) -> Uniques:
        """The same with its visitors in a sketch, where there is one, or there are too many for a list."""
        if self.registers is None and len(self.visitors) <= EXACT_UP_TO:
            return self
        sketch = _sketch(self.visitors)
        return Uniques(registers=_larger(sketch, self.registers) if self.registers else sketch)

    def packed(self) -> bytes:
        """The set as bytes; equal sets are equal bytes."""
        if self.registers is not None:
            return _SKETCHED + zlib.compress(self.registers, 6)
        return _EXACTLY + struct.pack(f">{len(self.visitors)}Q", *sorted(self.visitors))

    @classmethod
    @lru_cache(maxsize=_REMEMBERED)
    def unpacked(cls, packed: bytes) -> Uniques:
        """The inverse of `packed`; of no bytes the empty set."""
        how, body = packed[:1], packed[1:]
        return cls(registers=zlib.decompress(body)) if how == _SKETCHED else cls(_numbers(body))


def _numbers(hashes: bytes) -> frozenset[int]:
    return frozenset(struct.unpack(f">{len(hashes) // _BYTES}Q", hashes))


def _sketch(visitors: Iterable[int]) -> bytes:
    """The registers of these visitors.

    Of those that share a register the one whose other bits are the smallest number has the highest rank, so that of
    the visitors in descending order the last one counts.
    """
    lowest = {visitor >> _RANK_BITS: visitor for visitor in sorted(visitors, reverse=True)}
    registers = bytearray(_REGISTERS)
    for index, visitor in lowest.items():
        registers[index] = _RANK_BITS - (visitor & _RANK_MASK).bit_length() + 1
    return bytes(registers)


def _larger(these: bytes, those: bytes) -> bytes:
    """The larger of each two registers, all at once: a register by itself would take thirty times as long.

    The registers are one large number. A rank is below 64, so that the top bit of its byte is free: set in `these`,
    it is still there after `those` are taken away where a register of these is not the smaller one.
    """
    mine, other = int.from_bytes(these), int.from_bytes(those)
    not_smaller = ((mine | _TOP_BITS) - other) & _TOP_BITS
    from_mine = not_smaller - (not_smaller >> 7)
    return (mine & from_mine | other & (_OTHER_BITS ^ from_mine)).to_bytes(_REGISTERS)
