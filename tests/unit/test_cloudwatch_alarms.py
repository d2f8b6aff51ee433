"""When alarms ring, and when composite ones keep quiet: the tables and examples of the CloudWatch User Guide."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws.cloudwatch.evaluation import data, evaluate, interval
from local.aws.cloudwatch.store import Metric, Store
from local.aws.cloudwatch.suppression import Suppression

KEEPS = "retained"


def alarm(needed: int, to_alarm: int, treated: str = "missing", **more: Any) -> dict[str, Any]:
    return {
        "EvaluationPeriods": needed,
        "DatapointsToAlarm": to_alarm,
        "TreatMissingData": treated,
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **more,
    }


def seen(points: str) -> list[float | None]:
    return [{"0": 0.0, "X": 9.0, "-": None}[point] for point in points.split()]


# "How alarm state is evaluated when data is missing": data points, then missing, ignore, breaching, notBreaching.
THREE_OF_THREE = [
    ("0 - X - X", "OK", "OK", "OK", "OK"),
    ("0 - - - -", "OK", "OK", "OK", "OK"),
    ("- - - - -", "INSUFFICIENT_DATA", KEEPS, "ALARM", "OK"),
    ("0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("- - X - -", "ALARM", KEEPS, "ALARM", "OK"),
]
TWO_OF_THREE = [
    ("0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0 - X - -", "OK", "OK", "ALARM", "OK"),
    ("- - - - 0", "OK", "OK", "ALARM", "OK"),
    ("- - - X -", "ALARM", KEEPS, "ALARM", "OK"),
]


@pytest.mark.parametrize("treated", ["missing", "ignore", "breaching", "notBreaching"])
@pytest.mark.parametrize(("to_alarm", "row"), [(3, row) for row in THREE_OF_THREE] + [(2, row) for row in TWO_OF_THREE])
def test_missing_data_as_the_guides_tables_have_it(to_alarm: int, row: Sequence[str], treated: str) -> None:
    expected = row[1 + ["missing", "ignore", "breaching", "notBreaching"].index(treated)]
    for state in ("OK", "ALARM", "INSUFFICIENT_DATA"):
        verdict = evaluate(alarm(3, to_alarm, treated), seen(row[0]), state)
        assert verdict.state == (state if expected == KEEPS else expected)


def test_one_breach_is_no_alarm_before_it_is_old_enough() -> None:
    for points in ("- - - - X", "- - - X -"):
        assert evaluate(alarm(3, 3), seen(points), "OK").state == "OK"


@given(st.lists(st.sampled_from([0.0, 9.0]), min_size=8, max_size=8), st.integers(1, 6), st.data())
def test_without_missing_data_it_is_so_many_of_so_many(values: list[float], needed: int, draw: st.DataObject) -> None:
    to_alarm = draw.draw(st.integers(1, needed))
    recent = values[-(needed + 2) :]
    expected = "ALARM" if recent[-needed:].count(9.0) >= to_alarm else "OK"
    for treated in ("missing", "ignore", "breaching", "notBreaching"):
        assert evaluate(alarm(needed, to_alarm, treated), recent, "OK").state == expected


@pytest.mark.parametrize(
    ("operator", "below", "at", "above"),
    [
        ("GreaterThanThreshold", "OK", "OK", "ALARM"),
        ("GreaterThanOrEqualToThreshold", "OK", "ALARM", "ALARM"),
        ("LessThanThreshold", "ALARM", "OK", "OK"),
        ("LessThanOrEqualToThreshold", "ALARM", "ALARM", "OK"),
    ],
)
def test_operators(operator: str, below: str, at: str, above: str) -> None:
    told = [evaluate(alarm(1, 1, ComparisonOperator=operator), [value], "OK").state for value in (4.9, 5.0, 5.1)]
    assert told == [below, at, above]


def test_the_reason_says_what_was_seen() -> None:
    reason = evaluate(alarm(3, 2), [None, None, 9.0, 0.5, 7.0], "OK").reason
    assert reason == "Threshold Crossed: 2 of the last 3 datapoints [9, 7] were greater than the threshold (5)."
    reason = evaluate(alarm(3, 3, "notBreaching"), [None] * 5, "OK").reason
    assert "no datapoints were received for 3 periods and 3 missing datapoints were treated as [NonBreaching]" in reason


# --- data

QUEUE, OTHER = (Metric.of("AWS/SQS", "Age", {"QueueName": name}) for name in ("one", "other"))


def test_only_whole_periods_of_that_very_metric_count() -> None:
    store = Store()
    for minute, value in enumerate([1.0, 2.0, 3.0, 4.0]):
        store.add(QUEUE, value, 60.0 * minute + 30)
        store.add(OTHER, 99.0, 60.0 * minute)
    of_queue = alarm(2, 2, Namespace="AWS/SQS", MetricName="Age", Period=60, Statistic="Maximum")
    of_queue["Dimensions"] = [{"Name": "QueueName", "Value": "one"}]
    assert data(of_queue, store, now=239.0) == [None, 1.0, 2.0, 3.0]
    assert data(of_queue, store, now=240.0) == [1.0, 2.0, 3.0, 4.0]
    assert data({**of_queue, "Dimensions": []}, store, now=240.0) == [None] * 4
    assert data({**of_queue, "Period": 120, "Statistic": "Sum"}, store, now=240.0) == [None, None, 3.0, 7.0]


def test_an_alarm_on_an_expression_has_its_periods() -> None:
    store = Store()
    for minute in range(4):
        store.add(QUEUE, 10.0, 60.0 * minute)
    metric = {"Namespace": "AWS/SQS", "MetricName": "Age", "Dimensions": [{"Name": "QueueName", "Value": "one"}]}
    stat = {"Metric": metric, "Period": 120, "Stat": "Sum"}
    queries = [{"Id": "e", "Expression": "m / PERIOD(m)"}, {"Id": "m", "MetricStat": stat, "ReturnData": False}]
    assert data(alarm(1, 1, Metrics=queries), store, now=250.0) == [None, 20 / 120, 20 / 120]


def test_what_is_longer_than_a_day_is_looked_at_every_hour() -> None:
    assert interval(alarm(24, 24, Period=3600)) == 60
    assert interval(alarm(72, 72, Period=3600)) == 3600


# --- suppressors: "Suppressing composite alarm actions". Each step: when, whether the suppressor rings, whether the
# composite alarm changes its state; the moments at which it acts.


def acted(steps: dict[int, tuple[bool, bool]], wait: float = 6, extension: float = 6, end: int = 30) -> list[int]:
    standing, rings, acting = Suppression(wait, extension), False, []
    for now in range(end):
        rings, changes = steps.get(now, (rings, False))
        if changes:
            standing = standing.changed(now, suppressed=rings)
        standing, acts = standing.looked_at(now, suppressed=rings)
        if acts:
            acting.append(now)
    return acting


def test_it_acts_after_the_wait_where_nothing_suppresses_it() -> None:
    assert acted({2: (False, True)}) == [8]


def test_a_suppressor_within_the_wait_keeps_it_quiet() -> None:
    assert acted({2: (False, True), 4: (True, False)}) == []


def test_a_change_within_the_wait_begins_it_anew() -> None:
    assert acted({2: (False, True), 4: (False, True)}) == [10]


def test_it_acts_when_the_extension_is_over() -> None:
    assert acted({1: (True, False), 2: (True, True), 13: (False, False)}) == [19]


def test_a_change_within_the_extension_is_acted_on_at_its_end() -> None:
    assert acted({1: (True, False), 13: (False, False), 15: (False, True)}) == [19]


def test_a_change_with_the_suppressors_end_is_acted_on_after_the_extension() -> None:
    assert acted({1: (True, False), 13: (False, True)}, wait=2) == [19]


def test_a_suppressor_that_rings_again_ends_the_extension() -> None:
    assert acted({1: (True, False), 2: (True, True), 13: (False, False), 16: (True, False)}) == []


def test_what_was_said_before_is_not_said_again_afterwards() -> None:
    assert acted({2: (False, True), 12: (True, False), 15: (False, False)}) == [8]


def test_without_periods_it_acts_at_once() -> None:
    assert acted({2: (False, True), 4: (True, True), 9: (False, False)}, wait=0, extension=0) == [2, 9]
