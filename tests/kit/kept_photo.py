"""One race with a photo of three people, as all stages keep it, for the commands that explain and correct photos."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import msgspec
import pytest

from ops.look.dead_letters import queues_of
from ops.look.photo import identified
from ops.reach.target import Target, choose
from services.faces.domain.evidence import concerns, learn
from services.faces.domain.votes import conclude
from services.faces.records import IdentifiedPhoto, IndexedPhoto
from services.ingest.records import Copy, KeyRecord, State, UploadedPhoto
from services.ocr.records import ReadPhoto, Word
from shared.contracts import naming
from shared.contracts.events import (
    BibCorrected,
    Bibs,
    Box,
    Evidence,
    Face,
    MatchCut,
    MatchedRunner,
    Reading,
    Suggestion,
)
from tests.kit import page_server, search_stage
from tests.kit.deployed import ENV, configure, create_table, keep
from tests.kit.search_stage import SearchStage

RACE = search_stage.RACE
PHOTO, OTHER, ALONE = (search_stage.photo_id(number) for number in (1, 2, 3))
SEQUENCER = "0A"
AT = "2026-11-08T03:00:00Z"


def key_of(number: int) -> str:
    """As search_stage has it."""
    return f"{RACE.prefix}raw_photos/결승 {number}.jpg"


def box(left: float) -> Box:
    return Box(left=left, top=0.2, width=0.1, height=0.15)


def face(face_id: str, left: float) -> Face:
    return Face(face_id=face_id, box=box(left), confidence=99.0)


def runner(bib: str, status: Any, *evidence: Evidence, read: bool = False, face_id: str | None = None) -> MatchedRunner:
    place = box(0.1) if face_id else None
    return MatchedRunner(
        bib=bib, status=status, confidence=97.5, read=read, face_id=face_id, box=place, evidence=evidence
    )


READ = Evidence(kind="reading", bib="42", score=97.5, weight=0.975, photo_id=PHOTO)
ALIKE = Evidence(kind="match", bib="7", score=99.2, weight=0.9, photo_id=OTHER)
UNLIKE = Evidence(kind="match", bib="9", score=91.0, weight=0.3, photo_id=ALONE)
RUNNERS = (
    runner("42", "confirmed", READ, read=True, face_id="f-left"),
    runner("7", "inferred", ALIKE, UNLIKE, face_id="f-middle"),
)
WHAT_WAS_READ = ReadPhoto(
    photo_id=PHOTO,
    photo_revision=1,
    revision=1,
    words=tuple(Word(text=text, confidence=97.5, box=box(0.1)) for text in ("0042", "99", "FINISH")),
    bibs=Bibs(
        readings=(Reading(bib="42", text="0042", confidence=97.5, box=box(0.1), verified=True),),
        suggestions=(Suggestion(bib="9", text="99", confidence=88.0, box=box(0.7)),),
    ),
)


@contextmanager
def everywhere(monkeypatch: pytest.MonkeyPatch, home: object) -> Iterator[tuple[Target, search_stage.SearchStage]]:
    """The command line's target, and the gallery's own world.

    Photo 1 has faces of 42, of 7 (hidden bib) and of a stranger; photo 2 has 7; photo 3 has 9.
    """
    monkeypatch.setenv("SNAPRACE_HOME", str(home))
    monkeypatch.setattr(search_stage, "TABLE", naming.table(ENV, "search"))  # where the command line looks for it
    with search_stage.search_stage() as world, page_server.serving(world) as address:
        target = choose("auto", ENV)
        for stage in ("races", "ingest", "ocr", "faces"):
            create_table(stage)
        target.client("s3").create_bucket(Bucket=target.photo_bucket)
        for queue in queues_of(ENV):
            target.client("sqs").create_queue(QueueName=queue.name)
        boto3.client("events").create_event_bus(Name=naming.bus(ENV))
        boto3.client("ssm").put_parameter(Name=naming.front_door_parameter(ENV), Value=address, Type="String")
        configure(RACE)
        world.hear(search_stage.configured(), *(search_stage.ingested(number) for number in (1, 2, 3)))
        world.hear(search_stage.matched(1, *RUNNERS))
        for number in (1, 2, 3):
            ingested(number)
        keep(WHAT_WAS_READ, IndexedPhoto(photo_id=PHOTO, photo_revision=1, enabled=True), race=RACE)
        identity()
        identity(OTHER, faces=(face("o-1", 0.3),), runners=())
        yield target, world


def ingested(number: int) -> None:
    """What ingest keeps of one of the photos."""
    key, photo_id = key_of(number), search_stage.photo_id(number)
    copies = (Copy(key=key, uploaded_at=AT),)
    keep(
        KeyRecord(key=key, state="ingested", photo_id=photo_id, at=AT, sequencer=SEQUENCER),
        UploadedPhoto(photo_id=photo_id, copies=copies, revision=1),
        race=RACE,
    )


def not_ingested(key: str, state: State, reason: str | None = None, message: str | None = None) -> None:
    """What ingest keeps of a key that holds no photo."""
    keep(KeyRecord(key=key, state=state, reason=reason, message=message, at=AT, sequencer=SEQUENCER), race=RACE)


def identity(photo_id: str = PHOTO, **changed: Any) -> None:
    """What identity keeps of a photo."""
    faces = (face("f-right", 0.8), face("f-left", 0.1), face("f-middle", 0.45))
    known = {"faces": faces, "runners": RUNNERS, "bibs_revision": 1, "faces_revision": 1, "complete": True}
    keep(IdentifiedPhoto(photo_id=photo_id, **(known | changed)), race=RACE)


def follow(stage: SearchStage, target: Target, said: BibCorrected | MatchCut) -> None:
    """Let identity and the gallery keep what follows from an organizer's word, with the stages' own code."""
    for photo_id in concerns(said):
        now = conclude(learn(said, photo_id, identified(target, RACE, photo_id)), {})
        keep(msgspec.structs.replace(now, photo_id=photo_id), race=RACE)
        stage.hear(search_stage.matched(int(photo_id, 16), *now.runners, revision=said.revision))
