"""Some visitors of the demo's race, so that its live page is alive when a newcomer opens it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from ops.reach.insight_api import InsightApi
from ops.reach.target import Target
from ops.traffic.gallery import gallery_of
from ops.traffic.plan import plan
from ops.traffic.send import Sent, play
from shared.contracts.errors import SnapRaceError
from shared.contracts.keys import RaceRef

VISITORS, MINUTES, SEED = 20, 4.0, 1


@contextmanager
def visitors(target: Target, race: RaceRef, say: Callable[[str], None]) -> Iterator[Sent]:
    """Let some come in the background, until they are through or the block ends; what was sent so far.

    What hinders them is said, and ends nothing: the demo goes on without.
    """
    sent, ended = Sent(), Event()
    for service in ("dynamodb", "s3", "ssm"):
        target.client(service)  # made here: boto3 must not make clients in several threads at once

    def come() -> None:
        try:
            api = InsightApi(target.api_url("insight"), sleep=ended.wait)
            acts = plan(gallery_of(target, race, SEED), visitors=VISITORS, minutes=MINUTES, seed=SEED)
            play(acts, api, race, sent, wait=ended.wait)
        except SnapRaceError as hindrance:
            if not ended.is_set():
                say(f"No demo visitors come any more. {hindrance}")

    thread = Thread(target=come, name="visitors", daemon=True)
    thread.start()
    try:
        yield sent
    finally:
        ended.set()
        thread.join()
