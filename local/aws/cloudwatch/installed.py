"""Puts our CloudWatch into ministack, in place of its own metrics and of its own look at alarms."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from local.aws.cloudwatch.alarms import Alarms, Place, Publish
from local.aws.cloudwatch.clock import Clock
from local.aws.cloudwatch.protocols import Asked, Handler, Refused, handler, request
from local.aws.cloudwatch.requests import Requests
from local.aws.cloudwatch.store import Metric, Store

_OF_EXPRESSIONS = ("Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit")
"""What an alarm on an expression does not have."""


class CloudWatch:
    """The metrics of all accounts and regions, and how the embedded AWS's services tell theirs."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._stores: dict[Place, Store] = {}

    def store(self, place: Place) -> Store:
        """The metrics of an account in a region."""
        return self._stores.setdefault(place, Store())

    def count(
        self, namespace: str, name: str, dimensions: Mapping[str, str], value: float = 1.0, *, unit: str = "Count"
    ) -> None:
        """Tell a value of now, in the account and region of whoever is served."""
        self.here().add(Metric.of(namespace, name, dimensions), value, self.clock.now(), unit=unit)

    def here(self) -> Store:
        """The metrics of the account and region of whoever is served."""
        from ministack.core.responses import get_account_id, get_region

        return self.store((get_account_id(), get_region()))


def install(cloudwatch: CloudWatch, publish: tuple[Publish, ...]) -> Alarms:
    """Let ministack's CloudWatch keep metrics and look at alarms as AWS does. Returns the alarms, which look when run.

    `publish` are asked at the end of each minute for what services tell by the minute.
    """
    from ministack.services import cloudwatch as service

    requests = Requests(cloudwatch.clock, cloudwatch.here)
    service._put_metric_data = handler("PutMetricData", requests.put_metric_data)
    service._get_metric_data = handler("GetMetricData", requests.get_metric_data)
    service._get_metric_statistics = handler("GetMetricStatistics", requests.get_metric_statistics)
    service._list_metrics = handler("ListMetrics", requests.list_metrics)

    def record(namespace: str, name: str, value: float, unit: str = "None", dimensions: Any = None) -> None:
        cloudwatch.count(namespace, name, dimensions or {}, value, unit=unit)

    service.record_metric = record
    for its_own in ("_evaluate_alarm", "_evaluate_all_alarms", "_evict_old_metrics"):
        setattr(service, its_own, _nothing)

    def forget(place: Place, at: float) -> None:
        cloudwatch.store(place).forget(at)

    alarms = Alarms(cloudwatch.clock, cloudwatch.store, (*publish, forget))
    _let_alarms_have_expressions()
    _let_composite_alarms_be_suppressed(alarms)
    tell = service._dispatch_alarm_actions
    service._dispatch_alarm_actions = lambda alarm, *change: alarms.act(tell, alarm, *change)
    return alarms


def start(alarms: Alarms, held: Callable[[], bool]) -> None:
    """Let the alarms be looked at from now on, in a thread of their own, while they are not `held`."""
    threading.Thread(target=alarms.run, args=(held,), name="alarms", daemon=True).start()


def _nothing(*_: Any) -> None:
    """In place of what is done here."""


def _let_alarms_have_expressions() -> None:
    from ministack.services import cloudwatch

    put = cloudwatch._put_metric_alarm

    def put_with_expression(form: Mapping[str, Any], given: Asked, is_cbor: bool, is_json: bool = False) -> Any:
        answer = put(form, given, is_cbor, is_json)
        asked = request("PutMetricAlarm", form, given, structured=is_cbor or is_json)
        if answer[0] < 300 and asked.get("Metrics"):
            of_expressions(cloudwatch._alarms[asked["AlarmName"]], asked["Metrics"])
        return answer

    cloudwatch._put_metric_alarm = put_with_expression


def of_expressions(alarm: dict[str, Any], metrics: list[Any]) -> None:
    """Make an alarm that ministack has put one on these queries, of which one returns data."""
    for name in _OF_EXPRESSIONS:
        alarm.pop(name, None)
    alarm["Metrics"] = metrics


def _let_composite_alarms_be_suppressed(alarms: Alarms) -> None:
    from ministack.services import cloudwatch

    put: Handler = cloudwatch._put_composite_alarm

    def put_with_suppressor(form: Mapping[str, Any], given: Asked, is_cbor: bool, is_json: bool = False) -> Any:
        asked = request("PutCompositeAlarm", form, given, structured=is_cbor or is_json)
        try:
            alarms.suppress(asked)
        except Refused as refused:
            return cloudwatch._error(refused.code, refused.message, 400, use_json=is_json, use_cbor=is_cbor)
        answer = put(form, given, is_cbor, is_json)
        if (alarm := cloudwatch._composite_alarms.get(asked["AlarmName"])) is not None and answer[0] < 300:
            alarm |= {name: value for name, value in asked.items() if name.startswith("ActionsSuppressor")}
        return answer

    cloudwatch._put_composite_alarm = put_with_suppressor
