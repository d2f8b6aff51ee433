"""`python -m deploy` reaches whatever AWS the environment names, and says what is missing or different there."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.runtime import CHECKOUT, Running
from tests.runtime import assemblies
from tests.runtime.conftest import launched

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "waiting", "VisibilityTimeout": 120}}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with launched(tmp_path_factory.mktemp("aws")) as running:
        yield running


def deploy(aws: Running, assembly: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "deploy", "--assembly", str(assembly), *options]
    environment = os.environ | aws.environment()
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)


def test_it_deploys_and_then_tells_what_no_longer_stands_as_asked(aws: Running, tmp_path: Path) -> None:
    assembly = assemblies.write(tmp_path, {"Resources": {"Q": QUEUE}}, "queues")

    unprepared = deploy(aws, assembly)
    assert unprepared.returncode == 1
    assert "cdk bootstrap aws://000000000000/us-east-1" in unprepared.stderr

    early = deploy(aws, assembly, "--verify-only")
    assert (early.returncode, early.stderr) == (1, "")
    assert "queues does not stand as asked:\n  The stack cannot be read:" in early.stdout

    deployed = deploy(aws, assembly, "--bootstrap")
    assert (deployed.returncode, deployed.stderr) == (0, "")
    assert deployed.stdout == "queues is deployed and stands as asked.\n"
    assert deploy(aws, assembly, "--verify-only").returncode == 0

    url = aws.client("sqs").get_queue_url(QueueName="waiting")["QueueUrl"]
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30"})
    changed = deploy(aws, assembly, "--verify-only")
    assert changed.returncode == 1
    assert 'Q (AWS::SQS::Queue): VisibilityTimeout is "30" where 120 was asked.' in changed.stdout
    but_for_that = deploy(aws, assembly, "--verify-only", "--not-expected", "AWS::SQS::Queue.VisibilityTimeout")
    assert but_for_that.returncode == 0


def test_a_folder_that_is_no_assembly_is_named(aws: Running, tmp_path: Path) -> None:
    refused = deploy(aws, tmp_path)
    assert refused.returncode == 1
    assert refused.stderr == f"{tmp_path / 'manifest.json'} is missing: is that folder a synthesized cdk.out?\n"
