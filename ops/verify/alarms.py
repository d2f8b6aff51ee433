"""Alarms that can go off, and somebody who hears them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.standing.readers import described_alarms
from ops.look.alarms import seen_in
from ops.verify.advice import aws
from ops.verify.check import Check
from ops.verify.deployed import Deployed

KINDS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")

_EVALUATED_WITHIN = timedelta(hours=1)
# What has no data is OK or ALARM then, and never without a state. Source: CloudWatch's guide, "Configuring how
# CloudWatch alarms treat missing data".
_HAS_A_STATE = ("notBreaching", "breaching")


def states(deployed: Deployed) -> Iterator[Check]:
    """Alarms that CloudWatch does not evaluate; and as notices, those that are red."""
    names = [alarm.name for alarm in deployed.resources(*KINDS) if alarm.name]
    there = list(described_alarms(deployed.client, names).values())
    for told in there:
        if _is_unevaluated(told, datetime.now(UTC)):
            yield Check(
                name=f"alarms: {told['AlarmName']}",
                ok=False,
                seen=f"INSUFFICIENT_DATA since it was set: {told.get('StateReason', 'no reason is told')}",
                expected="OK or ALARM, as it says what missing data means",
                advice=aws("cloudwatch describe-alarms", alarm_names=told["AlarmName"]),
            )
    for alarm in seen_in(deployed.target.env, there):
        if alarm.rings:
            yield Check(
                name=f"alarms: {alarm.name}", ok=True, seen=f"ALARM: {alarm.why}", expected="OK", advice=alarm.advice
            )


def subscriptions(deployed: Deployed) -> Iterator[Check]:
    """Every topic to which an alarm speaks has somebody who confirmed that she hears it."""
    topics = {
        action
        for alarm in deployed.resources(*KINDS)
        for action in alarm.asked.get("AlarmActions", ())
        if isinstance(action, str) and ":sns:" in action
    }
    deaf = 0
    for topic in sorted(topics):
        heard, waiting = _subscribed(deployed, topic)
        if heard:
            continue
        deaf += 1
        addresses = f"{waiting} unconfirmed address{'' if waiting == 1 else 'es'}"
        yield Check(
            name=f"topics: {topic.rsplit(':', 1)[-1]}",
            ok=not deployed.is_kept,
            seen=f"nobody hears it; it has {addresses}" if waiting else "nobody hears it",
            expected="somebody who confirmed it",
            advice="open the link in the mail from AWS Notifications"
            if waiting
            else aws("sns subscribe", topic_arn=topic, protocol="email", notification_endpoint="ADDRESS"),
        )
    if topics and not deaf:
        yield Check(name="topics", ok=True, seen=f"each of {len(topics)} has somebody who hears it")


def _subscribed(deployed: Deployed, topic: str) -> tuple[int, int]:
    """How many hear a topic, and how many have not confirmed yet.

    Source: Amazon SNS API Reference, ListSubscriptionsByTopic: the ARN of these is PendingConfirmation.
    """
    sns = deployed.client("sns")
    try:
        pages = list(sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic))
    except sns.exceptions.NotFoundException:
        return 0, 0
    arns = [each["SubscriptionArn"] for page in pages for each in page["Subscriptions"]]
    heard = sum(arn.startswith("arn:") for arn in arns)
    return heard, len(arns) - heard


def _is_unevaluated(alarm: Mapping[str, Any], now: datetime) -> bool:
    if alarm.get("StateValue") != "INSUFFICIENT_DATA" or alarm.get("TreatMissingData") not in _HAS_A_STATE:
        return False
    since = alarm.get("AlarmConfigurationUpdatedTimestamp")
    return isinstance(since, datetime) and now - since > _EVALUATED_WITHIN
