"""What stands in the tables, item by item and attribute by attribute: they outlive the code that filled them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from services.faces.stage import STAGE as FACES
from services.ocr.stage import STAGE as OCR
from shared.contracts.events import (
    Evidence,
    ImageRef,
    MatchedRunner,
    PhotoIngested,
    PhotoRejected,
    PhotoWithdrawn,
    RaceRejected,
    RosterImported,
    RosterRejected,
)
from tests.flows.test_identity import ROSTER, Person, paint, place
from tests.kit import events, pictures
from tests.kit.events import RACE, Happened, configured, corrected, match_cut, raw_key, withdrawn
from tests.kit.lambdas import DERIVED, PHOTOS
from tests.kit.memory_table import MemoryTable
from tests.kit.pipeline import Pipeline
from tests.kit.world import World, world


@pytest.fixture
def here() -> Iterator[World]:
    with world() as made:
        yield made


# --- races ------------------------------------------------------------------------------------------------

RACE_JSON, ROSTER_CSV = f"{RACE.prefix}race.json", f"{RACE.prefix}roster.csv"
RACE_FILE = json.dumps({"name": "서울 마라톤", "date": "2026-10-25", "timezone": "Asia/Seoul"}).encode()
STORED_SETTINGS = {
    "name": "서울 마라톤",
    "date": "2026-10-25",
    "timezone": "Asia/Seoul",
    "bib_rules": {
        "prefixes": [""],
        "min_digits": 1,
        "max_digits": 5,
        "lowest": None,
        "highest": None,
        "excluded": [],
    },
    "min_confidence": 80,
    "watermark": {"left": 0.7, "top": 0.9, "width": 0.3, "height": 0.1},
    "faces": False,
    "originals": False,
}


def test_what_races_keeps(here: World) -> None:
    race = here.upload(RACE_JSON, RACE_FILE)
    roster = here.upload(ROSTER_CSV, b"bib\n1\n?\n")
    here.deliver("races.intake", race, roster)
    (imported,) = [event for event in here.heard() if isinstance(event, RosterImported)]
    pk, (first, second) = RACE.partition, [one["detail"]["object"]["sequencer"] for one in (race, roster)]
    problems = [{"line": 3, "message": "'?' is not a bib, which is like 1042, A42, 727-2 or 1042F."}]
    held = {
        "RACE": {"PK": pk, "SK": "RACE", "revision": first, "settings": STORED_SETTINGS},
        "ROSTER": {
            "PK": pk,
            "SK": "ROSTER",
            "roster": {"bucket": DERIVED, "key": imported.roster.key, "sha256": imported.roster.sha256},
            "runners": 1,
            "problems": problems,
            "revision": second,
        },
        "REFUSED": {
            "PK": pk,
            "SK": "REFUSED",
            "problems": [],
            "refused": 0,
            "revision": first,
            "roster_revision": second,
        },
    }
    race_outcome = {"PK": pk, "SK": "OUTCOME#race.json", "sequencer": first, "ok": True}
    roster_outcome = {"PK": pk, "SK": "OUTCOME#roster.csv", "sequencer": second, "ok": True, "problems": problems}
    good = {one["SK"]: one for one in (race_outcome, roster_outcome)}
    assert here.items("races") == held | good

    race, roster = here.upload(RACE_JSON, b"{"), here.upload(ROSTER_CSV, b"no")
    here.deliver("races.intake", race, roster)
    said = here.heard()
    bad = {
        sk: {
            "PK": pk,
            "SK": sk,
            "sequencer": event.revision,
            "ok": False,
            "reason": event.reason,
            "message": event.message,
        }
        for sk, event in zip(("OUTCOME#race.json", "OUTCOME#roster.csv"), said, strict=True)
        if isinstance(event, RaceRejected | RosterRejected)
    }
    assert here.items("races") == held | bad

    here.deliver("races.intake", here.upload(ROSTER_CSV, b"bib\n1\n"))
    assert here.items("races")["OUTCOME#roster.csv"]["problems"] == []


# --- ingest -----------------------------------------------------------------------------------------------


def stored_key(uploaded: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The item of a key by the event that was last told of it."""
    target = uploaded["detail"]["object"]
    item = {
        "PK": RACE.partition,
        "SK": f"KEY#{target['key']}",
        "key": target["key"],
        "sequencer": target["sequencer"],
        "at": uploaded["time"],
        "former": [],
    }
    return item | fields


