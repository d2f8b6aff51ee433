"""Statistics of metric values against the definitions, and metrics that functions write into their logs."""

import json
import statistics as plain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws.cloudwatch.statistics import Distribution, merged, statistic
from local.aws.metrics.embedded_format import told_by


def of(*values: float) -> Distribution:
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    return distribution


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SampleCount", 10),
        ("Sum", 55),
        ("Average", 5.5),
        ("Minimum", 1),
        ("Maximum", 10),
        ("p50", 5.5),
        ("p100", 10),
        ("tm90", 5),
        ("TM(10%:90%)", 5.5),
        ("TM(2:5)", 4),  # above 2, up to 5
        ("TC(2:5)", 3),
        ("TS(:3)", 6),
        ("tc80", 8),
        ("IQM", 5.5),
        ("WM(20%:80%)", 5.5),
        ("wm80", 5.2),
        ("PR(:3)", 30),
        ("PR(3:)", 80),
        ("PR(3:5)", 30),
    ],
)
def test_statistics(name: str, expected: float) -> None:
    assert statistic(name)(of(*range(1, 11))) == pytest.approx(expected)


@given(st.lists(st.integers(0, 999).map(float), min_size=1, max_size=30), st.integers(0, 29))
def test_minutes_together_are_as_if_all_came_in_one(values: list[float], cut: int) -> None:
    together = merged([of(*values[:cut]), of(*values[cut:])])
    for name in ("SampleCount", "Sum", "Minimum", "Maximum", "p90", "PR(:500)"):
        assert statistic(name)(together) == pytest.approx(statistic(name)(of(*values)))
    assert statistic("Average")(together) == pytest.approx(plain.fmean(values))


def test_what_is_known_only_in_sum_has_no_percentiles() -> None:
    distribution = of(1.0)
    distribution.add_statistics(2, 8, 3, 5)
    assert [statistic(name)(distribution) for name in ("Sum", "Maximum", "p50")] == [9, 5, None]
    same = Distribution()
    same.add_statistics(3, 12, 4, 4)
    assert statistic("p50")(same) == 4
    assert statistic("p50")(of(-1.0, 2.0)) is None


@pytest.mark.parametrize("name", ["Median", "p", "p1234", "TM", "TM(:)", "sum"])
def test_what_is_no_statistic_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no statistic"):
        statistic(name)


# --- embedded metric format

LINE: dict[str, Any] = {
    "_aws": {
        "Timestamp": 1_700_000_000_000,
        "CloudWatchMetrics": [
            {
                "Namespace": "SnapRace",
                "Dimensions": [["Environment", "Stage"], ["Environment"], []],
                "Metrics": [{"Name": "Handled", "Unit": "Count"}, {"Name": "Took"}, {"Name": "Absent"}],
            }
        ],
    },
    "Environment": "dev",
    "Stage": "ocr",
    "Handled": 3,
    "Took": [1.5, 2],
}


def test_a_metric_line_is_a_metric_in_each_set_of_dimensions() -> None:
    told = told_by(json.dumps(LINE))
    assert {each.metric.dimensions for each in told} == {
        (("Environment", "dev"), ("Stage", "ocr")),
        (("Environment", "dev"),),
        (),
    }
    handled = [(each.value, each.unit, each.at_ms) for each in told if each.metric.name == "Handled"]
    assert handled == [(3.0, "Count", 1_700_000_000_000)] * 3
    assert [each.value for each in told if each.metric.name == "Took"] == [1.5, 2.0] * 3


@pytest.mark.parametrize(
    "line",
    [
        "plain text",
        '{"CloudWatchMetrics": 1}',
        "{" + json.dumps(LINE),
        json.dumps({**LINE, "Handled": "three"}),
        json.dumps({name: value for name, value in LINE.items() if name != "Stage"}),
        json.dumps({**LINE, "Took": [1.0] * 101}),
    ],
)
def test_a_line_that_does_not_keep_to_the_format_is_no_metric(line: str) -> None:
    assert told_by(line) == []
