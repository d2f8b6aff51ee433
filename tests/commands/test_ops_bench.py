"""`snaprace bench` as a program sees it: what it prints, and its exit code."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import bench.chaos
from bench.__main__ import bench as command


@pytest.mark.parametrize(("identical", "code"), [(True, 0), (False, 1)])
def test_runs_that_do_not_end_the_same_are_printed_and_fail(
    identical: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.chaos, "run", lambda *_: {"identical": identical})  # two minutes a run otherwise
    ended = CliRunner().invoke(command, ["chaos", "--json"])
    assert (json.loads(ended.stdout), ended.exit_code) == ({"identical": identical}, code)
