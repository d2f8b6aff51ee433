"""Finding photos as a runner does: through the search API."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import httpx
import msgspec

from ops.reach.errors import Failed
from ops.reach.files import read_file
from shared.contracts.events import Evidence
from shared.contracts.keys import RaceRef

Json = dict[str, Any]
_PAGE = 100
_SELFIE_MB = 4  # what API Gateway and Lambda let through, once it is base64


class FoundRunner(msgspec.Struct, frozen=True, kw_only=True):
    """A runner in a found photo."""

    bib: str
    status: Literal["confirmed", "inferred", "doubtful"]
    confidence: float
    read: bool


class KnownRunner(FoundRunner, frozen=True, kw_only=True):
    """A runner in a photo and how that is known, the weightiest evidence first."""

    evidence: tuple[Evidence, ...] = ()


class FoundPhoto(msgspec.Struct, frozen=True, kw_only=True):
    """A found photo, as far as the command line needs it; `similarity` (percent) when found by selfie."""

    photo_id: str
    filename: str
    taken_at: str | None
    runners: tuple[FoundRunner, ...]
    preview_url: str
    similarity: float | None = None


class OnePhoto(FoundPhoto, frozen=True, kw_only=True):
    """A photo that was asked for by its id."""

    runners: tuple[KnownRunner, ...]


class SearchApi:
    """The search stage's REST API at `url`."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=60, trust_env=not url.startswith("http://127.0.0.1"))

    def by_bib(self, race: RaceRef, bib: str) -> Iterator[FoundPhoto]:
        """A runner's photos. Raises Failed with the API's sentence."""
        path = f"/races/{quote(race.organizer_id)}/{quote(race.event_id)}/photos"
        cursor: str | None = None
        while True:
            query = {"bib": bib, "limit": str(_PAGE), **({"cursor": cursor} if cursor else {})}
            answer = self._ask("GET", path, params=query)
            yield from msgspec.convert(answer["photos"], list[FoundPhoto])
            cursor = answer["next_cursor"]
            if cursor is None:
                return

    def photo(self, race: RaceRef, photo_id: str) -> OnePhoto | None:
        """One photo with the evidence about who is in it; None where runners are shown no such photo."""
        path = f"/races/{quote(race.organizer_id)}/{quote(race.event_id)}/photos/{quote(photo_id)}"
        try:
            return msgspec.convert(self._ask("GET", path), OnePhoto)
        except _NotThere:
            return None

    def by_selfie(self, race: RaceRef, selfie: Path) -> Iterator[FoundPhoto]:
        """The photos of a face, best first. Raises Failed with the API's sentence."""
        picture = read_file(selfie)
        if len(picture) > _SELFIE_MB * 1024**2:
            raise Failed(f"{selfie} is larger than {_SELFIE_MB} MB; save it smaller.")
        request: Json = {
            "image_b64": base64.b64encode(picture).decode(),
            "organizer_id": race.organizer_id,
            "event_id": race.event_id,
        }
        answer = self._ask("POST", "/selfie", json=request)
        yield from msgspec.convert(answer["photos"], list[FoundPhoto])
        while answer["next_cursor"] is not None:
            answer = self._ask("POST", "/selfie", json={**request, "cursor": answer["next_cursor"]})
            yield from msgspec.convert(answer["photos"], list[FoundPhoto])

    def _ask(self, method: str, path: str, **request: Any) -> Json:
        try:
            response = self._client.request(method, path, **request)
        except httpx.TransportError as error:
            raise Failed(f"The search API at {self._client.base_url} does not answer: {error}.") from None
        try:
            answer = response.json()
        except ValueError:
            answer = {}
        if response.is_success:
            return dict(answer)
        sentence = answer.get("error", {}).get("message") if isinstance(answer.get("error"), dict) else None
        refusal = _NotThere if response.status_code == httpx.codes.NOT_FOUND else Failed
        raise refusal(sentence or f"The search API answered {response.status_code} without saying why.")


class _NotThere(Failed):
    """The search API does not know what was asked for."""
