"""How long the insight stage's collector itself takes for a request: snaprace bench insight.

Its handler is given requests as API Gateway makes them, of a browser with a token, each of another visitor. Tables and
stream are in memory, so that what is measured is the function's own time: reading and checking the events, the hash,
whether it is a robot, and encoding the facts. It waits for nothing, so that the processor's time is all there is; a
clock on the wall would also measure what else the machine does.
"""

from __future__ import annotations

import json
import statistics
import time
import uuid
from collections.abc import Iterable
from typing import Any, TypeVar

from services.insight.edges.senders import Races, Secrets, Stream
from services.insight.functions.collect import Collect
from services.insight.questions import CollectApi
from services.insight.records import Race
from shared.contracts.keys import RaceRef
from shared.contracts.records import At, Key, Record
from shared.kit.api.routes import Router
from shared.kit.records import Records
from shared.kit.table import ALWAYS, Condition

R = TypeVar("R", bound=Record)

REQUESTS = 2000
EVENTS = 10
"""Of a request: what a page gathers in two seconds is less."""

_RACE = RaceRef("bench", "race")
_BROWSER = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Safari/604.1"
_PAGE = {"Origin": "https://bench.example", "Sec-Fetch-Site": "same-origin", "X-Forwarded-Prefix": "/api/insight"}


class _Kept(Records):
    """Records in a dict."""

    def __init__(self) -> None:
        self._kept: dict[Key, Any] = {}

    def get(self, at: At[R]) -> R | None:
        return self._kept.get(at.key)

    def put(self, where: RaceRef | str, record: Record, condition: Condition = ALWAYS) -> bool:  # noqa: ARG002
        self._kept[record.place(where).key] = record
        return True

    def delete_all(self, places: Iterable[At[Any]]) -> None:
        for at in places:
            self._kept.pop(at.key, None)


class _Taken(Stream):
    """A stream that counts."""

    def __init__(self) -> None:
        self.records = 0

    def put(self, records: Iterable[bytes]) -> None:
        self.records += len(list(records))


def run(requests: int = REQUESTS, events: int = EVENTS) -> dict[str, Any]:
    """Milliseconds of so many requests with so many events each, after the first, which loads what is loaded once."""
    kept, stream = _Kept(), _Taken()
    kept.put(_RACE, Race(name="Bench", timezone="Asia/Seoul", revision="01"))
    router = Router(CollectApi.routes(), Collect(Races(kept), Secrets(kept), stream))
    token = json.loads(_asked(router, _token_wanted())["body"])["token"]
    times = [_timed(router, _events(number, events, token)) for number in range(requests + 1)]
    if stream.records != requests + 1:
        raise RuntimeError(f"The collector put {stream.records} records for {requests + 1} requests.")
    return {
        "requests": requests,
        "events_each": events,
        "first_ms": round(times[0], 3),
        "p50_ms": round(statistics.median(times[1:]), 3),
        "p95_ms": round(statistics.quantiles(times[1:], n=20)[-1], 3),
    }


def _timed(router: Router, event: dict[str, Any]) -> float:
    begun = time.thread_time()
    _asked(router, event)
    return 1000 * (time.thread_time() - begun)


def _asked(router: Router, event: dict[str, Any]) -> dict[str, Any]:
    """The answer. Raises RuntimeError where it is a refusal."""
    answer = router.respond(event)
    if answer["statusCode"] != 200:
        raise RuntimeError(f"The collector answered {answer['statusCode']}: {answer['body']}")
    return answer


def _token_wanted() -> dict[str, Any]:
    return _request("GET", "/{organizer_id}/{event_id}/token", {"X-Forwarded-Prefix": "/api/insight"}, None)


def _events(number: int, events: int, token: str) -> dict[str, Any]:
    did = [{"id": str(uuid.uuid4()), "kind": "photo_view", "photo_id": f"{each:032x}"} for each in range(events)]
    body = json.dumps({**_RACE._asdict(), "token": token, "events": did})
    address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    client = {"User-Agent": f"{_BROWSER} {number}", "X-Forwarded-For": address}
    return _request("POST", "/events", _PAGE | client, body)


def _request(method: str, resource: str, headers: dict[str, str], body: str | None) -> dict[str, Any]:
    return {
        "httpMethod": method,
        "resource": resource,
        "pathParameters": _RACE._asdict() if body is None else None,
        "queryStringParameters": None,
        "headers": headers,
        "body": body,
        "isBase64Encoded": False,
        "requestContext": {"identity": {"sourceIp": "127.0.0.1"}},
    }
