"""Metric math: expressions over time series, for alarms and for GetMetricData alike.

Source of all that is not said here: Amazon CloudWatch User Guide, "Using metric math". An expression is read by
Python's own parser, after its words are put into Python's (AND, ||, ^), and worked out here, node by node: what is not
among the kinds of nodes below is refused, and nothing is ever run as Python.

Not there: SEARCH, ANOMALY_DETECTION_BAND, INSIGHT_RULE_METRIC, SERVICE_QUOTA, DB_PERF_INSIGHTS, LAMBDA.
"""

from __future__ import annotations

import ast
import functools
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from local.aws.cloudwatch.math_functions import (
    AGGREGATES,
    ALONG,
    ARITHMETIC,
    CALENDAR,
    COMPARISONS,
    LOGIC,
    ONE_BY_ONE,
    aggregated,
    interpolated,
    repeated,
)
from local.aws.cloudwatch.series import Grid, MathProblem, Series, Value, both, mapped, scalar, several, single
from local.aws.cloudwatch.store import Points


@dataclass(frozen=True)
class Scope:
    """What an expression may name: metrics and other expressions by their ids, or all metrics of the request."""

    grid: Grid
    look_up: Callable[[str], Value]
    metrics: Callable[[], Mapping[str, Series]]


_WORDS = re.compile(
    r"""(?P<text>"[^"]*"|'[^']*')|(?P<and>\bAND\b|&&)|(?P<or>\bOR\b|\|\|)|(?P<power>\^)|(?P<id>\b[a-z]\w*)"""
)
_ID = "id_"
"""Stands before an id, which may be one of Python's own words, as `in` and `is` are."""


@functools.lru_cache(maxsize=1024)
def _parsed(expression: str) -> ast.expr:
    def in_python(found: re.Match[str]) -> str:
        words = {"and": " and ", "or": " or ", "power": "**", "id": _ID + found[0]}
        return words.get(str(found.lastgroup), found[0])

    try:
        return ast.parse(_WORDS.sub(in_python, " ".join(expression.split())), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise MathProblem(f"The expression cannot be read: {expression}") from None


def evaluate(expression: str, scope: Scope) -> Value:
    """The expression's value. Raises MathProblem."""
    try:
        return _value(_parsed(expression), scope)
    except (OverflowError, RecursionError) as error:
        raise MathProblem(f"The expression {expression} cannot be worked out: {error}.") from None


def _value(node: ast.expr, scope: Scope) -> Value:
    match node:
        case ast.Constant(value=bool()):
            raise MathProblem("True and False are no numbers; write 1 and 0.")
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name.startswith(_ID):
            return scope.look_up(name.removeprefix(_ID))
        case ast.List(elts=elements):
            return [each for element in elements for each in several(_value(element, scope))]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return mapped(operator.neg, _value(operand, scope))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, scope)
        case ast.BinOp(left=left, op=kind, right=right) if type(kind) in ARITHMETIC:
            return both(ARITHMETIC[type(kind)], _value(left, scope), _value(right, scope))
        case ast.Compare(left=left, ops=[kind], comparators=[right]) if type(kind) in COMPARISONS:
            return both(COMPARISONS[type(kind)], _value(left, scope), _value(right, scope))
        case ast.BoolOp(op=kind, values=operands):
            return functools.reduce(
                functools.partial(both, LOGIC[type(kind)]), [_value(each, scope) for each in operands]
            )
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _call(name, arguments, scope)
    raise MathProblem(f"Metric math has no {ast.unparse(node).replace(_ID, '')}.")


# --- functions ---------------------------------------------------------------------------------------------


def _call(name: str, arguments: Sequence[ast.expr], scope: Scope) -> Value:
    if name in _SPECIAL:
        return _SPECIAL[name](arguments, scope)
    values = [_value(each, scope) for each in arguments]
    if len(values) != 1:
        raise MathProblem(f"{name} takes one argument.")
    if name in ONE_BY_ONE:
        return mapped(ONE_BY_ONE[name], values[0])
    if name in ALONG:
        along = ALONG[name]
        if isinstance(values[0], list):
            return [Series(along(each.points), each.label) for each in values[0]]
        return Series(along(single(values[0]).points), single(values[0]).label)
    if name in AGGREGATES:
        return aggregated(name, values[0])
    if name in CALENDAR:
        return Series({at: CALENDAR[name](at) for at in scope.grid.times})
    raise MathProblem(f"Metric math has no function {name} here.")


