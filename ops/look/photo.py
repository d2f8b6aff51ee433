"""One photo as the stages and the search API know it, for the commands that explain and correct it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from ops.look.status import Upload, missing_steps, state_of, to_be_matched
from ops.mend.dead_letters import Letter, letters, with_reasons
from ops.race.upload import uploaded
from ops.reach.errors import Failed
from ops.reach.search_api import OnePhoto, SearchApi
from ops.reach.target import Target
from shared.contracts.boxes import SAME_FACE_OVERLAP, overlap
from shared.contracts.events import Box, Evidence, Face, Reading, Suggestion
from shared.contracts.keys import RAW_PHOTOS, RaceRef, sort_key
from shared.kit.table import Item

_PHOTO_ID = re.compile(r"[0-9a-f]{32}")


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """An organizer's word about a bib in the photo."""

    bib: str
    here: bool
    box: Box | None = None
    revision: int


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """An organizer's word that a face here and one in another photo are, or are not (`cut`), different people."""

    box: Box
    other_photo_id: str
    other_box: Box
    cut: bool
    revision: int


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """What the faces stage works with: the faces, from left to right, and what an organizer said.

    `matches` has for each face (by id) the faces in other photos that match it: their photo and similarity (percent).
    """

    faces: tuple[Face, ...] = ()
    matches: dict[str, dict[str, tuple[str, float]]] = {}
    corrections: tuple[Correction, ...] = ()
    cuts: tuple[Cut, ...] = ()
    runners: tuple[IdentifiedRunner, ...] = ()
    revision: int = 0


