"""Alarms of the embedded AWS go off, page, keep quiet and clear, on what its services tell of themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.aws import deployment
from local.runtime import Running
from tests.runtime import assemblies
from tests.runtime.conftest import launched, until

MINUTE_S = 0.5


@dataclass
class Watched:
    """The assembly of alarms, with a queue that hears what the pager's topic says."""

    running: Running

    def client(self, service: str) -> Any:
        return self.running.client(service)

    def send(self, queue: str, *bodies: str) -> None:
        url = self.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
        for body in bodies:
            self.client("sqs").send_message(QueueUrl=url, MessageBody=body)

    def purge(self, queue: str) -> None:
        self.client("sqs").purge_queue(QueueUrl=self.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"])

    def alarms(self) -> dict[str, dict[str, Any]]:
        told = self.client("cloudwatch").describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return {each["AlarmName"]: each for each in [*told["MetricAlarms"], *told["CompositeAlarms"]]}

    def red(self) -> set[str]:
        return {name for name, alarm in self.alarms().items() if alarm["StateValue"] == "ALARM"}

    def page(self) -> dict[str, Any]:
        """The next that the pager hears."""
        url = self.client("sqs").get_queue_url(QueueName="heard")["QueueUrl"]
        told = until(lambda: self.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
        self.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=told[0]["ReceiptHandle"])
        message: dict[str, Any] = json.loads(json.loads(told[0]["Body"])["Message"])
        return message

    def newest(self) -> str:
        """Of what kind the newest entry of the composite alarm's history is: a change of state, or an action."""
        told = self.client("cloudwatch").describe_alarm_history(AlarmName="page", AlarmTypes=["CompositeAlarm"])
        return str(told["AlarmHistoryItems"][0]["HistoryItemType"])

    def metric(self, namespace: str, name: str, statistic: str = "Sum", **dimensions: str) -> float:
        """Of the last half minute, as GetMetricData tells it."""
        named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        asked = {"Namespace": namespace, "MetricName": name, "Dimensions": named}
        query = {"Id": "m", "MetricStat": {"Metric": asked, "Period": 60 * 3600, "Stat": statistic}}
        now = datetime.now(UTC)
        told = self.client("cloudwatch").get_metric_data(
            MetricDataQueries=[query], StartTime=now - timedelta(seconds=30), EndTime=now + timedelta(seconds=1)
        )
        return sum(told["MetricDataResults"][0]["Values"])


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with launched(tmp_path_factory.mktemp("aws"), "--minute-seconds", str(MINUTE_S)) as running:
        yield _watched(running, assemblies.write(tmp_path_factory.mktemp("alarms"), assemblies.with_alarms()))


def _watched(running: Running, assembly: Any) -> Watched:
    deployment.deploy(assembly, running.client)
    sqs, sns = running.client("sqs"), running.client("sns")
    sqs.create_queue(QueueName="held")
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="pager")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return Watched(running)


def test_an_alarm_pages_and_clears_and_no_other_does(watched: Watched) -> None:
    until(lambda: all(alarm["StateValue"] == "OK" for alarm in watched.alarms().values()))
    watched.send("letters", "one")
    paged = watched.page()
    while paged["NewStateValue"] == "OK":  # composite alarms are told as they come to be
        paged = watched.page()
    assert (paged["AlarmName"], paged["OldStateValue"], paged["NewStateValue"]) == ("page", "OK", "ALARM")
    assert watched.red() == {"waiting", "page"}
    assert "1 of the last 1 datapoints [1] were greater than" in watched.alarms()["waiting"]["StateReason"]
    watched.purge("letters")
    assert watched.page()["NewStateValue"] == "OK"
    assert watched.red() == set()
    history = watched.client("cloudwatch").describe_alarm_history(AlarmName="page", AlarmTypes=["CompositeAlarm"])
    kinds = [each["HistoryItemType"] for each in history["AlarmHistoryItems"]]
    assert kinds[:4] == ["Action", "StateUpdate", "Action", "StateUpdate"]


def test_what_functions_log_and_how_they_end_rings(watched: Watched) -> None:
    watched.send("work", "fail")
    until(lambda: "share" in watched.red())
    until(lambda: not watched.red())
    for _ in range(2):  # two in a minute are four handled
        watched.send("work", "well", "well", "well")
    until(lambda: "handled" in watched.red())
    assert watched.metric("Handmade", "Handled", Stage="a") >= 6
    assert watched.metric("AWS/Lambda", "Errors", FunctionName="worker") >= 1
    assert watched.metric("AWS/Lambda", "Duration", "Maximum", FunctionName="worker", Resource="worker") > 0
    until(lambda: not watched.red())


