"""How long the api function itself takes for realtime and stats, with a day of many events and one of few.

Its real entry is called with API Gateway's events, at a clock that stands in the last minute of the days. The two races
are asked in turns, so that what else the machine does meets both.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.insight.day import ZONE
from bench.insight.handlers import CONTEXT
from services.insight.domain import calendar
from services.insight.edges.numbers import Numbers
from services.insight.functions.api import Live
from services.insight.records import EVENTS, SESSIONS, Race
from services.insight.stage import STAGE
from shared.contracts.keys import RaceRef
from shared.kit.api.routes import serves
from shared.kit.entry import Entry, Here
from shared.kit.records import Records

REQUESTS = 100
_FIRST = 5
"""Requests that are not measured: what is loaded and connected once."""

QUESTIONS: Mapping[str, tuple[str, dict[str, str]]] = {
    "realtime": ("realtime", {}),
    "stats_week_by_day": ("stats", {}),
    "stats_day_by_hour": ("stats", {"bucket": "hour"}),
}


def api_at(now_s: float) -> Entry[Any]:
    """The api function, at a time that stands."""

    def build(here: Here) -> Live:
        numbers = Numbers(here.records, here.records_in(EVENTS), here.records_in(SESSIONS))
        return Live(here.records, numbers, "https://pictures.example", lambda: now_s)

    return serves(STAGE, "api", build)


def measure(
    races: Mapping[str, RaceRef], now: int, main: Records, requests: int = REQUESTS
) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds by question and race, at the end of the minute `now`, the last of its day.

    `get_item` is one read of one item by the same client, as a reference.
    """
    day = calendar.day_of(now, ZONE).isoformat()
    entry = api_at(60 * now + 59.0)
    times: dict[str, dict[str, list[tuple[float, float]]]] = {
        question: {name: [] for name in races} for question in (*QUESTIONS, "get_item")
    }
    for turn in range(requests + _FIRST):
        for name, race in races.items():
            for question, (path, query) in QUESTIONS.items():
                asked = {**query, "from": day, "to": day} if query else {}
                event = _event(race, path, asked)
                spent = _timed(lambda event=event: _asked(entry, event))  # type: ignore[misc]
                if turn >= _FIRST:
                    times[question][name].append(spent)
            place = Race.locate(race)
            times["get_item"][name].append(_timed(lambda place=place: main.get(place)))  # type: ignore[misc]
    return {question: {name: _spread(spent) for name, spent in by_race.items()} for question, by_race in times.items()}


def _timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds on the wall, and of this thread."""
    begun, cpu = time.perf_counter(), time.thread_time()
    call()
    return 1000 * (time.perf_counter() - begun), 1000 * (time.thread_time() - cpu)


def _spread(times: list[tuple[float, float]]) -> dict[str, float]:
    wall, cpu = zip(*times, strict=True)
    return {
        "p50_ms": round(statistics.median(wall), 2),
        "p95_ms": round(statistics.quantiles(wall, n=20)[-1], 2),
        "cpu_p50_ms": round(statistics.median(cpu), 2),
    }


def _asked(entry: Entry[Any], event: dict[str, Any]) -> Any:
    answer = entry(event, CONTEXT)
    if answer is None or answer["statusCode"] != 200:
        raise RuntimeError(f"The api function answered {answer}.")
    return json.loads(answer["body"])


def _event(race: RaceRef, path: str, query: dict[str, str]) -> dict[str, Any]:
    return {
        "httpMethod": "GET",
        "resource": f"/{{organizer_id}}/{{event_id}}/{path}",
        "pathParameters": race._asdict(),
        "queryStringParameters": query or None,
        "headers": {},
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {"identity": {"sourceIp": "127.0.0.1"}},
    }
