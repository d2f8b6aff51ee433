"""One photo as the stages and the search API know it, for the commands that explain and correct it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import msgspec

from ops.look.dead_letters import Letter, letters, with_reasons
from ops.look.status import Known, UploadState, to_be_matched, upload_states
from ops.look.strays import why_in_no_race
from ops.reach.errors import Failed
from ops.reach.raw_photos import is_there, uploads_at
from ops.reach.search_api import SearchApi
from ops.reach.target import Target
from services.faces.records import IdentifiedPhoto, IndexingProgress
from services.ingest.records import UNPLACED, KeyState, PhotoCopies, UploadedPhoto
from services.ocr.records import ReadPhoto
from services.search.questions import OnePhotoAnswer
from services.search.records import GalleryProgress
from shared.contracts.boxes import SAME_FACE_OVERLAP, overlap
from shared.contracts.errors import InvalidKey
from shared.contracts.events import Box, Face
from shared.contracts.keys import (
    FOLDER_SEPARATOR,
    MAX_KEY_BYTES,
    RAW_PHOTOS,
    KeyKind,
    RaceRef,
    is_folder_marker,
    near_race,
    parse_key,
)

_PHOTO_ID = re.compile(r"[0-9a-f]{32}")
_NO_PHOTO = IdentifiedPhoto(photo_id="")


class PhotoReport(msgspec.Struct, frozen=True, kw_only=True):
    """A photo, or an upload that has not become one (then only `uploads` say something).

    `taken_in` is what ingest keeps of it, `read` what ocr does, `identified` what the faces stage works with;
    `faces_on` is None before faces were looked for, `faceless` says why they cannot be; `unmatched`: its faces will be
    compared with all others when uploads make a pause; `answer` is what a runner is shown; `dead_letters` are about it
    or one of its uploads; `names` are the file names of other photos that are evidence of who is in it, by their id.
    """

    race: RaceRef
    photo_id: str | None
    uploads: tuple[UploadState, ...]
    taken_in: UploadedPhoto | None = None
    read: ReadPhoto | None = None
    faces_on: bool | None = None
    faceless: str | None = None
    identified: IdentifiedPhoto = _NO_PHOTO
    unmatched: bool = False
    answer: OnePhotoAnswer | None = None
    dead_letters: tuple[Letter, ...] = ()
    names: dict[str, str] = {}

    @property
    def filename(self) -> str:
        """The name by which people know it: that of its first upload."""
        return self.uploads[0].filename if self.uploads else str(self.photo_id)

    @property
    def faces(self) -> list[Face]:
        """The faces, from left to right."""
        return sorted(self.identified.faces, key=lambda face: (face.box.left, face.box.top))

    def name_of(self, photo_id: str | None) -> str:
        """What people call another photo; its id where its file name is not known."""
        return self.names.get(photo_id or "", photo_id or "?")

    def face_at(self, box: Box) -> int | None:
        """Which face, counted from the left from 1, a box is of."""
        overlaps = [(overlap(face.box, box), number) for number, face in enumerate(self.faces, start=1)]
        most, number = max(overlaps, default=(0.0, 0))
        return number if most >= SAME_FACE_OVERLAP else None

    def face_number(self, bib: str) -> int | None:
        """Which face, counted from the left from 1, is the runner's with this bib."""
        face_id = next((runner.face_id for runner in self.identified.runners if runner.bib == bib), None)
        numbers = {face.face_id: number for number, face in enumerate(self.faces, start=1)}
        return numbers.get(face_id) if face_id else None


def misplaced(target: Target, key: str) -> UploadState | None:
    """An upload whose key names no race, as ingest keeps it; None where it names one, or is no key.

    Raises Failed for what is no upload, or is not there.
    """
    _require_possible(key)
    if is_folder_marker(key):
        raise Failed(f"'{key}' is a folder, and no upload; snaprace status --all lists these.")
    if "/" not in key or near_race(key) is not None:
        return None
    held = target.records("ingest").get(KeyState.locate(UNPLACED, key))
    if held is None or held.state != "rejected" or not is_there(target, key):
        _require_looked_at(target, key)
        raise Failed(f"There is no upload '{key}'. {_why_none(key)}")
    return UploadState(key=key, state="rejected", uploaded_at=held.at, reason=held.reason, message=held.message)


def _why_none(name: str) -> str:
    """What is wrong with a name under which there is no photo, or what to give instead."""
    hint = "Give a photo id, an upload's key or its file name; snaprace status --all lists the uploads."
    if "/" not in name:
        return hint
    try:
        kind = parse_key(name).kind
    except InvalidKey as error:
        return f"Nor could there be one: {error}"
    if kind is KeyKind.RAW_PHOTO:
        return hint
    if kind is KeyKind.OTHER:
        return "Its key is none of a photo, so nothing looks at it: upload photos with snaprace upload."
    return "It is a file of the race: see snaprace race show."


