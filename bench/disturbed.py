"""A race whose people go on while parts of the runtime die under them: each repeats a command until it succeeds.

What was acknowledged to them is remembered, and looked for after each kill and at the end: the race's files, uploads, a
correction, and photos that could be found.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from ops.demo.material import Material
from ops.look.photo import identified, photo_report
from ops.look.state_hash import StateHash
from ops.look.status import searchable
from ops.race.correct import NotShownYet, bib_correction, say
from ops.race.folders import key_of
from ops.race.races import import_roster
from ops.race.settings import put_race
from ops.race.upload import upload
from ops.reach.errors import Failed
from ops.reach.raw_photos import raw_photos
from ops.reach.search_api import SearchApi
from ops.reach.target import Target
from services.ingest.records import KeyState
from services.races.records import RaceKnown, RosterHeld
from services.search.records import ShownPhoto
from shared.contracts.events import BibCorrected
from shared.contracts.keys import RaceRef, photo_id

T = TypeVar("T")

_PAUSE_S = 0.5  # before a command is repeated
_TROUBLE = (Failed, BotoCoreError, ClientError)
"""What commands end with while a part is down."""


class GivenUp(Exception):
    """The bench ends, and nobody goes on."""


class Came(NamedTuple):
    """What a race came to, with file names in place of photo ids: in races of the same photos the same.

    `ended` says of each file whether it is "searchable", or the reason for which it was rejected; `shown` are the files
    that a runner is shown, by bib; `inferred` counts runners whose bib was not read where they were found.
    """

    state_hash: str
    ended: dict[str, str]
    shown: dict[str, list[str]]
    inferred: int


class DisturbedRace:
    """One race, and the thread in which its people work."""

    def __init__(self, target: Target, ref: RaceRef, material: Material, correction: tuple[str, str]) -> None:
        """`correction` is a file name and the bib of a runner who can be read there."""
        self.ref = ref
        self.bibs = [runner.bib for runner in material.roster.runners] if material.roster else []
        self.uploads_began = threading.Event()
        self.names = {
            photo_id(ref, hashlib.sha256(path.read_bytes()).hexdigest()): path.name for path in material.photos
        }
        self._target = target
        self._material = material
        self._correction = correction
        self._corrected: BibCorrected | None = None
        self._found: frozenset[str] = frozenset()
        self._uploaded = 0
        self._missing: set[str] = set()
        self._trouble: BaseException | None = None
        self._giving_up = threading.Event()
        self._thread = threading.Thread(target=self._work, name=str(ref), daemon=True)

    def begin(self) -> None:
        """Let the people begin."""
        self._thread.start()

    def wait(self) -> None:
        """Return when they are done: all is uploaded, and corrected."""
        self._thread.join()
        if self._trouble:
            raise self._trouble

    def give_up(self) -> None:
        """Let them end."""
        self._giving_up.set()
        self._thread.join()

    # --- what people do ----------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._until_it_succeeds(lambda: put_race(self._target, self.ref, self._material.settings))
            roster = self._material.roster_file
            if roster is not None:
                self._until_it_succeeds(lambda: import_roster(self._target, self.ref, roster))
            self._until_it_succeeds(self._upload)
            self._until_it_succeeds(self._correct)
        except GivenUp:
            pass
        except BaseException as trouble:  # noqa: BLE001 - raised in wait()
            self._trouble = trouble
        finally:
            self.uploads_began.set()

    def _until_it_succeeds(self, command: Callable[[], T]) -> T:
        while not self._giving_up.is_set():
            try:
                return command()
            except _TROUBLE:
                time.sleep(_PAUSE_S)
        raise GivenUp

    def _upload(self) -> None:
        """Send what is not there yet. What was taken before must be there, and is not sent again."""
        if len(there := raw_photos(self._target, self.ref)) < self._uploaded:
            self._missing.add(f"{self.ref}: {self._uploaded - len(there)} uploads that were taken")
        self.uploads_began.set()

        def progress(done: int) -> None:
            self._uploaded = done

        self._uploaded = 0
        outcome = upload(self._target, self.ref, self._material.photos, photographer="박도현", progress=progress)
        if outcome.failed:
            raise Failed(f"{len(outcome.failed)} photos were not uploaded.")

    def _correct(self) -> None:
        """An organizer affirms a bib that is read, so that it is certain for all photos whose faces match."""
        filename, bib = self._correction
        photo = photo_report(self._target, self.ref, filename)
        face = photo.face_number(bib)
        if face is None:
            raise Failed(f"The face of {bib} in {filename} is not known yet.")
        word = bib_correction(self._target, photo, bib, here=True, face=face)
        with contextlib.suppress(NotShownYet):
            say(self._target, photo, word)
        self._corrected = word

    # --- what must be there ------------------------------------------------------------------------------

    def look(self) -> None:
        """Look whether all photos that could be found before still can, and remember those that can now."""
        found = searchable(self._target, self.ref)
        self._missing |= {f"{self.ref}: {self.names[photo]} was found before a kill" for photo in self._found - found}
        self._found |= found

    def missing(self, expected: Came) -> set[str]:
        """What was acknowledged, or comes to an end in an undisturbed race, and is not there; when all is quiet."""
        self.look()
        missing = set(self._missing)
        races, there = self._target.records("races"), raw_photos(self._target, self.ref)
        if races.get(RaceKnown.locate(self.ref)) is None:
            missing.add(f"{self.ref}: its settings")
        if self._material.roster_file is not None and races.get(RosterHeld.locate(self.ref)) is None:
            missing.add(f"{self.ref}: its roster")
        photos = self._material.photos
        missing |= {f"{self.ref}: the upload {path.name}" for path in photos if key_of(self.ref, path) not in there}
        ended = came_to(self._target, self).ended
        missing |= {f"{self.ref}: {name}, {end}" for name, end in expected.ended.items() if ended.get(name) != end}
        if (word := self._corrected) is not None:
            held = identified(self._target, self.ref, word.photo_id).corrections
            if (word.bib, word.revision) not in {(each.bib, each.revision) for each in held}:
                missing.add(f"{self.ref}: the correction of {self.names[word.photo_id]}")
        return missing


def came_to(target: Target, race: DisturbedRace) -> Came:
    """What the race came to."""
    shown = [renamed(photo, race.names) for photo in target.records("search").query(ShownPhoto, race.ref)]
    keys = [record for record in target.records("ingest").query(KeyState, race.ref) if record.state == "rejected"]
    rejected = [msgspec.structs.replace(record, key=_filename(record.key)) for record in keys]
    state = StateHash()
    for photo in sorted(shown, key=lambda photo: photo.photo_id):
        state.photo(photo)
    for record in sorted(rejected, key=lambda record: record.key):
        state.rejection(record)
    api = SearchApi(target.api_url("search"))
    return Came(
        state_hash=state.hexdigest(),
        ended=dict.fromkeys((race.names[photo] for photo in searchable(target, race.ref)), "searchable")
        | {record.key: str(record.reason) for record in rejected},
        shown={bib: sorted(race.names[photo.photo_id] for photo in api.by_bib(race.ref, bib)) for bib in race.bibs},
        inferred=sum(runner.status == "inferred" for photo in shown for runner in photo.runners),
    )


def renamed(photo: ShownPhoto, names: Mapping[str, str]) -> ShownPhoto:
    """The photo with file names in place of photo ids (`names`, by id) and keys."""
    replace = msgspec.structs.replace
    runners = tuple(
        replace(
            runner,
            evidence=tuple(replace(each, photo_id=names.get(each.photo_id or "")) for each in runner.evidence),
        )
        for runner in photo.runners
    )
    return replace(photo, photo_id=names[photo.photo_id], keys=tuple(map(_filename, photo.keys)), runners=runners)


def _filename(key: str) -> str:
    return key.rsplit("/", 1)[-1]
