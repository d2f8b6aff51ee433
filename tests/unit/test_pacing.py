"""Whoever calls an operation with a quota finds a pace at which few calls are refused, whatever the quota."""

from __future__ import annotations

import heapq
import random
from types import SimpleNamespace

import pytest

from shared.contracts.errors import Throttled
from shared.kit import pacing
from shared.kit.pacing import DOUBLES_IN_S, SLOWEST, Pace, Paces
from vision.front.quotas import Bucket


def processes_at_work(processes: int, quota: float, photos: int, call_s: float) -> tuple[float, float]:
    """As many processes call for one photo after the other: the calls a photo that takes, and the seconds for all.

    Time is that of the events here; the quota is the vision server's own bucket.
    """
    dice, now, calls, last = random.Random(1), 0.0, 0, 0.0
    bucket = Bucket(quota, clock=lambda: now)
    paces = [Pace() for _ in range(processes)]
    waiting = [(dice.random(), process, False) for process in range(processes)]  # when, who, whether its turn has come
    heapq.heapify(waiting)
    left = photos
    while left:
        now, process, turn = heapq.heappop(waiting)
        pace = paces[process]
        if not turn and pace.next_call(now) > now:
            heapq.heappush(waiting, (pace.next_call(now), process, True))
            continue
        pace.called(now)
        calls += 1
        if bucket.admits():
            left, last = left - 1, now
            heapq.heappush(waiting, (now + call_s * dice.uniform(0.5, 1.5), process, False))
        else:
            pace.refused(now, dice.random())
            heapq.heappush(waiting, (now + 0.02, process, False))
    return calls / photos, last


@pytest.mark.parametrize(
    ("processes", "quota", "call_s"),
    [(10, 5, 0.7), (10, 5, 0.2), (4, 5, 0.7), (2, 5, 0.5), (60, 50, 0.7), (10, 50, 0.7)],
)
def test_few_calls_are_refused_and_the_quota_is_used(processes: int, quota: float, call_s: float) -> None:
    # Mutation: CUT = 1, or doubling in a second. Then every third call and more is refused.
    photos = round(quota * 400)
    calls_a_photo, seconds = processes_at_work(processes, quota, photos, call_s)
    possible = min(quota, processes / call_s)
    assert calls_a_photo <= 1.1
    assert photos / seconds >= 0.9 * possible


def test_a_pace_is_half_after_a_refusal_and_whole_again_after_a_minute() -> None:
    pace = Pace()
    pace.called(0.0)
    pace.called(0.25)  # four a second
    pace.refused(0.3, drawn=0.5)
    assert pace.rate == 2.0
    assert pace.next_call(0.3) == pytest.approx(0.8)
    pace.called(0.3 + DOUBLES_IN_S)
    assert pace.rate == pytest.approx(4.0)
    for _ in range(20):
        pace.refused(100.0, drawn=0.5)
    assert pace.rate == SLOWEST


def test_nobody_waits_for_a_turn_that_comes_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # Mutation: waiting whatever it takes. Lambda would end the process in the middle of it.
    waited: list[float] = []
    monkeypatch.setattr(pacing, "time", SimpleNamespace(monotonic=lambda: 100.0 + sum(waited), sleep=waited.append))
    paces = Paces()
    paces.within(5.0)
    paces.wait("rekognition.DetectText")
    paces.refused("rekognition.DetectText")
    paces.wait("rekognition.DetectText")
    assert len(waited) == 1 and 1 <= waited[0] <= 3, "half a call a second"
    paces.wait("rekognition.IndexFaces")
    assert len(waited) == 1, "each operation has a quota of its own"
    for _ in range(3):
        paces.refused("rekognition.DetectText")
    paces.within(2.0)
    with pytest.raises(Throttled, match=r"rekognition\.DetectText is called too often: its next turn comes in"):
        paces.wait("rekognition.DetectText")
