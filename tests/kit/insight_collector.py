"""The insight stage's collector, with tables and a stream in memory."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.insight.domain.facts import Fact
from services.insight.domain.feed import Told, decode
from services.insight.edges.senders import Races, Secrets, Stream
from services.insight.functions.collect import Collect
from services.insight.questions import CollectApi
from services.insight.records import Race
from shared.contracts.keys import RaceRef
from shared.kit.api.routes import Router
from shared.kit.records import Records
from tests.kit.events import RACE
from tests.kit.memory_table import MemoryTable
from tests.kit.search_stage import request

SEOUL = ZoneInfo("Asia/Seoul")
NOON = datetime(2026, 11, 8, 12, tzinfo=SEOUL)
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Safari/604.1"
PHOTO = "f" * 32
PROGRAM = {"User-Agent": PHONE}  # a program, by what it leaves out
Codes = list[str | None]


class Kinesis:
    """Takes records, but those for which the next answer has an error code."""

    def __init__(self, *answers: Codes) -> None:
        self.taken: list[bytes] = []
        self.keys: list[str] = []
        self.requests = 0
        self._answers = list(answers)

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        assert (StreamName, len(Records) <= 500) == ("stream", True)
        self.requests += 1
        codes = self._answers.pop(0) if self._answers else [None] * len(Records)
        assert len(codes) == len(Records)
        for record, code in zip(Records, codes, strict=True):
            if code is None:
                self.taken.append(record["Data"])
                self.keys.append(record["PartitionKey"])
        answers = [{"ErrorCode": code, "ErrorMessage": "no"} if code else {"SequenceNumber": "1"} for code in codes]
        return {"FailedRecordCount": sum(code is not None for code in codes), "Records": answers}


class Collector:
    """The function with tables in memory, at a time that can be set."""

    def __init__(self, kinesis: Kinesis | None = None, *, races: Iterable[RaceRef] = (RACE,)) -> None:
        self.at = NOON
        self.kinesis = kinesis or Kinesis()
        self.calls: list[str] = []
        self.main = Records(MemoryTable("main", self.calls.append))
        self.sessions = Records(MemoryTable("sessions", self.calls.append))
        for race in races:
            self.main.put(race, Race(name="City Run", timezone="Asia/Seoul", revision="01"))
        self.restart()

    def restart(self) -> None:
        """As in another process: nothing is remembered but what the tables hold."""
        collect = Collect(
            Races(self.main, lambda: self.at.timestamp()),
            Secrets(self.sessions, lambda: self.at.timestamp()),
            Stream(self.kinesis, "stream", lambda _: None),  # type: ignore[arg-type]
            lambda: int(1000 * self.at.timestamp()),
        )
        self._router = Router(CollectApi.routes(), collect)

    def token(self, race: RaceRef = RACE, **headers: str) -> tuple[int, Any]:
        return self._answer(request("/{organizer_id}/{event_id}/token", path=race._asdict(), headers=headers))

    def send(
        self, *events: Any, headers: dict[str, str] = PROGRAM, source_ip: str = "192.0.2.1", **fields: Any
    ) -> tuple[int, Any]:
        body = json.dumps({**RACE._asdict(), "events": list(events), **fields}, ensure_ascii=False)
        return self._answer(request("/events", method="POST", body=body, headers=headers, source_ip=source_ip))

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """API Gateway's response to its event."""
        return self._router.respond(event)

    def _answer(self, event: dict[str, Any]) -> tuple[int, Any]:
        response = self.handle(event)
        assert not any(name.lower() == "set-cookie" for name in response["headers"])
        return response["statusCode"], json.loads(response["body"])

    @property
    def facts(self) -> list[Fact]:
        told = [decode(record) for record in self.kinesis.taken]
        assert all(isinstance(each, Told) and each.race == RACE for each in told)
        return [fact for each in told if isinstance(each, Told) for fact in each.facts]

    def fact(self, *, at_ms: int | None = None, **asked: Any) -> Fact:
        """What is kept of a photo view, which was at that time, that is sent so."""
        before = len(self.facts)
        assert self.send(viewed(**({} if at_ms is None else {"at_ms": at_ms})), **asked)[0] == 200
        (fact,) = self.facts[before:]
        return fact


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """An event as a page sends it."""
    return {"id": str(uuid.uuid4()), "kind": kind, **fields}


def viewed(**fields: Any) -> dict[str, Any]:
    """A photo was looked at."""
    return event("photo_view", photo_id=PHOTO, **fields)
