"""The searches of one invocation."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping

from services.faces.domain.links import link_bibs, unsure_faces
from services.faces.domain.matches import matched
from services.faces.edges import Collections, FoundMatch
from services.faces.unit_of_work import UnitOfWork
from shared.contracts.keys import PhotoRef
from shared.kit.failures import Kind, kind_of

MOST_SEARCHES = 100  # of one invocation, unless one photo alone has more: some 30 s


class Searches:
    """Searches the collection for photos, each face once, however often the write is tried.

    `wanted` says of each photo whether for all its faces, or for those that want to hear what others say. Other faces
    may be searched besides, see `look_at_once`.
    """

    def __init__(self, collections: Collections, wanted: Mapping[PhotoRef, bool]) -> None:
        self._wanted = wanted
        self._find = functools.cache(collections.matches)
        self._found: dict[PhotoRef, dict[str, list[FoundMatch]]] = {}
        self._at_once = 0
        self.put_off: dict[PhotoRef, bool] = {}
        """Those of `wanted` that are left for another invocation."""

    def look_at_once(self, urgent: Mapping[PhotoRef, tuple[str, ...]]) -> None:
        """Search for these faces of other photos than those that are wanted, as far as there is room for it.

        What is left out, or refused for whatever reason, is found by the race's next round, which does not count on
        this: so what was told of these photos is not kept waiting by Rekognition.
        """
        for ref, faces in urgent.items():
            if ref in self._wanted or ref in self._found or self._at_once + len(faces) > MOST_SEARCHES:
                continue
            self._at_once += len(faces)
            try:
                self._found[ref] = {face_id: self._find(*ref, face_id) for face_id in faces}
            except Exception:  # noqa: BLE001 - whatever it is, the round meets it again, and says so
                return

    def run(self, photos: UnitOfWork) -> None:
        """Search, and note what matches at both photos; when they are refused for their number, put off the rest."""
        searches = 0
        for ref, all_faces in self._wanted.items():
            photo = photos.get(ref)
            faces = tuple(face.face_id for face in photo.faces) if all_faces else unsure_faces(photo)
            searches += len(faces)
            if searches > MOST_SEARCHES and self._found.keys() - {ref}:
                self.put_off.setdefault(ref, all_faces)
                continue
            try:
                self._found[ref] = {face_id: self._find(*ref, face_id) for face_id in faces}
            except Exception as error:
                if not self._found or kind_of(error) is not Kind.THROTTLED:
                    raise
                # What was found is kept, or a quota that is used up half-way would have all of it searched again.
                self.put_off.setdefault(ref, all_faces)
                searches = MOST_SEARCHES
        photos.load(PhotoRef(ref.race, match.photo_id) for ref, _, match in self._matches())
        for ref, face_id, match in self._matches():
            other = PhotoRef(ref.race, match.photo_id)
            pair = matched((photos.get(ref), face_id), (photos.get(other), match.face_id), match.similarity)
            for photo in pair:
                photos.put(PhotoRef(ref.race, photo.photo_id), photo)

    @property
    def done(self) -> Iterable[PhotoRef]:
        """The photos that were searched for."""
        return self._found.keys()

    def found_for_bibs(self, ref: PhotoRef, photos: UnitOfWork) -> list[PhotoRef]:
        """The photos that match a face of this one which wears a bib."""
        found, links = self._found[ref], link_bibs(photos.get(ref))
        matching = {match.photo_id for face_id in found.keys() & links.keys() for match in found[face_id]}
        return [PhotoRef(ref.race, photo_id) for photo_id in sorted(matching)]

    def _matches(self) -> Iterator[tuple[PhotoRef, str, FoundMatch]]:
        """All that was found: the photo, its face, and what that matches."""
        for ref, found in self._found.items():
            for face_id, matches in found.items():
                for match in matches:
                    yield ref, face_id, match
