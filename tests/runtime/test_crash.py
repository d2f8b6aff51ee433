"""The long test of what is kept: every part of a runtime is killed again and again while races go through it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from local.runtime import CHECKOUT


@pytest.mark.soak
def test_fifty_kills_lose_nothing_and_change_no_answer() -> None:
    """About an hour: what a killed Lambda worker had comes back after twelve minutes."""
    command = [sys.executable, "-m", "ops.cli.main", "bench", "crash", "--runs", "50", "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["kills"], report["lost"], report["answers_equal"]) == (50, 0, True)
    assert report["inferred"] > 0
    assert report["dead_letters"] == {}
