"""What the search API takes, answers and refuses: one method of SearchApi for each route."""

from __future__ import annotations

import base64
from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from services.search.records import ExplainedRunner, Runner, wall_clock
from shared.contracts import bibs
from shared.contracts.api import (
    BadField,
    Busy,
    Otherwise,
    Questions,
    Reads,
    Refusal,
    Throttle,
    TooLarge,
    route,
)
from shared.contracts.keys import ID, RaceRef
from shared.contracts.pages import PageAnswer, PageAsked, PageFileAnswer, PageFileAsked, UnknownFile

Order = Literal["newest", "oldest", "best"]
MAX_LIMIT = 100  # what one BatchGetItem reads
MAX_FACE = 40_000  # characters; 500 photos take some 18,000

# --- refusals ---------------------------------------------------------------------------------------------


class UnknownRace(Refusal, status=404):
    """There is no such race. Check the organizer and the event."""


class UnknownPhoto(Refusal, status=404):
    """There is no such photo in this race; it may have been withdrawn."""


class BadBib(Refusal, status=400):
    """Give the bib as it is printed, like 1042, A42, 727-2 or 1042F."""


class BadOrder(Refusal, status=400):
    """Ask for order=newest, order=oldest or order=best."""


class NothingToBeBestAt(BadOrder):
    """order=best needs a bib; without one, ask for newest or oldest."""


class BadTime(Refusal, status=400):
    """Give from and to as the race's local time without a zone, like 2026-11-08T09:30, or 09:30 for whichever day."""


class DayAndHours(BadTime):
    """Give from and to both with a day, or both without."""


class BadLimit(Refusal, status=400):
    """No page has so many photos."""


class BadCursor(Refusal, status=400):
    """Send next_cursor back as it came, with all else as it was asked; or leave cursor out to start over."""


class BadFace(Refusal, status=400):
    """Send 'face' back as it came, for the same race; or search with the picture again."""


class OriginalsOff(Refusal, status=403):
    """This race gives no full-size pictures. Download the preview."""


class OriginalArchived(Refusal, status=409):
    """The full-size picture lies in an archive by now. Download the preview, or ask the organizer for it."""


class NoOriginal(Refusal, status=409):
    """This photo has no full-size picture that can be given away. Download the preview."""


class FacesOff(Refusal, status=409):
    """This race does not search by face. Search by bib instead."""


class NoFace(Refusal, status=422):
    """There is no face to be seen. Send a picture with your face large, from the front and well lit."""


class SeveralFaces(Refusal, status=422):
    """There are several faces, so whose photos you want is unclear. Send a picture of one person, or crop it."""


class NotAnImage(Refusal, status=415):
    """This is not a picture we can read. Send a whole JPEG or PNG file."""


class PictureTooLarge(TooLarge):
    """The picture is too large. Make it smaller: 1,280 pixels a side are plenty for a selfie."""


Unusable = NoFace | NotAnImage | PictureTooLarge
"""What a picture is in which Rekognition cannot look for a face."""


# --- what is taken ----------------------------------------------------------------------------------------


def _local_time(text: str) -> str | None:
    """The time as it stands; a time of day is one of any day."""
    return text if wall_clock(f"2000-01-01T{text}" if text[2:3] == ":" else text) else None


def _from_base64(text: str) -> bytes | None:
    """What was encoded; a data URL's head is passed over."""
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except ValueError:
        return None


_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_HOUR = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?"
Id = Annotated[str, Meta(pattern=f"^{ID}$"), Otherwise(UnknownRace())]
Bib = Annotated[str, Meta(max_length=20), Reads(bibs.canonical), Otherwise(BadBib())]
LocalTime = Annotated[
    str,
    Meta(pattern=f"^({_DAY}|({_DAY}T)?{_HOUR})$"),
    Reads(_local_time),
    Otherwise(BadTime()),
]


class RaceAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A race."""

    organizer_id: Id
    event_id: Id

    @property
    def race(self) -> RaceRef:
        """The race as a pair."""
        return RaceRef(self.organizer_id, self.event_id)


class PhotoAsked(RaceAsked, frozen=True, kw_only=True):
    """One photo of a race."""

    photo_id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$"), Otherwise(UnknownPhoto())]


class Filtered(RaceAsked, frozen=True, kw_only=True):
    """A page of a race's photos, of those that all filters let through."""

    bib: Bib | None = None
    order: Annotated[Order, Otherwise(BadOrder())]
    begin: Annotated[
        LocalTime | None,
        Meta(
            description="Taken at this time or later, by the race's clock (no zone), like 2026-11-08T09:30; or at this "
            "time of whichever day, like 09:30."
        ),
    ] = msgspec.field(default=None, name="from")
    end: Annotated[
        LocalTime | None,
        Meta(
            description="Taken before the end of this day, minute or second. As a time of day, one before `from` is of "
            "the next day: from=22:00 and to=02:00 are a night."
        ),
    ] = msgspec.field(default=None, name="to")
    photographer: str | None = None
    limit: Annotated[
        int, Meta(ge=1, le=MAX_LIMIT), Otherwise(BadLimit(f"limit is a whole number from 1 to {MAX_LIMIT}."))
    ] = 24
    cursor: Annotated[
        str | None, Meta(max_length=400, description="`next_cursor` of the page before."), Otherwise(BadCursor())
    ] = None


class PhotosAsked(Filtered, frozen=True, kw_only=True):
    """A page of a race's photos."""

    bib: Annotated[
        Bib | None,
        Meta(description="Only photos of this bib. Case, width, '#', a hyphen and leading zeros do not matter."),
    ] = None
    order: Annotated[
        Order, Meta(description="By the time taken, or (only with a bib) the surest first."), Otherwise(BadOrder())
    ] = "newest"
    doubtful: Annotated[
        bool,
        Meta(description='With a bib, "true" also gives the photos in which the runner is only supposed to be.'),
    ] = False


class OfFace(Filtered, frozen=True, kw_only=True):
    """What can be asked of the photos of a face."""

    bib: Annotated[Bib | None, Meta(description="What this bib already finds is left out of `new_photos`.")] = None
    order: Annotated[
        Order, Meta(description="The most similar first, or by the time taken."), Otherwise(BadOrder())
    ] = "best"


class SelfieAsked(OfFace, frozen=True, kw_only=True):
    """A page of the photos of a face."""

    threshold: Annotated[
        float,
        Meta(ge=0, le=100, description="The least similarity, in percent."),
        Otherwise(BadField("Send 'threshold' as a percentage from 0 to 100.")),
    ] = 80.0
    image: Annotated[
        bytes,
        Reads(_from_base64),
        Meta(description="Base64 of a JPEG or PNG of at most 4 MB with one person, or one clearly in front."),
        Otherwise(NotAnImage("Send 'image_b64' as base64 of a JPEG or PNG file.")),
    ] = msgspec.field(name="image_b64")


class FaceAsked(OfFace, frozen=True, kw_only=True):
    """A page of the photos of a face that was looked for already."""

    face: Annotated[
        str, Meta(max_length=MAX_FACE, description="`face` of the answer to the selfie."), Otherwise(BadFace())
    ]


# --- what is answered -------------------------------------------------------------------------------------


class RaceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A race. `faces` says whether a selfie can be searched in it, `originals` whether full-size pictures are given."""

    organizer_id: str
    event_id: str
    name: str
    date: str
    timezone: str
    faces: bool
    originals: bool


class PhotoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A photo. Links work for 10 minutes at least; width and height are the preview's, in pixels.

    `taken_at_sure` is false where the time is not when the photo was taken, but when its file was stored or changed.
    """

    photo_id: str
    filename: str
    taken_at: str | None
    taken_at_sure: bool
    photographer: str | None
    runners: tuple[Runner, ...]
    preview_url: str
    thumbnail_url: str
    placeholder: str
    width: int
    height: int


class OnePhotoAnswer(PhotoAnswer, frozen=True, kw_only=True):
    """A photo, with why its runners are supposed to be in it and a link under which browsers save it."""

    runners: tuple[ExplainedRunner, ...]
    download_url: str


class OriginalAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A link under which browsers save the full-size picture. It works for 10 minutes at least."""

    download_url: str


class MatchedPhotoAnswer(PhotoAnswer, frozen=True, kw_only=True):
    """A photo that a face was found in; `similarity` in percent."""

    similarity: float


class PhotosAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of photos; `total` counts all pages where that is known (with a bib), else null."""

    photos: list[PhotoAnswer]
    next_cursor: str | None
    total: int | None


class SelfieAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the photos of a face; `new_photos` are those of them that are not found by the bib already.

    `face` asks for other pages, orders and filters without the picture. It holds photo ids and similarities.
    """

    photos: list[MatchedPhotoAnswer]
    new_photos: list[MatchedPhotoAnswer]
    next_cursor: str | None
    total: int
    face: str


# --- the routes -------------------------------------------------------------------------------------------


class SearchApi(Questions):
    """Finds a runner's photos by bib, by selfie and by time. Links in answers work for 10 to 15 minutes."""

    BUSY: ClassVar[Busy] = Busy("Search is busy. Try again in a few seconds.")

    @route("GET", "/", who="anybody")
    @abstractmethod
    def page(self, asked: PageAsked) -> PageAnswer:
        """The runner's page.

        Takes `?organizer=…&event=…` for the race and, to search at once, `&bib=…`.
        """

    @route("GET", "/page/{file}", who="anybody")
    @abstractmethod
    def page_file(self, asked: PageFileAsked) -> PageFileAnswer | UnknownFile:
        """What the page loads."""

    @route("GET", "/races/{organizer_id}/{event_id}", who="anybody")
    @abstractmethod
    def race(self, asked: RaceAsked) -> RaceAnswer | UnknownRace:
        """A race: what the public may know of it."""

    @route("GET", "/races/{organizer_id}/{event_id}/photos", who="anybody")
    @abstractmethod
    def photos(self, asked: PhotosAsked) -> PhotosAnswer | NothingToBeBestAt | DayAndHours | BadCursor | UnknownRace:
        """Photos of a race.

        All filters combine. A page can hold fewer photos than `limit`; there are more while `next_cursor` is not null.
        """

    @route("GET", "/races/{organizer_id}/{event_id}/photos/{photo_id}", who="anybody")
    @abstractmethod
    def photo(self, asked: PhotoAsked) -> OnePhotoAnswer | UnknownPhoto | UnknownRace:
        """One photo, with a link to save it by."""

    # The first request for a photo copies up to 40 MB.
    @route(
        "GET",
        "/races/{organizer_id}/{event_id}/photos/{photo_id}/original",
        who="anybody",
        throttle=Throttle(rate=20, burst=40, each_client=60),
    )
    @abstractmethod
    def original(
        self, asked: PhotoAsked
    ) -> OriginalAnswer | OriginalsOff | OriginalArchived | NoOriginal | UnknownPhoto | UnknownRace:
        """The full-size picture, where the race gives it away.

        It is the upload's own picture, in its format and without a watermark; what the camera noted (place, time,
        serial number) is left out.
        """

    # Two calls of Rekognition each: at this rate a whole hour of selfies costs some $150.
    @route("POST", "/selfie", who="anybody", throttle=Throttle(rate=20, burst=40, each_client=60))
    @abstractmethod
    def selfie(
        self, asked: SelfieAsked
    ) -> SelfieAnswer | DayAndHours | BadCursor | FacesOff | SeveralFaces | Unusable | UnknownRace:
        """The photos of a face.

        The picture is compared and forgotten: never stored, never logged. For the next page, another order or other
        filters ask `/selfie/photos` with the answer's `face`; or send the same request again with `cursor`.
        """

    # Reads all photos of the face, up to 500, for each page.
    @route("POST", "/selfie/photos", who="anybody", throttle=Throttle(rate=50, burst=100, each_client=300))
    @abstractmethod
    def face(self, asked: FaceAsked) -> SelfieAnswer | BadFace | DayAndHours | BadCursor | FacesOff | UnknownRace:
        """More of the photos of a face that a selfie found.

        Nothing is compared again: photos that came since the selfie was sent are not among them.
        """
