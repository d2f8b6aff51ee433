"""How long the demo waits for what nobody sees: messages that a function had when it died."""

from __future__ import annotations

import msgspec
import pytest

from ops.demo.run import Report, is_stalled, longest_unseen_s
from ops.demo.soon import Waits
from services.faces.stage import STAGE as FACES

REPORT = Report(
    photos=1,
    searchable=1,
    rejected=[],
    duplicates=0,
    dead_lettered=0,
    lost=0,
    bibs=None,
    people=None,
    seconds=1.0,
    vision_seconds=1.0,
    vision_workers=1,
    seconds_before_upload=1.0,
    settling_seconds=1.0,
    hidden_bibs=Waits(found=0, p50=None, p95=None, found_later=0),
    quiet=True,
    api_calls={},
    calls_per_photo={},
    state_hash=None,
)


def test_what_a_dead_function_had_is_waited_for() -> None:
    assert longest_unseen_s() >= FACES.function("identity").visibility_timeout_s
    unseen = longest_unseen_s() + 60
    assert (is_stalled(60, 0), is_stalled(unseen, 1), is_stalled(unseen, 0)) == (False, False, True)
    assert is_stalled(2 * unseen, 1), "but not for ever"


@pytest.mark.parametrize(("changed", "complete"), [({}, True), ({"quiet": False}, False), ({"lost": 1}, False)])
def test_a_race_that_is_not_quiet_is_not_complete(changed: dict[str, object], complete: bool) -> None:
    assert msgspec.structs.replace(REPORT, **changed).complete is complete
