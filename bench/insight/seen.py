"""How soon an event that the collector took is seen in a race's live numbers, through the whole of a runtime."""

from __future__ import annotations

import statistics
import time
import uuid

from ops.race.settings import put_race
from ops.reach.errors import Failed
from ops.reach.insight_api import InsightApi
from ops.reach.target import Target
from services.insight.questions import PhotoView
from shared.contracts.keys import RaceRef

EVENTS = 10
_RACE = b'{"name": "Bench", "date": "2026-11-08", "timezone": "Asia/Seoul"}'
_BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0"
_PATIENCE_S = 60.0
_LOOK_EVERY_S = 0.02


def measure(target: Target, race: RaceRef, events: int = EVENTS) -> dict[str, float]:
    """Seconds from sending an event until it is seen, one after another, and what an answer takes at the front door."""
    put_race(target, race, _RACE)
    api = InsightApi(target.api_url("insight"))
    _until_known(api, race)
    _seconds(api, race)  # workers start
    seen = [_seconds(api, race) for _ in range(events)]
    return {
        "events": events,
        "p50_s": round(statistics.median(seen), 2),
        "most_s": round(max(seen), 2),
        "realtime_at_the_door_p50_ms": round(_at_the_door_ms(api, race), 1),
    }


def _until_known(api: InsightApi, race: RaceRef) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            api.realtime(race)
            return
        except Failed:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _seconds(api: InsightApi, race: RaceRef) -> float:
    before, begun = _views(api, race), time.monotonic()
    api.tell(race, [PhotoView(id=uuid.uuid4().hex, photo_id="f" * 32)], _BROWSER)
    while _views(api, race) == before:
        if time.monotonic() > begun + _PATIENCE_S:
            raise Failed(f"After {_PATIENCE_S:.0f} s the event is not seen. Look at: snaprace dlq")
        time.sleep(_LOOK_EVERY_S)
    return time.monotonic() - begun


def _views(api: InsightApi, race: RaceRef) -> int:
    return sum(minute.photo_views for minute in api.realtime(race).trend)


def _at_the_door_ms(api: InsightApi, race: RaceRef, requests: int = 50) -> float:
    times = []
    for _ in range(requests):
        begun = time.perf_counter()
        api.realtime(race)
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)
