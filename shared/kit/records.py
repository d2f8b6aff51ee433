"""A stage's table as its records: what is read comes as the types of the stage's `records.py`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from shared.contracts.keys import RaceRef, is_newer
from shared.contracts.records import COUNT, Addition, At, Key, Record, Tally
from shared.kit.table import ABSENT, ALWAYS, Condition, Item, Table

K = TypeVar("K")
R = TypeVar("R", bound=Record)
T = TypeVar("T", bound=Tally)

Put = tuple[RaceRef | str, Record, Condition]
"""The race (or partition), the record, and the condition under which it is written."""


class Found:
    """Records that were read together."""

    def __init__(self, items: dict[Key, Item]) -> None:
        self._items = items

    def get(self, at: At[R]) -> R | None:
        """The record, or None where there is none."""
        item = self._items.get(at.key)
        return None if item is None else msgspec.convert(item, at.kind)


class Records:
    """Typed access to one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    @property
    def name(self) -> str:
        """The table's name."""
        return self._table.name

    def get(self, at: At[R]) -> R | None:
        """The record, or None."""
        item = self._table.get(*at.key)
        return None if item is None else msgspec.convert(item, at.kind)

    def read(self, *places: At[Any]) -> Found:
        """Read records of any kinds in as few requests as their number allows."""
        items = self._table.batch_get((at.key for at in places), only=_fields({at.kind for at in places}))
        return Found({(item["PK"], item["SK"]): item for item in items})

    def read_each(self, places: Mapping[K, At[R]]) -> dict[K, R]:
        """Those of the records that are there, by the keys under which their places are given."""
        found = self.read(*places.values())
        return {key: record for key, at in places.items() if (record := found.get(at))}

    def held(self, places: Iterable[At[Any]]) -> frozenset[At[Any]]:
        """Those of the places at which there is a record; just keys are sent."""
        wanted = frozenset(places)
        items = self._table.batch_get(sorted({at.key for at in wanted}), only=("PK", "SK"))
        keys = {(item["PK"], item["SK"]) for item in items}
        return frozenset(at for at in wanted if at.key in keys)

    def query(self, kind: type[R], where: RaceRef | str, *values: object, after: At[R] | None = None) -> Iterator[R]:
        """A race's (or partition's) records of a kind in the order of their keys, of which the first values are these.

        With `after` only those behind that place.
        """
        partition = where.partition if isinstance(where, RaceRef) else where
        start = None if after is None else after.sort_key
        for item in self._table.query(partition, kind.prefix(*values), after=start, only=_fields({kind})):
            yield msgspec.convert(item, kind)

    def races(self, kind: type[Record]) -> Iterator[RaceRef]:
        """The races that have a record of this kind, of which a race has one. It reads the whole table."""
        for item in self._table.scan(kind.prefix(), only=("PK",)):
            yield RaceRef.from_partition(item["PK"])

    def between(
        self, kind: type[R], race: RaceRef, low: str, high: str, *, descending: bool = False, page: int = 100
    ) -> Iterator[R]:
        """Records whose sort key is from `low` through `high`, read `page` at a time as they are asked for."""
        for item in self._table.between(race.partition, low, high, descending=descending, page=page):
            yield msgspec.convert(item, kind)

    def tallies(self, kind: type[T], where: RaceRef | str, *values: object) -> Iterator[tuple[T, dict[str, int]]]:
        """A race's tallies of a kind of which the first values are these, each with its numbers by name."""
        partition = where.partition if isinstance(where, RaceRef) else where
        for item in self._table.query(partition, kind.prefix(*values)):
            yield msgspec.convert(item, kind), _counts(item)

    def tallies_between(self, kind: type[T], low: At[T], high: At[T]) -> Iterator[tuple[T, dict[str, int]]]:
        """The tallies from the place `low` through `high`."""
        for item in self._table.between(low.partition, low.sort_key, high.sort_key, page=1_000):
            yield msgspec.convert(item, kind), _counts(item)

    def put(self, where: RaceRef | str, record: Record, condition: Condition = ALWAYS) -> bool:
        """Write the record; False when the condition did not hold (then nothing was written)."""
        return self._table.put(record.item(where), condition)

    def put_newest(self, race: RaceRef, record: Record) -> None:
        """Write the record unless the one that is there has the same or a later `revision` (an S3 sequencer)."""
        revision: str = record.revision  # type: ignore[attr-defined]
        while True:
            held: Any = self.get(record.place(race))
            if held is not None and not is_newer(revision, than=held.revision):
                return
            if self.put(race, record, unchanged(held, "revision")):
                return

    def write(self, puts: Iterable[Put], deletes: Iterable[At[Any]] = (), additions: Iterable[Addition] = ()) -> bool:
        """All in one transaction (at most 100 items), each put under its own condition.

        False when a condition did not hold or another transaction was at the same items: read again, decide again.
        """
        items = [(record.item(where), condition) for where, record, condition in puts]
        return self._table.write_guarded(items, [at.key for at in deletes], list(additions))

    def put_all(self, where: RaceRef | str, records: Iterable[Record]) -> None:
        """Write records that need no condition, 25 a request."""
        self._table.put_all(record.item(where) for record in records)

    def delete(self, at: At[Any], condition: Condition = ALWAYS) -> bool:
        """Delete the record if it is there; False when the condition did not hold."""
        return self._table.delete(*at.key, condition)

    def delete_all(self, places: Iterable[At[Any]]) -> None:
        """Delete records if they are there, 25 a request."""
        self._table.delete_all(at.key for at in places)


def unchanged(held: Record | None, *fields: str) -> Condition:
    """Holds while the item still is `held`, by these of its fields; while there is none, if that is None."""
    if held is None:
        return ABSENT
    return Condition(
        " AND ".join(f"#{field} = :{field}" for field in fields),
        names={f"#{field}": field for field in fields},
        values={f":{field}": getattr(held, field) for field in fields},
    )


def _counts(item: Item) -> dict[str, int]:
    return {name.removeprefix(COUNT): number for name, number in item.items() if name.startswith(COUNT)}


def _fields(kinds: Collection[type[Record]]) -> tuple[str, ...]:
    """What to ask for: of views just their fields and the keys, else all."""
    if not all(kind.VIEW for kind in kinds):
        return ()
    return tuple(dict.fromkeys(["PK", "SK", *(field for kind in kinds for field in kind.__struct_fields__)]))