def stored_ticket(uploaded: dict[str, Any]) -> dict[str, Any]:
    """The item of an upload that waits."""
    target, at = uploaded["detail"]["object"], uploaded["time"]
    story = f"{target['key']}@{target['sequencer']}"
    meta = {"id": story, "version": 1, "correlation_id": story, "causation_id": uploaded["id"], "occurred_at": at}
    upload = {"meta": meta, "bucket": PHOTOS, "key": target["key"], "sequencer": target["sequencer"], "at": at}
    upload |= {"size": target["size"], "etag": target["etag"], "version_id": target["version-id"]}
    return {"PK": RACE.partition, "SK": f"WAITING#{target['key']}", "upload": upload}


def stored_photo(said: PhotoIngested, **fields: Any) -> dict[str, Any]:
    sizes = {"processed": said.processed, "preview": said.preview, "thumbnail": said.thumbnail}
    item = {
        "PK": RACE.partition,
        "SK": f"PHOTO#{said.photo_id}",
        "photo_id": said.photo_id,
        "copies": [{"key": said.keys[0], "uploaded_at": said.uploaded_at, "photographer": None}],
        "revision": said.revision,
        "generation": 0,
        "bucket": PHOTOS,
        "content_sha256": said.content_sha256,
        "look": {
            **{name: {"width": image.width, "height": image.height} for name, image in sizes.items()},
            "placeholder": said.placeholder,
            "camera": "Canon",
            "capture": {"local": "2026-10-25T09:00:00", "offset": None, "field": None},
            "no_time": None,
        },
    }
    return item | fields


def race_of(here: World, revision: str, timezone: str) -> Happened:
    return here.says(events.configured(revision, name="Seoul Marathon", timezone=timezone))


def by_sort_key(*items: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["SK"]: item for item in items}


def test_what_ingest_keeps(here: World) -> None:
    exif = pictures.exif(make="Canon", original="2026:10:25 09:00:00")
    uploaded, bad = here.upload(raw_key("a.jpg"), pictures.jpeg(exif=exif)), here.upload(raw_key("b.jpg"), b"")
    version, bad_version = (one["detail"]["object"]["version-id"] for one in (uploaded, bad))
    here.deliver("ingest.intake", uploaded)
    waiting = stored_key(uploaded, state="waiting", version_id=version)
    assert here.items("ingest") == by_sort_key(waiting, stored_ticket(uploaded))

    here.deliver("ingest.intake", race_of(here, "01", "Asia/Seoul"), race_of(here, "02", "Europe/Paris"))
    here.work_off("ingest.intake")
    here.deliver("ingest.intake", bad)
    said, *_, refused = here.heard()
    assert isinstance(said, PhotoIngested)
    assert isinstance(refused, PhotoRejected)
    race = {"PK": RACE.partition, "SK": "RACE", "name": "Seoul Marathon", "timezone": "Europe/Paris", "revision": "02"}
    why = {"reason": "empty", "message": refused.message}
    assert here.items("ingest") == by_sort_key(
        {**race, "earlier_timezones": ["Asia/Seoul"]},
        stored_key(uploaded, state="ingested", version_id=version, photo_id=said.photo_id),
        stored_key(bad, state="rejected", version_id=bad_version, **why),
        stored_photo(said, timezone="Europe/Paris", taken_at="2026-10-25T09:00:00+01:00"),
    )

    deleted = here.delete(raw_key("a.jpg"))
    here.deliver("ingest.intake", deleted)
    (gone,) = here.heard()
    assert isinstance(gone, PhotoWithdrawn)
    stored = here.items("ingest")
    key = stored_key(deleted, state="withdrawn", former=[{"photo_id": said.photo_id, "generation": 0}])
    photo = stored_photo(said, revision=gone.revision, copies=[], bucket="", content_sha256="")
    del photo["look"]
    assert stored | by_sort_key(key, photo) == stored


