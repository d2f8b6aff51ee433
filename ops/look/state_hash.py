"""A race's final state as one hash, to tell whether two runs came to the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ops.reach.target import Target
from shared.contracts.keys import RaceRef
from shared.kit.table import Item

SHOWN = ("photo_id", "keys", "runners")
"""The attributes of a gallery photo that the hash is made of."""


def state_hash(target: Target, race: RaceRef) -> str:
    """The hash of what a race came to, see StateHash. Reads the whole gallery."""
    state = StateHash()
    for photo in target.table("search").query(race.partition, "PHOTO#", only=SHOWN):
        if photo.get("keys"):  # else it is withdrawn
            state.photo(photo)
    records = target.table("ingest").query(race.partition, "KEY#", only=("key", "state", "reason"))
    for record in sorted(records, key=lambda each: str(each["key"])):
        if record["state"] == "rejected":
            state.rejection(record["key"], record["reason"])
    return state.hexdigest()


class StateHash:
    """A race's final state as its users see it, as one SHA-256.

    Covered are, for every photo of the gallery, its id (which is its content's), the keys that hold it and its
    runners: bib, status, confidence, whether the bib was read here, and the evidence; and for every rejected key its
    reason. Not covered is what remembers the way there or differs from run to run: revisions, face ids, boxes, times
    of processing, links. So any order, repetition and failure of deliveries must come to the same hash.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def photo(self, item: Item) -> None:
        """Add a photo of the gallery; photos are to be added in id order."""
        runners = sorted(_told(runner) for runner in item.get("runners", ()))
        self._add("photo", item["photo_id"], sorted(item["keys"]), runners)

    def rejection(self, key: str, reason: str) -> None:
        """Add a rejected key; keys are to be added in order, after all photos."""
        self._add("rejected", key, reason)

    def _add(self, *words: Any) -> None:
        self._digest.update(json.dumps(words, ensure_ascii=False).encode() + b"\n")

    def hexdigest(self) -> str:
        """The hash of what was added, 64 hex digits."""
        return self._digest.hexdigest()


def _told(runner: Item) -> tuple[Any, ...]:
    """What users are told of a runner in a photo, in a form that sorts."""
    evidence = sorted(
        (each["kind"], each["bib"], each["score"], each["weight"], each.get("photo_id") or "")
        for each in runner.get("evidence", ())
    )
    return runner["bib"], runner["status"], runner["confidence"], runner["read"], evidence