def _require_possible(name: str) -> None:
    """Raise Failed for what cannot be a file's name or a key."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise Failed("No photo has such a name: it is not UTF-8.") from None
    if size > MAX_KEY_BYTES:
        raise Failed(f"No photo has such a name: '{name[:40]}…' has {size:,} bytes, and S3 takes {MAX_KEY_BYTES:,}.")


def _is_ignored(key: str) -> bool:
    """Whether no stage looks at what has this key."""
    try:
        return parse_key(key).kind is KeyKind.OTHER
    except InvalidKey:  # ingest rejects it
        return False


def _require_looked_at(target: Target, key: str) -> None:
    """Raise Failed for an upload that no stage looks at."""
    if _is_ignored(key) and is_there(target, key):
        raise Failed(f"'{key}' is uploaded, and is no photo. {why_in_no_race(key)}")


def photo_report(target: Target, race: RaceRef, name: str) -> PhotoReport:
    """What is known of the photo that a photo id, a key or a file name means. Raises Failed when there is none."""
    _require_possible(name)
    photo_id = name if _PHOTO_ID.fullmatch(name) else None
    keys = _keys_of(target, race, photo_id) if photo_id else _keys_named(target, race, name)
    records = _records(target, race, keys)
    photo_id = photo_id or next((record.photo_id for record in records.values() if record.photo_id), None)
    if photo_id:
        keys = list(dict.fromkeys([*_keys_of(target, race, photo_id), *keys]))
        records = _records(target, race, keys)
    deleted = [key for key, record in records.items() if record.state == "withdrawn"]
    if deleted and not any(is_there(target, key) for key in deleted):
        raise Failed(f"The upload '{name}' was deleted from the race {race}, and its photo is withdrawn.")
    if not keys:
        _require_looked_at(target, name)
        raise Failed(f"There is no photo '{name}' in the race {race}. {_why_none(name)}")
    return _report(target, race, photo_id, keys, records)


def identified(target: Target, race: RaceRef, photo_id: str) -> IdentifiedPhoto:
    """What the faces stage works with now."""
    held = target.records("faces").get(IdentifiedPhoto.locate(race, photo_id))
    return held or IdentifiedPhoto(photo_id=photo_id)


def _others(answer: OnePhotoAnswer | None, identified: IdentifiedPhoto) -> frozenset[str]:
    """The other photos that are evidence of who is in one."""
    runners = answer.runners if answer else ()
    evidence = {each.photo_id for runner in runners for each in runner.evidence if each.photo_id}
    return frozenset(evidence | identified.neighbours | {cut.other_photo_id for cut in identified.cuts})


def _filenames(target: Target, race: RaceRef, photo_ids: Iterable[str]) -> dict[str, str]:
    """The file names of photos, by id; a photo that is gone has none."""
    places = [PhotoCopies.locate(race, photo_id) for photo_id in sorted(set(photo_ids))]
    found = target.records("ingest").read(*places)
    photos = [photo for place in places if (photo := found.get(place)) and photo.copies]
    return {photo.photo_id: _last_part(photo.copies[0].key) for photo in photos}


def _report(
    target: Target, race: RaceRef, photo_id: str | None, keys: list[str], records: dict[str, KeyState]
) -> PhotoReport:
    given_up = [
        letter for letter in letters(target) if letter.key in keys or (photo_id and letter.photo_id == photo_id)
    ]
    dead = dict.fromkeys(keys, tuple(letter.queue.name for letter in given_up))
    there = {} if records.keys() >= set(keys) else uploads_at(target, keys[0])
    dates = {key: found.at for key, found in there.items()}
    shown = photo_id and target.records("search").get(GalleryProgress.locate(race, photo_id))
    searchable = {photo_id} if photo_id and shown and shown.done else set[str]()
    uploads = upload_states(target, race, keys, Known(records, dates, searchable, dead))
    dead_letters = tuple(with_reasons(target, given_up))
    if photo_id is None:
        return PhotoReport(race=race, photo_id=None, uploads=uploads, dead_letters=dead_letters)
    indexing = target.records("faces").get(IndexingProgress.locate(race, photo_id))
    known, answer = identified(target, race, photo_id), SearchApi(target.api_url("search")).photo(race, photo_id)
    return PhotoReport(
        race=race,
        photo_id=photo_id,
        uploads=uploads,
        taken_in=target.records("ingest").get(UploadedPhoto.locate(race, photo_id)),
        read=target.records("ocr").get(ReadPhoto.locate(race, photo_id)),
        faces_on=indexing.enabled if indexing else None,
        faceless=indexing.unreadable if indexing else None,
        identified=known,
        unmatched=photo_id in to_be_matched(target, race),
        answer=answer,
        dead_letters=dead_letters,
        names=_filenames(target, race, _others(answer, known)),
    )


def _keys_of(target: Target, race: RaceRef, photo_id: str) -> list[str]:
    held = target.records("ingest").get(PhotoCopies.locate(race, photo_id))
    return [copy.key for copy in held.copies] if held else []


def _keys_named(target: Target, race: RaceRef, name: str) -> list[str]:
    """The key that is meant: itself, or the upload of that name, wherever in the race's folder it went.

    A photo of a sub-folder has the folder's name before its own: day1--IMG_1.jpg is meant by IMG_1.jpg, too. Raises
    Failed where several are.
    """
    key = name if "/" in name else f"{race.prefix}{RAW_PHOTOS}/{name}"
    if _records(target, race, [key]) or (not _is_ignored(key) and is_there(target, key)):
        return [key]
    wanted = unicodedata.normalize("NFC", name)
    known = [each.key for each in target.records("ingest").query(KeyState, race) if each.state != "withdrawn"]
    by_name = [each for each in known if _last_part(each) == wanted]
    found = by_name or [each for each in known if _last_part(each).endswith(FOLDER_SEPARATOR + wanted)]
    if len(found) > 1:
        listed = ", ".join(each.removeprefix(f"{race.prefix}{RAW_PHOTOS}/") for each in found[:8])
        raise Failed(f"{len(found)} uploads are called {name} ({listed}): say which, by its whole name or its key.")
    return found


def _records(target: Target, race: RaceRef, keys: Iterable[str]) -> dict[str, KeyState]:
    """What ingest keeps of keys; of some it may be nothing."""
    places = {key: KeyState.locate(race, key) for key in keys}
    found = target.records("ingest").read(*places.values())
    return {key: record for key, place in places.items() if (record := found.get(place))}


def _last_part(key: str) -> str:
    return key.rsplit("/", 1)[-1]
