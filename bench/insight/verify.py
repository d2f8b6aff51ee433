"""Whether the live numbers of a race are what a plain recount comes to: snaprace bench insight --verify.

Photos are recounted from EventBridge's archives, visitors from the stage's stream, which keeps a day. Visitors are
compared up to the last minute that is worked out, so that it can be done while they come.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bench.insight import recount
from ops.look.quiet import until_quiet
from ops.mend.collected import CollectedEvents, Plan, Window
from ops.mend.replay import collect
from ops.race.races import the_race
from ops.race.rosters import runners_of
from ops.reach.errors import Failed
from ops.reach.insight_api import InsightApi
from ops.reach.target import Choice, Target, choose
from services.insight.domain import feed
from services.insight.domain.facts import Fact
from services.insight.questions import RealtimeAnswer, StatsAnswer
from services.insight.records import CoveragePending, Pending
from services.insight.stage import STAGE
from services.races.records import RosterHeld
from shared.contracts import naming
from shared.contracts.errors import InvalidMessage, SnapRaceError
from shared.contracts.events import Envelope
from shared.contracts.keys import KeyKind, RaceRef, near_race, parse_key
from shared.contracts.messages import Message

Tell = Callable[[str], None]

PATIENCE_S = 300.0
_LOOK_EVERY_S = 2.0
_KEPT = timedelta(hours=23)
"""Of the stream's day: an hour less, so that none of it goes while it is read."""
_ESTIMATED = 0.05
"""By so much may a number of visitors differ that is estimated: three standard errors of 1.6%."""


def run_here(named: str | None, tell: Tell) -> dict[str, Any]:
    """As `run`, in the SnapRace that SNAPRACE_TARGET and SNAPRACE_ENV name, of the race O/E or the only one."""
    choice: Choice = os.environ.get("SNAPRACE_TARGET", "auto")  # type: ignore[assignment]
    target = choose(choice, os.environ.get("SNAPRACE_ENV", "dev"))
    organizer, _, event = (named or "").partition("/")
    return run(target, the_race(target, organizer or None, event or None), tell)


