"""Tells CloudWatch that an environment is being deployed, so that its alarms page nobody for what that does."""

from __future__ import annotations

import datetime
from typing import Any

from shared.contracts.metrics import DEPLOYING, NAMESPACE

LONGEST_MINUTES = 119
"""CloudWatch takes data points up to 2 hours ahead. Source: Amazon CloudWatch API Reference, PutMetricData."""


def announce(env: str, minutes: int, cloudwatch: Any, now: datetime.datetime) -> None:
    """Put the metric as 1 for each minute from `now` on, in one request: whoever dies meanwhile leaves nothing behind.

    `minutes` are 1 to LONGEST_MINUTES. The alarm on the metric ends by itself when they are over.
    """
    cloudwatch.put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {
                "MetricName": DEPLOYING.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in DEPLOYING.dimensions(env).items()],
                "Timestamp": now + datetime.timedelta(minutes=minute),
                "Value": 1.0,
            }
            for minute in range(minutes)
        ],
    )
