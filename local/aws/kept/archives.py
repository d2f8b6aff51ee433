"""Keeps EventBridge's archived events, and takes up replays that were cut off."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Iterable
from typing import Any

from local.aws.kept.adopted import adopt_in
from local.aws.kept.journal import Journal

EVENTS, REPLAYS = "archived", "replays"
_ENDED = ("COMPLETED", "CANCELLED", "FAILED")
_LOOK_EVERY_SECONDS = 0.05


class _Archived(list[Any]):
    """The events of an archive."""

    def __init__(self, journal: Journal, archive: str, events: Iterable[Any]) -> None:
        super().__init__(events)
        self._noted = functools.partial(journal.append, EVENTS, archive)

    def append(self, event: Any) -> None:
        self._noted(event)
        super().append(event)


def keep(journal: Journal) -> None:
    """Note each event that an archive takes, and how each replay stands."""
    from ministack.services import eventbridge

    def adopt(_key: Any, archive: Any) -> Any:
        events = _Archived(
            journal, archive["ArchiveArn"], (kept for _, kept in journal.rows(EVENTS, archive["ArchiveArn"]))
        )
        return {**archive, "Events": events, "EventCount": len(events)}

    adopt_in(eventbridge._archives, adopt, lambda archive: journal.drop_all(EVENTS, archive["ArchiveArn"]))
    adopt_in(eventbridge._replays, functools.partial(_followed, journal), lambda _: None)


def _followed(journal: Journal, _key: Any, replay: Any) -> Any:
    """Note how a replay stands now and when it has ended; it goes on in a thread of ministack, in the same record."""
    journal.put(REPLAYS, "", replay["ReplayArn"], replay)

    def follow() -> None:
        while replay["State"] not in _ENDED:
            time.sleep(_LOOK_EVERY_SECONDS)
        journal.put(REPLAYS, "", replay["ReplayArn"], replay)

    if replay["State"] not in _ENDED:
        threading.Thread(target=follow, name="replay", daemon=True).start()
    return replay


def take_up_replays(journal: Journal) -> None:
    """Begin replays that were cut off again, as AWS would end them; whoever hears an event twice knows it."""
    from ministack.core.arn import parse_arn
    from ministack.core.responses import request_scope
    from ministack.services import eventbridge

    for arn, replay in list(journal.rows(REPLAYS, "")):
        place = parse_arn(arn)
        with request_scope(place.account_id, place.region):
            if replay["State"] in _ENDED:
                eventbridge._replays[replay["ReplayName"]] = replay
            else:
                eventbridge._start_replay(replay)
