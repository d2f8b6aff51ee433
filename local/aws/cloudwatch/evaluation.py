"""Whether an alarm rings: from its settings, its metric's recent periods and the state it is in.

Source: Amazon CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data", whose tables are a test
of this module, and "Evaluating an alarm". CloudWatch looks at the last periods that ended with the last whole minute,
every minute, or every hour where they are longer than a day together.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from local.aws.cloudwatch.clock import MINUTE
from local.aws.cloudwatch.queries import Answering
from local.aws.cloudwatch.store import Points, Store

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Alarm = Mapping[str, Any]
"""A MetricAlarm (Amazon CloudWatch API Reference)."""

EXTRA_PERIODS = 2
"""CloudWatch looks at more periods than it needs; how many is not documented but by the tables, which have 5 for 3."""

_DAY, _HOUR = 24 * 60 * MINUTE, 60 * MINUTE

_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


class Verdict(NamedTuple):
    """The state that the data tell, and why in a sentence."""

    state: State
    reason: str


def interval(alarm: Alarm) -> int:
    """How often it is looked at, in seconds."""
    return _HOUR if period_of(alarm) * int(alarm["EvaluationPeriods"]) > _DAY else MINUTE


def period_of(alarm: Alarm) -> int:
    """How long each of its data points is, in seconds."""
    if "Metrics" not in alarm:
        return int(alarm["Period"])
    periods = [int(each.get("Period") or each.get("MetricStat", {}).get("Period") or 0) for each in alarm["Metrics"]]
    return max(periods) or MINUTE


def data(alarm: Alarm, store: Store, now: float) -> list[float | None]:
    """The values of the periods that CloudWatch looks at, the oldest first, None where one is missing.

    Raises MathProblem, or ValueError for a statistic that there is not.
    """
    period, count = period_of(alarm), int(alarm["EvaluationPeriods"]) + EXTRA_PERIODS
    end = now // MINUTE * MINUTE
    begin = end - period * count
    points = _points(alarm, store, begin, end)
    return [points.get(begin + period * place) for place in range(count)]


def _points(alarm: Alarm, store: Store, begin: float, end: float) -> Points:
    queries = alarm.get("Metrics") or [_query(alarm)]
    (asked,) = [each for each in queries if each.get("ReturnData", True)]
    (series,) = Answering(queries, store, begin, end).answer(asked).series
    return series.points


def _query(alarm: Alarm) -> dict[str, Any]:
    metric = {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions")}
    statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    asked = {"Metric": metric, "Period": alarm["Period"], "Stat": statistic, "Unit": alarm.get("Unit")}
    return {"Id": "m", "MetricStat": asked}


def evaluate(alarm: Alarm, values: Sequence[float | None], state: State) -> Verdict:
    """What the values (the oldest first, None for a missing one) say of an alarm that is in this state."""
    needed = int(alarm["EvaluationPeriods"])
    to_alarm = int(alarm.get("DatapointsToAlarm") or needed)
    breaches, _ = _COMPARISONS[alarm["ComparisonOperator"]]
    seen = [None if value is None else breaches(value, float(alarm["Threshold"])) for value in values]
    real = [each for each in seen if each is not None]
    breaching = sum(real[-needed:])
    missing = max(0, needed - len(real))
    treated = alarm.get("TreatMissingData") or "missing"
    filled = missing if treated == "breaching" else 0
    if breaching + filled >= to_alarm:
        return Verdict("ALARM", _reason(alarm, values, filled))
    if not missing or treated in ("breaching", "notBreaching"):
        return Verdict("OK", _reason(alarm, values, missing))
    return _without_enough(alarm, values, seen, state)


def _without_enough(alarm: Alarm, values: Sequence[float | None], seen: Sequence[bool | None], state: State) -> Verdict:
    """Where data are missing, and are left missing or ignored, and what is there is not enough for an alarm."""
    ignored = alarm.get("TreatMissingData") == "ignore"
    reason = _reason(alarm, values, 0)
    if False in seen:
        return Verdict("OK", reason)
    if ignored:
        return Verdict(state, reason)
    if True not in seen:
        return Verdict("INSUFFICIENT_DATA", reason)
    # All there is breaches. The guide has the alarm ring once the oldest is as old as DatapointsToAlarm periods; before
    # that "the next data point may be non-breaching".
    to_alarm = int(alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"])
    age = len(seen) - seen.index(True)
    return Verdict("ALARM" if age >= to_alarm else "OK", reason)


def unreadable(problem: Exception) -> Verdict:
    """Of an alarm whose expression, statistic or comparison cannot be worked out."""
    return Verdict("INSUFFICIENT_DATA", f"The alarm cannot be evaluated: {problem}")


def _reason(alarm: Alarm, values: Sequence[float | None], filled: int) -> str:
    """In CloudWatch's own words, so far as its messages show them."""
    told = [value for value in values if value is not None][-int(alarm["EvaluationPeriods"]) :]
    _, words = _COMPARISONS[alarm["ComparisonOperator"]]
    threshold = f"the threshold ({float(alarm['Threshold']):g})"
    if not told:
        treated = {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(alarm.get("TreatMissingData") or "")
        treatment = f" and {filled} missing datapoints were treated as [{treated}]" if treated and filled else ""
        return f"Threshold Crossed: no datapoints were received for {alarm['EvaluationPeriods']} periods{treatment}."
    breaches, _ = _COMPARISONS[alarm["ComparisonOperator"]]
    over = [value for value in told if breaches(value, float(alarm["Threshold"]))]
    shown = ", ".join(f"{value:g}" for value in (over or told)[-5:])
    counted = f"{len(over or told)} of the last {len(told)} datapoints [{shown}]"
    return f"Threshold Crossed: {counted} {'were' if over else 'were not'} {words} {threshold}."
