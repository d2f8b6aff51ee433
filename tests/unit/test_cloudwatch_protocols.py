"""CloudWatch's operations are the same in each protocol that its clients speak."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import botocore.session
import pytest
from botocore import parsers, serialize

from local.aws.cloudwatch.clock import Clock
from local.aws.cloudwatch.protocols import Handler, handler
from local.aws.cloudwatch.requests import Requests
from local.aws.cloudwatch.store import Metric, Store

NOW = datetime.now(UTC).replace(second=30, microsecond=0)
METRIC = {"Namespace": "N", "MetricName": "M"}
MODEL = botocore.session.get_session().get_service_model("cloudwatch")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def requests(store: Store) -> Requests:
    return Requests(Clock(), lambda: store)


def by_form(operation: str, handle: Handler, asked: dict[str, Any]) -> dict[str, Any]:
    """As clients ask and read the answer that speak the query protocol."""
    model = MODEL.operation_model(operation)
    sent = serialize.create_serializer("query").serialize_to_request(asked, model)
    body = sent["body"] if isinstance(sent["body"], dict) else parse_qs(sent["body"])
    form = {name: value if isinstance(value, list) else [str(value)] for name, value in body.items()}
    status, headers, answer = handle(form, {}, False, False)
    told: dict[str, Any] = parsers.create_parser("query").parse(
        {"status_code": status, "headers": headers, "body": answer}, model.output_shape
    )
    told.pop("ResponseMetadata")
    return told


def by_json(_: str, handle: Handler, asked: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(handle({}, _plain(asked, datetime.timestamp), False, True)[2])
    return told


def _plain(value: Any, time: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each, time) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, time) for each in value]
    return time(value) if isinstance(value, datetime) else value


def _seconds(value: Any) -> Any:
    """With times as seconds, however they came."""
    return _plain(value, lambda at: at.replace(tzinfo=at.tzinfo or UTC).timestamp())


@pytest.mark.parametrize("ask", [by_form, by_json])
def test_what_is_put_is_told_again(requests: Requests, ask: Any) -> None:
    put = handler("PutMetricData", requests.put_metric_data)
    dimensions = [{"Name": "Stage", "Value": "a & b"}]
    of_ours = {"MetricName": "Took", "Dimensions": dimensions, "Timestamp": NOW, "Unit": "Seconds"}
    statistics = {"SampleCount": 2.0, "Sum": 10.0, "Minimum": 4.0, "Maximum": 6.0}
    data = [{**of_ours, "Values": [1.0, 2.0], "Counts": [3.0, 1.0]}, {**of_ours, "StatisticValues": statistics}]
    assert ask("PutMetricData", put, {"Namespace": "Ours", "MetricData": data}) == {}

    get = handler("GetMetricData", requests.get_metric_data)
    metric = {"Namespace": "Ours", "MetricName": "Took", "Dimensions": dimensions}
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    queries = [{"Id": "m", "MetricStat": stat, "ReturnData": False}, {"Id": "e", "Expression": "m * 2", "Label": "x"}]
    span = {"StartTime": NOW - timedelta(minutes=5), "EndTime": NOW + timedelta(minutes=1)}
    [result] = ask("GetMetricData", get, {"MetricDataQueries": queries, **span})["MetricDataResults"]
    minute = NOW.replace(second=0).timestamp()
    assert _seconds(result) == {
        "Id": "e",
        "Label": "x",
        "StatusCode": "Complete",
        "Timestamps": [minute],
        "Values": [30.0],
    }

    several = handler("GetMetricStatistics", requests.get_metric_statistics)
    told = ask(
        "GetMetricStatistics", several, {**metric, **span, "Period": 60, "Statistics": ["Maximum", "SampleCount"]}
    )
    assert _seconds(told["Datapoints"]) == [
        {"Timestamp": minute, "Unit": "Seconds", "Maximum": 6.0, "SampleCount": 6.0}
    ]

    listed = handler("ListMetrics", requests.list_metrics)
    assert ask("ListMetrics", listed, {"Dimensions": [{"Name": "Stage"}]})["Metrics"] == [metric]
    assert ask("ListMetrics", listed, {"Dimensions": [{"Name": "Other"}]}).get("Metrics", []) == []


@pytest.mark.parametrize(
    ("operation", "asked", "words"),
    [
        ("GetMetricData", {"MetricDataQueries": [{"Id": "e", "Expression": "m +"}]}, "cannot be read"),
        ("GetMetricData", {"MetricDataQueries": [{"Id": "e", "Expression": "e + 1"}]}, "depends on itself"),
        ("GetMetricData", {"MetricDataQueries": [{"Id": "e", "Expression": "5"}]}, "is a number"),
        (
            "GetMetricStatistics",
            {"Namespace": "N", "MetricName": "M", "Period": 60, "ExtendedStatistics": ["q"]},
            "no stat",
        ),
        ("GetMetricStatistics", {"Namespace": "N", "MetricName": "M", "Period": 1}, "1440"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_a_sentence(
    requests: Requests, operation: str, asked: dict[str, Any], words: str
) -> None:
    answer = {"GetMetricData": requests.get_metric_data, "GetMetricStatistics": requests.get_metric_statistics}[
        operation
    ]
    span = {"StartTime": NOW - timedelta(hours=1), "EndTime": NOW}
    status, _, body = handler(operation, answer)({}, {**asked, **span}, False, True)
    assert status == 400
    assert words in json.loads(body)["message"]


def test_a_metric_in_another_unit_is_another_one(requests: Requests, store: Store) -> None:
    store.add(Metric.of("N", "M", {}), 1.0, NOW.timestamp(), unit="Seconds")
    for unit, values in (("Seconds", [1.0]), ("Count", [])):
        stat = {"Metric": {"Namespace": "N", "MetricName": "M"}, "Period": 60, "Stat": "Sum", "Unit": unit}
        span = {"StartTime": NOW - timedelta(minutes=1), "EndTime": NOW + timedelta(minutes=1)}
        told = requests.get_metric_data({"MetricDataQueries": [{"Id": "m", "MetricStat": stat}], **span})
        assert told["MetricDataResults"][0]["Values"] == values


def test_a_shorter_minute_is_a_minute(store: Store) -> None:
    clock = Clock(minute_s=2)
    requests = Requests(clock, lambda: store)
    for seconds in (1, 3, 5):
        at = NOW - timedelta(seconds=seconds)
        requests.put_metric_data(
            {"Namespace": "N", "MetricData": [{"MetricName": "M", "Value": 1.0, "Timestamp": at.timestamp()}]}
        )
    stat = {"Metric": {"Namespace": "N", "MetricName": "M"}, "Period": 60, "Stat": "Sum"}
    span = {"StartTime": NOW - timedelta(seconds=10), "EndTime": NOW, "ScanBy": "TimestampAscending"}
    told = requests.get_metric_data({"MetricDataQueries": [{"Id": "m", "MetricStat": stat}], **span})
    [result] = told["MetricDataResults"]
    assert result["Values"] == [1.0, 1.0, 1.0]
    assert [(NOW - at).total_seconds() for at in result["Timestamps"]] == [6.0, 4.0, 2.0]