# --- ocr and faces ----------------------------------------------------------------------------------------

Items = dict[str, dict[str, Any]]
"""By sort key."""

FACE = {"left": 0.05, "top": 0.2, "width": 0.06, "height": 0.09}
BIB = {"left": 0.055, "top": 0.42, "width": 0.05, "height": 0.03}
SEEN, HIDDEN = "f189334d-d474-5c30-8188-6a8b5ebd5923", "a8a7d95b-ca7f-5e67-a558-c9e98ed73bf1"

OCR_ITEMS: Items = {
    "RACE": {
        "settings": {
            "name": "Race",
            "date": "2026-10-25",
            "timezone": "UTC",
            "bib_rules": {
                "prefixes": [""],
                "min_digits": 1,
                "max_digits": 5,
                "lowest": None,
                "highest": None,
                "excluded": [],
            },
            "min_confidence": 80.0,
            "watermark": {"left": 0.7, "top": 0.9, "width": 0.3, "height": 0.1},
            "faces": True,
            "originals": False,
        },
        "revision": "01",
    },
    "ROSTER": {
        "roster": {
            "bucket": "derived",
            "key": "roster/72fa99b37cd8aebef652f43a82fd80ebf47cb5ad0f04e8520d903195b3a0bba5.json",
            "sha256": "72fa99b37cd8aebef652f43a82fd80ebf47cb5ad0f04e8520d903195b3a0bba5",
        },
        "revision": "01",
    },
    "PHOTO#seen": {
        "photo_id": "seen",
        "photo_revision": 1,
        "words": [{"text": "11", "confidence": 97.5, "box": BIB}],
        "bibs": {
            "readings": [{"bib": "11", "text": "11", "confidence": 97.5, "box": BIB, "verified": True}],
            "suggestions": [],
        },
        "revision": 1792890000000,
    },
    "PHOTO#hidden": {
        "photo_id": "hidden",
        "photo_revision": 1,
        "words": [],
        "bibs": {"readings": [], "suggestions": []},
        "revision": 1792890000000,
    },
    "PHOTO#gone": {"photo_id": "gone", "photo_revision": 0, "words": [], "revision": 1792890000001, "withdrawn": 2},
}
QUALITY = {"sharpness": 90.0, "brightness": 55.0, "yaw": -4.0, "pitch": 2.0, "occluded": 2.0, "sunglasses": 2.0}
FACES_ITEMS: Items = {
    "RACE": {"faces": True, "revision": "01", "since": 1792890000000},
    "INDEXED#seen": {
        "photo_id": "seen",
        "photo_revision": 1,
        "processed": {"bucket": "derived", "key": "seen", "width": 1600, "height": 1067},
        "enabled": True,
        "faces": [{"face_id": SEEN, "box": FACE, "confidence": 99.5, "quality": QUALITY}],
        "leaving": [],
        "revision": 1792890000000,
    },
    "INDEXED#hidden": {
        "photo_id": "hidden",
        "photo_revision": 1,
        "processed": {"bucket": "derived", "key": "hidden", "width": 1600, "height": 1067},
        "enabled": True,
        "faces": [{"face_id": HIDDEN, "box": FACE, "confidence": 99.5, "quality": QUALITY}],
        "leaving": [],
        "revision": 1792890000000,
    },
    "INDEXED#gone": {
        "photo_id": "gone",
        "photo_revision": 0,
        "faces": [],
        "leaving": [],
        "revision": 1792890000001,
        "withdrawn": 2,
    },
    "IDENTITY#seen": {
        "photo_id": "seen",
        "version": 5,
        "photo_revision": 1,
        "faces": [{"face_id": SEEN, "box": FACE, "confidence": 99.5, "quality": QUALITY}],
        "faces_revision": 1792890000000,
        "bibs": {
            "readings": [{"bib": "11", "text": "11", "confidence": 97.5, "box": BIB, "verified": True}],
            "suggestions": [],
        },
        "bibs_revision": 1792890000000,
        "corrections": [{"bib": "22", "here": False, "box": None, "revision": 1}],
        "cuts": [{"box": FACE, "other_photo_id": "gone", "other_box": FACE, "cut": True, "revision": 1}],
        "matches": {SEEN: {HIDDEN: ["hidden", 99.0]}},
        "runners": [
            {
                "bib": "11",
                "status": "confirmed",
                "confidence": 97.5,
                "read": True,
                "face_id": SEEN,
                "box": FACE,
                "evidence": [{"kind": "reading", "bib": "11", "score": 97.5, "weight": 0.975, "photo_id": "seen"}],
            }
        ],
        "complete": True,
        "revision": 1792890000002,
    },
    "IDENTITY#gone": {
        "photo_id": "gone",
        "version": 4,
        "photo_revision": 1,
        "faces": [],
        "faces_revision": 0,
        "bibs": {"readings": [], "suggestions": []},
        "bibs_revision": 0,
        "corrections": [],
        "cuts": [{"box": FACE, "other_photo_id": "seen", "other_box": FACE, "cut": True, "revision": 1}],
        "matches": {},
        "runners": [],
        "complete": False,
        "revision": 1792890000002,
        "withdrawn": 2,
    },
    "IDENTITY#hidden": {
        "photo_id": "hidden",
        "version": 2,
        "photo_revision": 1,
        "faces": [{"face_id": HIDDEN, "box": FACE, "confidence": 99.5, "quality": QUALITY}],
        "faces_revision": 1792890000000,
        "bibs": {"readings": [], "suggestions": []},
        "bibs_revision": 1792890000000,
        "corrections": [],
        "cuts": [],
        "matches": {HIDDEN: {SEEN: ["seen", 99.0]}},
        "runners": [
            {
                "bib": "11",
                "status": "inferred",
                "confidence": 93.6,
                "read": False,
                "face_id": HIDDEN,
                "box": FACE,
                "evidence": [{"kind": "match", "bib": "11", "score": 99.0, "weight": 0.936, "photo_id": "seen"}],
            }
        ],
        "complete": True,
        "revision": 1792890000001,
    },
    "ROUNDS": {"since": 4},
    "HIDDEN#000000000000008#hidden": {"at": 8, "photo_id": "hidden"},
    "HIDDEN#000000000000008#gone": {"at": 8, "photo_id": "gone"},
}


