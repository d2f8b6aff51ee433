"""What AWS charges, in US dollars: the one table that `snaprace cost`, the bench and the dashboards multiply with.

List prices of us-east-1, of the first tier beyond the free one, put together in November 2026 from what is published
about them; not every one was seen on AWS's own page. Before you rely on a figure, compare it with
aws.amazon.com/{rekognition,dynamodb,s3,eventbridge,sqs,lambda,cloudwatch,api-gateway,waf,kms,kinesis/data-streams}/
pricing.
Other regions cost up to a third more; add them here.
"""

from __future__ import annotations

import msgspec

MILLION = 1_000_000
GB = 1_000_000_000


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Dollars for one of each, if the name says nothing else."""

    looked_up: str
    rekognition_image: float  # any of DetectText, IndexFaces, SearchFaces
    dynamodb_read_unit: float
    dynamodb_write_unit: float
    s3_write: float
    s3_read: float
    s3_transition: float  # of an object into Intelligent-Tiering
    s3_gb_month: float
    s3_monitored_object_month: float
    event: float  # custom events, and S3's, to which a bucket opts in
    archive_gb: float
    archive_gb_month: float
    sqs_request: float
    lambda_request: float
    lambda_gb_second: float  # x86; arm64 costs a fifth less
    logs_gb: float
    rest_request: float  # of a REST API, at API Gateway
    firewall_request: float  # that WAF looks at
    kinesis_put_unit: float  # 25 KB of a record, where shards are provisioned
    kinesis_shard_hour: float
    kinesis_stream_hour: float  # on demand, as the next two
    kinesis_gb_in: float  # of records, each rounded up to 1 KB
    kinesis_gb_out: float
    alarm_metric_month: float  # each metric of a standard alarm
    composite_alarm_month: float
    dashboard_month: float
    key_month: float
    firewall_month: float
    firewall_rule_month: float


PRICES = {
    "us-east-1": Prices(
        looked_up="2026-11",
        rekognition_image=1000 / MILLION,
        dynamodb_read_unit=0.125 / MILLION,
        dynamodb_write_unit=0.625 / MILLION,
        s3_write=5.00 / MILLION,
        s3_read=0.40 / MILLION,
        s3_transition=10.00 / MILLION,
        s3_gb_month=0.023,
        s3_monitored_object_month=2.50 / MILLION,
        event=1.00 / MILLION,
        archive_gb=0.10,
        archive_gb_month=0.023,
        sqs_request=0.40 / MILLION,
        lambda_request=0.20 / MILLION,
        lambda_gb_second=16.6667 / MILLION,
        logs_gb=0.50,
        rest_request=3.50 / MILLION,
        firewall_request=0.60 / MILLION,
        kinesis_put_unit=0.014 / MILLION,
        kinesis_shard_hour=0.015,
        kinesis_stream_hour=0.04,
        kinesis_gb_in=0.08,
        kinesis_gb_out=0.04,
        alarm_metric_month=0.10,
        composite_alarm_month=0.50,
        dashboard_month=3.00,
        key_month=1.00,
        firewall_month=5.00,
        firewall_rule_month=1.00,
    )
}
