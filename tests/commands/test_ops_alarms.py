"""`snaprace alarms`: what rings, who is woken by it, and what keeps it quiet."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from ops.cli import options
from ops.cli.main import cli
from ops.reach.target import Target

NOW = datetime.now(UTC)
TOPIC = "arn:aws:sns:us-east-1:123456789012:snaprace-dev-alarms-p1"


def alarm(name: str, state: str = "OK", minutes: int = 5, **more: Any) -> dict[str, Any]:
    at = NOW - timedelta(minutes=minutes)
    kind = name.split("-")[1] if name[:1] == "P" else name
    described = f"{name[:2]}: It is so. Runbook: docs/runbooks/{kind}.md"
    told = {"AlarmName": f"snaprace-dev-{name}", "AlarmDescription": described, "StateValue": state}
    return {**told, "StateReason": f"because of {name}", "StateUpdatedTimestamp": at, "ActionsEnabled": True, **more}


def composite(name: str, *of: str, state: str = "OK", **more: Any) -> dict[str, Any]:
    rule = " OR ".join(f'ALARM("snaprace-dev-{each}")' for each in of)
    return alarm(name, state, AlarmRule=rule, **more)


def snaprace(monkeypatch: pytest.MonkeyPatch, metric: list[Any], composites: list[Any], *arguments: str) -> Result:
    client = boto3.client("cloudwatch", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    target = Target("dev", "123456789012", "AWS", boto3.Session(region_name="us-east-1"))
    target._clients["cloudwatch"] = client
    monkeypatch.setattr(options, "target", lambda: target)
    expected = {"AlarmNamePrefix": "snaprace-dev-", "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
    with Stubber(client) as stub:
        first, rest = metric[:1], metric[1:]  # on two pages
        stub.add_response("describe_alarms", {"MetricAlarms": first, "NextToken": "next"}, expected)
        more = {"MetricAlarms": rest, "CompositeAlarms": composites}
        stub.add_response("describe_alarms", more, {**expected, "NextToken": "next"})
        return CliRunner().invoke(cli, ["alarms", *arguments])


WAITING = alarm("P1-dead-letters-ocr-read", "ALARM", minutes=90)
TICKET = alarm("P3-message-throttles-ocr-read", "ALARM", minutes=0, AlarmActions=[TOPIC])
QUIET = alarm("P2-queue-age-ocr-read", "INSUFFICIENT_DATA")
PAGE = composite("P1-service-ocr", "P1-dead-letters-ocr-read", "P1-queue-backlog-ocr-read", state="ALARM")
PAGE |= {"AlarmActions": [TOPIC]}


def test_what_rings_is_told_with_what_to_do_and_wakes_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    result = snaprace(monkeypatch, [WAITING, TICKET, QUIET, alarm("P1-api-latency-search")], [PAGE])
    assert result.exit_code == 1
    shown = result.stdout
    assert "P1  snaprace-dev-P1-service-ocr  pages" in shown
    assert "Ringing: snaprace-dev-P1-dead-letters-ocr-read." in shown
    assert "told by snaprace-dev-P1-service-ocr" in shown
    assert "For 1 hour, since" in shown
    assert "It is so." in shown
    assert "because of P1-dead-letters-ocr-read" in shown
    assert "What to do: docs/runbooks/dead.md" in shown
    assert "P3  snaprace-dev-P3-message-throttles-ocr-read  a ticket" in shown
    assert "Without data: 1" in shown
    assert "1 other alarm OK" in shown
    assert shown.index("P1-dead-letters") < shown.index("P3-message-throttles")


def test_tickets_and_what_nobody_is_told_of_wake_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert snaprace(monkeypatch, [WAITING, TICKET], []).exit_code == 0


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("Alarm", "snaprace-dev-quiet-ocr (Ringing: snaprace-dev-deploying.)"),
        ("WaitPeriod", "snaprace-dev-quiet-ocr (waits whether it rings)"),
        ("ExtensionPeriod", "snaprace-dev-quiet-ocr (it has just stopped ringing)"),
    ],
)
def test_what_is_kept_quiet_wakes_nobody_and_says_by_what(monkeypatch: pytest.MonkeyPatch, by: str, words: str) -> None:
    suppressor = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:snaprace-dev-quiet-ocr"
    page = {**PAGE, "ActionsSuppressor": suppressor, "ActionsSuppressedBy": by}
    quiet = composite("quiet-ocr", "deploying", state="ALARM")
    result = snaprace(monkeypatch, [alarm("deploying", "ALARM"), WAITING], [page, quiet])
    assert result.exit_code == 0
    assert f"Kept quiet by {words}" in result.stdout


def test_programs_get_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    result = snaprace(monkeypatch, [WAITING, QUIET, alarm("P1-api-latency-search")], [PAGE], "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [each["name"] for each in told] == [
        "snaprace-dev-P1-dead-letters-ocr-read",
        "snaprace-dev-P1-service-ocr",
        "snaprace-dev-P2-queue-age-ocr-read",
    ]
    assert [each["pages"] for each in told] == [False, True, False]
    assert told[1]["runbook"] == "docs/runbooks/service.md"
    every = json.loads(snaprace(monkeypatch, [WAITING, QUIET, alarm("P1-x-search")], [PAGE], "--json", "--all").stdout)
    assert len(every) == 4


def test_where_nothing_rings_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    result = snaprace(monkeypatch, [alarm("P1-api-latency-search")], [], "--all")
    assert result.exit_code == 0
    assert "No alarm rings." in result.stdout
    assert "snaprace-dev-P1-api-latency-search" in result.stdout
