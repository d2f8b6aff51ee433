"""How many different visitors: exactly for a thousand, beyond that by a sketch whose error is known.

The sketch is HyperLogLog with 4,096 registers, so its standard error is 1.04 / sqrt(4096) = 1.6%; few visitors are
counted by the registers that are empty (linear counting). Sketches are merged by the larger of each two registers: the
same visitor, or the same sketch, counts once however often it is added. Source: Flajolet, Fusy, Gandouet, Meunier,
"HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm" (2007), figure 3. Visitors are hashes
already, of 64 bits, so that its correction for large numbers is not needed (Heule, Nunkesser, Hall, 2013, section 4).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

EXACT_UP_TO = 1_000
STANDARD_ERROR = 0.016
_INDEX_BITS = 12
_REGISTERS = 1 << _INDEX_BITS
_RANK_BITS = 64 - _INDEX_BITS
_ALPHA = 0.7213 / (1 + 1.079 / _REGISTERS)
_SMALL = 2.5 * _REGISTERS
_BYTES = 8
_EXACTLY, _SKETCHED = b"E", b"H"


@dataclass
class Uniques:
    """A set of visitors, each a hash of eight bytes, that can be counted; `registers` are used beyond EXACT_UP_TO."""

    visitors: set[bytes] = field(default_factory=set)
    registers: bytearray | None = None

    @classmethod
    def of(cls, visitors: Iterable[bytes]) -> Uniques:
        """These visitors."""
        found = cls(set(visitors))
        found._shrink()
        return found

    @classmethod
    def merged(cls, parts: Iterable[Uniques]) -> Uniques:
        """All that are in any of the parts."""
        found = cls()
        for part in parts:
            found.add(part)
        return found

    def add(self, other: Uniques) -> None:
        """Add the visitors of another set."""
        if other.registers is not None:
            mine = self._sketch()
            mine[:] = bytes(map(max, mine, other.registers))
        self.visitors |= other.visitors
        self._shrink()

    @property
    def count(self) -> int:
        """How many there are; an estimate where there are more than EXACT_UP_TO."""
        if self.registers is None:
            return len(self.visitors)
        empty = self.registers.count(0)
        estimate = _ALPHA * _REGISTERS**2 / sum(2.0**-rank for rank in self.registers)
        if estimate <= _SMALL and empty:
            estimate = _REGISTERS * math.log(_REGISTERS / empty)
        return round(estimate)

    @property
    def exact(self) -> bool:
        """Whether `count` is no estimate."""
        return self.registers is None

    def _sketch(self) -> bytearray:
        if self.registers is None:
            self.registers = bytearray(_REGISTERS)
        return self.registers

    def _shrink(self) -> None:
        """Put the visitors into the sketch where there is one, or there are too many for a list."""
        if self.registers is None and len(self.visitors) <= EXACT_UP_TO:
            return
        registers = self._sketch()
        for visitor in self.visitors:
            number = int.from_bytes(visitor)
            index, rest = number >> _RANK_BITS, number & ((1 << _RANK_BITS) - 1)
            registers[index] = max(registers[index], _RANK_BITS - rest.bit_length() + 1)
        self.visitors = set()

    def packed(self) -> bytes:
        """The set as bytes; equal sets are equal bytes."""
        if self.registers is not None:
            return _SKETCHED + zlib.compress(bytes(self.registers), 6)
        return _EXACTLY + b"".join(sorted(self.visitors))

    @classmethod
    def unpacked(cls, packed: bytes) -> Uniques:
        """The inverse of `packed`; of no bytes the empty set."""
        how, body = packed[:1], packed[1:]
        if how == _SKETCHED:
            return cls(registers=bytearray(zlib.decompress(body)))
        return cls({body[at : at + _BYTES] for at in range(0, len(body), _BYTES)})
