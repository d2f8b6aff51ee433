"""Finding photos as a runner does: through the search API, by what the search stage says that it takes and answers."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx
import msgspec

from ops.reach.answers import sentence_of
from ops.reach.errors import Failed, read_file
from services.search import questions
from services.search.questions import MatchedPhotoAnswer, OnePhotoAnswer, PhotoAnswer
from shared.contracts.keys import RaceRef

_SELFIE_BYTES = 4_000_000  # what API Gateway and Lambda let through, once it is base64
_ROUTES = {route.name: route for route in questions.SearchApi.routes()}


class SearchApi:
    """The search stage's REST API at `url`."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=60, trust_env=not url.startswith("http://127.0.0.1"))

    def by_bib(self, race: RaceRef, bib: str) -> Iterator[PhotoAnswer]:
        """A runner's photos. Raises Failed with the API's sentence."""
        return self._pages("photos", questions.PhotosAsked(**race._asdict(), bib=bib, limit=questions.MAX_LIMIT))

    def newest(self, race: RaceRef) -> Iterator[PhotoAnswer]:
        """All photos, those taken last first. Raises Failed with the API's sentence."""
        return self._pages("photos", questions.PhotosAsked(**race._asdict(), limit=questions.MAX_LIMIT))

    def photo(self, race: RaceRef, photo_id: str) -> OnePhotoAnswer | None:
        """One photo with the evidence about who is in it; None where runners are shown no such photo."""
        try:
            asked = questions.PhotoAsked(**race._asdict(), photo_id=photo_id)
            return cast(OnePhotoAnswer, self._ask("photo", asked))
        except _NotThere:
            return None

    def by_selfie(self, race: RaceRef, selfie: Path) -> Iterator[MatchedPhotoAnswer]:
        """The photos of a face, best first. Raises Failed with the API's sentence."""
        picture = read_file(selfie)
        if len(picture) > _SELFIE_BYTES:
            raise Failed(f"{selfie} has {len(picture):,} bytes; at most {_SELFIE_BYTES:,} are taken. Save it smaller.")
        first = self._ask("selfie", questions.SelfieAsked(**race._asdict(), image=picture))
        yield from first.photos
        if first.next_cursor is not None:  # the picture is compared once
            asked = questions.FaceAsked(**race._asdict(), face=first.face, cursor=first.next_cursor)
            yield from self._pages("face", asked)

    def _pages(self, name: str, asked: msgspec.Struct | None) -> Iterator[Any]:
        """The photos of all pages."""
        while asked:
            page = self._ask(name, asked)
            yield from page.photos
            following = page.next_cursor is not None
            asked = msgspec.structs.replace(asked, cursor=page.next_cursor) if following else None

    def _ask(self, name: str, asked: msgspec.Struct) -> Any:
        """Ask by the route of that name; what it answers. Raises Failed with its refusal's sentence."""
        route = _ROUTES[name]
        values = _values(asked)
        in_path = [field for _, field, _, _ in string.Formatter().parse(route.path) if field]
        path = route.path.format(**{field: quote(str(values.pop(field))) for field in in_path})
        request: dict[str, Any] = {"params": values} if route.method == "GET" else {"json": values}
        try:
            response = self._client.request(route.method, path, **request)
        except httpx.TransportError as error:
            raise Failed(f"The search API at {self._client.base_url} does not answer: {error}.") from None
        if response.is_success:
            return msgspec.convert(response.json(), route.answers)
        refusal = _NotThere if response.status_code == httpx.codes.NOT_FOUND else Failed
        raise refusal(sentence_of(response, "The search API"))


def _values(asked: msgspec.Struct) -> dict[str, Any]:
    """What is asked by the names that the API knows, without what it takes for granted; bytes as base64."""
    fields = msgspec.structs.fields(asked)
    said = {field.encode_name for field in fields if getattr(asked, field.name) != field.default}
    return {name: value for name, value in msgspec.to_builtins(asked).items() if name in said}


class _NotThere(Failed):
    """The search API does not know what was asked for."""
