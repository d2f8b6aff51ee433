"""The collector's bench: it measures requests that were taken, and nothing else."""

from __future__ import annotations

import pytest

from bench.insight import collector
from services.insight.domain import senders


def test_it_measures_requests_that_are_taken() -> None:
    measured = collector.run(requests=40, events=3)
    assert (measured["requests"], measured["events_each"]) == (40, 3)
    assert 0 < measured["p50_ms"] <= measured["p95_ms"]


def test_what_is_refused_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "may_send", lambda _: False)
    with pytest.raises(RuntimeError, match="answered 403"):
        collector.run(requests=1, events=1)
