"""Between boto3 and AWS: what answers there instead of AWS, and what goes wrong there.

Handlers make their clients from boto3's default session, and every request of those passes a Wire. Services are
answered by what the test puts in `doubles`, others are left to moto. Trouble is made below boto3's retries, where it
comes from in life too, so that what is tested is our code with boto3, and nothing of either is patched. Only
pauses, botocore's before a retry and ours for a call's turn, are noted instead of waited for.
"""

from __future__ import annotations

import functools
import io
import json
import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, Protocol
from unittest import mock

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

Double = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Answers an operation ("PutEvents") and its request with a response; raises Refused."""

NOWHERE = "https://nowhere.invalid/"
"""Where a request is sent that shall not reach moto, which listens to all requests on their way."""


class Killed(BaseException):
    """The process dies here. No code of ours or of boto3 sees it."""


class AnswerLost(Exception):
    """AWS did it, but never said so; boto3 does not try again."""


@dataclass
class Refused(Exception):
    """What a service says instead of doing what it was asked."""

    code: str
    status: int = 400
    more: dict[str, Any] = field(default_factory=dict)


class HalfTaken(Exception):
    """A service takes half of a request's entries."""


class Made(NamedTuple):
    """An API call that was made: the function that made it ("ocr.read"), and what it asked for ("PutItem")."""

    function: str
    service: str
    operation: str

    @property
    def takes_entries(self) -> bool:
        return self.operation in ("PutEvents", "SendMessageBatch")


class Call(NamedTuple):
    """An API call on its way, the n-th of all, in its n-th attempt, both from 1."""

    number: int
    attempt: int
    service: str
    operation: str

    @property
    def name(self) -> str:
        """As "dynamodb.PutItem"."""
        return f"{self.service}.{self.operation}"


class Trouble(Protocol):
    """What goes wrong: either side may raise; Refused and HalfTaken only `going_out`, before it happened."""

    def going_out(self, call: Call) -> None: ...
    def coming_back(self, call: Call) -> None: ...


Mishap = Literal["unreachable", "unanswered", "asked twice", "killed before", "killed", "half taken"]


@dataclass
class Once:
    """One call of all meets a mishap.

    `unreachable`: it never happens, whatever boto3 tries. `unanswered`: it happens, and its caller gets an error.
    `asked twice`: it happens, the answer is lost, and boto3 asks again. `killed before`: the process dies first, and it
    never happens. `killed`: it happens, and the process dies. `half taken`: of a request with entries, the second half
    is refused.
    """

    number: int
    mishap: Mishap

    def going_out(self, call: Call) -> None:
        if call.number != self.number:
            return
        match self.mishap:
            case "unreachable":
                raise EndpointConnectionError(endpoint_url=NOWHERE)
            case "half taken":
                raise HalfTaken
            case "killed before":
                raise Killed

    def coming_back(self, call: Call) -> None:
        if call.number != self.number:
            return
        match self.mishap:
            case "unanswered":
                raise AnswerLost
            case "asked twice" if call.attempt == 1:
                raise ConnectionClosedError(endpoint_url=NOWHERE)
            case "killed":
                raise Killed


@dataclass
class Meanwhile:
    """Something happens before each request: `do` may have others make calls, or raise Killed."""

    do: Callable[[Call], None]

    def going_out(self, call: Call) -> None:
        self.do(call)

    def coming_back(self, call: Call) -> None: ...


_THROTTLED = {"dynamodb": "ProvisionedThroughputExceededException", "s3": "SlowDown"}


@dataclass
class Throttling:
    """A share of all requests is refused, as a seeded coin decides, in the words of the service asked.

    With `service` of its requests alone, and until `most` are refused.
    """

    coin: random.Random
    share: float = 0.3
    service: str = ""
    most: int | None = None
    refused: int = 0

    def going_out(self, call: Call) -> None:
        meant = self.service in ("", call.service) and self.refused != self.most
        if meant and self.coin.random() < self.share:
            self.refused += 1
            code = _THROTTLED.get(call.service, "ThrottlingException")
            raise Refused(code, 503 if code == "SlowDown" else 400)

    def coming_back(self, call: Call) -> None: ...


@dataclass
class Deaths:
    """A share of all calls kills the process, before or after it happens, as a seeded coin decides."""

    coin: random.Random
    share: float = 0.04
    died: int = 0

    def going_out(self, call: Call) -> None:
        self._toss()

    def coming_back(self, call: Call) -> None:
        self._toss()

    def _toss(self) -> None:
        if self.coin.random() < self.share / 2:
            self.died += 1
            raise Killed


@dataclass
class Outage:
    """A service answers nothing but that it is broken."""

    service: str

    def going_out(self, call: Call) -> None:
        if call.service == self.service:
            raise Refused("InternalError", 500)

    def coming_back(self, call: Call) -> None: ...


@dataclass
class InArchive:
    """S3 has the objects in an archive tier and gives none of their bytes."""

    def going_out(self, call: Call) -> None:
        if call.name == "s3.GetObject":
            raise Refused("InvalidObjectState", 403)

    def coming_back(self, call: Call) -> None: ...


@dataclass
class Refusing:
    """A service refuses one operation ("dynamodb.PutItem") each time, by this code; `refused` counts how often."""

    call: str
    code: str
    status: int = 400
    more: dict[str, Any] = field(default_factory=dict)
    refused: int = 0

    def going_out(self, call: Call) -> None:
        if call.name == self.call:
            self.refused += 1
            raise Refused(self.code, self.status, self.more)

    def coming_back(self, call: Call) -> None: ...


Overhear = Callable[[Made, dict[str, Any]], None]
"""Is told of a request and its parameters."""


