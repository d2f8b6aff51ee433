"""Keeps Kinesis's records, and how far each function has read its stream."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from local.aws.kept.adopted import Holding, adopt_in
from local.aws.kept.journal import Journal

_RECORDS, _PLACES = "records", "places"


class _Records(list[Any]):
    """The records of a shard, each with the journal's key of it."""

    def __init__(self, journal: Journal, stream: str, shard: str, kept: Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__()
        self._journal, self._stream, self._shard = journal, stream, shard
        self._keys: dict[str, str] = {}
        for key, record in kept:
            self._keys[record["SequenceNumber"]] = key
            super().append(record)

    def append(self, record: Any) -> None:
        self._keys[record["SequenceNumber"]] = self._journal.append(_RECORDS, self._stream, [self._shard, record])
        super().append(record)

    def replaced_by(self, records: list[Any]) -> _Records:
        """Note which of them have expired."""
        staying = [(self._keys.pop(record["SequenceNumber"]), record) for record in records]
        for key in self._keys.values():
            self._journal.drop(_RECORDS, self._stream, key)
        return _Records(self._journal, self._stream, self._shard, staying)


class _Places(dict[str, int]):
    """How many records of each shard a mapping has read. A mapping that is made again goes on where it was."""

    def __init__(self, journal: Journal, mapping: str) -> None:
        super().__init__()
        self._journal, self._mapping = journal, mapping
        self._kept = dict(journal.rows(_PLACES, mapping))

    def __setitem__(self, shard: str, place: int) -> None:
        # ministack first sets where a new mapping begins.
        place = self._kept.pop(shard, place)
        super().__setitem__(shard, place)
        self._journal.put(_PLACES, self._mapping, shard, place)


def keep(journal: Journal) -> None:
    """Note each record, and each batch that was read."""
    from ministack.services import kinesis, lambda_svc

    def adopt(_key: Any, stream: Any) -> Any:
        kept: dict[str, list[tuple[str, Any]]] = {}
        for key, (shard, record) in journal.rows(_RECORDS, stream["StreamARN"]):
            kept.setdefault(shard, []).append((key, record))
        for name, shard in stream["shards"].items():
            records = _Records(journal, stream["StreamARN"], name, kept.get(name, ()))
            stream["shards"][name] = Holding({**shard, "records": records}, "records")
        return stream

    def adopt_places(key: Any, places: Any) -> Any:
        mapping = lambda_svc._esms._data[key]
        adopted = _Places(journal, json.dumps([mapping["EventSourceArn"], mapping["FunctionName"]]))
        for shard, place in places.items():
            adopted[shard] = place
        return adopted

    adopt_in(kinesis._streams, adopt, lambda stream: journal.drop_all(_RECORDS, stream["StreamARN"]))
    adopt_in(lambda_svc._kinesis_positions, adopt_places, lambda _: None)
