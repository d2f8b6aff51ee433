"""What `python -m deploy --verify-only` reads of things that stand, where the embedded AWS shows too little of it."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from deploy.standing.differences import difference
from deploy.standing.readers import READERS

TOPIC = "arn:aws:sns:us-east-1:123456789012:snaprace-prod-alarms-p1"
HEARS = "oncall@example.org"
ASKED = {"TopicArn": TOPIC, "Protocol": "email", "Endpoint": HEARS}


@pytest.mark.parametrize(
    ("pending", "told"),
    [
        ("false", []),
        ("true", [f'Endpoint is "{HEARS}, which has not confirmed it," where "{HEARS}" was asked.']),
    ],
)
def test_a_subscription_that_nobody_confirmed_does_not_stand(pending: str, told: list[str]) -> None:
    sns = boto3.client("sns", region_name="us-east-1")
    with Stubber(sns) as stub:
        attributes = {**ASKED, "SubscriptionArn": f"{TOPIC}:1", "PendingConfirmation": pending}
        stub.add_response("get_subscription_attributes", {"Attributes": attributes}, {"SubscriptionArn": f"{TOPIC}:1"})
        found: dict[str, Any] = READERS["AWS::SNS::Subscription"](lambda _service: sns, f"{TOPIC}:1", ASKED)
    differences = (difference(wanted, found[name], name) for name, wanted in ASKED.items())
    assert [str(each) for each in differences if each] == told
