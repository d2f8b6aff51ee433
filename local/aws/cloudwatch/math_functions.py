"""The functions and operators of metric math: what they make of numbers and time series.

Source: see metric_math.
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
import time
from collections.abc import Callable, Sequence

from local.aws.cloudwatch.series import Operation, Series, Value, single
from local.aws.cloudwatch.store import Points


def _power(base: float, exponent: float) -> float | None:
    try:
        result = base**exponent
    except (ZeroDivisionError, OverflowError):
        return None
    return None if isinstance(result, complex) else result


ARITHMETIC: dict[type, Operation] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: left / right if right else None,
    ast.Pow: _power,
}
COMPARISONS: dict[type, Operation] = {
    ast.Eq: lambda left, right: float(left == right),
    ast.NotEq: lambda left, right: float(left != right),
    ast.Lt: lambda left, right: float(left < right),
    ast.LtE: lambda left, right: float(left <= right),
    ast.Gt: lambda left, right: float(left > right),
    ast.GtE: lambda left, right: float(left >= right),
}
LOGIC: dict[type, Operation] = {
    ast.And: lambda left, right: float(bool(left) and bool(right)),
    ast.Or: lambda left, right: float(bool(left) or bool(right)),
}


def _positive(change: Callable[[float], float]) -> Callable[[float], float | None]:
    return lambda value: change(value) if value > 0 else None


ONE_BY_ONE: dict[str, Callable[[float], float | None]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "LOG": _positive(math.log),
    "LOG10": _positive(math.log10),
}


def _running_sum(points: Points) -> Points:
    total = 0.0
    return {at: (total := total + value) for at, value in sorted(points.items())}


def _steps(of: Callable[[float, float], float]) -> Callable[[Points], Points]:
    """What `of` makes of each value's difference to the one before it, and of the seconds between them."""

    def along(points: Points) -> Points:
        known = sorted(points.items())
        pairs = itertools.pairwise(known)
        return {at: of(value - before, at - since) for (since, before), (at, value) in pairs}

    return along


ALONG: dict[str, Callable[[Points], Points]] = {
    "DIFF": _steps(lambda difference, _: difference),
    "DIFF_TIME": _steps(lambda _, seconds: seconds),
    "RATE": _steps(lambda difference, seconds: difference / seconds),
    "RUNNING_SUM": _running_sum,
}


def _deviation(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "AVG": lambda values: math.fsum(values) / len(values),
    "MAX": max,
    "MIN": min,
    "STDDEV": _deviation,
    "SUM": math.fsum,
    "DATAPOINT_COUNT": lambda values: float(len(values)),
}


def aggregated(name: str, value: Value) -> Value:
    """Of one time series a number, of several a time series. For AVG what one of several lacks is 0."""
    make = AGGREGATES[name]
    if not isinstance(value, list):
        points = list(single(value).points.values())
        if not points:
            return 0.0
        return float(make(points))
    times = sorted({at for each in value for at in each.points})
    missing = 0.0 if name == "AVG" else None
    told = {at: [each.points.get(at, missing) for each in value] for at in times}
    return Series({at: float(make([each for each in told[at] if each is not None])) for at in times})


def _utc(part: Callable[[time.struct_time], int]) -> Callable[[float], float]:
    return lambda at: float(part(time.gmtime(at)))


CALENDAR: dict[str, Callable[[float], float]] = {
    "MINUTE": _utc(lambda at: at.tm_min),
    "HOUR": _utc(lambda at: at.tm_hour),
    "DAY": _utc(lambda at: at.tm_wday + 1),
    "DATE": _utc(lambda at: at.tm_mday),
    "MONTH": _utc(lambda at: at.tm_mon),
    "YEAR": _utc(lambda at: at.tm_year),
    "EPOCH": float,
}


def repeated(points: Points, times: Sequence[float]) -> Points:
    """Each gap with the value before it."""
    filled: Points = {}
    last = None
    for at in times:
        last = points.get(at, last)
        if last is not None:
            filled[at] = last
    return filled


def interpolated(points: Points, times: Sequence[float]) -> Points:
    """Each gap with a straight line; there is none before the first and after the last value."""
    known = sorted(points)
    filled: Points = dict(points)
    for since, until in itertools.pairwise(known):
        for at in times:
            if since < at < until:
                filled[at] = points[since] + (points[until] - points[since]) * (at - since) / (until - since)
    return dict(sorted(filled.items()))
