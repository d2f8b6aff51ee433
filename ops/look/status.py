"""Where every upload stands and what it waits for, asked of the tables and queues that the stages keep."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from ops.look.backlog import DeadLetters, dead_letters, subjects
from ops.look.state_hash import state_hash
from ops.race.upload import uploaded
from ops.reach.target import Target
from shared.contracts.keys import RaceRef
from shared.kit.table import Item

State = Literal["in progress", "waiting", "searchable", "rejected", "dead-lettered"]
Step = Literal["race", "ingest", "ocr", "faces", "identity", "gallery"]

WAITS_FOR: dict[Step, str] = {
    "race": "waiting for the race to be created (snaprace race create)",
    "ingest": "not taken in yet (ingest)",
    "ocr": "bibs not read yet (ocr)",
    "faces": "faces not looked for yet (faces)",
    "identity": "bibs and faces looked for, but not yet worked out who is there (faces)",
    "gallery": "worked out who is there, but not yet in the gallery (search)",
}
"""What is still to be done for an upload."""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """One raw photo's state; `reason` and `message` where it was rejected.

    `uploaded_at` is ISO 8601; `waits_for` are the steps that are still to be done; `dead_letters` are the queues in
    which something about it was given up, also where it is searchable all the same.
    """

    key: str
    state: State
    photo_id: str | None = None
    uploaded_at: str | None = None
    reason: str | None = None
    message: str | None = None
    waits_for: tuple[Step, ...] = ()
    dead_letters: tuple[str, ...] = ()

    @property
    def filename(self) -> str:
        """The key's last part."""
        return self.key.rsplit("/", 1)[-1]

    @property
    def done(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state in ("searchable", "rejected", "dead-lettered")

    @property
    def why(self) -> str:
        """Why it is not searchable, in a few words; "" where it is, or was rejected."""
        steps = ", ".join(WAITS_FOR[step] for step in self.waits_for)
        return f"given up in {', '.join(self.dead_letters)}: {steps}" if self.state == "dead-lettered" else steps

    def age(self, now: datetime) -> float | None:
        """Seconds since it was uploaded."""
        return (now - datetime.fromisoformat(self.uploaded_at)).total_seconds() if self.uploaded_at else None


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """Uploads that are not searchable for the same reason; `uploads` are the oldest first."""

    why: str
    uploads: tuple[Upload, ...]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A race's uploads, and the dead letters of the whole environment.

    `unmatched` counts photos whose faces are compared with the others' when the race goes quiet; `at` is when it was
    asked, ISO 8601; `state_hash` is None unless it was asked for.
    """

    organizer_id: str
    event_id: str
    at: str
    uploads: tuple[Upload, ...]
    dead_letters: tuple[DeadLetters, ...]
    unmatched: int = 0
    state_hash: str | None = None

    @property
    def counts(self) -> Counter[State]:
        """How many uploads are in each state."""
        return Counter(upload.state for upload in self.uploads)

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        return all(upload.done for upload in self.uploads)

    @property
    def duplicates(self) -> int:
        """Uploads whose content another upload already holds."""
        photos = [upload.photo_id for upload in self.uploads if upload.photo_id and upload.state != "rejected"]
        return len(photos) - len(set(photos))

    @property
    def oldest_waiting(self) -> Upload | None:
        """The upload that has waited longest of those that are not done."""
        return min((upload for upload in self.uploads if not upload.done), key=_seniority, default=None)

    @property
    def stuck(self) -> tuple[Stuck, ...]:
        """What is not searchable yet and why; the reason that the most uploads have comes first."""
        groups: dict[str, list[Upload]] = defaultdict(list)
        for upload in self.uploads:
            if upload.why:
                groups[upload.why].append(upload)
        ranked = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
        return tuple(Stuck(why=why, uploads=tuple(sorted(uploads, key=_seniority))) for why, uploads in ranked)


def _seniority(upload: Upload) -> tuple[str, str]:
    return upload.uploaded_at or "9", upload.key  # one that nobody has dated is as good as new


def status(target: Target, race: RaceRef, keys: frozenset[str] | None = None, *, hashed: bool = False) -> Status:
    """Ask for the state of all uploads (or of `keys`): what S3 holds, and what became of it.

    `hashed` asks for the state hash, too, for which the whole gallery is read.
    """
    wanted = ("key", "state", "photo_id", "at", "reason", "message")
    records = {item["key"]: item for item in target.table("ingest").query(race.partition, "KEY#", only=wanted)}
    dates = {key: record["at"] for key, record in records.items() if "at" in record}
    if keys is None:
        there = uploaded(target, race)
        dates = {key: found.at for key, found in there.items()} | dates
        # Misplaced uploads lie elsewhere in the bucket, but their rejection is kept with the race.
        keys = frozenset(there) | {key for key, record in records.items() if record["state"] == "rejected"}
    gallery = target.table("search").query(race.partition, "PHOTO#", only=("photo_id", "searchable"))
    searchable = {photo["photo_id"] for photo in gallery if photo.get("searchable")}
    letters = dead_letters(target)
    dead = subjects(target, (each.queue for each in letters))
    unfinished = {records[key]["photo_id"] for key in keys & records.keys() if "photo_id" in records[key]} - searchable
    missing = _missing_steps(target, race, unfinished)
    return Status(
        organizer_id=race.organizer_id,
        event_id=race.event_id,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        uploads=tuple(
            state_of(key, dates.get(key), records.get(key, {}), searchable, missing, dead) for key in sorted(keys)
        ),
        dead_letters=letters,
        unmatched=unmatched(target, race),
        state_hash=state_hash(target, race) if hashed else None,
    )


def state_of(
    key: str,
    uploaded_at: str | None,
    record: Item,
    searchable: AbstractSet[str],
    missing: Mapping[str, tuple[Step, ...]],
    dead: Mapping[str, tuple[str, ...]],
) -> Upload:
    """An upload's state, by its record of ingest (empty where there is none).

    `searchable` are photo ids, `missing` the steps to be done by photo id, `dead` the queues in which letters about a
    key or photo id lie.
    """
    photo_id = record.get("photo_id")
    queues = tuple(sorted({*dead.get(key, ()), *dead.get(photo_id or "", ())}))
    waits_for: tuple[Step, ...] = ()
    state: State = "in progress"
    if record.get("state") == "rejected":
        state = "rejected"
    elif photo_id in searchable:
        state = "searchable"
    elif record.get("state") == "waiting":
        state, waits_for = "waiting", ("race",)
    else:
        waits_for = missing.get(photo_id, ()) if photo_id else ("ingest",)
    if queues and waits_for:
        state = "dead-lettered"
    return Upload(
        key=key,
        state=state,
        photo_id=photo_id,
        uploaded_at=uploaded_at,
        reason=record.get("reason"),
        message=record.get("message"),
        waits_for=waits_for,
        dead_letters=queues,
    )


def _missing_steps(target: Target, race: RaceRef, photo_ids: Iterable[str]) -> dict[str, tuple[Step, ...]]:
    """What is still to be done for photos that are taken in and not searchable: photo id → steps."""
    photos = sorted(photo_ids)

    def known(stage: str, prefix: str, *only: str) -> dict[str, Item]:
        keys = [(race.partition, prefix + photo_id) for photo_id in photos]
        return {item["photo_id"]: item for item in target.table(stage).batch_get(keys, only=("photo_id", *only))}

    read = known("ocr", "PHOTO#", "revision")
    indexed = known("faces", "INDEXED#", "enabled")
    heard = known("faces", "IDENTITY#", "bibs_revision", "faces_revision", "complete")
    return {
        photo_id: missing_steps(read.get(photo_id, {}), indexed.get(photo_id, {}), heard.get(photo_id, {}))
        for photo_id in photos
    }


def missing_steps(read: Item, indexed: Item, heard: Item) -> tuple[Step, ...]:
    """What is still to be done for a photo, by its items (empty where there is none) of ocr, of index, of identity."""
    steps: list[Step] = []
    if not heard.get("bibs_revision") and not read.get("revision"):
        steps.append("ocr")
    if not heard.get("faces_revision") and indexed.get("enabled") is None:
        steps.append("faces")
    if steps:
        return tuple(steps)
    return ("gallery",) if heard.get("complete") else ("identity",)


def unmatched(target: Target, race: RaceRef) -> int:
    """How many photos have faces that will be compared with all others' when the race goes quiet."""
    return len(to_be_matched(target, race))


def to_be_matched(target: Target, race: RaceRef) -> frozenset[str]:
    """These photos' ids."""
    table = target.table("faces")
    kinds = ("NEW#", "EARLY#")  # the second were compared once already because the race did not go quiet
    return frozenset(
        item["SK"].rsplit("#", 1)[-1] for kind in kinds for item in table.query(race.partition, kind, only=("SK",))
    )


# --- for programs -------------------------------------------------------------------------------------


def as_json(found: Status, *, every_upload: bool = False) -> str:
    """The status for programs; with `every_upload` each one's own."""
    now, oldest = datetime.fromisoformat(found.at), found.oldest_waiting
    told: dict[str, Any] = {
        "organizer_id": found.organizer_id,
        "event_id": found.event_id,
        "at": found.at,
        "uploads": len(found.uploads),
        "counts": dict(sorted(found.counts.items())),
        "duplicates": found.duplicates,
        "unmatched": found.unmatched,
        "oldest_waiting": {**_waiting(oldest), "seconds": oldest.age(now)} if oldest else None,
        "stuck": [
            {"why": stuck.why, "uploads": len(stuck.uploads), "oldest": _waiting(stuck.uploads[0])}
            for stuck in found.stuck
        ],
        "rejected": [
            {"key": upload.key, "reason": upload.reason, "message": upload.message}
            for upload in found.uploads
            if upload.state == "rejected"
        ],
        "dead_letters": {letters.queue: letters.messages for letters in found.dead_letters},
        "state_hash": found.state_hash,
    }
    if every_upload:
        told["all"] = [{**msgspec.to_builtins(upload), "why": upload.why} for upload in found.uploads]
    return json.dumps(told, ensure_ascii=False, indent=2)


def _waiting(upload: Upload) -> dict[str, Any]:
    return {
        "key": upload.key,
        "photo_id": upload.photo_id,
        "state": upload.state,
        "uploaded_at": upload.uploaded_at,
        "waits_for": list(upload.waits_for),
        "dead_letters": list(upload.dead_letters),
    }