def test_a_suppressor_keeps_the_page_quiet_and_then_it_comes(watched: Watched) -> None:
    until(lambda: not watched.red())

    def deploying(holds: Callable[[], Any]) -> Callable[[], Any]:
        """What holds while a deployment says again and again that it is under way."""

        def told_and_held() -> Any:
            data = [{"MetricName": "Deploying", "Value": 1}]
            watched.client("cloudwatch").put_metric_data(Namespace="Handmade", MetricData=data)
            return holds()

        return told_and_held

    until(deploying(lambda: "quiet" in watched.red()))
    watched.send("letters", "one")
    until(deploying(lambda: watched.newest() == "StateUpdate" and "page" in watched.red()))
    assert watched.alarms()["page"]["ActionsSuppressedBy"] == "Alarm"
    later = time.monotonic() + 3 * MINUTE_S  # longer than the wait
    until(deploying(lambda: time.monotonic() > later))
    assert watched.newest() == "StateUpdate"
    until(lambda: watched.newest() == "Action")
    assert watched.red() == {"waiting", "page"}
    assert "ActionsSuppressedBy" not in watched.alarms()["page"]
    watched.purge("letters")
    until(lambda: not watched.red())


def test_an_alarm_that_cannot_be_worked_out_says_so_and_holds_up_no_other(watched: Watched) -> None:
    cloudwatch = watched.client("cloudwatch")
    alarm = {"EvaluationPeriods": 1, "Threshold": 1, "TreatMissingData": "notBreaching"}
    metric = {"Namespace": "N", "MetricName": "M", "Period": 60}
    for name, asked in {
        "aaa": {"Metrics": [{"Id": "e", "Expression": "m +"}], "ComparisonOperator": "GreaterThanThreshold"},
        "aab": {**metric, "Statistic": "Sum", "ComparisonOperator": "GreaterThanUpperThreshold"},
        "aac": {**metric, "ExtendedStatistic": "q", "ComparisonOperator": "GreaterThanThreshold"},
        "zzz": {**metric, "Statistic": "Sum", "ComparisonOperator": "GreaterThanThreshold"},
    }.items():
        cloudwatch.put_metric_alarm(AlarmName=name, **alarm, **asked)
    until(lambda: watched.alarms()["zzz"]["StateValue"] == "OK")
    for name in ("aaa", "aab", "aac"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="trying")
    until(lambda: watched.alarms()["aaa"]["StateReason"].startswith("The alarm cannot be evaluated: The expression"))
    until(lambda: {watched.alarms()[name]["StateValue"] for name in ("aab", "aac")} == {"INSUFFICIENT_DATA"})
    cloudwatch.delete_alarms(AlarmNames=["aaa", "aab", "aac", "zzz"])


def test_a_state_that_is_set_lasts_until_the_next_look(watched: Watched) -> None:
    cloudwatch = watched.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName="deploying", StateValue="ALARM", StateReason="trying")
    until(lambda: watched.alarms()["deploying"]["StateValue"] == "OK")
    told = cloudwatch.describe_alarm_history(AlarmName="deploying", HistoryItemType="StateUpdate")
    changes = [each["HistorySummary"] for each in told["AlarmHistoryItems"]]
    assert changes[:2] == ["Alarm updated from ALARM to OK", "Alarm updated from OK to ALARM"]


