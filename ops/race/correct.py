"""An organizer's word about a photo: who is, or is not, in it, and which two faces are not of one person.

It is said on the bus, as everything is: the faces stage hears it, keeps it beside all other evidence, and it outranks
them. A later word about the same bib or the same two faces takes the place of the one before.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from ops.look.photo import PhotoReport, identified
from ops.reach.errors import Failed
from ops.reach.search_api import SearchApi
from ops.reach.target import Target
from services.races.records import RosterHeld
from services.search.records import ExplainedRunner
from shared.contracts import naming
from shared.contracts.bibs import canonical
from shared.contracts.events import BibCorrected, Box, Envelope, MatchCut, MatchedRunner, Meta, event_id
from shared.contracts.keys import RaceRef
from shared.contracts.roster.runners import bibs_of_roster
from shared.kit.bus import EventBus

SHOWN_SECONDS = 90
_POLL_SECONDS = 0.5

Word = BibCorrected | MatchCut


class NotShownYet(Failed):
    """It is said and kept, but what follows from it takes longer than somebody waits."""


def bib_correction(target: Target, photo: PhotoReport, bib: str, *, here: bool, face: int | None) -> BibCorrected:
    """The word that a runner is, or is not, in a photo. Raises Failed when it cannot be said."""
    spelt = canonical(bib)
    if spelt is None:
        raise Failed(f"'{bib}' is not a bib, which is like 1042, A42, 727-2 or 1042F.")
    _require_on_roster(target, photo.race, spelt)
    return BibCorrected(
        **photo.race._asdict(),
        photo_id=_id_of(photo),
        bib=spelt,
        here=here,
        box=_face(photo, face, "--face") if here and (photo.faces or face) else None,
        revision=_now_ms(),
    )


def match_cut(
    photo: PhotoReport, other: PhotoReport, *, face: int | None, other_face: int | None, undo: bool
) -> MatchCut:
    """The word that a face here and one in another photo are different people, or (`undo`) after all are not.

    Raises Failed when it cannot be said.
    """
    if photo.photo_id == other.photo_id:
        raise Failed("Two faces in one photo are different people already; name another photo with --cut.")
    box, other_box = _face(photo, face, "--face"), _face(other, other_face, "--other-face")
    if undo:
        box, other_box = _boxes_that_were_cut(photo, other, box, other_box)
    return MatchCut(
        **photo.race._asdict(),
        photo_id=_id_of(photo),
        box=box,
        other_photo_id=_id_of(other),
        other_box=other_box,
        cut=not undo,
        revision=_now_ms(),
    )


def say(target: Target, photo: PhotoReport, word: Word) -> str:
    """Say it and wait until runners are shown what follows; who is in it now, as a sentence. Raises NotShownYet."""
    story = f"{photo.uploads[0].key}@{word.revision}"
    meta = Meta(
        id=event_id(word),
        version=word.VERSION,
        correlation_id=story,
        causation_id=story,
        occurred_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
    EventBus(target.client("events"), naming.bus(target.env)).publish([Envelope(meta=meta, data=word)])
    api, deadline = SearchApi(target.api_url("search")), time.monotonic() + SHOWN_SECONDS
    concerned = (word.photo_id, word.other_photo_id) if isinstance(word, MatchCut) else (word.photo_id,)
    while time.monotonic() < deadline:
        if all(_is_shown(target, api, photo.race, photo_id, word) for photo_id in concerned):
            answer = api.photo(photo.race, word.photo_id)
            runners = ", ".join(f"{each.bib} ({each.status})" for each in answer.runners) if answer else ""
            return f"In {photo.filename} now: {runners or 'nobody known'}."
        time.sleep(_POLL_SECONDS)
    raise NotShownYet(
        f"It is said, but {photo.filename} does not show it after {SHOWN_SECONDS} s. "
        f"Look at: snaprace explain {word.photo_id}"
    )


def _is_shown(target: Target, api: SearchApi, race: RaceRef, photo_id: str, word: Word) -> bool:
    """Whether the faces stage has heard the word, and runners are shown what it concluded."""
    known, answer = identified(target, race, photo_id), api.photo(race, photo_id)
    words = known.corrections if isinstance(word, BibCorrected) else known.cuts
    heard = any(each.revision >= word.revision for each in words)
    return heard and _told(known.runners) == _told(answer.runners if answer else ())


def _told(runners: Iterable[MatchedRunner | ExplainedRunner]) -> frozenset[tuple[object, ...]]:
    return frozenset((each.bib, each.status, each.confidence, each.evidence) for each in runners)


def _id_of(photo: PhotoReport) -> str:
    if photo.photo_id is None or photo.answer is None:
        why = photo.uploads[0].message or photo.uploads[0].why or "its upload was deleted"
        raise Failed(f"{photo.filename} is no photo that runners are shown: {why.rstrip('.')}.")
    return photo.photo_id


def _face(photo: PhotoReport, number: int | None, option: str) -> Box:
    """The face that is meant; the number may be left out where there is one. Raises Failed."""
    faces = photo.faces
    if not faces:
        raise Failed(f"No face is known in {photo.filename}; snaprace explain says why.")
    listed = f"snaprace explain '{photo.filename}' lists them, counted from the left"
    if number is None and len(faces) > 1:
        raise Failed(f"There are {len(faces)} faces in {photo.filename}: say which with {option} ({listed}).")
    if number is not None and not 1 <= number <= len(faces):
        raise Failed(f"There is no face {number} in {photo.filename}, which has {len(faces)} ({listed}).")
    return faces[(number or 1) - 1].box


def _boxes_that_were_cut(photo: PhotoReport, other: PhotoReport, box: Box, other_box: Box) -> tuple[Box, Box]:
    """The boxes with which the two were told apart: a word takes the place of one about the very same."""
    for cut in photo.identified.cuts:
        same = photo.face_at(cut.box) == photo.face_at(box) and other.face_at(cut.other_box) == other.face_at(other_box)
        if cut.cut and cut.other_photo_id == other.photo_id and same:
            return cut.box, cut.other_box
    raise Failed(f"Nobody has told these faces in {photo.filename} and {other.filename} apart.")


def _require_on_roster(target: Target, race: RaceRef, bib: str) -> None:
    held = target.records("races").get(RosterHeld.locate(race))
    if held is None:
        return
    body = target.client("s3").get_object(Bucket=held.roster.bucket, Key=held.roster.key)["Body"].read()
    if bib not in bibs_of_roster(body):
        raise Failed(f"There is no bib {bib} on the race's roster.")


def _now_ms() -> int:
    return round(time.time() * 1000)
