"""What a queue feeds is the version that the alias points to: after a deployment, and after it was moved by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.aws import deployment, workers
from local.runtime import Running
from tests.runtime import assemblies
from tests.runtime.conftest import launched, until


def _deploy(aws: Running, folder: Path, word: str, *, alias: bool = True) -> None:
    template = assemblies.with_a_release(word, alias=alias)
    bucket = "cdk-handmade-assets-000000000000-us-east-1"
    if any(each["Name"] == bucket for each in aws.client("s3").list_buckets()["Buckets"]):
        aws.client("s3").delete_object(Bucket=bucket, Key="release.json")  # or it counts as published
    deployment.deploy(assemblies.write(folder / word, template, "release"), aws.client)


def _mapping(aws: Running) -> dict[str, Any]:
    (mapping,) = aws.client("lambda").list_event_source_mappings(FunctionName="teller")["EventSourceMappings"]
    return dict(mapping)


def test_messages_go_to_the_version_that_is_live(tmp_path: Path) -> None:
    with launched(tmp_path / "aws") as aws:
        sqs, functions = aws.client("sqs"), aws.client("lambda")

        def answer() -> str:
            sqs.send_message(QueueUrl=f"{aws.aws_url}/000000000000/work", MessageBody="?")
            batches = f"{aws.aws_url}/000000000000/batches"
            (message,) = until(lambda: sqs.receive_message(QueueUrl=batches).get("Messages"))
            sqs.delete_message(QueueUrl=batches, ReceiptHandle=message["ReceiptHandle"])
            return str(message["Body"])

        _deploy(aws, tmp_path, "unversioned", alias=False)
        assert answer() == "unversioned"
        unversioned = _mapping(aws)

        _deploy(aws, tmp_path, "first")
        mapping = _mapping(aws)
        assert mapping["UUID"] == unversioned["UUID"], "the mapping was moved, not made anew"
        assert mapping["FunctionArn"] == f"{unversioned['FunctionArn']}:live"
        assert answer() == "first"

        _deploy(aws, tmp_path, "second")
        assert answer() == "second"
        functions.update_alias(FunctionName="teller", Name="live", FunctionVersion="1")
        assert answer() == "first", "the earlier version is still there, with its own code"


def test_reserved_concurrency_holds_for_every_version(monkeypatch: pytest.MonkeyPatch) -> None:
    from ministack.services import lambda_svc

    plain: Callable[..., Any] = lambda_svc._reserved_concurrency
    config = {"FunctionName": "reserved"}
    monkeypatch.setitem(lambda_svc._functions, "reserved", {"config": config, "concurrency": 3})
    version = {"config": {**config, "Version": "1"}}
    assert plain(version, version["config"]) is None, "ministack does it itself: the addition can go"
    monkeypatch.setattr(lambda_svc, "_reserved_concurrency", plain)  # put back afterwards
    workers.reserve_for_all_versions()
    assert lambda_svc._reserved_concurrency(version, version["config"]) == 3
    assert lambda_svc._reserved_concurrency({"config": {}, "concurrency": 2}, {}) == 2
