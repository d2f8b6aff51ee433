"""What the messages of one invocation ask for, photo by photo and race by race."""

from __future__ import annotations

from services.faces.domain.evidence import EvidenceEvent, concerns
from services.faces.notes import MatchRace, ResolvePhoto, SearchPhoto, TidyPhoto
from shared.contracts.keys import PhotoRef, RaceRef
from shared.contracts.messages import Message


class Tasks:
    """Built message by message. What follows for a photo or race is caused by the message that is kept with it."""

    def __init__(self) -> None:
        self.to_resolve: dict[PhotoRef, Message] = {}
        """Photos of which it is to be worked out who is in them: all that messages are about."""
        self.with_evidence: dict[PhotoRef, Message] = {}
        """Those of them that something was told about."""
        self.evidence: list[tuple[PhotoRef, EvidenceEvent]] = []
        """What was told, in the order of the messages."""
        self.to_search: dict[PhotoRef, bool] = {}
        """Photos that the collection is searched for: whether all their faces, or those that want to hear of others."""
        self.to_tidy: set[PhotoRef] = set()
        """Photos that are to forget what their lost faces matched."""
        self.races: dict[RaceRef, tuple[MatchRace, Message]] = {}
        """Races whose searches are to be planned, each by its latest note."""

    def learn(self, event: EvidenceEvent, by: Message) -> None:
        """Evidence came."""
        for photo_id in concerns(event):
            ref = PhotoRef(event.race, photo_id)
            self.evidence.append((ref, event))
            # Of several causes one that is no replay counts: what it says is news to the archive.
            if ref not in self.with_evidence or by.meta.replay is None:
                self.to_resolve[ref] = self.with_evidence[ref] = by

    def look_again(self, note: ResolvePhoto | TidyPhoto | SearchPhoto, by: Message) -> None:
        """A photo is to be resolved again, in the light of what is forgotten or found before."""
        ref = PhotoRef(note.race, note.photo_id)
        self.to_resolve.setdefault(ref, by)
        if isinstance(note, TidyPhoto):
            self.to_tidy.add(ref)
        if isinstance(note, SearchPhoto):
            self.to_search[ref] = self.to_search.get(ref, False) or note.all_faces

    def match_race(self, note: MatchRace, by: Message) -> None:
        """A race may be quiet."""
        latest, _ = self.races.get(note.race, (note, by))
        if note.at >= latest.at:
            self.races[note.race] = note, by
