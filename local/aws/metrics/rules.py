"""AWS/Events: what rules did with events.

Source: Amazon EventBridge User Guide, "Monitoring Amazon EventBridge": RuleName alone is of a rule on the default bus,
with EventBusName it is of one on another bus; what is zero is not told. An event that a target did not get and its
dead-letter queue did counts as a failed invocation, too.
"""

from __future__ import annotations

from typing import Any

from local.aws import events
from local.aws.cloudwatch.installed import CloudWatch

NAMESPACE = "AWS/Events"


def measure(cloudwatch: CloudWatch) -> None:
    """Count from now on."""
    from ministack.services import eventbridge

    invoke, set_aside = eventbridge._invoke_target, events._set_aside

    def invoke_and_count(target: Any, event: Any, rule: Any, view: Any = None) -> None:
        targets = eventbridge._targets.get(eventbridge._rule_key(rule["Name"], rule.get("EventBusName", "default")), [])
        names = ["Invocations", "InvocationAttempts", "InvocationsCreated"]
        if targets and target is targets[0]:  # once for the event, however many targets the rule has
            names += ["MatchedEvents", "TriggeredRules"]
        for name in names:
            cloudwatch.count(NAMESPACE, name, _dimensions(rule["Arn"]))
        invoke(target, event, rule, view)

    def set_aside_and_count(dead_letters: str, why: dict[str, str], body: Any) -> None:
        for name in ("FailedInvocations", "InvocationsSentToDlq"):
            cloudwatch.count(NAMESPACE, name, _dimensions(why["RULE_ARN"]))
        set_aside(dead_letters, why, body)

    eventbridge._invoke_target = invoke_and_count
    events._set_aside = set_aside_and_count


def _dimensions(rule_arn: str) -> dict[str, str]:
    """Of arn:aws:events:region:account:rule/name, or …:rule/bus/name."""
    *bus, name = rule_arn.partition(":rule/")[2].split("/")
    return {"RuleName": name} | ({"EventBusName": bus[0]} if bus else {})
