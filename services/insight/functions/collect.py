"""The collect function: takes what visitors do, and puts it into the stream as facts."""

from __future__ import annotations

import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

from services.insight.domain import feed, senders, tokens
from services.insight.domain.collecting import events_of, facts_of, host
from services.insight.domain.robots import is_robot
from services.insight.domain.visitors import Visitor, day, day_before, hash_of
from services.insight.edges.senders import Races, Secrets, Stream
from services.insight.questions import (
    BadEvents,
    BadToken,
    CollectApi,
    EventsAnswer,
    EventsAsked,
    ForeignPage,
    TokenAnswer,
    TokenAsked,
    UnknownRace,
)
from services.insight.records import SESSIONS
from services.insight.stage import STAGE
from shared.kit.api.routes import serves


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Collect(CollectApi):
    """The collector's answers.

    An event happens when it is received, or a little before, as its sender says by our clock. So `now_ms` stamps the
    facts here, once, and whoever works with them later reads no clock.
    """

    def __init__(self, races: Races, secrets: Secrets, stream: Stream, now_ms: Callable[[], int] = _now_ms) -> None:
        self._races = races
        self._secrets = secrets
        self._stream = stream
        self._now_ms = now_ms

    def token(self, asked: TokenAsked) -> TokenAnswer | ForeignPage | UnknownRace:
        """A token for a page of ours."""
        if not senders.may_have_token(asked.origin, asked.fetch_site):
            return ForeignPage()
        zone, now_ms = self._zone(asked), self._now_ms()
        if zone is None:
            return UnknownRace()
        key = self._secrets.of(asked.race, "tokens", day(now_ms, zone), zone)
        return TokenAnswer(token=tokens.make(key, asked.race, now_ms // 1000), lasts_s=tokens.LASTS_S, now_ms=now_ms)

    def events(self, asked: EventsAsked) -> EventsAnswer | BadEvents | BadToken | ForeignPage | UnknownRace:
        """What a visitor did becomes facts, all in one go."""
        if not senders.may_send(asked.fetch_site):
            return ForeignPage()
        if senders.wants_no_tracking(asked.do_not_track, asked.global_privacy_control):
            return EventsAnswer(taken=0, counted=False)
        events = events_of(asked.events)
        if isinstance(events, BadEvents):
            return events
        zone, now_ms = self._zone(asked), self._now_ms()
        if zone is None:
            return UnknownRace()
        if senders.is_browser(asked.origin, asked.fetch_site) and not self._token_holds(asked, zone, now_ms):
            return BadToken()
        facts = facts_of(events, lambda at_ms: self._visitor(asked, zone, at_ms), host(asked.origin), now_ms)
        self._stream.put(feed.encode(asked.race, facts))
        return EventsAnswer(taken=len(facts), counted=True)

    def _zone(self, asked: TokenAsked) -> ZoneInfo | None:
        race = self._races.get(asked.race)
        return ZoneInfo(race.timezone) if race else None

    def _token_holds(self, asked: EventsAsked, zone: ZoneInfo, now_ms: int) -> bool:
        issued_s = tokens.issued_at(asked.token, now_ms // 1000)
        if issued_s is None:
            return False
        key = self._secrets.of(asked.race, "tokens", day(1000 * issued_s, zone), zone)
        return tokens.holds(key, asked.race, asked.token)

    def _visitor(self, asked: EventsAsked, zone: ZoneInfo, at_ms: int) -> Visitor:
        days = [day(at_ms, zone), day_before(at_ms, zone)]
        salts = [self._secrets.of(asked.race, "visitors", each, zone) for each in days if each]
        hashes = [hash_of(salt, asked.race, asked.address, asked.user_agent) for salt in salts]
        robot = is_robot(asked.user_agent, asked.robot, asked.purpose)
        return Visitor(id=hashes[0], earlier=hashes[1] if len(hashes) > 1 else b"", robot=robot)


handler = serves(
    STAGE,
    "collect",
    lambda here: Collect(
        Races(here.records),
        Secrets(here.records_in(SESSIONS)),
        Stream(here.client("kinesis"), here.environment.stream_name),
    ),
)
