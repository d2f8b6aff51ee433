"""What stands in the tables of ocr and faces, item by item: tables of before are read by the code of now."""

from __future__ import annotations

import json
from typing import Any

from services.faces.stage import STAGE as FACES
from services.ocr.stage import STAGE as OCR
from tests.flows.test_identity import ROSTER, Person, deliver_all_but_looks, paint, place
from tests.kit.memory_table import MemoryTable
from tests.kit.pipeline import (
    RACE,
    Pipeline,
    configured,
    corrected,
    ingested,
    match_cut,
    roster_imported,
    withdrawn,
)

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
FACES_ITEMS: Items = {
    "RACE": {"faces": True, "revision": "01", "since": 1792890000000},
    "INDEXED#seen": {
        "photo_id": "seen",
        "photo_revision": 1,
        "processed": {"bucket": "derived", "key": "seen", "width": 1600, "height": 1067},
        "enabled": True,
        "faces": [{"face_id": SEEN, "box": FACE, "confidence": 99.5}],
        "leaving": [],
        "revision": 1792890000000,
    },
    "INDEXED#hidden": {
        "photo_id": "hidden",
        "photo_revision": 1,
        "processed": {"bucket": "derived", "key": "hidden", "width": 1600, "height": 1067},
        "enabled": True,
        "faces": [{"face_id": HIDDEN, "box": FACE, "confidence": 99.5}],
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
        "faces": [{"face_id": SEEN, "box": FACE, "confidence": 99.5}],
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
        "version": 3,
        "photo_revision": 1,
        "faces": [{"face_id": HIDDEN, "box": FACE, "confidence": 99.5}],
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
        "revision": 1792890000002,
    },
    "HIDDEN#000000000000008#hidden": {"at": 8, "photo_id": "hidden"},
    "HIDDEN#000000000000008#gone": {"at": 8, "photo_id": "gone"},
}


def kept(table: MemoryTable) -> Items:
    """The race's items, as JSON has them."""
    items: Items = json.loads(json.dumps(list(table.query(RACE.partition))))
    return {item["SK"]: {name: value for name, value in item.items() if name not in ("PK", "SK")} for item in items}


def test_items_are_what_they_were() -> None:
    pipeline = Pipeline()
    race = {"seen": [Person("ann", "11")], "hidden": [Person("ann", "")], "gone": [Person("bea", "1235")]}
    paint(pipeline, race)
    pipeline.hear(
        configured(),
        roster_imported(pipeline.rosters, ROSTER),
        *map(ingested, race),
        corrected("seen", "22", here=False),
        match_cut(("seen", place(0)[0]), ("gone", place(0)[0])),
    )
    pipeline.run()
    pipeline.hear(withdrawn("gone", 2))
    pipeline.run()
    assert kept(pipeline.ocr_table) == OCR_ITEMS
    assert kept(pipeline.faces_table) == FACES_ITEMS


def test_photos_that_wait_for_a_round_are_kept_by_the_time_of_their_news() -> None:
    pipeline = Pipeline()
    paint(pipeline, {"one": [Person("ann", "")]})
    pipeline.hear(configured(), ingested("one"))
    deliver_all_but_looks(pipeline)
    waiting = {sk: item for sk, item in kept(pipeline.faces_table).items() if sk.startswith("NEW#")}
    assert waiting == {"NEW#000000000000002#one": {"at": 2, "photo_id": "one"}}


def test_each_part_of_a_record_is_of_a_message_that_its_stage_hears() -> None:
    for stage in (OCR, FACES):
        for record in stage.keeps:
            for message, fields in record.FROM.items():
                assert message in stage.hears, record
                assert set(fields) <= set(record.__struct_fields__), record
