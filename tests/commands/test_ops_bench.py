"""`snaprace bench` as a program sees it: what it prints, and its exit code."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import bench.api
import bench.chaos
import bench.crash
from bench.__main__ import bench as command


@pytest.mark.parametrize(("identical", "code"), [(True, 0), (False, 1)])
def test_runs_that_do_not_end_the_same_are_printed_and_fail(
    identical: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.chaos, "run", lambda *_: {"identical": identical})  # two minutes a run otherwise
    ended = CliRunner().invoke(command, ["chaos", "--json"])
    assert (json.loads(ended.stdout), ended.exit_code) == ({"identical": identical}, code)


@pytest.mark.parametrize(("cold", "warm", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1)])
def test_requests_that_fail_are_printed_and_fail(
    cold: int, warm: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = {"at_once_cold": {"errors": cold}, "at_once_warm": {"errors": warm}}
    monkeypatch.setattr(bench.api, "run", lambda *_: report)  # a minute otherwise
    ended = CliRunner().invoke(command, ["api", "--json"])
    assert (json.loads(ended.stdout), ended.exit_code) == (report, code)


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"lost": 0, "answers_equal": True, "dead_letters": {}}, 0),
        ({"lost": 1, "answers_equal": True, "dead_letters": {}}, 1),
        ({"lost": 0, "answers_equal": False, "dead_letters": {}}, 1),
        ({"lost": 0, "answers_equal": True, "dead_letters": {"a-dlq": 1}}, 1),
    ],
)
def test_what_is_lost_in_a_crash_fails(report: dict[str, object], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.crash, "run", lambda *_: report)  # an hour otherwise
    ended = CliRunner().invoke(command, ["crash", "--json"])
    assert (json.loads(ended.stdout), ended.exit_code) == (report, code)