def ingested(photo_id: str) -> PhotoIngested:
    return events.ingested(photo_id, processed=ImageRef(bucket="derived", key=photo_id, width=1600, height=1067))


PREVIEW, THUMBNAIL = (
    {"bucket": "derived", "key": f"org/race/{kind}/one.jpg", "width": width, "height": height}
    for kind, width, height in (("preview", 1200, 800), ("thumbnail", 480, 320))
)
CALLED = {"photo_id": "one", "shot_at": "2026-10-25T09:30:00.000", "uploaded_at": events.AT, "photographer": "Kim"}
KNOWN = {"bib": "42", "status": "confirmed", "confidence": 97.5, "read": True}
READ = {"kind": "reading", "bib": "42", "score": 97.5, "weight": 0.75, "photo_id": "one"}
SEARCH_ITEMS: Items = {
    "RACE": {
        "name": "Race",
        "date": "2026-10-25",
        "timezone": "UTC",
        "faces": True,
        "originals": False,
        "revision": "01",
    },
    "PHOTO#one": {
        "photo_id": "one",
        "keys": ["org/race/raw_photos/one.jpg"],
        "runners": [{**KNOWN, "evidence": [READ]}],
        "withdrawn_revision": -1,
        "ingest_revision": 1,
        "preview": PREVIEW,
        "thumbnail": THUMBNAIL,
        "placeholder": "data:,",
        "uploaded_at": events.AT,
        "taken_at": "2026-10-25T09:30:00",
        "photographer": "Kim",
        "match_revision": 2,
        "photo_revision": 1,
        "complete": True,
        "searchable": True,
    },
    "TIME#2026-10-25T09:30:00.000#2026-10-25T01:00:00Z#PHOTO#one": CALLED,
    "BIB#42#PHOTO#one": {**CALLED, **KNOWN},
    "PHOTO#gone": {
        "photo_id": "gone",
        "keys": [],
        "runners": [],
        "withdrawn_revision": 2,
        "ingest_revision": -1,
        "placeholder": "",
        "uploaded_at": "",
        "match_revision": -1,
        "photo_revision": -1,
        "complete": False,
        "searchable": False,
    },
}


