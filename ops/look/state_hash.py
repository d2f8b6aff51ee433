"""A race's final state as one hash, to tell whether two runs came to the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ops.reach.target import Target
from services.ingest.records import KeyState
from services.search.records import ExplainedRunner, ShownPhoto
from shared.contracts.keys import RaceRef


def state_hash(target: Target, race: RaceRef) -> str:
    """The hash of what a race came to, see StateHash. Reads the whole gallery."""
    state = StateHash()
    for photo in target.records("search").query(ShownPhoto, race):
        if photo.keys:  # else it is withdrawn
            state.photo(photo)
    for record in sorted(target.records("ingest").query(KeyState, race), key=lambda record: record.key):
        if record.state == "rejected":
            state.rejection(record)
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

    def photo(self, photo: ShownPhoto) -> None:
        """Add a photo of the gallery; photos are to be added in id order."""
        self._add("photo", photo.photo_id, sorted(photo.keys), sorted(map(_told, photo.runners)))

    def rejection(self, record: KeyState) -> None:
        """Add a rejected key; keys are to be added in order, after all photos."""
        self._add("rejected", record.key, record.reason)

    def _add(self, *words: Any) -> None:
        self._digest.update(json.dumps(words, ensure_ascii=False).encode() + b"\n")

    def hexdigest(self) -> str:
        """The hash of what was added, 64 hex digits."""
        return self._digest.hexdigest()


def _told(runner: ExplainedRunner) -> tuple[Any, ...]:
    """What users are told of a runner in a photo, in a form that sorts."""
    evidence = sorted(
        (each.kind, each.bib, _number(each.score), _number(each.weight), each.photo_id or "")
        for each in runner.evidence
    )
    return runner.bib, runner.status, _number(runner.confidence), runner.read, evidence


def _number(value: float) -> float:
    """The number as the table has it: a whole one without a point, so that hashes of earlier versions still hold."""
    return int(value) if value.is_integer() else value
