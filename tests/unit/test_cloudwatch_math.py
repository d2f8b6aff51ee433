"""Metric math against the examples of the CloudWatch User Guide, and against plain arithmetic."""

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws.cloudwatch.metric_math import Scope, evaluate
from local.aws.cloudwatch.series import Grid, MathProblem, Series, Value

Values = Sequence[float | None]


def worked_out(expression: str, metrics: Mapping[str, Values], periods: int = 5) -> Value:
    series = {
        name: Series({60.0 * at: value for at, value in enumerate(values) if value is not None}, name, 60)
        for name, values in metrics.items()
    }
    return evaluate(expression, Scope(Grid(0, 60.0 * periods, 60), series.__getitem__, lambda: series))


def values(value: Value, periods: int = 5) -> list[float | None]:
    assert isinstance(value, Series)
    return [value.points.get(60.0 * at) for at in range(periods)]


# "Comparison and logical operators" and "Using IF expressions" in the guide
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 < m2", [0, 0, 1, 0]),
        ("m1 >= 30", [1, 0, 0, 0]),
        ("m1 > 15 AND m2 > 15", [1, 0, 0, 0]),
        ("m1 > 15 && m2 > 15", [1, 0, 0, 0]),
        ("m1 > 15 OR m2 > 15", [1, 1, 1, 0]),
        ("m1 > 15 || m2 > 15", [1, 1, 1, 0]),
    ],
)
def test_comparisons_and_logic_as_documented(expression: str, expected: Values) -> None:
    assert values(worked_out(expression, {"m1": [30, 20, 0, 0], "m2": [20, None, 20, None]}), 4) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("IF(m1, m2, m3)", [30, 0, 20, None, None]),
        ("IF(m1, 5, m3)", [5, 5, 20, None, None]),
        ("IF(m1, m2, 5)", [30, 0, 5, 5, None]),
        ("IF(m1, m2)", [30, 0, None, None, None]),
        ("IF(1, m2, m3)", [30, None, 0, 0, 30]),
        ("IF(0, m2, m3)", [0, 0, 20, None, 20]),
        ("IF(m3 > 10, 1, 0)", [0, 0, 1, None, 1]),
    ],
)
def test_if_as_documented(expression: str, expected: Values) -> None:
    metrics = {"m1": [1, 1, 0, 0, None], "m2": [30, None, 0, 0, 30], "m3": [0, 0, 20, None, 20]}
    assert values(worked_out(expression, metrics)) == expected


METRICS: dict[str, Values] = {"m1": [1, None, 3, 8, None], "m2": [2, 2, 0, 4, None]}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 + m2", [3, 2, 3, 12, None]),  # "Missing values in a time series are treated as 0"
        ("m1 / m2", [0.5, 0, None, 2, None]),  # "... attempt to divide by zero, the data point is dropped"
        ("-m1 ^ 2", [-1, None, -9, -64, None]),
        ("100 * m1 / PERIOD(m1)", [100 / 60, None, 5, 800 / 60, None]),
        ("FILL(m1, 0)", [1, 0, 3, 8, 0]),
        ("FILL(m1, REPEAT)", [1, 1, 3, 8, 8]),
        ("FILL(m1, LINEAR)", [1, 2, 3, 8, None]),
        ("FILL(m1, m2)", [1, 2, 3, 8, None]),
        ("RATE(m1)", [None, None, 2 / 120, 5 / 60, None]),
        ("DIFF(m1)", [None, None, 2, 5, None]),
        ("DIFF_TIME(m1)", [None, None, 120, 60, None]),
        ("RUNNING_SUM(m1)", [1, None, 4, 12, None]),
        ("SUM(METRICS())", [3, 2, 3, 12, None]),
        ("AVG([m1, m2])", [1.5, 1, 1.5, 6, None]),  # missing values count as 0 here, too
        ("MAX([m1, m2])", [2, 2, 3, 8, None]),
        ("MIN(METRICS('m1'))", [1, None, 3, 8, None]),
        ("DATAPOINT_COUNT(METRICS())", [2, 1, 2, 2, None]),
        ("m1 - AVG(m1)", [-3, None, -1, 4, None]),
        ("TIME_SERIES(MAX(m1) + METRIC_COUNT(METRICS()))", [10, 10, 10, 10, 10]),
        ("MINUTE(m1)", [0, 1, 2, 3, 4]),
        ("FIRST(SORT(METRICS(), SUM, DESC))", [1, None, 3, 8, None]),
        ("LAST(SLICE(SORT(METRICS(), AVG, ASC), 0, 1))", [2, 2, 0, 4, None]),
        ("ABS(m2 - m1)", [1, 2, 3, 4, None]),
        ("CEIL(m1 / 2) + FLOOR(m2 / 4)", [1, 0, 2, 5, None]),
    ],
)
def test_functions(expression: str, expected: Values) -> None:
    assert values(worked_out(expression, METRICS)) == pytest.approx(expected)


def test_ids_may_be_words_of_python() -> None:
    assert values(worked_out("in + is", {"in": [1], "is": [2]}), 1) == [3]


@pytest.mark.parametrize(
    "expression",
    [
        "m1 +",
        "__import__('os').system('true')",
        "m1.points",
        "m1[0]",
        "(lambda: 1)()",
        "[each for each in m1]",
        "m1 if m2 else m1",
        "1 < m1 < 3",
        "f'{m1}'",
        "SEARCH('{A}', 'Sum')",
        "SUM(m1, m2)",
        "FILL(m1)",
        "PERIOD(m1 + m2)",
        "True",
        "m1 := 3",
        "5 / 0",
    ],
)
def test_what_is_no_metric_math_is_refused(expression: str) -> None:
    with pytest.raises(MathProblem):
        worked_out(expression, METRICS)


numbers = st.lists(st.one_of(st.none(), st.integers(-50, 50).map(float)), min_size=5, max_size=5)


@given(numbers, numbers, st.sampled_from(["+", "-", "*", "/"]))
def test_arithmetic_is_that_of_each_moment(left: Values, right: Values, sign: str) -> None:
    told = values(worked_out(f"a {sign} b", {"a": left, "b": right}))
    for got, one, other in zip(told, left, right, strict=True):
        if one is None and other is None:
            assert got is None
            continue
        first, second = one or 0.0, other or 0.0
        if sign == "/" and not second:
            assert got is None
        else:
            plain = {"+": first + second, "-": first - second, "*": first * second}
            assert math.isclose(got, plain[sign] if sign in plain else first / second)
