"""The vision server hangs during an upload: exactly its page comes, its runbook's command mends it, the alarm clears.

On the whole runtime with the product's own templates, of which a minute takes two seconds, and so do the functions'
timeouts of a minute.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from local import runtime
from local.runtime import Ports, Running
from ops.cli.main import cli
from shared.contracts import naming
from shared.contracts.keys import RaceRef
from shared.kit import aws
from tests.kit import pictures
from tests.kit.synthesis import ROOT
from tests.runtime.assemblies import with_code
from tests.runtime.conftest import until

MINUTE_S = 2.0
RACE = RaceRef("org", "race")
SETTINGS = {"name": "Han River", "date": "2026-10-25", "timezone": "Asia/Seoul", "faces": True}
PAGE = naming.stack("dev", "P1-service-rekognition")


@pytest.fixture(scope="module")
def hurried_waits(assembly: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product's stacks, whose functions wait for an answer as much shorter as the minutes are."""
    copy = tmp_path_factory.mktemp("waits") / "cdk.out"
    shorter = f"read_timeout={aws.READ_TIMEOUT_S * MINUTE_S / 60:.1f}"
    return with_code(assembly, copy, "shared/kit/aws.py", "read_timeout=READ_TIMEOUT_S", shorter)


@pytest.fixture
def running(hurried_waits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    home = tmp_path / "home"
    monkeypatch.setenv("SNAPRACE_HOME", str(home))
    try:
        yield runtime.start_detached(home, Ports.free(), keep=False, assembly=hurried_waits, minute_s=MINUTE_S)
    finally:
        runtime.stop(home)


class Pager:
    """Hears the topics of the environment that wake somebody."""

    def __init__(self, running: Running) -> None:
        self._sqs, sns = running.client("sqs"), running.client("sns")
        self._url = self._sqs.create_queue(QueueName="pager")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for severity in ("P0", "P1"):
            topic = sns.create_topic(Name=naming.alarm_topic("dev", severity))["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        self.heard: list[dict[str, Any]] = []

    def states(self, name: str) -> list[str]:
        """What was heard of an alarm so far, beginning with its first page."""
        while told := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in told:
                self.heard.append(json.loads(json.loads(message["Body"])["Message"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        states = [each["NewStateValue"] for each in self.heard if each["AlarmName"] == name]
        return states[states.index("ALARM") :] if "ALARM" in states else []

    @property
    def pages(self) -> set[str]:
        """Who has woken somebody."""
        return {each["AlarmName"] for each in self.heard if each["NewStateValue"] == "ALARM"}


def upload(running: Running, *numbers: int) -> None:
    bucket = naming.photo_bucket("dev", "000000000000", "us-east-1")
    for number in numbers:
        key = f"{RACE.prefix}raw_photos/{number}.jpg"
        running.client("s3").put_object(Bucket=bucket, Key=key, Body=pictures.jpeg(number, (96, 80)))


def configure(running: Running) -> None:
    bucket = naming.photo_bucket("dev", "000000000000", "us-east-1")
    settings = json.dumps(SETTINGS).encode()
    running.client("s3").put_object(Bucket=bucket, Key=f"{RACE.prefix}race.json", Body=settings)


def snaprace(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["--target", "local", *arguments], catch_exceptions=False)


def red(running: Running) -> list[dict[str, Any]]:
    return [each for each in json.loads(snaprace("alarms", "--json").stdout) if each["state"] == "ALARM"]


def commands_of(runbook: str) -> list[list[str]]:
    """The commands of ours that a runbook has in blocks of their own."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / runbook).read_text(), re.S)
    lines = [line.split() for block in blocks for line in block.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["snaprace"]]


def test_a_vision_server_that_hangs_pages_and_its_runbook_mends_it(running: Running) -> None:
    pager = Pager(running)
    configure(running)
    upload(running, 1)
    os.killpg(running.parts["The vision server"], signal.SIGSTOP)
    # With three in each of two periods of five minutes, here ten seconds, the whole pipeline would seem to stand still.
    upload(running, 2, 3, 4, 5)
    until(lambda: pager.states(PAGE), seconds=90)
    assert pager.pages == {PAGE}

    shown = snaprace("alarms")
    assert shown.exit_code == 1
    (cause,) = [each for each in red(running) if not each["composite"] and each["severity"] == "P1"]
    assert cause["told_by"] == [PAGE]
    assert PAGE in shown.stdout
    assert cause["runbook"] in shown.stdout
    commands = [words for words in commands_of(cause["runbook"]) if words[0] != "--target"]
    assert commands
    for words in commands:
        assert snaprace(*words).exit_code == 0

    until(lambda: pager.states(PAGE)[-1:] == ["OK"], seconds=60)
    assert not [each for each in red(running) if each["pages"]]
    assert pager.pages == {PAGE}
    assert snaprace("alarms").exit_code == 0
