"""Where the insight stage touches AWS."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from services.insight.domain.visitors import end_of_use
from services.insight.records import Race, Secret
from shared.contracts.errors import Conflict
from shared.contracts.keys import RaceRef
from shared.kit.failures import refusal
from shared.kit.records import Records
from shared.kit.stream import put, with_own_key
from shared.kit.table import ABSENT

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

Purpose = Literal["visitors", "tokens"]

# --- the stream -----------------------------------------------------------------------------------------------

_ATTEMPTS, _PAUSE_S = 4, 0.05
"""A shard that is too busy is tried again: three pauses of at most 0.35 s in all, since a browser waits."""


class Stream:
    """Puts records into the stage's stream."""

    def __init__(self, client: KinesisClient, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._name = name
        self._sleep = sleep

    def put(self, records: Iterable[bytes]) -> None:
        """Put all of them. Raises Throttled or PublishFailed where some stay out: then send all again.

        Raises ServiceRefused for what Kinesis does not take at all.
        """
        made = map(with_own_key, records)
        codes = put(self._client.put_records, self._name, made, pauses_s=_pauses_s, sleep=self._sleep)
        if codes:
            raise refusal(codes, f"Kinesis refused {len(codes)} records: {', '.join(sorted(set(codes)))}.")


def _pauses_s() -> Iterator[float]:
    for attempt in range(_ATTEMPTS - 1):
        yield random.uniform(0.5, 1) * _PAUSE_S * 2**attempt  # noqa: S311 - nobody is fooled


# --- races and secrets ------------------------------------------------------------------------------------------

_REMEMBERED_S = 60.0


class Races:
    """The races, each remembered for a minute; one that is not there is looked for each time."""

    def __init__(self, records: Records, clock: Callable[[], float] = time.monotonic) -> None:
        self._records = records
        self._clock = clock
        self._held: dict[RaceRef, tuple[Race, float]] = {}

    def get(self, race: RaceRef) -> Race | None:
        """What is kept of the race, which may be a minute old."""
        held, until = self._held.get(race, (None, 0.0))
        if held is None or self._clock() > until:
            held = self._records.get(Race.locate(race))
            if held is None:
                self._held.pop(race, None)
            else:
                self._held[race] = held, self._clock() + _REMEMBERED_S
        return held


class Secrets:
    """The secrets of the races' days, in the sessions table; a process asks for each once."""

    def __init__(self, records: Records, clock: Callable[[], float] = time.time) -> None:
        self._records = records
        self._clock = clock
        self._held: dict[tuple[RaceRef, Purpose, date], Secret] = {}

    def of(self, race: RaceRef, purpose: Purpose, day: date, zone: ZoneInfo) -> bytes:
        """The race's secret of the day; whoever asks first makes it, and all others get the same."""
        name = (race, purpose, day)
        if name not in self._held:
            now = self._clock()
            self._held = {each: held for each, held in self._held.items() if held.expires_at > now}
            self._held[name] = self._read(race, purpose, day) or self._make(race, purpose, day, zone)
        return self._held[name].value

    def _read(self, race: RaceRef, purpose: Purpose, day: date) -> Secret | None:
        return self._records.get(Secret.locate(race, purpose, day.isoformat()))

    def _make(self, race: RaceRef, purpose: Purpose, day: date, zone: ZoneInfo) -> Secret:
        made = Secret(
            purpose=purpose,
            day=day.isoformat(),
            value=secrets.token_bytes(32),
            expires_at=int(end_of_use(day, zone).timestamp()),
        )
        if self._records.put(race, made, ABSENT):
            before_last = (day - timedelta(days=2)).isoformat()
            self._records.delete_all([Secret.locate(race, purpose, before_last)])
            return made
        if held := self._read(race, purpose, day):
            return held
        raise Conflict("Somebody else made the day's secret, and it is gone already.")
