"""What `snaprace verify` says of what the embedded AWS has not: other environments, quotas, certificates, people."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.standing.examination import Findings, Resource
from ops.verify import alarms, certificates, quotas, stacks
from ops.verify.check import Check
from ops.verify.deployed import Deployed, Stack, expected_stacks
from shared.contracts import naming
from tests.kit import aws_cli
from tests.kit.stubs import Stub, target

NOW = datetime.now(UTC)
TOPIC = "arn:aws:sns:us-east-1:1:snaprace-prod-alarms-p1"


def deployed(env: str, *resources: Resource, there: Any = None, local: object = None, **clients: Stub) -> Deployed:
    """A deployment with these resources, all in one stack, or with the stacks that are `there`."""
    to = target(env, local=local, **clients)
    of_all = Stack(
        name="all",
        status="CREATE_COMPLETE",
        protected=True,
        findings=Findings(resources=list(resources)),
    )
    return Deployed(
        target=to, client=to.client, pool=ThreadPoolExecutor(1), stacks=(of_all,) if there is None else tuple(there)
    )


def resource(kind: str, name: str = "it", **asked: Any) -> Resource:
    return Resource(stack="all", logical_id="It", kind=kind, name=name, asked=asked)


def wrong(checks: Any) -> list[Check]:
    return [check for check in checks if not check.ok]


# --- stacks -------------------------------------------------------------------------------------------------


def stack(name: str, status: str = "UPDATE_COMPLETE", protected: bool = True) -> Stack:
    return Stack(name=name, status=status, protected=protected, findings=Findings())


def test_a_stack_that_is_missing_rolled_back_or_unprotected_is_told() -> None:
    names = expected_stacks("prod")
    well = [stack(name) for name in names]
    assert wrong(stacks.stacks(deployed("prod", there=well))) == []

    gone, back, bare = names[1], names[2], names[3]
    there = [stack(name) for name in names if name not in (gone, back, bare)]
    there += [stack(back, status="UPDATE_ROLLBACK_COMPLETE"), stack(bare, protected=False)]
    found = {check.name: check for check in wrong(stacks.stacks(deployed("prod", there=there)))}
    assert set(found) == {f"stacks: {name}" for name in (gone, back, bare)}
    assert found[f"stacks: {back}"].seen == "UPDATE_ROLLBACK_COMPLETE"
    assert gone in found[f"stacks: {gone}"].advice
    for name in (back, bare):
        aws_cli.read(aws_cli.commands(found[f"stacks: {name}"].advice)[0])


def test_dev_may_be_deleted() -> None:
    there = [stack(name, protected=False) for name in expected_stacks("dev")]
    assert wrong(stacks.stacks(deployed("dev", there=there))) == []


# --- people -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "arns", "well", "seen"),
    [
        ("prod", [f"{TOPIC}:1"], True, "each of 1 has somebody who hears it"),
        ("prod", ["PendingConfirmation"], False, "nobody hears it; it has 1 unconfirmed address"),
        ("prod", [], False, "nobody hears it"),
        ("dev", [], True, "nobody hears it"),
    ],
)
def test_prods_alarms_are_heard_by_somebody_who_confirmed_it(env: str, arns: list[str], well: bool, seen: str) -> None:
    sns = Stub(list_subscriptions_by_topic={"Subscriptions": [{"SubscriptionArn": arn} for arn in arns]})
    rings = resource("AWS::CloudWatch::CompositeAlarm", AlarmActions=[TOPIC])
    (check,) = alarms.subscriptions(deployed(env, rings, sns=sns))
    assert (check.ok, check.seen) == (well, seen)
    assert bool(check.advice) == (arns != [f"{TOPIC}:1"])


def described(**settings: Any) -> dict[str, Any]:
    long_ago = NOW - timedelta(days=1)
    alarm = {"AlarmName": "it", "StateValue": "INSUFFICIENT_DATA", "TreatMissingData": "notBreaching"}
    return {**alarm, "AlarmConfigurationUpdatedTimestamp": long_ago, "StateUpdatedTimestamp": NOW, **settings}


@pytest.mark.parametrize(
    ("alarm", "well"),
    [
        (described(), False),
        (described(TreatMissingData="ignore"), True),  # it stays without a state until something is measured
        (described(AlarmConfigurationUpdatedTimestamp=NOW), True),
        (described(StateValue="OK"), True),
    ],
)
def test_an_alarm_that_is_never_evaluated_is_told(alarm: dict[str, Any], well: bool) -> None:
    cloudwatch = Stub(describe_alarms={"MetricAlarms": [alarm]})
    found = list(alarms.states(deployed("prod", resource("AWS::CloudWatch::Alarm"), cloudwatch=cloudwatch)))
    assert [check.ok for check in found] == ([] if well else [False])


def test_a_red_alarm_is_a_notice_with_its_runbook() -> None:
    red = described(StateValue="ALARM", AlarmDescription="P1: late. Runbook: docs/runbooks/queue-age.md")
    cloudwatch = Stub(describe_alarms={"MetricAlarms": [red]})
    (check,) = alarms.states(deployed("prod", resource("AWS::CloudWatch::Alarm"), cloudwatch=cloudwatch))
    assert (check.ok, check.advice) == (True, "read docs/runbooks/queue-age.md")


# --- certificates -------------------------------------------------------------------------------------------

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0000-1111"


@pytest.mark.parametrize(
    ("status", "days", "well"), [("ISSUED", 31, True), ("ISSUED", 29, False), ("PENDING_VALIDATION", None, False)]
)
def test_a_certificate_that_anything_names_is_issued_and_lasts(status: str, days: int | None, well: bool) -> None:
    expires = {"NotAfter": NOW + timedelta(days=days, hours=1)} if days else {}
    certificate = {"CertificateArn": CERTIFICATE, "DomainName": "photos.example.org", "Status": status, **expires}
    acm = Stub(describe_certificate={"Certificate": certificate})
    named = resource("AWS::CloudFront::Distribution", DistributionConfig={"ViewerCertificate": [CERTIFICATE]})
    (check,) = certificates.certificates(deployed("prod", named, acm=acm))
    assert (check.name, check.ok) == ("certificates: photos.example.org", well)
    if not well:
        aws_cli.read(aws_cli.commands(check.advice)[0])


# --- quotas -------------------------------------------------------------------------------------------------


def reading(at_once: int) -> Resource:
    """The mapping of the function that reads bibs."""
    function = naming.function("prod", "ocr", "read")
    return resource(
        "AWS::Lambda::EventSourceMapping", FunctionName=function, ScalingConfig={"MaximumConcurrency": at_once}
    )


def allowing(calls: float) -> Stub:
    named = "Transactions per second per account for the Amazon Rekognition Image operation"
    found = [
        {"QuotaName": f"{named} DetectText", "QuotaCode": "L-1", "Value": calls},
        {"QuotaName": f"{named} SearchFacesByImage", "QuotaCode": "L-2", "Value": 1.0},
    ]
    return Stub(list_service_quotas={"Quotas": found})


@pytest.mark.parametrize(("calls", "at_once", "well", "advised"), [(5, 4, True, ""), (5, 10, False, "L-1")])
def test_rekognitions_quotas_are_as_the_settings_say(calls: float, at_once: int, well: bool, advised: str) -> None:
    (check,) = quotas.rekognition(deployed("prod", reading(at_once), service_quotas=allowing(calls)))
    assert (check.name, check.ok) == ("quotas: DetectText", well)
    assert advised in check.advice
    if not well:
        aws_cli.read(aws_cli.commands(check.advice)[0])


def test_a_quota_that_is_not_used_up_is_a_notice_that_says_the_setting() -> None:
    (check,) = quotas.rekognition(deployed("prod", reading(4), service_quotas=allowing(50)))
    assert check.ok
    assert '{"quotas": {"prod": {"DetectText": 50}}}' in check.advice


@pytest.mark.parametrize(("env", "there", "well"), [("prod", 1000, True), ("prod", 10, False), ("dev", 10, True)])
def test_the_account_has_room_for_all_batches_at_once(env: str, there: int, well: bool) -> None:
    limits = {"AccountLimit": {"ConcurrentExecutions": there}}
    function = resource("AWS::Lambda::Function", ReservedConcurrentExecutions=20)
    found = deployed(env, reading(30), function, **{"lambda": Stub(get_account_settings=limits)})
    (check,) = quotas.concurrency(found)
    assert check.ok == well
    if there == 10:
        assert check.expected.startswith("120 or more")  # 100 of which none may be reserved
        aws_cli.read(aws_cli.commands(check.advice)[0])
