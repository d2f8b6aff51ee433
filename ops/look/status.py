"""Where every upload stands and what it waits for, asked of the tables and queues that the stages keep."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import msgspec

from ops.look.backlog import backlog, dead_letters, subjects
from ops.look.state_hash import state_hash
from ops.look.steps import Found, Place, all_steps, next_steps, progress_of
from ops.reach.raw_photos import raw_photos
from ops.reach.target import Target
from ops.reach.words import some_of, to_json
from services.faces.records import EarlyPhoto, NewPhoto
from services.ingest.records import KeyState
from services.search.records import GalleryProgress
from shared.contracts.keys import RaceRef

State = Literal["in progress", "waiting", "searchable", "rejected", "dead-lettered"]

_FOR_THE_RACE = {"race": "waiting for the race to be created (snaprace race create)"}


class UploadState(msgspec.Struct, frozen=True, kw_only=True):
    """One raw photo's state; `reason` and `message` where it was rejected.

    `uploaded_at` is ISO 8601; `waits_for` are the names of the steps that are to be done next; `dead_letters` are the
    queues in which something about it was given up, also where it is searchable all the same; `why` says in a few words
    why it is not searchable, "" where it is, or was rejected.
    """

    key: str
    state: State
    photo_id: str | None = None
    uploaded_at: str | None = None
    reason: str | None = None
    message: str | None = None
    waits_for: tuple[str, ...] = ()
    dead_letters: tuple[str, ...] = ()
    why: str = ""

    @property
    def filename(self) -> str:
        """The key's last part."""
        return self.key.rsplit("/", 1)[-1]

    @property
    def done(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state in ("searchable", "rejected", "dead-lettered")

    def age(self, now: datetime) -> float | None:
        """Seconds since it was uploaded."""
        return (now - datetime.fromisoformat(self.uploaded_at)).total_seconds() if self.uploaded_at else None


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """Uploads that are not searchable for the same reason; `uploads` are the oldest first."""

    why: str
    uploads: tuple[UploadState, ...]


class RaceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A race's uploads, and the dead letters of the whole environment.

    `dead_letters` counts them by queue; `unmatched` counts photos whose faces are compared with the others' when
    uploads make a pause; `at` is when it was asked, ISO 8601; `state_hash` is None unless it was asked for.
    `in_work` are messages that stages have in work, waiting or delayed for them, of all races: while there are any, who
    is in a photo may change, also where it is searchable. What a function had that died is invisible for six times its
    timeout.
    """

    organizer_id: str
    event_id: str
    at: str
    uploads: tuple[UploadState, ...]
    dead_letters: dict[str, int]
    unmatched: int = 0
    in_work: int = 0
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
    def rejected(self) -> tuple[UploadState, ...]:
        """The uploads that were rejected."""
        return tuple(upload for upload in self.uploads if upload.state == "rejected")

    @property
    def duplicates(self) -> int:
        """Uploads whose content another upload already holds."""
        photos = [upload.photo_id for upload in self.uploads if upload.photo_id and upload.state != "rejected"]
        return len(photos) - len(set(photos))

    @property
    def oldest_waiting(self) -> UploadState | None:
        """The upload that has waited longest of those that are not done."""
        return min((upload for upload in self.uploads if not upload.done), key=_seniority, default=None)

    @property
    def stuck(self) -> tuple[Stuck, ...]:
        """What is not searchable yet and why; the reason that the most uploads have comes first."""
        groups: dict[str, list[UploadState]] = defaultdict(list)
        for upload in self.uploads:
            if upload.why:
                groups[upload.why].append(upload)
        ranked = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
        return tuple(Stuck(why=why, uploads=tuple(sorted(uploads, key=_seniority))) for why, uploads in ranked)


def _seniority(upload: UploadState) -> tuple[str, str]:
    return upload.uploaded_at or "9", upload.key  # one that nobody has dated is as good as new


def status(target: Target, race: RaceRef, keys: frozenset[str] | None = None, *, hashed: bool = False) -> RaceStatus:
    """Ask for the state of all uploads (or of `keys`): what S3 holds, and what became of it.

    `hashed` asks for the state hash, too, for which the whole gallery is read.
    """
    records = {record.key: record for record in target.records("ingest").query(KeyState, race)}
    dates = {}
    if keys is None:
        dates = {key: found.at for key, found in raw_photos(target, race).items()}
        # Misplaced uploads lie elsewhere in the bucket, but their rejection is kept with the race.
        keys = frozenset(dates) | {key for key, record in records.items() if record.state == "rejected"}
    letters = dead_letters(target)
    known = Known(records, dates, searchable(target, race), subjects(target, letters))
    return RaceStatus(
        organizer_id=race.organizer_id,
        event_id=race.event_id,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        uploads=upload_states(target, race, sorted(keys), known),
        dead_letters=letters,
        unmatched=len(to_be_matched(target, race)),
        in_work=backlog(target),
        state_hash=state_hash(target, race) if hashed else None,
    )


class Known(NamedTuple):
    """What is known of uploads: what ingest keeps of them by key, and when they came by S3 (ISO 8601), as far as asked.

    `searchable` are the photo ids of the gallery, `dead` the queues in which letters about a key or photo id lie.
    """

    records: Mapping[str, KeyState]
    dates: Mapping[str, str]
    searchable: AbstractSet[str]
    dead: Mapping[str, tuple[str, ...]]


def upload_states(target: Target, race: RaceRef, keys: Sequence[str], known: Known) -> tuple[UploadState, ...]:
    """The states of uploads. The stages are asked how far they are with those that are taken in and not searchable."""
    records = [record for key in keys if (record := known.records.get(key)) and record.done]
    unfinished = [record for record in records if record.photo_id not in known.searchable]
    steps = all_steps()
    progress = progress_of(target, race, unfinished, steps, absent={GalleryProgress})
    return tuple(_state(key, known, progress.get(key, {}), steps) for key in keys)


def _state(key: str, known: Known, progress: Found, steps: Sequence[Place]) -> UploadState:
    record = known.records.get(key)
    photo_id = record.photo_id if record else None
    queues = tuple(sorted({*known.dead.get(key, ()), *known.dead.get(photo_id or "", ())}))
    waits_for: dict[str, str] = {}
    state: State = "in progress"
    if record and record.state == "rejected":
        state = "rejected"
    elif photo_id in known.searchable:
        state = "searchable"
    elif record and record.state == "waiting":
        state, waits_for = "waiting", _FOR_THE_RACE
    else:
        waits_for = {place.step.name: place.waits for place in next_steps(progress, steps)}
    why = ", ".join(waits_for.values())
    if queues and waits_for:
        state, why = "dead-lettered", f"given up in {', '.join(queues)}: {why}"
    return UploadState(
        key=key,
        state=state,
        photo_id=photo_id,
        uploaded_at=record.at if record else known.dates.get(key),
        reason=record.reason if record else None,
        message=record.message if record else None,
        waits_for=tuple(waits_for),
        dead_letters=queues,
        why=why,
    )


def searchable(target: Target, race: RaceRef) -> frozenset[str]:
    """The ids of the photos that can be found."""
    gallery = target.records("search").query(GalleryProgress, race)
    return frozenset(photo.photo_id for photo in gallery if photo.done)


def to_be_matched(target: Target, race: RaceRef) -> frozenset[str]:
    """The ids of photos with faces that will be compared with all others' when uploads make a pause."""
    kinds = (NewPhoto, EarlyPhoto)  # the second have waited long for a pause
    return frozenset(photo.photo_id for kind in kinds for photo in target.records("faces").query(kind, race))


# --- for programs -------------------------------------------------------------------------------------

_WAITING = ("key", "photo_id", "state", "uploaded_at", "waits_for", "dead_letters")
REJECTED = ("key", "reason", "message")


def as_json(found: RaceStatus, strays: Sequence[msgspec.Struct] = (), *, every_upload: bool = False) -> str:
    """The status for programs, with the uploads of no race; with `every_upload` each one's own."""
    now, oldest = datetime.fromisoformat(found.at), found.oldest_waiting
    told = {
        **some_of(found, "organizer_id", "event_id", "at"),
        "uploads": len(found.uploads),
        "counts": dict(sorted(found.counts.items())),
        **some_of(found, "duplicates", "unmatched", "in_work"),
        "oldest_waiting": {**some_of(oldest, *_WAITING), "seconds": oldest.age(now)} if oldest else None,
        "stuck": [
            {"why": each.why, "uploads": len(each.uploads), "oldest": some_of(each.uploads[0], *_WAITING)}
            for each in found.stuck
        ],
        "rejected": [some_of(upload, *REJECTED) for upload in found.rejected],
        "strays": strays,
        **some_of(found, "dead_letters", "state_hash"),
    }
    return to_json({**told, "all": found.uploads} if every_upload else told)
