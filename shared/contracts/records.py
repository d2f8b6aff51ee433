"""What a stage keeps, as types: each kind of item in its table, its key, and which event each part comes from.

A stage's `records.py` subclasses Record. Everybody else reads the stage's table through these classes alone
(shared/kit/records.py), so that a renamed attribute is a type error wherever it is read.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

import msgspec

from shared.contracts.events import DomainEvent
from shared.contracts.keys import RaceRef, sort_key

Key = tuple[str, str]
"""Partition key and sort key."""

Origins = Mapping[type[msgspec.Struct], tuple[str, ...]]
"""By the type of an event or upload, the fields of a record that keep what it said."""

R = TypeVar("R", bound="Record")

EXPIRES_AT = "expires_at"
"""Of an item in a short-lived table: when DynamoDB may delete it, in seconds since 1970; within some days it does."""


@dataclass(frozen=True, kw_only=True)
class Index:
    """An index of a table by two attributes, which holds keys alone. What it finds may be a moment old."""

    name: str
    partition: str
    sort: str


@dataclass(frozen=True, kw_only=True)
class ShortLived:
    """A table beside the stage's own, whose items go when their EXPIRES_AT is past, and no past of which is kept."""

    name: str
    indexes: tuple[Index, ...] = ()


@dataclass(frozen=True)
class At(Generic[R]):
    """Where a record of a kind lies."""

    kind: type[R]
    partition: str
    sort_key: str

    @property
    def key(self) -> Key:
        """The item's key."""
        return self.partition, self.sort_key


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of item. Its fields are the item's attributes; unknown attributes are ignored.

    `SORT_KEY` is the pattern of its sort key: text with {fields} of the record. `FROM` says which fields are what an
    event or upload said, by the message's type; the others are the stage's own. `ALSO_STORED` names properties that
    are stored beside the fields. `VIEW` marks a kind that reads a part of another kind's items: just its fields are
    asked for, and it is never written. `TABLE` is the short-lived table it is in, None for the stage's own. `PARTITION`
    is that of all races it is in, None for the race's own.
    """

    TABLE: ClassVar[ShortLived | None] = None
    PARTITION: ClassVar[str | None] = None
    SORT_KEY: ClassVar[str]
    FROM: ClassVar[Origins] = {}
    ALSO_STORED: ClassVar[tuple[str, ...]] = ()
    VIEW: ClassVar[bool] = False

    @classmethod
    def locate(cls, where: RaceRef | str, *values: object) -> At[Self]:
        """The record of a race (or partition) whose sort key has these values."""
        partition = where.partition if isinstance(where, RaceRef) else where
        parts = _parts(cls.SORT_KEY)
        wanted = [field for _, field, _ in parts if field]
        if len(values) != len(wanted):
            raise TypeError(f"The key of {cls.__name__} takes {', '.join(wanted) or 'nothing'}.")
        return At(cls, partition, cls.prefix(*values))

    @classmethod
    def of(cls, race: RaceRef, said: object) -> At[Self]:
        """The record that keeps what an event or upload about the race said."""
        return cls.locate(race, *(getattr(said, field) for _, field, _ in _parts(cls.SORT_KEY) if field))

    @classmethod
    def is_named_by(cls, said: object) -> bool:
        """Whether an event or upload has all that the record's sort key is made of."""
        return all(hasattr(said, field) for _, field, _ in _parts(cls.SORT_KEY) if field)

    @classmethod
    def prefix(cls, *values: object) -> str:
        """How the sort keys begin of which the first values are these; the whole key when all are given."""
        text, left = [], list(values)
        for literal, field, form in _parts(cls.SORT_KEY):
            text.append(literal)
            if not field or not left:
                break
            text.append(format(left.pop(0), form))
        return sort_key(text[0], "".join(text[1:]))

    def place(self, where: RaceRef | str) -> At[Self]:
        """Where the record lies in a race (or partition)."""
        values = [getattr(self, field) for _, field, _ in _parts(self.SORT_KEY) if field]
        return type(self).locate(where, *values)

    def item(self, where: RaceRef | str) -> dict[str, Any]:
        """The record as an item of a race (or partition). What is UNSET is left out."""
        pk, sk = self.place(where).key
        fields = msgspec.structs.asdict(self) | {name: getattr(self, name) for name in self.ALSO_STORED}
        return {"PK": pk, "SK": sk, **{name: value for name, value in fields.items() if value is not msgspec.UNSET}}


COUNT = "count."
"""How the names of the attributes begin that a Tally counts in."""


class Tally(Record, frozen=True, kw_only=True):
    """A kind of item in which is counted, by names; its fields are those of its sort key.

    Numbers are added to what is there, in a transaction with what they count. Nothing else is ever written.
    """

    def adding(self, where: RaceRef | str, numbers: Mapping[str, int]) -> Addition:
        """That these numbers are added."""
        fields = msgspec.structs.asdict(self)
        return Addition(self.place(where).key, fields, {COUNT + name: number for name, number in numbers.items()})


@dataclass(frozen=True)
class Addition:
    """Numbers, by attribute, to be added to those of the item with this key; `fields` are of the item as well."""

    key: Key
    fields: Mapping[str, Any]
    numbers: Mapping[str, int]


class Progress(Record, frozen=True, kw_only=True):
    """A record, one for each upload or each photo, that tells whether a function is done with it.

    Its sort key has the upload's `key` or the photo's `photo_id`.
    """

    @property
    def done(self) -> bool:
        """Whether nothing more has to come before the photo goes on."""
        return True

    @property
    def heard(self) -> frozenset[type[DomainEvent]]:
        """The events about the photo that have arrived here, so that those who say them are done with it as well."""
        return frozenset()


class PhotoProgress(Progress, frozen=True, kw_only=True):
    """The progress of a photo."""

    photo_id: str


@functools.cache
def _parts(pattern: str) -> tuple[tuple[str, str | None, str], ...]:
    """The pattern taken apart: literal text, the field after it (None at the end), and its format."""
    return tuple((literal, field, form or "") for literal, field, form, _ in string.Formatter().parse(pattern))
