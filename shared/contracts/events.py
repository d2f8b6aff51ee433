"""The domain events: the only contract between stages.

A name is a fact in the past tense; the class name is the `detail-type`; `source` is `snaprace.<stage>`.
On the bus an event is `detail = {meta: {id, version, correlation_id, causation_id, occurred_at}, data}`.

An event may grow by an optional field, and in no other way; anything else is a new `VERSION`:

    x: T | msgspec.UnsetType = msgspec.UNSET

What is UNSET is not encoded: where the field is not set, the event's JSON, and with it its id, is what it was before
the field was there, so that a redelivery still says the same event; readers ignore fields they do not know. (None would
be encoded, and change the id of every event.) Golden examples and locked schemas in tests/contracts/golden hold this
file to it; `python -m tests.contracts.golden` locks a new field.

`revision` in an event orders what its stage says about one thing: consumers keep the highest they have heard,
so neither order nor repetition of deliveries matters.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeVar

import msgspec

from shared.contracts.errors import InvalidMessage
from shared.contracts.keys import RaceRef
from shared.contracts.race import RaceSettings
from shared.contracts.roster.runners import Problem

SOURCE_PREFIX = "snaprace."


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A rectangle in fractions of the upright picture's width and height, from the top left."""

    left: float
    top: float
    width: float
    height: float


class ObjectRef(msgspec.Struct, frozen=True, kw_only=True):
    """An object in a bucket; `sha256` (hex) makes it a claim check."""

    bucket: str
    key: str
    sha256: str | None = None


class ImageRef(msgspec.Struct, frozen=True, kw_only=True):
    """A picture in a bucket, with its size in pixels."""

    bucket: str
    key: str
    width: int
    height: int


class DomainEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What all events carry: the race they are about."""

    VERSION: ClassVar[int] = 1
    STAGE: ClassVar[str]

    organizer_id: str
    event_id: str

    @property
    def race(self) -> RaceRef:
        """The race as a pair."""
        return RaceRef(self.organizer_id, self.event_id)


# --- races ------------------------------------------------------------------------------------------


class RaceConfigured(DomainEvent, frozen=True, kw_only=True):
    """A race exists, or its settings changed. `revision` is the S3 sequencer of race.json."""

    STAGE: ClassVar[str] = "races"
    settings: RaceSettings
    revision: str


class RaceRejected(DomainEvent, frozen=True, kw_only=True):
    """A race.json could not be used; what was configured before still holds."""

    STAGE: ClassVar[str] = "races"
    reason: str
    message: str
    revision: str


class RosterImported(DomainEvent, frozen=True, kw_only=True):
    """The race's roster is now the one in the claim check. `revision` is the S3 sequencer of roster.csv."""

    STAGE: ClassVar[str] = "races"
    roster: ObjectRef
    runners: int
    problems: tuple[Problem, ...]
    revision: str


class BibsRefused(DomainEvent, frozen=True, kw_only=True):
    """The race's rules refuse these bibs of its roster, which are never read in a photo then; also when there are none.

    `problems` name the first of them by their lines in roster.csv, `refused` is how many there are. It is said when the
    roster or the rules change: `revision` is the S3 sequencer of race.json and `roster_revision` that of roster.csv.
    Neither goes back, so that of two such events the one is newer that has a newer one of either.
    """

    STAGE: ClassVar[str] = "races"
    problems: tuple[Problem, ...]
    refused: int
    roster_revision: str
    revision: str


class RosterRejected(DomainEvent, frozen=True, kw_only=True):
    """A roster.csv could not be used at all; the roster before it still holds."""

    STAGE: ClassVar[str] = "races"
    reason: str
    message: str
    revision: str


# --- ingest -----------------------------------------------------------------------------------------


