"""Names inside the buckets: which race an object belongs to, what it is, and which write came last.

EventBridge carries S3 keys raw, so nothing here decodes or encodes a key.
"""

from __future__ import annotations

import enum
import hashlib
import re
from typing import NamedTuple

from shared.contracts.errors import InvalidKey

RAW_PHOTOS = "raw_photos"
RACE_FILE = "race.json"
ROSTER_FILE = "roster.csv"

PROBE = "smoke"
"""The organizer of the races with which `snaprace verify` tries the whole pipeline; nobody else's."""

FOLDER_SEPARATOR = "--"
"""In the name of a raw photo: between the photographer's folders and the file, of characters that S3 calls safe."""

MAX_KEY_BYTES = 1024
"""Of a key in UTF-8. Source: Amazon S3 User Guide, "Naming Amazon S3 objects"."""

ID = "[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?"
"""What an organizer_id or event_id looks like, as a regular expression.

Ids are path segments, table keys and parts of collection names. Requiring a letter or digit at both ends keeps them
readable in all three.
"""


class RaceRef(NamedTuple):
    """Which race: the organizer and the id that keys and the API call `event_id`."""

    organizer_id: str
    event_id: str

    @property
    def partition(self) -> str:
        """The race's partition in every table. '#' cannot occur in an id, so no two races share one."""
        return f"ORG#{self.organizer_id}#EVT#{self.event_id}"

    @property
    def prefix(self) -> str:
        """Where the race's objects live, with the closing slash."""
        return f"{self.organizer_id}/{self.event_id}/"

    @classmethod
    def from_partition(cls, partition: str) -> RaceRef:
        """The inverse of `partition`."""
        _, organizer_id, _, event_id = partition.split("#")
        return cls(organizer_id, event_id)

    def __str__(self) -> str:
        return f"{self.organizer_id}/{self.event_id}"


class PhotoRef(NamedTuple):
    """Which photo: its race and its id."""

    race: RaceRef
    photo_id: str


def valid_id(text: str) -> bool:
    """Whether `text` may be an organizer_id or event_id: 1-64 of letters, digits and '_.-' inside."""
    return re.fullmatch(ID, text) is not None


class KeyKind(enum.Enum):
    """What an object in the photo bucket is, going by its key."""

    RAW_PHOTO = "raw_photo"
    RACE_FILE = "race_file"
    ROSTER_FILE = "roster_file"
    OTHER = "other"


class ParsedKey(NamedTuple):
    """A key, taken apart. `race` is None and `filename` empty for OTHER."""

    kind: KeyKind
    race: RaceRef | None
    filename: str


_OTHER = ParsedKey(KeyKind.OTHER, None, "")


def parse_key(key: str) -> ParsedKey:
    """Say what `key` is.

    A key that clearly was meant for raw photos but does not fit raises InvalidKey with a reason, so that
    it is reported and never lost silently; a key that has nothing to do with us is OTHER.
    """
    if is_folder_marker(key):
        return _OTHER
    segments = key.split("/")
    race, below = near_race(key), segments[2:]
    if race and below == [RACE_FILE]:
        return ParsedKey(KeyKind.RACE_FILE, race, RACE_FILE)
    if race and below == [ROSTER_FILE]:
        return ParsedKey(KeyKind.ROSTER_FILE, race, ROSTER_FILE)
    if race and len(below) == 2 and below[0] == RAW_PHOTOS:
        return ParsedKey(KeyKind.RAW_PHOTO, race, below[1])
    _raise_if_near_miss(segments)
    return _OTHER


def is_folder_marker(key: str) -> bool:
    """Whether a key is that of a folder and not of a file: the S3 console makes such an object for each new folder."""
    return key.endswith("/")


def _raise_if_near_miss(segments: list[str]) -> None:
    """Raise InvalidKey where a folder of the key looks like `raw_photos` but the key does not fit."""
    folders = segments[:-1]
    at = next((i for i, folder in enumerate(folders) if _folded(folder) in _RAW_PHOTOS_LOOKALIKES), None)
    if at is None:
        return
    expected = f"Upload to {{organizer_id}}/{{event_id}}/{RAW_PHOTOS}/{{filename}}."
    if at != 2:
        raise InvalidKey("key_wrong_depth", f"'{RAW_PHOTOS}' must be the third part of the key. {expected}")
    if not (valid_id(segments[0]) and valid_id(segments[1])):
        raise InvalidKey(
            "key_bad_id",
            f"Organizer and event ids are 1-64 letters, digits, '_', '.' or '-', "
            f"with a letter or digit at both ends. {expected}",
        )
    if folders[at] != RAW_PHOTOS:
        raise InvalidKey("key_wrong_folder", f"The folder is '{folders[at]}', not '{RAW_PHOTOS}'. {expected}")
    raise InvalidKey("key_nested", f"Folders below '{RAW_PHOTOS}' are not read. {expected}")