def test_what_search_keeps(here: World) -> None:
    runner = MatchedRunner(**KNOWN, evidence=(Evidence(**READ),))
    photo = events.ingested("one", taken_at="2026-10-25T09:30:00", photographer="Kim")
    told = [configured(), photo, events.matched("one", 2, runner), withdrawn("gone", 2)]
    assert here.deliver("search.gallery", *map(here.says, told)) == []
    assert here.items("search") == {sk: {"PK": RACE.partition, "SK": sk, **item} for sk, item in SEARCH_ITEMS.items()}


def kept(table: MemoryTable) -> Items:
    """The race's items, as JSON has them."""
    items: Items = json.loads(json.dumps(list(table.query(RACE.partition))))
    return {item["SK"]: {name: value for name, value in item.items() if name not in ("PK", "SK")} for item in items}


def test_what_ocr_and_faces_keep() -> None:
    pipeline = Pipeline()
    race = {"seen": [Person("ann", "11")], "hidden": [Person("ann", "")], "gone": [Person("bea", "1235")]}
    paint(pipeline, race)
    pipeline.hear(
        configured(),
        pipeline.roster(ROSTER),
        *map(ingested, race),
        corrected("seen", "22", here=False),
        match_cut(("seen", place(0)[0]), ("gone", place(0)[0])),
    )
    pipeline.run()
    pipeline.hear(withdrawn("gone", 2))
    pipeline.run()
    assert kept(pipeline.ocr_table) == OCR_ITEMS
    assert kept(pipeline.faces_table) == FACES_ITEMS


def test_what_ocr_and_faces_keep_of_guesses_and_names() -> None:
    pipeline = Pipeline()
    race = {"cut": [Person("ann", "?34", 72.0)], "weak": [Person("cho", "33", 65.0), Person("dan", "44 HOLM")]}
    paint(pipeline, race)
    names = {"44": "Ute Holm"}
    pipeline.hear(configured(), pipeline.roster(ROSTER, names=names), *map(ingested, race))
    pipeline.run()
    stored = kept(pipeline.ocr_table)
    cut = stored["PHOTO#cut"]
    assert cut["words"] == [{"text": "34", "confidence": 72.0, "box": BIB, "cut": ["START"]}]
    partial = {"pattern": "?34", "text": "34", "confidence": 72.0, "box": BIB, "bib": "1234"}
    assert cut["bibs"] == {"readings": [], "suggestions": [], "partials": [partial]}
    (weak,), (named,) = (stored["PHOTO#weak"]["bibs"][kind] for kind in ("suggestions", "readings"))
    assert weak == {"bib": "33", "text": "33", "confidence": 65.0, "box": BIB, "guess": "weak"}
    assert (named["bib"], named["confidence"], named["named"]) == ("44", 99.25, True)
    assert kept(pipeline.faces_table)["IDENTITY#cut"]["bibs"] == cut["bibs"]
    (runner,) = kept(pipeline.faces_table)["IDENTITY#cut"]["runners"]
    assert runner["evidence"] == [
        {
            "kind": "suggestion",
            "bib": "1234",
            "score": 72.0,
            "weight": 0.216,
            "photo_id": "cut",
            "guess": "partial",
            "pattern": "?34",
        }
    ]