class PhotoIngested(DomainEvent, frozen=True, kw_only=True):
    """A picture is ready to be looked at and shown.

    `keys` are all raw keys that hold this content now, sorted; camera, photographer and `uploaded_at` are of
    the first of them. Times are ISO 8601; `taken_at` is by the race's zone where the camera names none, and
    `taken_at_sure` is False where it is not when the picture was taken, but when it was stored or changed.
    `placeholder` is a tiny data URI to show while the thumbnail loads.
    """

    STAGE: ClassVar[str] = "ingest"
    photo_id: str
    keys: tuple[str, ...]
    bucket: str
    content_sha256: str
    processed: ImageRef
    preview: ImageRef
    thumbnail: ImageRef
    placeholder: str
    uploaded_at: str
    taken_at: str | None = None
    taken_at_sure: bool | msgspec.UnsetType = msgspec.UNSET
    camera: str | None = None
    photographer: str | None = None
    revision: int


class PhotoRejected(DomainEvent, frozen=True, kw_only=True):
    """An upload that cannot be served: why, as a code and as a sentence. `revision` is its S3 sequencer."""

    STAGE: ClassVar[str] = "ingest"
    key: str
    reason: str
    message: str
    revision: str


class PhotoWithdrawn(DomainEvent, frozen=True, kw_only=True):
    """No raw key holds this picture any more: forget it everywhere."""

    STAGE: ClassVar[str] = "ingest"
    photo_id: str
    revision: int


# --- ocr --------------------------------------------------------------------------------------------


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A bib read in a photo. `confidence` is a percentage; `verified` means it is on the roster.

    `named` means that its runner's name stands by it, which has raised the confidence; `text` may then be a part of it
    alone, or one character off. `by_roster` means that it is read less surely, or is the second choice, and that the
    roster, which has few bibs like it, has raised the confidence.
    """

    bib: str
    text: str
    confidence: float
    box: Box
    verified: bool
    named: Literal[True] | msgspec.UnsetType = msgspec.UNSET
    by_roster: Literal[True] | msgspec.UnsetType = msgspec.UNSET


Guess = Literal["weak", "partial"]
"""How a bib is guessed: `weak`, read as it is on the roster, but not surely; `partial`, from a part of its number."""


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """Worth asking, never a fact: a misread by one character with exactly one neighbour on the roster.

    Or, with `guess`, a bib of the roster that is read less surely than the race asks for.
    """

    bib: str
    text: str
    confidence: float
    box: Box
    guess: Literal["weak"] | msgspec.UnsetType = msgspec.UNSET


class Partial(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a bib: evidence of the bibs that fit its `pattern` (shared/contracts/patterns.py), never a reading.

    `bib` is the only one on the roster that fits, where there is one.
    """

    pattern: str
    text: str
    confidence: float
    box: Box
    bib: str | msgspec.UnsetType = msgspec.UNSET


