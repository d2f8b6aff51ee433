"""The insight API as its users see it: tells it what visitors do, asks it for a race's live numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from ops.reach.answers import sentence_of
from ops.reach.errors import Failed
from services.insight.questions import Event, EventsAnswer, RealtimeAnswer, StatsAnswer
from shared.contracts.keys import RaceRef

_PAUSES_S = (1.0, 2.0, 4.0, 8.0)
"""Before what the API had no time for is sent again."""
_BUSY = (429, 500, 502, 503, 504)


class InsightApi:
    """The insight stage's REST API at `url`."""

    def __init__(self, url: str, *, sleep: Callable[[float], object] = time.sleep) -> None:
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=not url.startswith("http://127.0.0.1"))
        self._sleep = sleep
        self._etags: dict[RaceRef, tuple[str, RealtimeAnswer]] = {}

    def tell(self, race: RaceRef, events: Sequence[Event], user_agent: str) -> EventsAnswer:
        """Tell what a visitor did who has this browser. Raises Failed with the API's sentence."""
        told = {**race._asdict(), "events": msgspec.to_builtins(events)}
        for pause_s in (*_PAUSES_S, None):
            response = self._ask("POST", "events", json=told, headers={"User-Agent": user_agent})
            if response.status_code not in _BUSY or pause_s is None:
                break
            self._sleep(pause_s)
        return msgspec.convert(self._answer(response), EventsAnswer)

    def realtime(self, race: RaceRef) -> RealtimeAnswer:
        """The race as it is now; what has not changed since it was last asked is not sent again. Raises Failed."""
        known = self._etags.get(race)
        headers = {"If-None-Match": known[0]} if known else {}
        path = f"{quote(race.organizer_id)}/{quote(race.event_id)}/realtime"
        response = self._ask("GET", path, headers=headers)
        if known and response.status_code == httpx.codes.NOT_MODIFIED:
            return known[1]
        answer = msgspec.convert(self._answer(response), RealtimeAnswer)
        if etag := response.headers.get("ETag"):
            self._etags[race] = etag, answer
        return answer

    def stats(self, race: RaceRef, **asked: str) -> StatsAnswer:
        """Statistics of a range: `from`, `to` and `bucket` as the API takes them. Raises Failed."""
        path = f"{quote(race.organizer_id)}/{quote(race.event_id)}/stats"
        return msgspec.convert(self._answer(self._ask("GET", path, params=asked)), StatsAnswer)

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **request)
        except httpx.TransportError as error:
            raise Failed(f"The insight API at {self._client.base_url} does not answer: {error}.") from None

    def _answer(self, response: httpx.Response) -> Any:
        if not response.is_success:
            raise Failed(sentence_of(response, "The insight API"))
        return response.json()
