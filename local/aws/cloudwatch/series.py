"""Time series as metric math has them, and what is done with them value by value."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from local.aws.cloudwatch.store import Points


class MathProblem(ValueError):
    """An expression that is none, or asks for what is not there; the sentence is for whoever wrote it."""


@dataclass(frozen=True)
class Grid:
    """The periods that are asked about: from `begin` on to `end`, which is left out, `period` long (seconds)."""

    begin: float
    end: float
    period: int

    @property
    def times(self) -> list[float]:
        """When each period begins."""
        count = math.ceil((self.end - self.begin) / self.period)
        return [self.begin + self.period * place for place in range(max(0, count))]


@dataclass(frozen=True)
class Series:
    """A time series. `period` is a metric's (seconds); what is worked out has none."""

    points: Points
    label: str = ""
    period: int | None = None


Value = float | Series | list[Series]
"""What metric math knows: a scalar, a time series, several."""


Operation = Callable[[float, float], float | None]
"""What two numbers make; None drops the data point."""


def several(value: Value) -> list[Series]:
    """It as an array. Raises MathProblem for a number."""
    if isinstance(value, Series):
        return [value]
    if isinstance(value, list):
        return value
    raise MathProblem("A number stands where a time series belongs.")


def single(value: Value) -> Series:
    """It, which must be one time series. Raises MathProblem."""
    if isinstance(value, Series):
        return value
    raise MathProblem("One time series belongs there, not a number or several.")


def scalar(value: Value) -> float:
    """It, which must be a number. Raises MathProblem."""
    if isinstance(value, float):
        return value
    raise MathProblem("A number belongs there, not a time series.")


def mapped(change: Callable[[float], float | None], value: Value) -> Value:
    """Every number changed; those for which there is none are dropped."""
    if isinstance(value, list):
        return [_changed(change, each) for each in value]
    if isinstance(value, Series):
        return _changed(change, value)
    changed = change(value)
    if changed is None:
        raise MathProblem("A number is divided by nothing.")
    return changed


def _changed(change: Callable[[float], float | None], series: Series) -> Series:
    changed = {at: change(value) for at, value in series.points.items()}
    return Series({at: value for at, value in changed.items() if value is not None}, series.label)


def both(operation: Operation, left: Value, right: Value) -> Value:
    """Both sides together; what one of two time series lacks counts as 0."""
    if isinstance(left, list) or isinstance(right, list):
        return _both_of_several(operation, left, right)
    if isinstance(left, Series) and isinstance(right, Series):
        return _together(operation, left, right)
    if isinstance(left, Series):
        return mapped(lambda value: operation(value, scalar(right)), left)
    return mapped(lambda value: operation(scalar(left), value), right)


def _both_of_several(operation: Operation, left: Value, right: Value) -> list[Series]:
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            raise MathProblem("The two arrays have not as many time series.")
        pairs: list[tuple[Value, Value]] = list(zip(left, right, strict=True))
    elif isinstance(left, list):
        pairs = [(each, right) for each in left]
    else:
        pairs = [(left, each) for each in several(right)]
    return [single(both(operation, *pair)) for pair in pairs]


def _together(operation: Operation, left: Series, right: Series) -> Series:
    points = {}
    for at in sorted(left.points.keys() | right.points.keys()):
        value = operation(left.points.get(at, 0.0), right.points.get(at, 0.0))
        if value is not None:
            points[at] = value
    return Series(points, left.label or right.label)
