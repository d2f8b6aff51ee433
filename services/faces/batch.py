"""One invocation's messages: which photos they are about, what is learned of them, and for whom else that matters."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from services.faces.edges import Collections, FoundMatch, Photo
from services.faces.notes import MatchRace, ResolvePhoto, SearchPhoto, TidyPhoto
from services.faces.state import concerns, learn
from services.faces.work import Work
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import BibCorrected, BibsRead, Envelope, FacesIndexed, MatchCut, PhotoWithdrawn
from shared.contracts.keys import RaceRef
from shared.contracts.messages import Message
from shared.contracts.notes import Noted

MOST_SEARCHES = 100  # of one invocation, unless one photo alone has more: some 30 s

Heard = BibsRead | FacesIndexed | PhotoWithdrawn | BibCorrected | MatchCut


class Batch:
    """The messages of one invocation, sorted by what is to be done with them. Raises InvalidMessage for others."""

    def __init__(self, messages: Sequence[Message], collections: Collections) -> None:
        self.photos: dict[Photo, Message] = {}
        """Whom the messages are about, with the cause of what follows for them."""
        self.told: dict[Photo, Message] = {}
        """Those that something was told about; the others are only to be looked at again."""
        self.looks: dict[RaceRef, tuple[MatchRace, Message]] = {}
        """Races to look at, each by its latest note."""
        self.put_off: dict[Photo, bool] = {}
        """Photos that are left to be searched another time: whether all their faces, or those that need others."""
        self._heard: list[tuple[Photo, Heard]] = []
        self._to_search: dict[Photo, bool] = {}
        self._to_tidy: set[Photo] = set()
        self._find = functools.cache(collections.matches)  # asked at most once, however often the write is retried
        self._found: dict[Photo, dict[str, list[FoundMatch]]] = {}
        for message in messages:
            self._sort(message)

    def _sort(self, message: Message) -> None:
        match message:
            case Envelope(data=BibsRead() | FacesIndexed() | PhotoWithdrawn() | BibCorrected() | MatchCut() as event):
                for photo_id in concerns(event):
                    photo = (event.race, photo_id)
                    self._heard.append((photo, event))
                    # Of several causes one that is no replay counts: what it says is news to the archive.
                    if photo not in self.told or message.meta.replay is None:
                        self.photos[photo] = self.told[photo] = message
            case Noted(note=ResolvePhoto() | TidyPhoto() | SearchPhoto() as note):
                photo = (note.race, note.photo_id)
                self.photos.setdefault(photo, message)
                if isinstance(note, TidyPhoto):
                    self._to_tidy.add(photo)
                if isinstance(note, SearchPhoto):
                    self._to_search[photo] = self._to_search.get(photo, False) or note.all_faces
            case Noted(note=MatchRace() as note):
                latest, _ = self.looks.get(note.race, (note, message))
                if note.at >= latest.at:
                    self.looks[note.race] = note, message
            case _:
                raise InvalidMessage("not_ours", "The identity function does not hear this kind of message.")

    def apply(self, work: Work) -> None:
        """Do it all in memory: learn, search, and work out who is in each of the photos."""
        work.load(self.photos)
        for photo, event in self._heard:
            work.put(photo[0], learn(event, photo[1], work.get(photo)))
        self._search(work)
        work.load_neighbours(self.photos)
        for photo, by in self.photos.items():
            work.tidy(photo, own_faces=photo in self._to_tidy)
            work.conclude(photo, by.meta)

    def _search(self, work: Work) -> None:
        """Ask the collection for the photos that are to be searched, and note what matches at both photos."""
        searches = 0
        for photo, all_faces in self._to_search.items():
            race, photo_id = photo
            identity = work.get(photo)
            wanted = [face.face_id for face in identity.faces] if all_faces else identity.needing
            searches += len(wanted)
            if searches > MOST_SEARCHES and self._found.keys() - {photo}:
                self.put_off.setdefault(photo, all_faces)
                continue
            self._found[photo] = {face_id: self._find(race, photo_id, face_id) for face_id in wanted}
        work.load((race, match.photo_id) for race, _, _, match in self._matches())
        for race, photo_id, face_id, match in self._matches():
            work.match(race, (photo_id, face_id), (match.photo_id, match.face_id), match.similarity)

    def _matches(self) -> Iterator[tuple[RaceRef, str, str, FoundMatch]]:
        """All that was found: race, photo, face, and what it matches."""
        for (race, photo_id), found in self._found.items():
            for face_id, matches in found.items():
                for match in matches:
                    yield race, photo_id, face_id, match

    def others_concerned(self, work: Work) -> dict[Photo, Message]:
        """Photos that must be worked out again: those that match one that was told something, or a bib found now."""
        concerned: dict[Photo, Message] = {}
        for (race, photo_id), by in self.told.items():
            others = sorted(work.get((race, photo_id)).neighbours)
            concerned |= {(race, other): by for other in others}
        for (race, photo_id), found in self._found.items():
            links = work.get((race, photo_id)).links
            others = sorted({match.photo_id for face_id in found.keys() & links.keys() for match in found[face_id]})
            concerned |= {(race, other): self.photos[race, photo_id] for other in others}
        return concerned