def run(target: Target, race: RaceRef, tell: Tell) -> dict[str, Any]:
    """Recount and compare; what differs is listed. Raises Failed where something does not come to an end."""
    api = InsightApi(target.api_url(STAGE.name))
    tell("Waiting until nothing is in work")
    if not until_quiet(target, {race}, patience_s=PATIENCE_S):
        raise Failed(f"After {PATIENCE_S:.0f} s there is still work to do. Look at: snaprace status")
    zone = ZoneInfo(api.realtime(race).timezone)
    # Stamped a minute at least before now, and so in the stream, the facts until here are all there.
    end = datetime.now(zone).replace(second=0, microsecond=0)
    _until_worked_out(target, race, int(end.timestamp()) // 60, tell)
    tell("Reading the archives")
    photos = recount.photos(_archived(target, race), _roster(target, race))
    tell("Reading the stream")
    begin = end - _KEPT
    facts = list(facts_in_stream(target, race))
    visitors = recount.visitors(facts, round(1000 * begin.timestamp()), round(1000 * end.timestamp()))
    told = api.stats(race, **{"from": _local(begin), "to": _local(end), "bucket": "hour"})
    differences = [*photo_differences(photos, api.realtime(race)), *visitor_differences(visitors, told)]
    return {"equal": not differences, "differences": differences, "photos": photos, "visitors": visitors}


def _until_worked_out(target: Target, race: RaceRef, end: int, tell: Tell) -> None:
    """Wait until no minute before `end` is marked, nor the race's coverage. A minute is worked out when it is over."""
    records, deadline = target.records(STAGE.name), time.monotonic() + PATIENCE_S
    tell("Waiting until the last minute is worked out")
    settled = 0
    while settled < 2:  # once more, for what was on its way from the stream into the tables
        marks = records.query(Pending, Pending.PARTITION, race.partition)
        left = [mark.minute for mark in marks if mark.minute < end]
        covering = list(records.query(CoveragePending, CoveragePending.PARTITION, race.partition))
        settled = 0 if left or covering else settled + 1
        if time.monotonic() > deadline:
            raise Failed(f"After {PATIENCE_S:.0f} s numbers are still to be worked out. Look at: snaprace dlq")
        time.sleep(_LOOK_EVERY_S)


def _local(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M")


# --- what the recount reads -----------------------------------------------------------------------------


def _archived(target: Target, race: RaceRef) -> list[Message]:
    """All that was ever said of the race's photos."""
    now = datetime.now(UTC)
    function = STAGE.function("aggregate")
    plan = Plan(STAGE.name, (function,), Window(datetime.fromtimestamp(0, UTC), now), now)
    with tempfile.TemporaryDirectory() as folder:
        events = AsNews(Path(folder) / "events")
        collect(target, plan, events)
        return [message for message in events.messages(events.events) if race_of(message) == race]


class AsNews(CollectedEvents):
    """Archived events as they were first: the rules of a stream bring no replays."""

    def add(self, plan: Plan, body: str) -> None:
        """Keep the event if the function hears it as news."""
        event = json.loads(body)
        event.pop("replay-name", None)
        super().add(plan, json.dumps(event))


def race_of(message: Message) -> RaceRef | None:
    """The race of what is said of a photo or of an upload that was meant for one."""
    if isinstance(message, Envelope):
        return getattr(message.data, "race", None)
    key = getattr(message, "key", "")
    try:
        parsed = parse_key(key)
    except SnapRaceError:
        return near_race(key)
    return parsed.race if parsed.kind is KeyKind.RAW_PHOTO else None


def _roster(target: Target, race: RaceRef) -> frozenset[str] | None:
    held = target.records("races").get(RosterHeld.locate(race))
    return None if held is None else frozenset(runner.bib for runner in runners_of(target, held))


def facts_in_stream(target: Target, race: RaceRef) -> Iterator[Fact]:
    """What visitors of the race did, by all that the stream still has, repetitions included."""
    client = target.client("kinesis")
    stream = naming.stream(target.env, STAGE.name, "aggregate")
    pages = client.get_paginator("list_shards").paginate(StreamName=stream)
    for shard in [each["ShardId"] for page in pages for each in page["Shards"]]:
        begin = client.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        place = begin["ShardIterator"]
        while place:
            answer = client.get_records(ShardIterator=place)
            yield from (fact for record in answer["Records"] for fact in _facts(record["Data"], race))
            at_the_end = not answer["Records"] and not answer.get("MillisBehindLatest", 0)
            place = None if at_the_end else answer.get("NextShardIterator")


def _facts(data: bytes, race: RaceRef) -> list[Fact]:
    try:
        told = feed.decode(data)
    except InvalidMessage:
        return []  # set aside by the stage, too
    return told.facts if isinstance(told, feed.Told) and told.race == race else []


# --- what differs ---------------------------------------------------------------------------------------


def photo_differences(counted: dict[str, Any], told: RealtimeAnswer) -> Iterator[dict[str, Any]]:
    """What the live numbers of photos are, where they are not as recounted."""
    flow = told.flow
    live = {name: getattr(flow, name, None) for name in counted}
    live["reasons"] = dict(sorted((each.reason, each.count) for each in flow.reasons))
    live["covered"] = told.coverage.covered if told.coverage else None
    yield from _differences(counted, live)


def visitor_differences(counted: dict[str, Any], told: StatsAnswer) -> Iterator[dict[str, Any]]:
    """What the statistics of visitors are, where they are not as recounted, or do not sum up."""
    totals = {name: getattr(told.totals, name) for name in counted}
    if not told.totals.visitors_exact and abs(totals["visitors"] / counted["visitors"] - 1) <= _ESTIMATED:
        totals["visitors"] = counted["visitors"]
    yield from _differences(counted, totals)
    for name in (*recount.FIELDS.values(), "found", "robots", "sessions", "engaged"):
        summed, total = sum(getattr(bucket, name) for bucket in told.buckets), getattr(told.totals, name)
        if summed != total:
            yield {"what": f"{name} of all hours", "recounted": total, "told": summed}


def _differences(counted: dict[str, Any], told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, number in counted.items():
        if told[name] != number:
            yield {"what": name, "recounted": number, "told": told[name]}