def _if(arguments: Sequence[ast.expr], scope: Scope) -> Value:
    """Source: the guide's "Using IF expressions"; where the condition has no value, there is none."""
    if len(arguments) not in (2, 3):
        raise MathProblem("IF takes a condition, a value and perhaps another value.")
    condition, then = (_value(each, scope) for each in arguments[:2])
    otherwise: Value = _value(arguments[2], scope) if len(arguments) == 3 else Series({})
    if isinstance(condition, float):
        return then if condition else otherwise
    points: Points = {}
    for at, holds in single(condition).points.items():
        if holds:
            points[at] = then if isinstance(then, float) else single(then).points.get(at, 0.0)
        elif isinstance(otherwise, float):
            points[at] = otherwise
        elif at in single(otherwise).points:
            points[at] = single(otherwise).points[at]
    return Series(points)


def _fill(arguments: Sequence[ast.expr], scope: Scope) -> Value:
    if len(arguments) != 2:
        raise MathProblem("FILL takes a time series and what to fill it with.")
    value, times = _value(arguments[0], scope), scope.grid.times
    match arguments[1]:
        case ast.Name(id="REPEAT"):
            fill = repeated
        case ast.Name(id="LINEAR"):
            fill = interpolated
        case given:
            filler = _value(given, scope)

            def fill(points: Points, times: Sequence[float]) -> Points:
                with_it = dict.fromkeys(times, filler) if isinstance(filler, float) else single(filler).points
                return {at: number for at in times if (number := points.get(at, with_it.get(at))) is not None}

    filled = [Series(fill(each.points, times), each.label, each.period) for each in several(value)]
    return filled if isinstance(value, list) else filled[0]


def _metrics(arguments: Sequence[ast.expr], scope: Scope) -> Value:
    match arguments:
        case []:
            return list(scope.metrics().values())
        case [ast.Constant(value=str() as part)]:
            return [each for name, each in scope.metrics().items() if part in name]
    raise MathProblem("METRICS takes nothing, or a part of the ids in quotes.")


def _period(arguments: Sequence[ast.expr], scope: Scope) -> Value:
    period = single(_value(arguments[0], scope)).period if len(arguments) == 1 else None
    if period is None:
        raise MathProblem("PERIOD takes a metric, not an expression.")
    return float(period)


def _time_series(arguments: Sequence[ast.expr], scope: Scope) -> Value:
    (number,) = (scalar(_value(each, scope)) for each in arguments) if len(arguments) == 1 else (None,)
    if number is None:
        raise MathProblem("TIME_SERIES takes a number.")
    return Series(dict.fromkeys(scope.grid.times, number))


def _one_of(place: int) -> Callable[[Sequence[ast.expr], Scope], Value]:
    def pick(arguments: Sequence[ast.expr], scope: Scope) -> Value:
        series = several(_value(arguments[0], scope)) if len(arguments) == 1 else []
        if not series:
            raise MathProblem("FIRST and LAST take an array of time series.")
        return series[place]

    return pick


def _metric_count(arguments: Sequence[ast.expr], scope: Scope) -> Value:
    if len(arguments) != 1:
        raise MathProblem("METRIC_COUNT takes an array of time series.")
    return float(len(several(_value(arguments[0], scope))))


def _remove_empty(arguments: Sequence[ast.expr], scope: Scope) -> Value:
    if len(arguments) != 1:
        raise MathProblem("REMOVE_EMPTY takes an array of time series.")
    return [each for each in several(_value(arguments[0], scope)) if each.points]


def _slice(arguments: Sequence[ast.expr], scope: Scope) -> Value:
    if len(arguments) not in (2, 3):
        raise MathProblem("SLICE takes an array of time series, where to begin and perhaps where to end.")
    begin, *end = (int(scalar(_value(each, scope))) for each in arguments[1:])
    return several(_value(arguments[0], scope))[begin : end[0] if end else None]


def _sort(arguments: Sequence[ast.expr], scope: Scope) -> Value:
    match arguments:
        case [series, ast.Name(id="AVG" | "MIN" | "MAX" | "SUM" as by), ast.Name(id="ASC" | "DESC" as order), *limit]:
            if len(limit) <= 1:
                most = int(scalar(_value(limit[0], scope))) if limit else None
                value = several(_value(series, scope))
                return sorted(value, key=lambda each: scalar(aggregated(by, each)), reverse=order == "DESC")[:most]
    raise MathProblem("SORT takes an array of time series, AVG, MIN, MAX or SUM, ASC or DESC, and perhaps how many.")


# Functions that look at their arguments before they are worked out, or have not just one.
_SPECIAL: dict[str, Callable[[Sequence[ast.expr], Scope], Value]] = {
    "IF": _if,
    "FILL": _fill,
    "METRICS": _metrics,
    "PERIOD": _period,
    "TIME_SERIES": _time_series,
    "FIRST": _one_of(0),
    "LAST": _one_of(-1),
    "METRIC_COUNT": _metric_count,
    "REMOVE_EMPTY": _remove_empty,
    "SLICE": _slice,
    "SORT": _sort,
}