def test_services_tell_with_the_dimensions_of_aws(watched: Watched, tmp_path: Path) -> None:
    events, kinesis, dynamodb = (watched.client(name) for name in ("events", "kinesis", "dynamodb"))
    arn = "arn:aws:sqs:us-east-1:000000000000:heard"
    for bus in ("default", "other"):
        if bus != "default":
            events.create_event_bus(Name=bus)
        events.put_rule(Name="rule", EventBusName=bus, EventPattern='{"source": ["test"]}')
        lost = {"Id": "lost", "Arn": arn.replace("heard", "none"), "DeadLetterConfig": {"Arn": arn}}
        events.put_targets(Rule="rule", EventBusName=bus, Targets=[{"Id": "heard", "Arn": arn}, lost])
        events.put_events(Entries=[{"EventBusName": bus, "Source": "test", "DetailType": "Told", "Detail": "{}"}])
    for of in ({"RuleName": "rule"}, {"RuleName": "rule", "EventBusName": "other"}):
        told = {name: watched.metric("AWS/Events", name, **of) for name in ("TriggeredRules", "Invocations")}
        assert told == {"TriggeredRules": 1, "Invocations": 2}
        assert watched.metric("AWS/Events", "InvocationsSentToDlq", **of) == 1

    kinesis.create_stream(StreamName="stream", ShardCount=1)
    kinesis.put_record(StreamName="stream", Data=b"12345", PartitionKey="a")
    kinesis.put_records(StreamName="stream", Records=[{"Data": b"12", "PartitionKey": key} for key in "ab"])
    assert watched.metric("AWS/Kinesis", "IncomingRecords", StreamName="stream") == 3
    assert watched.metric("AWS/Kinesis", "IncomingBytes", StreamName="stream") == 9

    key = {"AttributeName": "PK"}
    schema, attributes = [{**key, "KeyType": "HASH"}], [{**key, "AttributeType": "S"}]
    settings = {"KeySchema": schema, "AttributeDefinitions": attributes, "BillingMode": "PAY_PER_REQUEST"}
    dynamodb.create_table(TableName="table", **settings)
    item = {"TableName": "table", "Item": {"PK": {"S": "a"}}}
    dynamodb.put_item(**item)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(**item, ConditionExpression="attribute_not_exists(PK)")
    puts = {"TableName": "table", "Operation": "PutItem"}
    assert watched.metric("AWS/DynamoDB", "SuccessfulRequestLatency", "SampleCount", **puts) == 1
    assert watched.metric("AWS/DynamoDB", "ConditionalCheckFailedRequests", TableName="table") == 1

    deployment.deploy(assemblies.write(tmp_path, assemblies.with_throttled_routes(1), "api"), watched.running.client)
    [api] = watched.client("apigateway").get_rest_apis()["items"]
    host = {"Host": f"{api['id']}.execute-api.127.0.0.1:{watched.running.ports.aws}"}
    url = f"{watched.running.aws_url}/live/a/x"
    assert [httpx.get(url, headers=host, trust_env=False).status_code for _ in range(3)] == [200, 429, 429]
    for of in ({"ApiName": "throttled"}, {"ApiName": "throttled", "Stage": "live"}):
        assert watched.metric("AWS/ApiGateway", "Count", **of) == 3
        assert watched.metric("AWS/ApiGateway", "4XXError", "Average", **of) == pytest.approx(2 / 3)
        assert watched.metric("AWS/ApiGateway", "5XXError", **of) == 0
        assert watched.metric("AWS/ApiGateway", "Latency", "p90", **of) > 0


def test_buckets_tell_of_requests_where_their_template_asks_for_it(watched: Watched, tmp_path: Path) -> None:
    asked = {"BucketName": "measured-bucket", "MetricsConfigurations": [{"Id": "all"}, {"Id": "some", "Prefix": "a/"}]}
    template = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": asked}}}
    deployment.deploy(assemblies.write(tmp_path, template, "bucket"), watched.running.client)
    s3 = watched.client("s3")
    s3.put_object(Bucket="measured-bucket", Key="a/b", Body=b"12345")
    s3.get_object(Bucket="measured-bucket", Key="a/b")["Body"].read()
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="measured-bucket", Key="none")
    of = {"BucketName": "measured-bucket", "FilterId": "all"}
    names = ("PutRequests", "GetRequests", "4xxErrors", "5xxErrors", "BytesUploaded")
    assert [watched.metric("AWS/S3", name, **of) for name in names] == [1, 2, 1, 0, 5]
    assert watched.metric("AWS/S3", "TotalRequestLatency", "Maximum", **of) > 0
    assert watched.metric("AWS/S3", "AllRequests", BucketName="measured-bucket", FilterId="some") == 0


def test_queues_tell_what_they_hold_and_what_happened(watched: Watched) -> None:
    watched.send("held", "one", "two")
    url = watched.client("sqs").get_queue_url(QueueName="held")["QueueUrl"]
    [message] = watched.client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=60)["Messages"]
    of = {"QueueName": "held"}
    until(lambda: watched.metric("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Maximum", **of) == 1)
    assert watched.metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", **of) >= 1
    assert watched.metric("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", **of) > 0
    watched.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    told = [f"NumberOfMessages{what}" for what in ("Sent", "Received", "Deleted")]
    assert [watched.metric("AWS/SQS", name, **of) for name in told] == [2, 1, 1]
