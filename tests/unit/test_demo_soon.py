"""How soon hidden bibs are found, as the demo tells it."""

from __future__ import annotations

from ops.demo.soon import Waits, waits

LOOKED_AT = {"seen": 10.0, "seen again": 90.0, "hidden before": 4.0, "hidden after": 50.0}
READ_IN = {"11": {"seen", "seen again", "not looked at yet"}, "33": {"not looked at yet"}}


def test_a_wait_is_of_those_whose_bib_was_read_before() -> None:
    found = {("hidden before", "11"): 30.0, ("hidden after", "11"): 56.0}
    assert waits(LOOKED_AT, READ_IN, found) == Waits(found=1, p50=6.0, p95=6.0, found_later=1)


def test_a_half_and_95_percent_are_of_those_that_were_found() -> None:
    looked_at = {"seen": 0.0} | {f"photo{n}": 0.0 for n in range(1, 101)}
    found = {(f"photo{n}", "11"): float(n) for n in range(1, 101)}
    assert waits(looked_at, {"11": {"seen"}}, found) == Waits(found=100, p50=50.0, p95=95.0, found_later=0)


def test_who_is_read_nowhere_any_more_is_not_counted() -> None:
    nobody = Waits(found=0, p50=None, p95=None, found_later=0)
    assert waits(LOOKED_AT, READ_IN, {("hidden after", "22"): 60.0}) == nobody