class _OnItsWay(threading.local):
    """The call that a thread is in: a function may make two at a time."""

    number = 0
    attempt = 0


@dataclass
class Wire:
    """`calls` are all calls so far (one that is retried counts once), `caller` is who makes the next ones.

    `pauses` are the seconds that boto3 would have waited before it tried the n-th call again, one for each retry.
    `waited_s` are the seconds that calls would have waited for their turn (shared/kit/pacing.py), and its clock.
    `overhear` is told of every request that is made up, also of one that is only signed, for a link.
    """

    doubles: dict[str, Double] = field(default_factory=dict)
    trouble: Trouble | None = None
    calls: list[Made] = field(default_factory=list)
    caller: str = ""
    pauses: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    overhear: Overhear | None = None
    waited_s: float = 0.0
    _on_its_way: _OnItsWay = field(default_factory=_OnItsWay)
    _noting: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def used_by(self, caller: str) -> Iterator[None]:
        """Calls come from this function; who was in the middle of a call before goes on with it afterwards."""
        here = self._on_its_way
        before = self.caller, here.number, here.attempt
        self.caller = caller
        try:
            yield
        finally:
            self.caller, here.number, here.attempt = before

    @contextmanager
    def strung(self) -> Iterator[None]:
        """Let all clients that are made from now on use this wire."""
        hooks: Any = _session().events
        hooks.register_last("before-parameter-build.*.*", self._making_up)
        hooks.register_first("before-call.*.*", self._calling)
        hooks.register_first("before-send.*.*", self._going_out)
        hooks.register_last("before-send.*.*", self._coming_back)
        botocores, paces = SimpleNamespace(sleep=self._pause), SimpleNamespace(sleep=self._wait, monotonic=self._now)
        try:
            with (
                mock.patch.object(boto3, "DEFAULT_SESSION", _session()),
                mock.patch("botocore.endpoint.time", botocores),
                mock.patch("shared.kit.pacing.time", paces),
            ):
                yield
        finally:
            hooks.unregister("before-parameter-build.*.*", self._making_up)
            hooks.unregister("before-call.*.*", self._calling)
            hooks.unregister("before-send.*.*", self._going_out)
            hooks.unregister("before-send.*.*", self._coming_back)

    def _making_up(self, event_name: str, params: dict[str, Any], **_: Any) -> None:
        if self.overhear:
            _, service, operation = event_name.split(".")
            self.overhear(Made(self.caller, service, operation), params)

    def _calling(self, event_name: str, **_: Any) -> None:
        service, operation = event_name.split(".")[1:]
        with self._noting:
            self.calls.append(Made(self.caller, service, operation))
            number = len(self.calls)
        self._on_its_way.number, self._on_its_way.attempt = number, 0

    def _going_out(self, event_name: str, request: Any, **_: Any) -> AWSResponse | None:
        self._on_its_way.attempt += 1
        call = self._call
        try:
            if self.trouble:
                self.trouble.going_out(call)
            double = self.doubles.get(call.service)
            if double is None:
                return None
            answer = double(call.operation, json.loads(request.body))
            request.url = NOWHERE
            return _json(200, answer)
        except Refused as refused:
            request.url = NOWHERE
            return _refusal(call.service, refused)
        except HalfTaken:
            return _json(200, _half_taken(call, self.doubles[call.service], json.loads(request.body)))

    def _coming_back(self, event_name: str, **_: Any) -> None:
        if self.trouble:
            self.trouble.coming_back(self._call)

    @property
    def _call(self) -> Call:
        here = self._on_its_way
        _, service, operation = self.calls[here.number - 1]
        return Call(here.number, here.attempt, service, operation)

    def _pause(self, seconds: float) -> None:
        self.pauses[self._on_its_way.number].append(seconds)

    def _wait(self, seconds: float) -> None:
        self.waited_s += seconds

    def _now(self) -> float:
        return self.waited_s


@functools.cache
def _session() -> boto3.Session:
    """One for the whole test run: making it costs more than a small race does."""
    return boto3.Session()


@functools.cache
def client(service: Any) -> Any:
    """The test's own way to moto, past any Wire."""
    return _own_session().client(service)


@functools.cache
def _own_session() -> boto3.Session:
    return boto3.Session()


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _json(status: int, body: dict[str, Any]) -> AWSResponse:
    headers = HTTPHeaders.from_dict({"content-type": "application/x-amz-json-1.1"})
    return AWSResponse(NOWHERE, status, headers, _Raw(json.dumps(body).encode()))


def _refusal(service: str, refused: Refused) -> AWSResponse:
    if service == "s3":
        xml = f"<Error><Code>{refused.code}</Code><Message>As the test has it.</Message></Error>"
        headers = HTTPHeaders.from_dict({"content-type": "application/xml"})
        return AWSResponse(NOWHERE, refused.status, headers, _Raw(xml.encode()))
    return _json(refused.status, {"__type": refused.code, "message": "As the test has it.", **refused.more})


def _half_taken(call: Call, double: Double, asked: dict[str, Any]) -> dict[str, Any]:
    """What EventBridge or SQS answers when it took only the first half of the entries."""
    entries = asked["Entries"]
    taken, refused = entries[: len(entries) // 2], entries[len(entries) // 2 :]
    answer = double(call.operation, {**asked, "Entries": taken})
    if call.service == "eventbridge":
        answer["FailedEntryCount"] = len(refused)
        answer["Entries"] += [{"ErrorCode": "InternalFailure", "ErrorMessage": "As the test has it."} for _ in refused]
    else:
        answer["Failed"] = [{"Id": entry["Id"], "Code": "InternalError", "SenderFault": False} for entry in refused]
    return answer