class Bibs(msgspec.Struct, frozen=True, kw_only=True):
    """What was read in a photo, each bib once, in bib order; `partials` by their patterns, left out where none."""

    readings: tuple[Reading, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    partials: tuple[Partial, ...] | msgspec.UnsetType = msgspec.UNSET


class BibsRead(DomainEvent, frozen=True, kw_only=True):
    """The bibs of a photo, also when there are none; said again when a roster or the rules change.

    `photo_revision` is the PhotoIngested revision that brought the picture to this stage: what was said of a
    picture before it was withdrawn is thereby told from what is said after it came back.
    """

    STAGE: ClassVar[str] = "ocr"
    photo_id: str
    photo_revision: int
    readings: tuple[Reading, ...]
    suggestions: tuple[Suggestion, ...]
    partials: tuple[Partial, ...] | msgspec.UnsetType = msgspec.UNSET
    revision: int


# --- faces ------------------------------------------------------------------------------------------


class FaceQuality(msgspec.Struct, frozen=True, kw_only=True):
    """How well a face is seen, as its detector judges.

    `sharpness` and `brightness` from 0 to 100; `yaw` and `pitch` in degrees, to the picture's right and up; `occluded`
    and `sunglasses`: how likely something covers its eyes or mouth, and that it wears sunglasses, in percent. None: not
    judged.
    """

    sharpness: float
    brightness: float
    yaw: float | None = None
    pitch: float | None = None
    occluded: float | None = None
    sunglasses: float | None = None


class Face(msgspec.Struct, frozen=True, kw_only=True):
    """A face in a photo; `confidence` (percent) that it is one.

    `clothes`: which shares of what is worn below it have which colours, where the detector says so. Those of two faces
    can be compared by Hellinger's distance: seconds apart one person's differ by .17 at most, of two people's 1 in 100.
    """

    face_id: str
    box: Box
    confidence: float
    quality: FaceQuality | msgspec.UnsetType = msgspec.UNSET
    clothes: tuple[float, ...] | msgspec.UnsetType = msgspec.UNSET


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """When a photo was taken (ISO 8601), and what tells its camera from others: at least one of the two is known."""

    taken_at: str
    camera: str | None = None
    photographer: str | None = None


class FacesIndexed(DomainEvent, frozen=True, kw_only=True):
    """The faces of a photo, also when there are none or the race has faces switched off.

    `photo_revision` as in BibsRead. `taken` is left out where there are no faces, and where the photo's time or camera
    are not known.
    """

    STAGE: ClassVar[str] = "faces"
    photo_id: str
    photo_revision: int
    faces: tuple[Face, ...]
    enabled: bool
    revision: int
    taken: Taken | msgspec.UnsetType = msgspec.UNSET


Status = Literal["confirmed", "inferred", "doubtful"]


EvidenceKind = Literal["reading", "suggestion", "match", "organizer"]
Why = Literal["covered", "blurred", "clothes_alike", "clothes_unlike", "seconds_apart"]
"""Why a match counts more or less than its similarity.

`covered`: something covers one of the faces or both; `blurred`: both are; `clothes_alike`, `clothes_unlike`: what is
worn below them; `seconds_apart`: one camera took both within seconds.
"""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One reason for, or against, a runner being in a photo.

    `reading` and `suggestion`: the bib as it was read in this photo, `score` the confidence. `match`: her face matches
    one of `photo_id`, which wears `bib` there, `score` the similarity. `organizer`: a person said so. Scores are
    percentages. `weight` is what it counts in the vote, 0 to 1; a `bib` other than the runner's speaks against her.
    `guess` says of a suggestion that it is no misread; `pattern` is what was seen of a `partial` one. `named` says of a
    reading that the runner's name stands by it. `worth` is what a match's similarity counts as, where more is known of
    the two faces, and `why` the most of what it is raised or lowered by.
    """

    kind: EvidenceKind
    bib: str
    score: float
    weight: float
    photo_id: str | None = None
    guess: Guess | msgspec.UnsetType = msgspec.UNSET
    pattern: str | msgspec.UnsetType = msgspec.UNSET
    named: Literal[True] | msgspec.UnsetType = msgspec.UNSET
    worth: float | msgspec.UnsetType = msgspec.UNSET
    why: tuple[Why, ...] | msgspec.UnsetType = msgspec.UNSET


class MatchedRunner(msgspec.Struct, frozen=True, kw_only=True):
    """A runner in a photo and how that is known.

    `confirmed`: her bib is read here, or an organizer says so, and nothing contradicts it; `inferred`: her face matches
    faces with that bib; `doubtful`: the evidence is weak or contradicts itself. `read` says whether the bib was read in
    this very photo; `confidence` is a percentage; `evidence` is the weightiest, heaviest first.
    """

    bib: str
    status: Status
    confidence: float
    read: bool
    face_id: str | None = None
    box: Box | None = None
    evidence: tuple[Evidence, ...] = ()


class PhotoMatched(DomainEvent, frozen=True, kw_only=True):
    """Who is in a photo, by all evidence so far; `complete` once both bibs and faces were looked at.

    `photo_revision` is the newest PhotoIngested revision that evidence came from, as in BibsRead.
    """

    STAGE: ClassVar[str] = "faces"
    photo_id: str
    photo_revision: int = 0
    runners: tuple[MatchedRunner, ...]
    complete: bool
    revision: int


# --- review -----------------------------------------------------------------------------------------


class BibCorrected(DomainEvent, frozen=True, kw_only=True):
    """An organizer said who is, or is not, in a photo. It outranks all evidence; of two about one bib the later holds.

    `here`: whether the runner with this bib is in the photo. `box` is her face, for it to be told from the others in
    the photo; None where she is known by her bib alone. `revision` orders what is said about one photo.
    """

    STAGE: ClassVar[str] = "review"
    photo_id: str
    bib: str
    here: bool
    box: Box | None = None
    revision: int


class MatchCut(DomainEvent, frozen=True, kw_only=True):
    """An organizer said that a face in one photo and a face in another are, or after all are not, different people.

    Faces are named by their boxes, which stay when a photo is looked at again; `cut` False takes the cut back.
    """

    STAGE: ClassVar[str] = "review"
    photo_id: str
    box: Box
    other_photo_id: str
    other_box: Box
    cut: bool = True
    revision: int


EVENTS: tuple[type[DomainEvent], ...] = tuple(DomainEvent.__subclasses__())
_BY_NAME = {event.__name__: event for event in EVENTS}


class Meta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an event comes from: `correlation_id` names the upload or request it all began with.

    `replay` names the replay that made a stage say again what it had said before. The archive leaves such events out,
    and whoever tells people of events does not tell them twice.
    """

    id: str
    version: int
    correlation_id: str
    causation_id: str
    occurred_at: str
    replay: str | None = None


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A domain event with its metadata: what travels in `detail`."""

    meta: Meta
    data: DomainEvent

    @property
    def detail_type(self) -> str:
        """The event's name on the bus."""
        return type(self.data).__name__

    @property
    def source(self) -> str:
        """Who says it."""
        return SOURCE_PREFIX + self.data.STAGE

    def detail(self) -> str:
        """The JSON that travels as `Detail`."""
        return msgspec.json.encode({"meta": self.meta, "data": self.data}).decode()


E = TypeVar("E", bound=DomainEvent)


def event_id(event: DomainEvent) -> str:
    """The event's id, derived from what it says: saying the same again is the same event."""
    body = msgspec.json.encode([type(event).__name__, event.VERSION, event], order="sorted")
    return hashlib.sha256(body).hexdigest()[:32]


def next_revision(held: int, by: Meta) -> int:
    """The revision of what `by` changed: later than the one `held` (0 for none), and no earlier than the cause, in ms.

    A plain count would begin anew when a table was lost and rebuilt from the archive, and consumers, who keep the
    highest revision they heard, would then take new words for old ones.
    """
    return max(held + 1, round(datetime.fromisoformat(by.occurred_at).timestamp() * 1000))


def caused(event: DomainEvent, by: Meta, *, news: bool = True) -> Envelope:
    """Wrap what a stage says because it heard `by`. Times come from the cause, never from a clock.

    `news` is False where nothing changed and the event only repeats what was said: if `by` is of a replay, so is it.
    """
    return Envelope(
        meta=Meta(
            id=event_id(event),
            version=event.VERSION,
            correlation_id=by.correlation_id,
            causation_id=by.id,
            occurred_at=by.occurred_at,
            replay=None if news else by.replay,
        ),
        data=event,
    )


def parse(detail_type: str, detail: Any) -> Envelope:
    """Read a domain event as it came over the bus (`detail` as decoded JSON). Raises InvalidMessage."""
    event_type = _BY_NAME.get(detail_type)
    if event_type is None:
        raise InvalidMessage("unknown_event", f"'{detail_type}' is not a domain event of ours.")
    if not isinstance(detail, dict):
        raise InvalidMessage("malformed_event", f"A {detail_type} event has no detail.")
    try:
        return Envelope(
            meta=msgspec.convert(detail.get("meta"), Meta), data=msgspec.convert(detail.get("data"), event_type)
        )
    except msgspec.ValidationError as error:
        raise InvalidMessage("malformed_event", f"A {detail_type} event is malformed: {error}.") from None
