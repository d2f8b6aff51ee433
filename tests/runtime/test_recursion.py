"""A function that sends to its own queue is stopped after 16 times, as Lambda does, unless it is allowed to."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws import deployment
from local.aws.recursion import invoked_once_more, joined, lineage_field, lineage_of
from local.runtime import Running
from tests.runtime import assemblies
from tests.runtime.conftest import launched, until
from tests.runtime.test_what_stands import examined

A, B = "arn:aws:lambda:us-east-1:000000000000:function:a", "arn:aws:lambda:us-east-1:000000000000:function:b"


def test_a_lineage_counts_each_function_of_a_chain() -> None:
    lineage, counts = {}, []
    for function in (A, B, A, A):
        lineage, count = invoked_once_more(lineage, function)
        counts.append(count)
    assert counts == [1, 1, 2, 3]
    assert sorted(lineage.values()) == [1, 3]
    assert lineage_of(f"Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;{lineage_field(lineage)}") == lineage


@pytest.mark.parametrize("header", ["", "Root=1-5759e988-bd862e3fe1be46a994272793", "Lineage=", "Lineage=x|y:z|:3"])
def test_a_header_without_a_readable_lineage_begins_a_chain(header: str) -> None:
    assert lineage_of(header) == {}


def test_a_batch_belongs_to_the_chains_of_all_its_messages() -> None:
    assert joined([{"a": 1, "b": 5}, {"a": 3}, {}]) == {"a": 3, "b": 5}


LOOPS = {
    "single": ("one by one", None),
    "batches": ("batches", None),
    "allowed": ("one by one", "Allow"),
    "by-events": ("events", None),
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """All loops run at the same time."""
    with launched(tmp_path_factory.mktemp("aws")) as running:
        for name, (how, setting) in LOOPS.items():
            template = assemblies.with_a_loop(name, how, setting)
            _deploy(running, tmp_path_factory.mktemp("cdk.out"), name, template)
            assert examined(name, template, running.client).differences == []
            body = json.dumps({"detail": {"n": 1}})
            running.client("sqs").send_message(QueueUrl=_url(running, name), MessageBody=body)
        yield running


def _deploy(aws: Running, folder: Path, name: str, template: assemblies.Template) -> None:
    deployment.deploy(assemblies.write(folder, template, name), aws.client, verify=False)


def _url(aws: Running, queue: str) -> str:
    return f"{aws.aws_url}/000000000000/{queue}"


def _received(aws: Running, queue: str) -> Any:
    answer = aws.client("sqs").receive_message(QueueUrl=_url(aws, queue), MessageSystemAttributeNames=["All"])
    return answer.get("Messages")


def dropped(aws: Running, function: str) -> float:
    """How many invocations of a function were refused, all chains together."""
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="RecursiveInvocationsDropped",
        Dimensions=[{"Name": "FunctionName", "Value": function}],
        StartTime=time.time() - 3600,
        EndTime=time.time() + 60,
        Period=3600,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in found["Datapoints"])


@pytest.mark.parametrize("loop", ["single", "batches"])
def test_a_function_is_not_invoked_for_the_seventeenth_time_in_a_chain(aws: Running, loop: str) -> None:
    [message] = until(lambda: _received(aws, f"{loop}-dead"))
    assert json.loads(message["Body"]) == {"detail": {"n": 17}}
    assert list(lineage_of(message["Attributes"]["AWSTraceHeader"]).values()) == [16]
    assert dropped(aws, loop) == 1  # as often as the message was received
    assert not _received(aws, f"{loop}-end")


@pytest.mark.parametrize("loop", ["allowed", "by-events"])
def test_a_loop_that_is_allowed_or_that_lambda_does_not_see_goes_on(aws: Running, loop: str) -> None:
    [message] = until(lambda: _received(aws, f"{loop}-end"))
    assert json.loads(message["Body"]) == {"detail": {"n": 21}}
    assert dropped(aws, loop) == 0


@pytest.mark.parametrize("setting", ["Allow", None])  # in this order: it can be forbidden again
def test_a_function_is_as_its_template_has_it(aws: Running, tmp_path: Path, setting: str | None) -> None:
    aws.client("s3").delete_object(Bucket="cdk-handmade-assets-000000000000-us-east-1", Key="changed.json")
    template = assemblies.with_a_loop("changed", "one by one", setting)
    if setting:
        template["Resources"]["Function"]["Properties"]["ReservedConcurrentExecutions"] = 3
    _deploy(aws, tmp_path, "changed", template)
    assert examined("changed", template, aws.client).differences == []
    functions = aws.client("lambda")
    found = functions.get_function_recursion_config(FunctionName="changed")["RecursiveLoop"]
    assert found == (setting or "Terminate")
    reserved = functions.get_function_concurrency(FunctionName="changed").get("ReservedConcurrentExecutions")
    assert reserved == (3 if setting else None)
