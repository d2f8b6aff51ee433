"""One example of every event, as its stage would say it, for docs/events.md and the contract tests."""

from __future__ import annotations

from typing import Any

from shared.contracts import events
from shared.contracts.race import RaceSettings
from shared.contracts.roster.runners import Problem

_RACE: dict[str, Any] = {"organizer_id": "hanriver", "event_id": "seoul-2026"}
_PHOTO = "0123456789abcdef0123456789abcdef"
_OTHER_PHOTO = "fedcba9876543210fedcba9876543210"
_KEY = "hanriver/seoul-2026/raw_photos/김 철수+1 100%.jpg"
_SEQUENCER = "0062E99A88DC407460"
_BOX = events.Box(left=0.25, top=0.4, width=0.05, height=0.03)
CAUSE = events.Meta(
    id=f"{_KEY}@{_SEQUENCER}",
    version=1,
    correlation_id=f"{_KEY}@{_SEQUENCER}",
    causation_id="b7f0a9cc-0000-4000-8000-000000000000",
    occurred_at="2026-10-25T01:23:45Z",
)


def _image(kind: str, width: int, height: int) -> events.ImageRef:
    return events.ImageRef(bucket="derived", key=f"hanriver/seoul-2026/{kind}/{_PHOTO}.jpg", width=width, height=height)


EXAMPLES: tuple[events.DomainEvent, ...] = (
    events.RaceConfigured(
        **_RACE,
        settings=RaceSettings(name="Seoul Marathon", date="2026-10-25", timezone="Asia/Seoul", faces=True),
        revision=_SEQUENCER,
    ),
    events.RaceRejected(
        **_RACE, reason="race_invalid", message="race.json: name must not be empty.", revision=_SEQUENCER
    ),
    events.RosterImported(
        **_RACE,
        roster=events.ObjectRef(bucket="derived", key="hanriver/seoul-2026/roster/ab.json", sha256="ab" * 32),
        runners=30000,
        problems=(Problem(line=17, message="no bib."),),
        revision=_SEQUENCER,
    ),
    events.RosterRejected(
        **_RACE, reason="roster_empty", message="The roster has no usable runner.", revision=_SEQUENCER
    ),
    events.BibsRefused(
        **_RACE,
        problems=(
            Problem(line=3, message="bib F318 has F before the number, where bib_rules.prefixes allows no letters."),
        ),
        refused=1,
        roster_revision=_SEQUENCER,
        revision=_SEQUENCER,
    ),
    events.PhotoIngested(
        **_RACE,
        photo_id=_PHOTO,
        keys=(_KEY,),
        bucket="photos",
        content_sha256="cd" * 32,
        processed=_image("processed", 2048, 1365),
        preview=_image("preview", 1280, 853),
        thumbnail=_image("thumbnail", 320, 213),
        placeholder="data:image/jpeg;base64,/9j/4AAQ",
        uploaded_at="2026-10-25T01:23:45Z",
        taken_at="2026-10-25T09:41:07+09:00",
        camera="Canon EOS R5",
        photographer="이영희",
        revision=1,
    ),
    events.PhotoRejected(
        **_RACE,
        key=_KEY,
        reason="truncated",
        message="The picture ends early: upload it again.",
        revision=_SEQUENCER,
    ),
    events.PhotoWithdrawn(**_RACE, photo_id=_PHOTO, revision=2),
    events.BibsRead(
        **_RACE,
        photo_id=_PHOTO,
        photo_revision=1,
        readings=(events.Reading(bib="A1042", text="A-1042", confidence=97.5, box=_BOX, verified=True),),
        suggestions=(events.Suggestion(bib="2047", text="2041", confidence=88.25, box=_BOX),),
        revision=1,
    ),
    events.FacesIndexed(
        **_RACE,
        photo_id=_PHOTO,
        photo_revision=1,
        faces=(events.Face(face_id="5d1f3a52-0000-4000-8000-000000000000", box=_BOX, confidence=99.5),),
        enabled=True,
        revision=1,
    ),
    events.PhotoMatched(
        **_RACE,
        photo_id=_PHOTO,
        photo_revision=1,
        runners=(
            events.MatchedRunner(
                bib="A1042",
                status="confirmed",
                confidence=97.5,
                read=True,
                face_id="5d1f3a52-0000-4000-8000-000000000000",
                box=_BOX,
                evidence=(events.Evidence(kind="reading", bib="A1042", score=97.5, weight=0.975, photo_id=_PHOTO),),
            ),
            events.MatchedRunner(
                bib="77",
                status="inferred",
                confidence=81.0,
                read=False,
                evidence=(events.Evidence(kind="match", bib="77", score=96.4, weight=0.81, photo_id=_OTHER_PHOTO),),
            ),
        ),
        complete=True,
        revision=3,
    ),
    events.BibCorrected(**_RACE, photo_id=_PHOTO, bib="77", here=True, box=_BOX, revision=1761355425000),
    events.MatchCut(
        **_RACE, photo_id=_PHOTO, box=_BOX, other_photo_id=_OTHER_PHOTO, other_box=_BOX, revision=1761355425000
    ),
)
