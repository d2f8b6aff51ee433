"""The api function: answers runners and machines, and serves the page that asks it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from botocore.exceptions import ClientError, HTTPClientError

from services.search import answers, finding, pages, selfie
from services.search.answers import Error, ErrorAnswer, ErrorCode, PhotosAnswer, SelfieAnswer
from services.search.domain import Race
from services.search.edges import TRANSIENT, Faces, Gallery, Links
from services.search.finding import Entry as Found
from services.search.http import Request, Response, as_json
from services.search.stage import STAGE
from shared.contracts.errors import RequestRefused, TemporaryFailure
from shared.contracts.keys import RaceRef
from shared.kit.entry import Entry

BUSY = "Search is busy. Try again in a few seconds."
RETRY_AFTER_S = 3

_PHOTO_ID = re.compile(r"[0-9a-f]{32}")


class Api:
    """One method for each route: a request in, a response out. All raise RequestRefused."""

    def __init__(self, gallery: Gallery, faces: Faces, links: Links) -> None:
        self._gallery = gallery
        self._faces = faces
        self._links = links

    def page(self, request: Request) -> Response:
        """The page itself (GET /)."""
        return pages.index(request, pictures_from=self._links.origin())

    def page_file(self, request: Request) -> Response:
        """What the page loads (GET /page/{file})."""
        return pages.file(request)

    def race(self, request: Request) -> Response:
        """A race (GET /races/{organizer_id}/{event_id})."""
        ref = _race_ref(request)
        return as_json(answers.race_answer(ref, self._known(ref)))

    def photos(self, request: Request) -> Response:
        """Photos by bib, time and photographer (GET …/photos)."""
        ref, query = _race_ref(request), finding.parse_query(request.query)
        total = None
        if query.bib is None:
            page = finding.page_of_sorted(self._gallery.by_time(ref, query), query)
        else:
            entries = [entry for entry in self._gallery.by_bib(ref, query.bib) if query.admits(entry)]
            page, total = finding.page(entries, query), len(entries)
        if not page.entries:
            self._known(ref)  # asked only here, to tell "no photos" from "no such race" without a read more
        photos = self._gallery.photos(ref, [entry.photo_id for entry in page.entries])
        shown = [photos[entry.photo_id] for entry in page.entries if entry.photo_id in photos]
        return as_json(
            PhotosAnswer(
                photos=[answers.photo_answer(photo, self._links) for photo in shown],
                next_cursor=page.next_cursor,
                total=total,
            )
        )

    def photo(self, request: Request) -> Response:
        """One photo (GET …/photos/{photo_id})."""
        ref, photo_id = _race_ref(request), request.path.get("photo_id", "")
        photo = self._gallery.photo(ref, photo_id) if _PHOTO_ID.fullmatch(photo_id) else None
        if photo is None or not photo.here:
            self._known(ref)
            raise RequestRefused(
                "unknown_photo", "There is no such photo in this race; it may have been withdrawn.", 404
            )
        return as_json(answers.one_photo_answer(photo, self._links))

    def selfie(self, request: Request) -> Response:
        """The photos of a face (POST /selfie)."""
        asked = selfie.parse(request.json(selfie.MAX_BODY))
        ref, query = asked.ref, asked.query
        if not self._known(ref).faces:
            raise RequestRefused("faces_off", "This race does not search by face. Search by bib instead.", 409)
        selfie.check_one_person(self._faces.areas(asked.image))
        matches = self._faces.matches(ref, asked.image, asked.threshold)
        similarity = {match.photo_id: match.similarity for match in matches}
        photos = self._gallery.photos(ref, similarity)
        entries = [
            Found(
                photo_id=photo.photo_id,
                shot_at=photo.shot_at,
                uploaded_at=photo.uploaded_at,
                photographer=photo.photographer,
                trust=(similarity[photo.photo_id], 0.0),
            )
            for photo in photos.values()
        ]
        entries = [entry for entry in entries if query.admits(entry)]
        page = finding.page(entries, query)
        known = self._known_by_bib(ref, query.bib)
        shown = [
            answers.matched_photo_answer(photos[entry.photo_id], self._links, similarity[entry.photo_id])
            for entry in page.entries
        ]
        return as_json(
            SelfieAnswer(
                photos=shown,
                new_photos=[photo for photo in shown if photo.photo_id not in known],
                next_cursor=page.next_cursor,
                total=len(entries),
            )
        )

    def _known(self, ref: RaceRef) -> Race:
        race = self._gallery.race(ref)
        if race is None:
            raise finding.unknown_race()
        return race

    def _known_by_bib(self, ref: RaceRef, bib: str | None) -> set[str]:
        if bib is None:
            return set()
        return {entry.photo_id for entry in self._gallery.by_bib(ref, bib) if entry.status != "doubtful"}


ROUTES: dict[tuple[str, str], Callable[[Api, Request], Response]] = {
    ("GET", "/"): Api.page,
    ("GET", "/page/{file}"): Api.page_file,
    ("GET", "/races/{organizer_id}/{event_id}"): Api.race,
    ("GET", "/races/{organizer_id}/{event_id}/photos"): Api.photos,
    ("GET", "/races/{organizer_id}/{event_id}/photos/{photo_id}"): Api.photo,
    ("POST", "/selfie"): Api.selfie,
}


def _race_ref(request: Request) -> RaceRef:
    return finding.parse_race(request.path.get("organizer_id", ""), request.path.get("event_id", ""))


def answer(api: Api, request: Request) -> Response:
    """The response to any request: what is refused or too much just now is an answer too."""
    if request.method == "OPTIONS":
        return Response(body="", status=204)
    route = ROUTES.get((request.method, request.resource))
    try:
        if route is None:
            raise RequestRefused("unknown_route", "There is no such address. See the API's description.", 404)
        return route(api, request)
    except RequestRefused as refusal:
        return _error(cast(ErrorCode, refusal.reason), str(refusal), refusal.status)
    except (TemporaryFailure, HTTPClientError):
        return _busy()
    except ClientError as error:
        if error.response["Error"]["Code"] not in TRANSIENT:
            raise
        return _busy()


def _busy() -> Response:
    return _error("busy", BUSY, 503, {"Retry-After": str(RETRY_AFTER_S)})


def _error(code: ErrorCode, message: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return as_json(ErrorAnswer(error=Error(code=code, message=message)), status, headers)


def _respond(api: Api, event: dict[str, Any], _context: Any, entry: Entry[Api]) -> dict[str, Any]:
    request = Request.from_event(event)
    with entry.telemetry.request(f"{request.method} {request.resource}"):
        return answer(api, request).to_event()


handler = Entry(
    STAGE,
    "api",
    lambda here: Api(
        Gallery(here.table),
        Faces(here.client("rekognition"), here.environment.snaprace_env),
        Links(here.client("s3"), here.environment.derived_bucket),
    ),
    _respond,
)
