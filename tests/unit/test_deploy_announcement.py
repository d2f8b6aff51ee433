"""`python -m deploy --announce`: a data point for each minute of it, all put at once."""

import datetime

import boto3
import pytest
from botocore.stub import Stubber

from deploy.announcement import LONGEST_MINUTES, announce

NOW = datetime.datetime(2026, 11, 27, 9, 30, tzinfo=datetime.UTC)


@pytest.mark.parametrize("minutes", [1, 15, LONGEST_MINUTES])
def test_each_minute_has_a_point_and_none_is_later_than_cloudwatch_takes(minutes: int) -> None:
    client = boto3.client("cloudwatch")
    points = [
        {
            "MetricName": "Deploying",
            "Dimensions": [{"Name": "Environment", "Value": "prod"}],
            "Timestamp": NOW + datetime.timedelta(minutes=minute),
            "Value": 1.0,
        }
        for minute in range(minutes)
    ]
    assert points[-1]["Timestamp"] < NOW + datetime.timedelta(hours=2)
    with Stubber(client) as stubber:
        stubber.add_response("put_metric_data", {}, {"Namespace": "SnapRace", "MetricData": points})
        announce("prod", minutes, client, NOW)
        stubber.assert_no_pending_responses()