_RAW_PHOTOS_LOOKALIKES = {"rawphotos", "rawphoto"}


def _folded(folder: str) -> str:
    return re.sub(r"[\s_.-]", "", folder).lower()


def near_race(key: str) -> RaceRef | None:
    """The race a misplaced key most likely belongs to, or None: for showing the rejection to somebody."""
    segments = key.split("/")
    if len(segments) > 2 and valid_id(segments[0]) and valid_id(segments[1]):
        return RaceRef(segments[0], segments[1])
    return None


def photo_id(race: RaceRef, content_sha256: str) -> str:
    """A photo is its content: the id of a picture in a race (32 hex digits), whatever it is called.

    `content_sha256` is the hex digest of the uploaded bytes.
    """
    return hashlib.sha256(f"{race.partition}\n{content_sha256}".encode()).hexdigest()[:32]


def is_newer(sequencer: str, than: str) -> bool:
    """Whether S3's `sequencer` is later than another one of the same key.

    S3 documents them as hexadecimal of varying length: pad the shorter with zeros on the right, then
    compare as text. Equal is not newer.
    """
    width = max(len(sequencer), len(than))
    return sequencer.ljust(width, "0").upper() > than.ljust(width, "0").upper()


PROCESSED, PREVIEW, THUMBNAIL, ORIGINAL, ROSTERS = "processed", "preview", "thumbnail", "original", "roster"
"""The folders of a race in the derived bucket."""


def processed_key(race: RaceRef, photo: str) -> str:
    """Where the copy for the vision API lives in the derived bucket."""
    return f"{race.prefix}{PROCESSED}/{photo}.jpg"


def preview_key(race: RaceRef, photo: str) -> str:
    """Where the watermarked preview lives in the derived bucket."""
    return f"{race.prefix}{PREVIEW}/{photo}.jpg"


def thumbnail_key(race: RaceRef, photo: str) -> str:
    """Where the thumbnail lives in the derived bucket."""
    return f"{race.prefix}{THUMBNAIL}/{photo}.jpg"


SHORT_LIVED = {"kept": "a-day"}
"""The tag of objects in the derived bucket that S3 deletes after a day."""


def original_key(race: RaceRef, photo: str) -> str:
    """Where the full-size picture lives in the derived bucket, once a runner asked for it; in the upload's format."""
    return f"{race.prefix}{ORIGINAL}/{photo}"


def roster_key(race: RaceRef, digest: str) -> str:
    """Where a cleaned roster lives in the derived bucket: content-addressed, so never overwritten."""
    return f"{race.prefix}{ROSTERS}/{digest}.json"


def collection_id(env: str, race: RaceRef) -> str:
    """The race's face collection in an environment (dev, prod), unambiguous for every pair of ids.

    A hash tells `a-b`+`c` from `a`+`b-c`; the readable part is for the person who lists collections.
    Rekognition allows 255 of [a-zA-Z0-9_.-]; beside the environment's name this is at most 10 + 64 + 1 + 64 + 1 + 16.
    """
    digest = hashlib.sha256(race.partition.encode()).hexdigest()[:16]
    return f"snaprace-{env}-{race.organizer_id}-{race.event_id}-{digest}"


# A sort key has at most 1,024 bytes, as has an S3 key; ours has a prefix besides.
_MAX_SORTED_BYTES = 1000


def sort_key(prefix: str, key: str) -> str:
    """The table sort key of what is kept about an S3 key; of a very long one a beginning and a digest."""
    encoded = key.encode()
    if len(encoded) <= _MAX_SORTED_BYTES:
        return prefix + key
    head = encoded[:900].decode(errors="ignore")
    return f"{prefix}{head}#{hashlib.sha256(encoded).hexdigest()}"
