"""Reads alarms and dashboards as they stand."""

from __future__ import annotations

from deploy.place import Client
from deploy.standing.reader import Properties, Reader


def _alarm(client: Client, name: str, _asked: Properties) -> Properties:
    alarms = client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    return alarms[0] if alarms else {"AlarmName": None}


def _composite_alarm(client: Client, name: str, _asked: Properties) -> Properties:
    response = client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])
    alarms = response["CompositeAlarms"]
    return alarms[0] if alarms else {"AlarmName": None}


def _dashboard(client: Client, name: str, _asked: Properties) -> Properties:
    return dict(client("cloudwatch").get_dashboard(DashboardName=name))


READERS: dict[str, Reader] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _composite_alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
}
