"""Behind an API: whatever hangs, the answer comes before API Gateway stops waiting for it."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError, HTTPClientError, ReadTimeoutError

from services import cards
from shared.contracts.card import COLD_START_S, GATEWAY_TIMEOUT_S, Function, Queue, Stage
from shared.kit import aws
from shared.kit.api.routes import serves
from shared.kit.deadline import ANSWER_S, ATTEMPT_S, IMPATIENT, Deadline, OutOfTime
from tests.kit.events import RACE
from tests.kit.lambdas import CONTEXT, configured
from tests.kit.search_stage import request

LISTS = {"dynamodb": "list_tables", "rekognition": "list_collections", "kinesis": "list_streams"}
"""Of each service that a function behind an API calls, a call that takes nothing."""
SERVING = [(card, function) for card in cards() for function in card.serving]


class Clock:
    """The time of this test: it moves when something waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.wait)

    def wait(self, seconds: float) -> None:
        self.now += seconds


def hanging(clock: Clock, error: type[HTTPClientError]) -> Any:
    """A client of a service that never answers: each attempt takes as long as its timeouts let it."""

    def hang(**_: Any) -> None:
        clock.wait(ATTEMPT_S)
        raise error(endpoint_url="https://nowhere", error="hangs")

    made = boto3.client("dynamodb", region_name="us-east-1", config=IMPATIENT)
    made.meta.events.register("before-send.*.*", hang)
    return made


@pytest.mark.parametrize(("card", "function"), SERVING, ids=lambda each: each.name)
@pytest.mark.parametrize("error", [ConnectTimeoutError, ReadTimeoutError])
def test_however_many_calls_hang_there_is_an_answer_in_time(
    card: Stage, function: Function, error: type[HTTPClientError], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, deadline = Clock(monkeypatch), Deadline()
    client = deadline.watch(hanging(clock, error))
    deadline.begin(SimpleNamespace(get_remaining_time_in_millis=lambda: function.timeout_s * 1000))
    asked = 0
    while asked < 100:  # calls of one request, of which each might be given up by itself
        try:
            client.get_item(TableName="t", Key={"PK": {"S": "p"}})
        except HTTPClientError:
            asked += 1
        except OutOfTime:
            break
    assert asked < 100
    assert clock.now >= ATTEMPT_S, "it was tried"
    assert COLD_START_S + clock.now + ANSWER_S <= GATEWAY_TIMEOUT_S


def test_before_the_first_invocation_nothing_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Deadline().watch(hanging(Clock(monkeypatch), ReadTimeoutError))
    with pytest.raises(ReadTimeoutError):
        client.get_item(TableName="t", Key={"PK": {"S": "p"}})


@pytest.mark.parametrize(("card", "function"), SERVING, ids=lambda each: each.name)
def test_a_request_without_time_is_answered_that_we_are_busy_and_no_call_is_made(
    card: Stage, function: Function
) -> None:
    called = {action.partition(":")[0] for call in function.calls for action in call.actions}
    service, operation = next((service, operation) for service, operation in LISTS.items() if service in called)
    route = next(route for route in function.routes if "GET" in route.methods)
    asked: list[Any] = []

    def build(here: Any) -> Any:
        client = here.client(service)
        client.meta.events.register("before-send.*.*", lambda **sent: asked.append(sent))

        class Everything:
            def __getattr__(self, route: str) -> Any:
                return lambda _asked: getattr(client, operation)()

        return Everything()

    asks = request(route.path, method="GET", path={**RACE._asdict(), "photo_id": "photo", "file": "app.js"})
    late = SimpleNamespace(**{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: 5_000})
    with configured(card.name, function.name):
        # Under a name of its own: loggers are kept by name, and this one writes to this test's output.
        answer = serves(replace(card, name="late"), function.name, build)(asks, late)
    assert answer is not None and answer["statusCode"] == 503
    assert json.loads(answer["body"])["error"]["code"] == "busy"
    assert asked == []


def test_a_service_that_hangs_is_told_of_before_lambda_kills_the_function() -> None:
    config, pauses_s = aws._CONFIG, 3
    takes_s = config.retries["total_max_attempts"] * config.read_timeout + pauses_s
    one_by_one = [
        function
        for card in cards()
        for function in card.functions
        if isinstance(function.fed_by, Queue) and function.fed_by.batch == 1
    ]
    assert one_by_one
    assert all(takes_s < function.timeout_s for function in one_by_one)
