"""What functions measure: one line of metrics for each set of dimensions, of what their cards name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, EndpointConnectionError

from shared.contracts.metrics import (
    DEPENDENCY_CALLS,
    DEPENDENCY_FAILURES,
    READINGS,
    REJECTED,
    SECONDS_TO_SEARCHABLE,
    UPLOADED,
)
from shared.kit import aws
from shared.kit.telemetry import Telemetry

CONTEXT = SimpleNamespace(aws_request_id="r")

Metrics = dict[tuple[frozenset[str], str], Any]
"""By the names of the dimensions, and the metric's name: its value, or what a dimension says."""


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("prod", "stage", "function", (UPLOADED, REJECTED, SECONDS_TO_SEARCHABLE))


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    def read() -> list[dict[str, Any]]:
        written = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
        return [line for line in written if "_aws" in line]

    return read


def measured(line: dict[str, Any]) -> tuple[list[set[str]], dict[str, Any]]:
    """The sets of dimensions of a line, and what it says of each metric."""
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    return list(map(set, directive["Dimensions"])), {each["Name"]: line[each["Name"]] for each in directive["Metrics"]}


def test_what_is_measured_is_of_the_environment_and_of_the_part(
    telemetry: Telemetry, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    with telemetry.invocation(CONTEXT):
        telemetry.measure(UPLOADED)
        telemetry.measure(UPLOADED, 2)
        telemetry.measure(SECONDS_TO_SEARCHABLE, 1.5)
        telemetry.measure(REJECTED, part="empty")
    of_messages, of_all, of_part = lines()
    assert measured(of_messages)[0] == [{"Environment", "Stage", "Function"}]
    assert measured(of_all) == ([{"Environment"}], {"PhotosUploaded": [1, 2], "SecondsToSearchable": 1.5})
    assert measured(of_part) == ([{"Environment"}, {"Environment", "Reason"}], {"PhotosRejected": 1})
    assert (of_part["Environment"], of_part["Reason"]) == ("prod", "empty")
    units = {each["Name"]: each["Unit"] for each in of_all["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert units == {"PhotosUploaded": "Count", "SecondsToSearchable": "Seconds"}


def test_what_an_invocation_before_measured_is_not_told_again(
    telemetry: Telemetry, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    for _ in range(2):
        with telemetry.invocation(CONTEXT):
            telemetry.measure(UPLOADED)
    assert [measured(line)[1] for line in lines() if "PhotosUploaded" in line] == [{"PhotosUploaded": 1}] * 2


def test_only_what_the_card_names_is_measured(telemetry: Telemetry) -> None:
    for measure, part in ((READINGS, None), (REJECTED, None), (UPLOADED, "empty")):
        with pytest.raises(ValueError, match=measure.name):
            telemetry.measure(measure, part=part)


def test_a_request_tells_only_what_it_measured(telemetry: Telemetry, lines: Callable[[], list[dict[str, Any]]]) -> None:
    with telemetry.request("GET /"):
        pass
    assert lines() == [], "the library of metrics costs a cold start"
    with telemetry.request("POST /selfie"):
        telemetry.measure(UPLOADED)
    (line,) = lines()
    assert measured(line) == ([{"Environment"}], {"PhotosUploaded": 1})


@pytest.mark.parametrize("within", ["invocation", "request"])
def test_calls_of_services_that_we_may_run_ourselves_are_measured(
    telemetry: Telemetry, lines: Callable[[], list[dict[str, Any]]], within: str
) -> None:
    with telemetry.invocation(CONTEXT) if within == "invocation" else telemetry.request("POST /selfie"):
        aws.calls |= {"rekognition.DetectText": 2, "rekognition.SearchFaces": 1, "s3.GetObject": 5}
        aws.failures |= {"rekognition": 1, "s3": 1}
    line = lines()[-1]
    assert measured(line) == (
        [{"Environment"}, {"Environment", "Dependency"}],
        {DEPENDENCY_CALLS.name: 3, DEPENDENCY_FAILURES.name: 1},
    )
    assert line["Dependency"] == "rekognition"


# --- which calls failed -----------------------------------------------------------------------------------------


class Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


def answering(status: int) -> Any:
    """A client whose service answers so; None: not at all."""
    client = aws.client("rekognition")

    def answer(**_: Any) -> AWSResponse:
        if not status:
            raise EndpointConnectionError(endpoint_url="http://nowhere")
        body = b'{"__type": "Whatever", "message": ""}' if status >= 400 else b"{}"
        return AWSResponse("http://nowhere", status, {}, Raw(body))

    client.meta.events.register_first("before-send.rekognition.*", answer)
    return client


@pytest.mark.parametrize(("status", "failed"), [(0, 3), (500, 3), (503, 3), (400, 0), (200, 0)])
def test_a_call_without_an_answer_or_with_an_error_of_the_service_has_failed(
    monkeypatch: pytest.MonkeyPatch, status: int, failed: int
) -> None:
    # Mutation: throttled or refused calls counted, or only the last attempt.
    for name, value in (("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "eu-west-1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    client = answering(status)
    aws.clear_counters()
    try:
        client.list_collections()
    except (ClientError, EndpointConnectionError):
        assert status != 200
    assert aws.failures["rekognition"] == failed
    aws.clear_counters()
    assert not aws.failures and not aws.calls
