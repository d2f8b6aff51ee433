"""The api function: answers runners and machines, and serves the page that asks it."""

from __future__ import annotations

from services.search import pages
from services.search.domain import finding, selfie, shown
from services.search.domain.finding import Query
from services.search.edges import LINKS_LAST_S, Faces, Gallery, Links, Originals
from services.search.questions import (
    BadCursor,
    BadFace,
    DayAndHours,
    FaceAsked,
    FacesOff,
    NoOriginal,
    NothingToBeBestAt,
    OnePhotoAnswer,
    OriginalAnswer,
    OriginalArchived,
    OriginalsOff,
    PhotoAsked,
    PhotosAnswer,
    PhotosAsked,
    RaceAnswer,
    RaceAsked,
    SearchApi,
    SelfieAnswer,
    SelfieAsked,
    SeveralFaces,
    UnknownPhoto,
    UnknownRace,
    Unusable,
)
from services.search.stage import STAGE
from shared.contracts.api import Refusal
from shared.contracts.metrics import SELFIES_FOUND, SELFIES_NOT_FOUND
from shared.contracts.pages import PageAnswer, PageAsked, PageFileAnswer, PageFileAsked, UnknownFile
from shared.kit.api.routes import serves
from shared.kit.telemetry import Telemetry


class Search(SearchApi):
    """The search API's answers."""

    def __init__(
        self, gallery: Gallery, faces: Faces, links: Links, originals: Originals, telemetry: Telemetry
    ) -> None:
        self._telemetry = telemetry
        self._gallery = gallery
        self._faces = faces
        self._links = links
        self._originals = originals

    def page(self, asked: PageAsked) -> PageAnswer:
        """The page itself."""
        return pages.index(asked, pictures_from=self._links.origin(), links_last_s=LINKS_LAST_S)

    def page_file(self, asked: PageFileAsked) -> PageFileAnswer | UnknownFile:
        """What the page loads."""
        return pages.file(asked)

    def race(self, asked: RaceAsked) -> RaceAnswer | UnknownRace:
        """A race."""
        race = self._gallery.race(asked.race)
        return shown.race_answer(asked.race, race) if race else UnknownRace()

    def photos(self, asked: PhotosAsked) -> PhotosAnswer | NothingToBeBestAt | DayAndHours | BadCursor | UnknownRace:
        """Photos by bib, time and photographer."""
        if asked.order == "best" and asked.bib is None:
            return NothingToBeBestAt()
        query = finding.query_of(asked)
        if isinstance(query, Refusal):
            return query
        total = None
        if asked.bib is None:
            page = finding.page_of_sorted(self._gallery.by_time(asked.race, query), query)
        else:
            entries = [entry for entry in self._gallery.by_bib(asked.race, asked.bib) if query.admits(entry)]
            page, total = finding.page(entries, query), len(entries)
        # Asked only where nothing was found, to tell "no photos" from "no such race" without a read more.
        if not page.entries and not self._gallery.race(asked.race):
            return UnknownRace()
        photos = self._gallery.photos(asked.race, [entry.photo_id for entry in page.entries])
        return PhotosAnswer(
            photos=[shown.photo_answer(photo, self._links) for photo in photos.values()],
            next_cursor=page.next_cursor,
            total=total,
        )

    def photo(self, asked: PhotoAsked) -> OnePhotoAnswer | UnknownPhoto | UnknownRace:
        """One photo."""
        photo = self._gallery.photo(asked.race, asked.photo_id)
        if photo is not None and photo.here:
            return shown.one_photo_answer(photo, self._links)
        return UnknownPhoto() if self._gallery.race(asked.race) else UnknownRace()

    def original(
        self, asked: PhotoAsked
    ) -> OriginalAnswer | OriginalsOff | OriginalArchived | NoOriginal | UnknownPhoto | UnknownRace:
        """The full-size picture."""
        race = self._gallery.race(asked.race)
        if race is None:
            return UnknownRace()
        if not race.originals:
            return OriginalsOff()
        photo = self._gallery.photo(asked.race, asked.photo_id)
        if photo is None or photo.preview is None:
            return UnknownPhoto()
        key = self._originals.of(asked.race, photo.photo_id, photo.keys, photo.preview)
        if isinstance(key, Refusal):
            return key
        return OriginalAnswer(download_url=self._links.to_original(key, download_as=shown.filename(photo)))

    def selfie(
        self, asked: SelfieAsked
    ) -> SelfieAnswer | DayAndHours | BadCursor | FacesOff | SeveralFaces | Unusable | UnknownRace:
        """The photos of a face."""
        face = selfie.face_of(asked.image, asked.threshold)
        query = finding.query_of(asked, face)
        if isinstance(query, Refusal):
            return query
        if unreadable := selfie.unreadable(asked.image):
            return unreadable
        race = self._gallery.race(asked.race)
        if race is None:
            return UnknownRace()
        if not race.faces:
            return FacesOff()
        image = selfie.with_its_end(asked.image)
        areas = self._faces.areas(image)
        if isinstance(areas, Refusal):
            return areas
        if unclear := selfie.unclear(areas):
            return unclear
        similarity = self._faces.similarities(asked.race, image, asked.threshold)
        if isinstance(similarity, Refusal):
            return similarity
        answer = self._with_face(asked, query, similarity, selfie.as_face(asked.race, face, similarity))
        self._telemetry.measure(SELFIES_FOUND if answer.total else SELFIES_NOT_FOUND)
        return answer

    def face(self, asked: FaceAsked) -> SelfieAnswer | BadFace | DayAndHours | BadCursor | FacesOff | UnknownRace:
        """The photos of a face that was looked for already."""
        found = selfie.matches(asked.race, asked.face)
        if isinstance(found, Refusal):
            return found
        query = finding.query_of(asked, found.of)
        if isinstance(query, Refusal):
            return query
        race = self._gallery.race(asked.race)
        if race is None:
            return UnknownRace()
        return self._with_face(asked, query, found.by_id, asked.face) if race.faces else FacesOff()

    def _with_face(
        self, asked: SelfieAsked | FaceAsked, query: Query, similarity: dict[str, float], face: str
    ) -> SelfieAnswer:
        """The page of photos that are so similar, by their ids; `face` stands for all of them."""
        photos = self._gallery.photos(asked.race, similarity)
        entries = [entry for entry in selfie.entries(photos.values(), similarity) if query.admits(entry)]
        page = finding.page(entries, query)
        found = [
            shown.matched_photo_answer(photos[entry.photo_id], self._links, similarity[entry.photo_id])
            for entry in page.entries
        ]
        by_bib = self._gallery.by_bib(asked.race, asked.bib) if asked.bib else []
        known = {entry.photo_id for entry in by_bib if not entry.doubtful}
        return SelfieAnswer(
            photos=found,
            new_photos=[photo for photo in found if photo.photo_id not in known],
            next_cursor=page.next_cursor,
            total=len(entries),
            face=face,
        )


handler = serves(
    STAGE,
    "api",
    lambda here: Search(
        Gallery(here.records),
        Faces(here.client("rekognition"), here.environment.snaprace_env),
        Links(here.client("s3"), here.environment.derived_bucket),
        Originals(here.client("s3"), here.environment.photo_bucket, here.environment.derived_bucket),
        here.telemetry,
    ),
)
