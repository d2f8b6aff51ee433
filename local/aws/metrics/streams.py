"""AWS/Kinesis: what came into streams, and how old what is read from them is.

Source: Amazon Kinesis Data Streams Developer Guide, "Monitor the Amazon Kinesis Data Streams service with Amazon
CloudWatch", basic metrics by StreamName. Nothing is throttled here; what functions read counts as on AWS, where Lambda
reads it for them.
"""

from __future__ import annotations

import base64
import time
from typing import Any

from local.aws.cloudwatch.installed import CloudWatch

NAMESPACE = "AWS/Kinesis"


def measure(cloudwatch: CloudWatch) -> None:
    """Tell of each record from now on."""
    from ministack.services import kinesis, lambda_svc

    put, put_several, read = kinesis._put_record, kinesis._put_records, lambda_svc._execute_function_dispatch

    def tell(stream: str, **values: float) -> None:
        for name, value in values.items():
            name = name.replace("__", ".")
            unit = "Bytes" if name.endswith("Bytes") else "Milliseconds" if "Milliseconds" in name else "Count"
            cloudwatch.count(NAMESPACE, name, {"StreamName": stream}, value, unit=unit)

    def put_and_tell(data: dict[str, Any]) -> Any:
        answer = put(data)
        if answer[0] < 300:
            tell(_stream(data), IncomingRecords=1.0, IncomingBytes=_bytes(data), PutRecord__Success=1.0)
        return answer

    def put_several_and_tell(data: dict[str, Any]) -> Any:
        answer = put_several(data)
        if answer[0] < 300:
            records = data.get("Records", [])
            size = sum(map(_bytes, records))
            tell(_stream(data), IncomingRecords=float(len(records)), IncomingBytes=size, PutRecords__Success=1.0)
        return answer

    def read_and_tell(function: Any, config: Any, event: Any, *invocation: Any) -> Any:
        records = event.get("Records") if isinstance(event, dict) else None
        if records and "kinesis" in records[-1]:
            stream = records[-1]["eventSourceARN"].rpartition("/")[2]
            age_ms = max(0.0, (time.time() - float(records[-1]["kinesis"]["approximateArrivalTimestamp"])) * 1000)
            tell(stream, GetRecords__IteratorAgeMilliseconds=age_ms, GetRecords__Records=float(len(records)))
        return read(function, config, event, *invocation)

    kinesis._put_record, kinesis._put_records = put_and_tell, put_several_and_tell
    lambda_svc._execute_function_dispatch = read_and_tell


def _stream(data: dict[str, Any]) -> str:
    return str(data.get("StreamName") or data.get("StreamARN", "").rpartition("/")[2])


def _bytes(record: dict[str, Any]) -> float:
    data = record.get("Data", "")
    return float(len(base64.b64decode(data) if isinstance(data, str) else data))