def test_what_faces_keeps_of_times_and_clothes() -> None:
    pipeline = Pipeline()
    paint(pipeline, {name: [Person("ann", chest, clothes=(1.0, 0.0))] for name, chest in TIMED.items()})
    taken = {"taken_at": "2026-10-25T09:00:00+09:00", "camera": "EOS R5", "photographer": "Kim"}
    pipeline.hear(configured(), pipeline.roster(ROSTER), *(events.ingested(name, **taken) for name in TIMED))
    pipeline.run()
    stored = kept(pipeline.faces_table)
    for name in TIMED:
        (face,) = stored[f"INDEXED#{name}"]["faces"]
        assert (face["clothes"], stored[f"INDEXED#{name}"]["taken"]) == ([1.0, 0.0], taken)
        assert (stored[f"IDENTITY#{name}"]["faces"], stored[f"IDENTITY#{name}"]["taken"]) == ([face], taken)
    (runner,) = stored["IDENTITY#hidden"]["runners"]
    (reason,) = runner["evidence"]
    assert (reason["score"], reason["worth"], reason["why"]) == (99.0, 99.83, ["clothes_alike", "seconds_apart"])


TIMED = {"seen": "11", "hidden": ""}


@pytest.mark.parametrize(
    "unsure", [{"taken_at_sure": False}, {"camera": None, "photographer": None}, {"taken_at": None}]
)
def test_a_time_that_is_not_known_or_of_no_camera_is_not_kept(unsure: dict[str, Any]) -> None:
    # Mutation: _taken without taken_at_sure. When a file was changed would say who is together.
    pipeline = Pipeline()
    paint(pipeline, {"one": [Person("ann", "")]})
    taken = {"taken_at": "2026-10-25T09:00:00+09:00", "camera": "EOS R5", "photographer": "Kim"}
    pipeline.hear(configured(), events.ingested("one", **(taken | unsure)))
    pipeline.run()
    assert not any("taken" in item for item in kept(pipeline.faces_table).values())


def test_a_photo_that_was_kept_before_its_time_was_learns_it_from_a_replay() -> None:
    # Mutation: `arrived` returns what is held where the revision is the same.
    pipeline = Pipeline()
    paint(pipeline, {"one": [Person("ann", "")]})
    pipeline.hear(configured(), events.ingested("one"))
    pipeline.run()
    taken = {"taken_at": "2026-10-25T09:00:00+09:00", "camera": "EOS R5", "photographer": None}
    told = events.ingested("one", **taken)
    pipeline.hear(told, replay="again")
    pipeline.run()
    stored = kept(pipeline.faces_table)
    assert stored["IDENTITY#one"]["taken"] == stored["INDEXED#one"]["taken"] == taken
    pipeline.hear(told, replay="and again")
    pipeline.run()
    assert kept(pipeline.faces_table) == stored


def test_photos_that_wait_for_a_round_are_kept_by_the_time_of_their_news() -> None:
    pipeline = Pipeline()
    paint(pipeline, {"one": [Person("ann", "")]})
    pipeline.hear(configured(), ingested("one"))
    pipeline.run_but_rounds()
    waiting = {sk: item for sk, item in kept(pipeline.faces_table).items() if sk.startswith("NEW#")}
    assert waiting == {"NEW#000000000000002#one": {"at": 2, "photo_id": "one"}}


def test_each_part_of_a_record_is_of_a_message_that_its_stage_hears() -> None:
    for stage in (OCR, FACES):
        for record in stage.keeps:
            for message, fields in record.FROM.items():
                assert message in stage.hears, record
                assert set(fields) <= set(record.__struct_fields__), record
