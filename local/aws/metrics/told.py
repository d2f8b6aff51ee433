"""Lets every service tell CloudWatch what it tells on AWS."""

from __future__ import annotations

from local.aws.cloudwatch.alarms import Publish
from local.aws.cloudwatch.installed import CloudWatch
from local.aws.metrics import buckets, embedded_format, functions, gateways, rules, streams, tables
from local.aws.metrics.queues import Queues


def measure(cloudwatch: CloudWatch) -> tuple[Publish, ...]:
    """Measure from now on. What is returned tells at the end of a minute what is told by the minute."""
    for service in (functions, rules, gateways, tables, streams, buckets, embedded_format):
        service.measure(cloudwatch)
    return (Queues(cloudwatch).measure(),)
