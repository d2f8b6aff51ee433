"""Keeps CloudWatch's log events: `snaprace cost`, `explain` and `dlq` read what functions wrote."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from local.aws.kept.adopted import Holding, adopt_in
from local.aws.kept.journal import Journal

STORE = "logged"


class _Events(list[Any]):
    """The events of a log stream."""

    def __init__(self, journal: Journal, group: str, stream: str, events: Iterable[Any]) -> None:
        super().__init__(events)
        self._noted = functools.partial(journal.append, STORE, group)
        self._stream = stream

    def extend(self, events: Iterable[Any]) -> None:
        for event in events:
            self._noted([self._stream, event])
            super().append(event)

    def replaced_by(self, events: list[Any]) -> _Events:
        """Note which are new. ministack puts late ones in between so."""
        known = {id(event) for event in self}
        self.extend(event for event in events if id(event) not in known)
        self[:] = events
        return self


class _Streams(dict[str, Any]):
    """The streams of a log group."""

    def __init__(self, journal: Journal, group: str) -> None:
        super().__init__()
        self._events = functools.partial(_Events, journal, group)

    def __setitem__(self, name: str, stream: Any) -> None:
        super().__setitem__(name, Holding({**stream, "events": self._events(name, stream["events"])}, "events"))


def keep(journal: Journal) -> None:
    """Note each event that is logged."""
    from ministack.services import cloudwatch_logs

    def adopt(_key: Any, group: Any) -> Any:
        streams = _Streams(journal, group["arn"])
        kept: dict[str, list[Any]] = {}
        for _, (stream, event) in journal.rows(STORE, group["arn"]):
            kept.setdefault(stream, []).append(event)
        for name, events in kept.items():
            streams[name] = _stream(events)
        return {**group, "streams": streams}

    adopt_in(cloudwatch_logs._log_groups, adopt, lambda group: journal.drop_all(STORE, group["arn"]))


def _stream(events: list[Any]) -> dict[str, Any]:
    """A stream's record as ministack has it, with these events."""
    times = [event["timestamp"] for event in events]
    return {
        "events": events,
        "uploadSequenceToken": str(len(events) + 1),
        "creationTime": min(times),
        "firstEventTimestamp": min(times),
        "lastEventTimestamp": max(times),
        "lastIngestionTime": max(event["ingestionTime"] for event in events),
    }