class IdentifiedRunner(msgspec.Struct, frozen=True, kw_only=True):
    """A runner as the faces stage has her, and which face is hers."""

    bib: str
    status: str
    confidence: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    face_id: str | None = None


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """A photo, or an upload that has not become one (then only `uploads` say something).

    `words` counts the words that were read, None before; `faces_on` is None before faces were looked for; `unmatched`:
    its faces will be compared with all others when the race goes quiet; `answer` is what a runner is shown;
    `dead_letters` are about it or one of its uploads.
    """

    race: RaceRef
    photo_id: str | None
    uploads: tuple[Upload, ...]
    words: int | None = None
    readings: tuple[Reading, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    faces_on: bool | None = None
    identified: Identified = Identified()
    unmatched: bool = False
    answer: OnePhoto | None = None
    dead_letters: tuple[Letter, ...] = ()

    @property
    def filename(self) -> str:
        """The name by which people know it: that of its first upload."""
        return self.uploads[0].filename if self.uploads else str(self.photo_id)

    def face_at(self, box: Box) -> int | None:
        """Which face, counted from the left from 1, a box is of."""
        overlaps = [(overlap(face.box, box), number) for number, face in enumerate(self.identified.faces, start=1)]
        most, number = max(overlaps, default=(0.0, 0))
        return number if most >= SAME_FACE_OVERLAP else None

    def face_number(self, bib: str) -> int | None:
        """Which face, counted from the left from 1, is the runner's with this bib."""
        face_id = next((runner.face_id for runner in self.identified.runners if runner.bib == bib), None)
        numbers = {face.face_id: number for number, face in enumerate(self.identified.faces, start=1)}
        return numbers.get(face_id) if face_id else None


def find(target: Target, race: RaceRef, name: str) -> Photo:
    """The photo that a photo id, a key or a file name means. Raises Failed when there is none."""
    photo_id = name if _PHOTO_ID.fullmatch(name) else None
    keys = _keys_of(target, race, photo_id) if photo_id else _keys_named(target, race, name)
    records = {key: record for key in keys if (record := _record(target, race, key))}
    photo_id = photo_id or next((record["photo_id"] for record in records.values() if record.get("photo_id")), None)
    if photo_id:
        keys = list(dict.fromkeys([*_keys_of(target, race, photo_id), *keys]))
        records |= {key: record for key in keys if key not in records and (record := _record(target, race, key))}
    deleted = [key for key, record in records.items() if record["state"] == "withdrawn"]
    if deleted and not any(key in uploaded(target, race, key) for key in deleted):
        raise Failed(f"The upload '{name}' was deleted from the race {race}, and its photo is withdrawn.")
    if not keys:
        raise Failed(
            f"There is no photo '{name}' in the race {race}. Give a photo id, an upload's key or its file name; "
            "snaprace status --all lists the uploads."
        )
    return _photo(target, race, photo_id, keys, records)


def identified(target: Target, race: RaceRef, photo_id: str) -> Identified:
    """What the faces stage works with now."""
    return _identified(target.table("faces").get(race.partition, f"IDENTITY#{photo_id}") or {})


def filenames(target: Target, race: RaceRef, photo_ids: Iterable[str]) -> dict[str, str]:
    """The file names of photos, by id; a photo that is gone has none."""
    wanted = [(race.partition, f"PHOTO#{photo_id}") for photo_id in sorted(set(photo_ids))]
    found = target.table("ingest").batch_get(wanted, only=("photo_id", "copies"))
    return {item["photo_id"]: _last_part(item["copies"][0]["key"]) for item in found if item.get("copies")}


def _photo(target: Target, race: RaceRef, photo_id: str | None, keys: list[str], records: dict[str, Item]) -> Photo:
    given_up = [
        letter for letter in letters(target) if letter.key in keys or (photo_id and letter.photo_id == photo_id)
    ]
    dead = dict.fromkeys(keys, tuple(letter.queue.name for letter in given_up))
    read, indexed, identity = ({}, {}, {}) if photo_id is None else _items(target, race, photo_id)
    answer = SearchApi(target.api_url("search")).photo(race, photo_id) if photo_id else None
    shown = photo_id and target.table("search").get(race.partition, f"PHOTO#{photo_id}")
    searchable = {photo_id} if photo_id and shown and shown.get("searchable") else set[str]()
    missing = {photo_id: missing_steps(read, indexed, identity)} if photo_id else {}
    there = {} if records.keys() >= set(keys) else uploaded(target, race, keys[0])
    bibs = read.get("bibs") or {}
    return Photo(
        race=race,
        photo_id=photo_id,
        uploads=tuple(
            state_of(
                key,
                records[key].get("at") if key in records else there[key].at if key in there else None,
                records.get(key, {}),
                searchable,
                missing,
                dead,
            )
            for key in keys
        ),
        words=len(read["words"]) if "words" in read else None,
        readings=msgspec.convert(bibs.get("readings", ()), tuple[Reading, ...]),
        suggestions=msgspec.convert(bibs.get("suggestions", ()), tuple[Suggestion, ...]),
        faces_on=indexed.get("enabled"),
        identified=_identified(identity),
        unmatched=photo_id is not None and photo_id in to_be_matched(target, race),
        answer=answer,
        dead_letters=tuple(with_reasons(target, given_up)),
    )


def _items(target: Target, race: RaceRef, photo_id: str) -> tuple[Item, Item, Item]:
    """What ocr, the index function and the identity function keep of the photo; empty where it is nothing."""
    faces = target.table("faces")
    return (
        target.table("ocr").get(race.partition, f"PHOTO#{photo_id}") or {},
        faces.get(race.partition, f"INDEXED#{photo_id}") or {},
        faces.get(race.partition, f"IDENTITY#{photo_id}") or {},
    )


def _identified(item: Item) -> Identified:
    found = msgspec.convert(item, Identified)
    faces = sorted(found.faces, key=lambda face: (face.box.left, face.box.top))
    return msgspec.structs.replace(found, faces=tuple(faces))


def _keys_of(target: Target, race: RaceRef, photo_id: str) -> list[str]:
    held = target.table("ingest").get(race.partition, f"PHOTO#{photo_id}") or {}
    return [copy["key"] for copy in held.get("copies", ())]


def _keys_named(target: Target, race: RaceRef, name: str) -> list[str]:
    """The key that is meant: itself, or the upload of that name, wherever in the race's folder it went."""
    key = name if "/" in name else f"{race.prefix}{RAW_PHOTOS}/{name}"
    if _record(target, race, key) or key in uploaded(target, race, key):
        return [key]
    known = target.table("ingest").query(race.partition, "KEY#", only=("key",))
    return [item["key"] for item in known if _last_part(item["key"]) == name]


def _record(target: Target, race: RaceRef, key: str) -> Item | None:
    return target.table("ingest").get(race.partition, sort_key("KEY#", key))


def _last_part(key: str) -> str:
    return key.rsplit("/", 1)[-1]
