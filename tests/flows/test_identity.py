"""Identity under any order, repetition, interleaving and death of deliveries: always what a batch over all gives."""

from __future__ import annotations

import copy
import dataclasses
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.faces import searches as searches_module
from services.faces.domain.links import link_bibs, needs_search
from services.faces.domain.matches import MatchingFace
from services.faces.domain.similarity import MATCHES_FROM, Sight, worth
from services.faces.domain.votes import resolve
from services.faces.notes import SearchPhoto
from services.faces.records import Correction, EarlyPhoto, IdentifiedPhoto, NewPhoto
from services.ocr.domain.bibs import read_bibs
from services.ocr.records import End, Word
from shared.contracts import boxes, keys
from shared.contracts.errors import Throttled
from shared.contracts.events import BibsRead, Box, Face, FaceQuality, FacesIndexed, MatchedRunner, PhotoIngested, Taken
from shared.contracts.keys import RaceRef
from shared.contracts.notes import Noted
from shared.contracts.roster.names import Names, names_of
from shared.contracts.roster.runners import Runner
from shared.kit.records import Records
from tests.kit import events
from tests.kit.compare import assert_same
from tests.kit.events import RACE, configured, corrected, ingested, match_cut, withdrawn
from tests.kit.fake_aws import Seen, as_aws
from tests.kit.pipeline import Pipeline, parsed

ROSTER = ["11", "22", "33", "44", "1234", "A77"]
WIDER_ROSTER = [*ROSTER, "1134"]
NAME_OF = {"1234": "Anna Berg", "1134": "Ute Bohm", "33": "Eva Holm"}
OTHER_ROSTER = ["11", "22", "1235", "99999"]


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@dataclass(frozen=True)
class Person:
    """Somebody in a photo: which face, the text on her chest ("" = hidden), how surely that is read; in sunglasses?

    Of a number with a question mark at an end the detector says that it goes on there. A name stands below it. The
    `clothes` are shares of two colours, where the detector says so.
    """

    name: str
    chest: str
    confidence: float = 97.5
    sunglasses: bool = False
    clothes: tuple[float, ...] = ()

    @property
    def quality(self) -> FaceQuality:
        """How well she is seen, as a detector says."""
        worn = 98.0 if self.sunglasses else 2.0
        return FaceQuality(sharpness=90.0, brightness=55.0, yaw=-4.0, pitch=2.0, occluded=worn, sunglasses=worn)

    def words(self, where: Box) -> list[Word]:
        number, _, name = self.chest.partition(" ")
        ends: dict[End, bool] = {"START": number.startswith("?"), "END": number.endswith("?")}
        cut = tuple(end for end, hidden in ends.items() if hidden)
        read = [Word(text=number.strip("?"), confidence=self.confidence, box=where, cut=cut)]
        below = msgspec.structs.replace(where, top=where.top + where.height, height=where.height / 2)
        return read + ([Word(text=name, confidence=97.5, box=boxes.from_rekognition(as_aws(below)))] if name else [])


Race = dict[str, list[Person]]


def place(slot: int) -> tuple[Box, Box]:
    """Where the face and the bib of the n-th person in a photo are."""
    left = 0.05 + 0.24 * slot
    return (
        Box(left=left, top=0.2, width=0.06, height=0.09),
        Box(left=left + 0.005, top=0.42, width=0.05, height=0.03),
    )


def words_of(people: list[Person]) -> list[Word]:
    return [word for n, person in enumerate(people) if person.chest for word in person.words(place(n)[1])]


def paint(pipeline: Pipeline, race: Race) -> None:
    for photo, people in race.items():
        pipeline.rekognition.faces_in[photo] = [
            Seen(p.name, place(n)[0], sunglasses=p.sunglasses, clothes=p.clothes) for n, p in enumerate(people)
        ]
        words = words_of(people)
        pipeline.rekognition.words_in[photo] = [(word.text, word.confidence, word.box) for word in words]
        pipeline.rekognition.marks_in[photo] = {n: {"Cut": [*word.cut]} for n, word in enumerate(words) if word.cut}


def lookalikes(a: str, b: str) -> float:
    if a == b:
        return 98.0
    return {frozenset({"ann", "bea"}): 88.0, frozenset({"cho", "dan"}): 83.0}.get(frozenset({a, b}), 0.0)


# --- the reference ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """What an organizer said: `slot` is the face's number in the photo."""

    photo: str
    bib: str
    here: bool
    slot: int | None
    revision: int


@dataclass(frozen=True)
class Told:
    """Two faces, each by photo and number, that an organizer told apart or (`cut` False) put together again."""

    one: tuple[str, int]
    other: tuple[str, int]
    cut: bool
    revision: int = 0


def pairs_alike(race: Race) -> list[tuple[tuple[str, int], tuple[str, int]]]:
    """The pairs of faces of different photos that match."""
    faces = [(photo, n, person.name) for photo, people in sorted(race.items()) for n, person in enumerate(people)]
    return [
        ((photo, n), (other_photo, m))
        for photo, n, name in faces
        for other_photo, m, other_name in faces
        if photo != other_photo and lookalikes(name, other_name) >= 80
    ]


Times = dict[str, tuple[str, int]]
"""The photographer of a photo, and the second when it was taken; missing where either is unknown."""


@dataclass
class Story:
    """A race as it is in the end, and how it came there.

    `times` are what ingest says of the photos at last, and `first_times` what it says before of those that come `back`
    or are `redated`.
    """

    race: Race
    times: Times = field(default_factory=dict)
    first_times: Times = field(default_factory=dict)
    redated: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()
    rosters: tuple[list[str], ...] = (ROSTER,)
    switches: tuple[bool, ...] = (True,)
    corrections: list[Said] = field(default_factory=list)
    cuts: list[Told] = field(default_factory=list)


def expected(story: Story) -> dict[str, tuple[MatchedRunner, ...]]:
    """The batch reference: everything at once, from the pictures alone. Faces are named by photo and number."""
    settings_then = configured().settings
    observed = {}
    for photo, people in story.race.items():
        read = read_bibs(words_of(people), settings_then, frozenset(story.rosters[-1]), names=_names(story.rosters[-1]))
        seen = people if story.switches[-1] else []
        observed[photo] = IdentifiedPhoto(
            photo_id=photo,
            bibs=read,
            faces=tuple(
                Face(
                    face_id=f"{photo}/{n}",
                    box=place(n)[0],
                    confidence=99.5,
                    quality=person.quality,
                    clothes=person.clothes or msgspec.UNSET,
                )
                for n, person in enumerate(seen)
            ),
            taken=_taken(photo, story.times),
            corrections=_latest_corrections(story, photo),
        )
    here = [photo for photo in story.race if photo not in story.gone]
    links = {photo: link_bibs(observed[photo]) for photo in here}
    apart = _told_apart(story)
    result: dict[str, tuple[MatchedRunner, ...]] = {}
    for photo in here:
        matches: dict[str, list[MatchingFace]] = {}
        for n, face in enumerate(observed[photo].faces):
            for other_photo in here:
                for m, other in enumerate(observed[other_photo].faces):
                    similarity = lookalikes(story.race[photo][n].name, story.race[other_photo][m].name)
                    here_then, there_then = (_taken(each, story.times) for each in (photo, other_photo))
                    counts, why = worth(
                        similarity,
                        Sight(face.quality, face.clothes, here_then),
                        Sight(other.quality, other.clothes, there_then),
                    )
                    link = links[other_photo].get(other.face_id)
                    known = needs_search(links[photo].get(face.face_id)) or needs_search(link)
                    cut = frozenset({(photo, n), (other_photo, m)}) in apart
                    if photo != other_photo and counts >= MATCHES_FROM and known and not cut:
                        found = MatchingFace(
                            photo_id=other_photo, similarity=similarity, worth=counts, link=link, why=why
                        )
                        matches.setdefault(face.face_id, []).append(found)
        result[photo] = resolve(observed[photo], matches)
    return result


def _taken(photo: str, times: Times) -> Taken | msgspec.UnsetType:
    if photo not in times:
        return msgspec.UNSET
    photographer, second = times[photo]
    return Taken(taken_at=f"2026-10-25T09:00:{second:02}+09:00", photographer=photographer)


def arrived(photo: str, times: Times, revision: int = 1) -> PhotoIngested:
    """What ingest says of a photo with what is known of its time."""
    taken = _taken(photo, times)
    if not taken:
        return ingested(photo, revision)
    return ingested(photo, revision, taken_at=taken.taken_at, photographer=taken.photographer)


def _names(roster: list[str]) -> Names:
    return names_of(Runner(bib=bib, printed=bib, name=NAME_OF.get(bib, "")) for bib in roster)


def _latest_corrections(story: Story, photo: str) -> tuple[Correction, ...]:
    latest: dict[str, Said] = {}
    for said in sorted(story.corrections, key=lambda said: said.revision):
        if said.photo == photo:
            latest[said.bib] = said
    return tuple(
        Correction(
            bib=said.bib,
            here=said.here,
            box=None if said.slot is None else place(said.slot)[0],
            revision=said.revision,
        )
        for _, said in sorted(latest.items())
    )


def _told_apart(story: Story) -> set[frozenset[tuple[str, int]]]:
    apart: set[frozenset[tuple[str, int]]] = set()
    for told in sorted(story.cuts, key=lambda told: told.revision):
        pair = frozenset({told.one, told.other})
        apart = apart | {pair} if told.cut else apart - {pair}
    return apart


# --- stories ---------------------------------------------------------------------------------------------

NAMES = ["ann", "bea", "cho", "dan"]
CHESTS = ["", "", "11", "22", "33", "44", "1234", "A77", "1235", "12:34", "99999", "123?", "?34"]
CHESTS += ["?34 BERG", "1235 Böhm", "33 BERG"]
PHOTOS = [f"photo{n}" for n in range(6)]
PEOPLE = st.builds(
    Person,
    st.sampled_from(NAMES),
    st.sampled_from(CHESTS),
    st.sampled_from([97.5, 85.0, 65.0]),
    st.booleans(),
    st.sampled_from([(), (1.0, 0.0), (0.8, 0.2), (0.0, 1.0)]),
)
TIMES = st.dictionaries(
    st.sampled_from(PHOTOS), st.tuples(st.sampled_from(["Kim", "Lee"]), st.sampled_from([0, 1, 5, 50]))
)
RACES = st.dictionaries(
    st.sampled_from(PHOTOS),
    st.lists(PEOPLE, max_size=4, unique_by=lambda person: person.name),
    min_size=1,
    max_size=6,
)
SLOTS = st.integers(0, 3)


def _told_of(pair: tuple[tuple[str, int], tuple[str, int]], cut: bool) -> Told:
    return Told(pair[0], pair[1], cut)


STORIES = st.builds(
    Story,
    race=RACES,
    times=TIMES,
    first_times=TIMES,
    redated=st.frozensets(st.sampled_from(PHOTOS), max_size=2),
    gone=st.frozensets(st.sampled_from(PHOTOS[:3]), max_size=2),
    back=st.frozensets(st.sampled_from(PHOTOS[3:]), max_size=2),
    rosters=st.sampled_from([(ROSTER,), (WIDER_ROSTER,), (OTHER_ROSTER, ROSTER)]),
    switches=st.sampled_from([(True,), (True,), (True,), (False, True), (True, False), (True, False, True), (False,)]),
    corrections=st.lists(
        st.builds(Said, st.sampled_from(PHOTOS), st.sampled_from(ROSTER), st.booleans(), st.none() | SLOTS, st.just(0)),
        max_size=3,
    ),
    cuts=st.just([]),
).flatmap(
    lambda story: st.builds(
        dataclasses.replace,
        st.just(story),
        cuts=st.lists(st.builds(_told_of, st.sampled_from(pairs), st.booleans()), max_size=3)
        if (pairs := pairs_alike(story.race))
        else st.just([]),
    )
)


def tell(pipeline: Pipeline, story: Story) -> None:
    """Let the pipeline hear the story; each word of an organizer has a revision of its own."""
    paint(pipeline, story.race)
    for number, said in enumerate(story.corrections, start=1):
        story.corrections[number - 1] = Said(said.photo, said.bib, said.here, said.slot, number)
    for number, told in enumerate(story.cuts, start=1):
        story.cuts[number - 1] = Told(told.one, told.other, told.cut, number)
    again = (story.back | story.redated - story.gone) & story.race.keys()
    pipeline.hear(
        *(configured(faces=on, revision=f"0{n}") for n, on in enumerate(story.switches, start=1)),
        *(pipeline.roster(bibs, f"0{n}", NAME_OF) for n, bibs in enumerate(story.rosters, start=1)),
        *(arrived(photo, story.times if photo not in again else story.first_times) for photo in story.race),
        *(withdrawn(photo, 2) for photo in story.gone | story.back),
        *(arrived(photo, story.times, 3) for photo in again),
        *(
            corrected(
                said.photo,
                said.bib,
                here=said.here,
                box=None if said.slot is None else place(said.slot)[0],
                revision=said.revision,
            )
            for said in story.corrections
        ),
        *(match_cut(_at(told.one), _at(told.other), cut=told.cut, revision=told.revision) for told in story.cuts),
    )


def _at(face: tuple[str, int]) -> tuple[str, Box]:
    photo, slot = face
    return photo, place(slot)[0]


def check(pipeline: Pipeline, story: Story) -> None:
    """The state in the end is that of the batch reference, it was said, and nothing is left of what is gone."""
    reference = expected(story)
    outcomes = pipeline.outcomes()
    here = {photo: outcome for photo, outcome in outcomes.items() if photo in reference}
    assert here.keys() == reference.keys()
    assert {photo: _told(outcome.runners) for photo, outcome in here.items()} == {
        photo: _told(runners) for photo, runners in reference.items()
    }
    assert all(outcome.complete for outcome in here.values())
    newest = {event.photo_id: event for event in sorted(pipeline.matched, key=lambda event: event.revision)}
    assert {photo: newest[photo].runners for photo in here} == {photo: here[photo].runners for photo in here}
    assert {photo: newest[photo].revision for photo in here} == {photo: here[photo].revision for photo in here}
    kept = [photo for found in pipeline.rekognition.collections.values() for photo, _ in found.values()]
    assert Counter(kept) == Counter(photo for photo, outcome in here.items() for _ in outcome.faces)
    faces = {face.face_id for outcome in here.values() for face in outcome.faces}
    for outcome in outcomes.values():
        for face_id, found in outcome.matches.items():
            assert {face_id, *found} <= faces
    for kind in (NewPhoto, EarlyPhoto):
        assert not list(Records(pipeline.faces_table).query(kind, RACE))


def _told(runners: tuple[MatchedRunner, ...]) -> list[tuple[object, ...]]:
    """A runner without the face's id, which is drawn by the collection."""
    return [(r.bib, r.status, r.confidence, r.read, r.box, r.evidence) for r in runners]


ANYHOW = given(
    story=STORIES,
    seed=st.integers(0, 2**32),
    repeats=st.integers(1, 3),
    workers=st.integers(1, 4),
    deaths=st.sampled_from([0.0, 0.0, 0.02, 0.1]),
)
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
TRIED = settings(max_examples=250, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))


def gives_the_batch_result(story: Story, seed: int, repeats: int, workers: int, deaths: float) -> None:
    pipeline = Pipeline(chance=random.Random(seed), deaths=deaths)
    pipeline.rekognition.similar = lookalikes
    tell(pipeline, story)
    pipeline.run_anyhow(workers=workers, repeats=repeats)
    check(pipeline, story)


@TRIED
@ANYHOW
def test_any_order_repetition_interleaving_and_death_gives_the_batch_result(**how: Any) -> None:
    gives_the_batch_result(**how)


@pytest.mark.soak
@settings(TRIED, max_examples=5000)
@ANYHOW
def test_many_more_orders_give_the_batch_result(**how: Any) -> None:
    gives_the_batch_result(**how)


def test_a_photo_that_comes_back_is_found_again(pipeline: Pipeline) -> None:
    race = {"one": [Person("ann", "11")], "two": [Person("ann", "")]}
    paint(pipeline, race)
    pipeline.hear(configured(), pipeline.roster(ROSTER), ingested("one"), ingested("two"))
    pipeline.run()
    pipeline.hear(withdrawn("one", 2))
    pipeline.run()
    assert pipeline.outcomes()["two"].runners == ()
    pipeline.hear(ingested("one", revision=3))
    pipeline.run()
    assert [runner.bib for runner in pipeline.outcomes()["two"].runners] == ["11"]


def test_a_hidden_bib_is_inferred_from_the_face(pipeline: Pipeline) -> None:
    paint(pipeline, {"seen": [Person("ann", "11")], "hidden": [Person("ann", "")]})
    pipeline.hear(configured(), pipeline.roster(ROSTER), ingested("hidden"), ingested("seen"))
    pipeline.run()
    (runner,) = pipeline.outcomes()["hidden"].runners
    assert (runner.bib, runner.status, runner.read) == ("11", "inferred", False)


def test_a_group_photos_one_bib_does_not_spread(pipeline: Pipeline) -> None:
    paint(
        pipeline,
        {
            "group": [Person("ann", "11"), Person("bea", ""), Person("cho", "")],
            "bea": [Person("bea", "")],
            "cho": [Person("cho", "")],
        },
    )
    pipeline.hear(configured(), pipeline.roster(ROSTER), *map(ingested, ["group", "bea", "cho"]))
    pipeline.run()
    outcomes = pipeline.outcomes()
    assert [runner.bib for runner in outcomes["group"].runners] == ["11"]
    assert outcomes["bea"].runners == () and outcomes["cho"].runners == ()


def test_a_misread_on_the_roster_is_corrected_by_the_other_photos(pipeline: Pipeline) -> None:
    race = {f"right{n}": [Person("ann", "1234")] for n in range(3)} | {"wrong": [Person("ann", "33", 85.0)]}
    paint(pipeline, race)
    pipeline.hear(configured(), pipeline.roster(ROSTER), *map(ingested, race))
    pipeline.run()
    by_bib = {runner.bib: runner.status for runner in pipeline.outcomes()["wrong"].runners}
    assert by_bib == {"1234": "inferred", "33": "doubtful"}


def test_with_faces_off_nothing_biometric_is_asked_or_kept(pipeline: Pipeline) -> None:
    paint(pipeline, {"one": [Person("ann", "11")]})
    pipeline.hear(configured(faces=False), pipeline.roster(ROSTER), ingested("one"))
    pipeline.run()
    (runner,) = pipeline.outcomes()["one"].runners
    assert (runner.bib, runner.status, runner.face_id) == ("11", "confirmed", None)
    assert not {"CreateCollection", "IndexFaces", "SearchFaces"} & set(pipeline.rekognition.calls)
    assert pipeline.rekognition.collections == {}


def test_switching_faces_off_forgets_them_and_on_finds_them_again(pipeline: Pipeline) -> None:
    race = {"seen": [Person("ann", "11")], "hidden": [Person("ann", "")]}
    paint(pipeline, race)
    pipeline.hear(configured(), pipeline.roster(ROSTER), *map(ingested, race))
    pipeline.run()
    pipeline.hear(configured(faces=False, revision="02"))
    pipeline.run()
    (collection,) = pipeline.rekognition.collections.values()
    assert collection == {}
    assert pipeline.outcomes()["hidden"].runners == ()
    assert all(outcome.matches == {} for outcome in pipeline.outcomes().values())
    pipeline.hear(configured(revision="03"))
    pipeline.run()
    assert [runner.bib for runner in pipeline.outcomes()["hidden"].runners] == ["11"]


def test_a_changed_roster_reads_kept_words_anew_without_asking_again(pipeline: Pipeline) -> None:
    paint(pipeline, {"one": [Person("ann", "99999")], "two": [Person("ann", "11")]})
    pipeline.hear(configured(), pipeline.roster(ROSTER), ingested("one"), ingested("two"))
    pipeline.run()
    assert [runner.status for runner in pipeline.outcomes()["one"].runners] == ["inferred"]  # 11, by her face
    pipeline.hear(pipeline.roster(["99999"], revision="02"))
    pipeline.run()
    assert {p: [r.bib for r in o.runners] for p, o in pipeline.outcomes().items()} == {
        "one": ["99999"],
        "two": ["99999"],
    }
    assert pipeline.rekognition.calls.count("DetectText") == 2


def test_an_older_roster_heard_late_changes_nothing(pipeline: Pipeline) -> None:
    paint(pipeline, {"one": [Person("ann", "11")]})
    new, old = (
        pipeline.roster(["11"], revision="0A"),
        pipeline.roster(["22"], revision="09"),
    )
    pipeline.hear(configured(), new, ingested("one"))
    pipeline.run()
    pipeline.hear(old)
    pipeline.run()
    assert [runner.bib for runner in pipeline.outcomes()["one"].runners] == ["11"]


def test_older_settings_heard_late_change_nothing(pipeline: Pipeline) -> None:
    paint(pipeline, {"seen": [Person("ann", "11")], "hidden": [Person("ann", "")]})
    old = configured(faces=False, revision="01", min_confidence=99.9)
    pipeline.hear(configured(revision="02"), pipeline.roster(ROSTER), ingested("seen"), ingested("hidden"))
    pipeline.run()
    pipeline.hear(old)
    pipeline.run()
    assert [runner.bib for runner in pipeline.outcomes()["hidden"].runners] == ["11"]
    (collection,) = pipeline.rekognition.collections.values()
    assert len(collection) == 2


# --- moments that chance seldom meets ----------------------------------------------------------------------


def read_in(photo: str, chest: str, revision: int, confidence: float = 97.5) -> BibsRead:
    """What ocr says of a photo with one person."""
    words = [Word(text=chest, confidence=confidence, box=place(0)[1])] if chest else []
    found = read_bibs(words, configured().settings, frozenset(ROSTER))
    return events.bibs_read(photo, revision, *found.readings, suggestions=found.suggestions, partials=found.partials)


def faces_in(photo: str) -> FacesIndexed:
    """What index says of a photo with one person."""
    return events.faces_indexed(photo, 1, Face(face_id=f"face-{photo}", box=place(0)[0], confidence=99.5))


def test_a_neighbour_that_changes_while_a_photo_is_worked_out_is_not_missed(pipeline: Pipeline) -> None:
    # Mutation: UnitOfWork._still_holds always True. The neighbour's note finds the photo as it was: nothing changes.
    pipeline.rekognition.collections[keys.collection_id("dev", RACE)] = {
        f"face-{photo}": (photo, Seen("ann", place(0)[0])) for photo in ("hidden", "other")
    }
    pipeline.hear(*map(faces_in, ("hidden", "other")), read_in("hidden", "", 1), read_in("other", "11", 1))
    pipeline.hear(corrected("hidden", "11", here=False), corrected("hidden", "22", here=False))
    pipeline.run()
    assert who(pipeline, "hidden") == {}

    pipeline.hear(corrected("hidden", "11", revision=2))  # by the other photo, the face wears it
    (correction,) = pipeline.pending
    pipeline.pending.clear()
    worker = pipeline.workers.begin(lambda: pipeline.handle("identity", [parsed(correction)]))
    pipeline.workers.until(worker, "TransactWriteItems")
    pipeline.hear(read_in("other", "22", 2))  # it does not any more
    pipeline.run()
    assert who(pipeline, "hidden") == {}
    pipeline.workers.until(worker, "the end")
    pipeline.run()
    (runner,) = pipeline.outcomes()["hidden"].runners
    assert (runner.bib, runner.status, runner.face_id) == ("11", "confirmed", None)


def test_a_photo_that_was_being_kept_when_its_race_was_configured_is_looked_at_again(pipeline: Pipeline) -> None:
    # Mutation: index leaves no second, delayed note. The first looks for photos before this one is kept.
    paint(pipeline, {"one": [Person("ann", "11")]})
    pipeline.hear(pipeline.roster(ROSTER), ingested("one"))
    arrival = next(each for each in pipeline.pending if each.function == "index")
    pipeline.pending.remove(arrival)
    worker = pipeline.workers.begin(lambda: pipeline.handle("index", [parsed(arrival)]))
    pipeline.workers.until(worker, "PutItem")
    pipeline.hear(configured())
    while ready := [each for each in pipeline.pending if each.ready]:
        pipeline.pending.remove(ready[0])
        pipeline.handle(ready[0].function, [parsed(ready[0])])
    pipeline.workers.until(worker, "the end")
    pipeline.run()
    assert pipeline.outcomes()["one"].complete
    assert len(pipeline.outcomes()["one"].faces) == 1


# --- an organizer's word --------------------------------------------------------------------------------------


def all_told(pipeline: Pipeline, race: Race) -> None:
    paint(pipeline, race)
    pipeline.hear(configured(), pipeline.roster(ROSTER), *map(ingested, race))
    pipeline.run()


def who(pipeline: Pipeline, photo: str) -> dict[str, str]:
    return {runner.bib: runner.status for runner in pipeline.outcomes()[photo].runners}


def test_an_organizers_word_outranks_evidence_and_spreads_like_a_reading(pipeline: Pipeline) -> None:
    race = {"misread": [Person("ann", "33")], "hidden": [Person("ann", "")]}
    all_told(pipeline, race)
    assert who(pipeline, "hidden") == {"33": "inferred"}
    pipeline.hear(corrected("misread", "33", here=False), corrected("misread", "11", box=place(0)[0]))
    pipeline.run()
    assert who(pipeline, "misread") == {"11": "confirmed"}
    assert who(pipeline, "hidden") == {"11": "inferred"}
    (runner,) = pipeline.outcomes()["misread"].runners
    assert [each.kind for each in runner.evidence] == ["organizer"]


def test_an_organizers_word_survives_reading_again_and_indexing_again(pipeline: Pipeline) -> None:
    race = {"misread": [Person("ann", "33")], "hidden": [Person("ann", "")]}
    all_told(pipeline, race)
    pipeline.hear(corrected("misread", "33", here=False), corrected("misread", "11", box=place(0)[0]))
    pipeline.run()
    pipeline.hear(configured(faces=False, revision="02"))
    pipeline.run()
    assert who(pipeline, "misread") == {"11": "confirmed"}
    pipeline.hear(
        configured(revision="03"),
        pipeline.roster(["33", "11"], revision="02"),
        *map(ingested, race),
    )
    pipeline.run()
    assert who(pipeline, "misread") == {"11": "confirmed"}
    assert who(pipeline, "hidden") == {"11": "inferred"}


def test_a_wrong_match_can_be_cut_and_stays_cut(pipeline: Pipeline) -> None:
    race = {"seen": [Person("ann", "11")], "lookalike": [Person("ann", "")]}
    all_told(pipeline, race)
    assert who(pipeline, "lookalike") == {"11": "inferred"}
    pipeline.hear(match_cut(("seen", place(0)[0]), ("lookalike", place(0)[0])))
    pipeline.run()
    assert who(pipeline, "lookalike") == {}
    pipeline.hear(configured(faces=False, revision="02"))
    pipeline.run()
    pipeline.hear(configured(revision="03"), *map(ingested, race))
    pipeline.run()
    assert who(pipeline, "lookalike") == {}
    pipeline.hear(match_cut(("lookalike", place(0)[0]), ("seen", place(0)[0]), cut=False, revision=2))
    pipeline.run()
    assert who(pipeline, "lookalike") == {"11": "inferred"}


def test_races_of_one_organizer_with_the_same_bibs_stay_apart(pipeline: Pipeline) -> None:
    race = {"one": [Person("ann", "11")], "other": [Person("ann", "")]}
    paint(pipeline, race)
    events = [configured(), pipeline.roster(ROSTER), ingested("one")]
    elsewhere = [configured(), pipeline.roster(ROSTER), ingested("other")]
    pipeline.hear(*events, *(msgspec.structs.replace(event, event_id="half") for event in elsewhere))
    pipeline.run()
    half = RaceRef(RACE.organizer_id, "half")
    (other,) = pipeline.outcomes(half).values()
    assert who(pipeline, "one") == {"11": "confirmed"}
    assert other.complete and other.runners == () and other.matches == {}
    assert len(pipeline.rekognition.collections) == 2


# --- searches -------------------------------------------------------------------------------------------------


def searches(pipeline: Pipeline) -> int:
    return pipeline.rekognition.calls.count("SearchFaces")


def test_only_faces_that_need_it_are_searched_and_hidden_ones_at_once_besides(pipeline: Pipeline) -> None:
    all_told(
        pipeline,
        {
            "sure": [Person("ann", "11"), Person("bea", "22")],
            "hidden": [Person("ann", ""), Person("bea", "22")],
            "unsure": [Person("cho", "33", confidence=85.0)],
        },
    )
    assert searches(pipeline) == 3
    assert who(pipeline, "hidden") == {"11": "inferred", "22": "confirmed"}


def test_when_news_come_to_a_race_the_side_with_fewer_photos_is_searched(pipeline: Pipeline) -> None:
    hidden = {f"hidden{n}": [Person("ann", "")] for n in range(4)}
    all_told(pipeline, hidden)
    before = searches(pipeline)
    paint(pipeline, {"seen": [Person("ann", "11")]})
    pipeline.hear(ingested("seen"))
    pipeline.run()
    assert searches(pipeline) == before + 1  # the one that is new, not the four that wait
    assert all(who(pipeline, photo) == {"11": "inferred"} for photo in hidden)
    many = {f"seen{n}": [Person("ann", "11")] for n in range(9)}
    paint(pipeline, many)
    pipeline.hear(*map(ingested, many))
    pipeline.run()
    assert searches(pipeline) == before + 5  # the four that wait, not the nine that are new


@pytest.mark.parametrize("seen_first", [True, False])
def test_a_runner_with_very_many_photos_is_found_in_all_of_them(pipeline: Pipeline, seen_first: bool) -> None:
    # Mutation: MAX_MATCHES = 30, and the searches of the two whose bibs are read find 30 of the others.
    hidden = {f"hidden{n}": [Person("ann", "")] for n in range(40)}
    seen = {f"seen{n}": [Person("ann", "11")] for n in range(2)}
    for race in (seen, hidden) if seen_first else (hidden, seen):
        all_told(pipeline, race)
    assert all(who(pipeline, photo) == {"11": "inferred"} for photo in hidden)
    assert all(len(outcome.matches) <= 1 for outcome in pipeline.outcomes().values())
    assert sum(len(found) for outcome in pipeline.outcomes().values() for found in outcome.matches.values()) == 160


def test_a_crowd_is_searched_in_parts(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches_module, "MOST_SEARCHES", 3)
    race = {f"photo{n}": [Person(name, "") for name in NAMES[:2]] for n in range(4)}
    all_told(pipeline, race)
    before = searches(pipeline)
    notes = [
        Noted(meta=pipeline.envelopes[0].meta, note=SearchPhoto(**RACE._asdict(), photo_id=photo)) for photo in race
    ]
    pipeline.handle("identity", list(notes))
    assert searches(pipeline) - before == 2
    put_off = [msgspec.structs.replace(note, hops=2) for note in notes[1:]]
    assert [each.body for each in pipeline.pending] == [note.to_json() for note in put_off]


def test_what_was_found_before_a_quota_was_used_up_is_kept(pipeline: Pipeline) -> None:
    # Mutation: the refusal raised. All four would be searched again, and be refused again at the same place.
    race = {f"photo{n}": [Person(name, "") for name in NAMES[:2]] for n in range(4)}
    all_told(pipeline, race)
    asked: list[str] = []

    def step(operation: str) -> None:
        asked.append(operation)
        if asked.count("SearchFaces") > 5:
            raise Throttled("Too many searches.")

    pipeline.rekognition.step = step
    notes = [
        Noted(meta=pipeline.envelopes[0].meta, note=SearchPhoto(**RACE._asdict(), photo_id=photo)) for photo in race
    ]
    pipeline.handle("identity", list(notes))
    assert asked == ["SearchFaces"] * 6, "two photos and half of the third; after the refusal no more"
    put_off = [msgspec.structs.replace(note, hops=2) for note in notes[2:]]
    assert [each.body for each in pipeline.pending] == [note.to_json() for note in put_off]
    with pytest.raises(Throttled):
        pipeline.handle("identity", list(notes[2:]))


def test_what_follows_from_a_switch_outranks_what_was_said_before_it_also_after_the_table_was_lost(
    pipeline: Pipeline,
) -> None:
    # Mutation: index's revision without `since`. Archived FacesIndexed of before the switch would hold.
    paint(pipeline, {"one": [Person("ann", "11")]})
    pipeline.hear(configured(), pipeline.roster(ROSTER), ingested("one"))
    pipeline.run()
    archived = [envelope.data for envelope in pipeline.envelopes if isinstance(envelope.data, FacesIndexed)]
    lost = Pipeline(rekognition=pipeline.rekognition)
    lost.occurred_at = "2026-10-26T01:00:00Z"
    lost.hear(configured(faces=False, revision="02"))
    lost.run()
    lost.occurred_at = events.AT
    lost.hear(*archived)
    lost.run()
    lost.hear(ingested("one"))
    lost.run()
    assert lost.outcomes()["one"].faces == ()


# --- replay ---------------------------------------------------------------------------------------------------


def test_a_replay_changes_nothing_and_is_marked_as_one(pipeline: Pipeline) -> None:
    race = {"seen": [Person("ann", "11")], "hidden": [Person("ann", "")], "gone": [Person("ann", "")]}
    all_told(pipeline, race)
    pipeline.hear(withdrawn("gone", 2), corrected("seen", "22", here=False))
    pipeline.run()
    before = copy.deepcopy(pipeline.faces_table.items)
    history = [envelope.data for envelope in pipeline.envelopes]
    pipeline.envelopes.clear()
    pipeline.hear(
        configured(),
        pipeline.roster(ROSTER),
        *map(ingested, race),
        withdrawn("gone", 2),
        corrected("seen", "22", here=False),
        *history,
        replay="again",
    )
    pipeline.run()
    assert_same({"faces": pipeline.faces_table.items}, {"faces": before})
    assert pipeline.envelopes and {envelope.meta.replay for envelope in pipeline.envelopes} == {"again"}


# --- guesses ------------------------------------------------------------------------------------------------


def test_a_part_of_a_bib_decides_with_a_lookalikes_face_and_is_undone_with_its_photo(pipeline: Pipeline) -> None:
    pipeline.rekognition.similar = lookalikes  # bea is 84% ann: not enough by itself
    race = {"seen": [Person("ann", "1234")], "part": [Person("bea", "123?")], "alone": [Person("cho", "?34")]}
    paint(pipeline, race)
    pipeline.hear(configured(), pipeline.roster(ROSTER), *map(ingested, race))
    pipeline.run()
    assert (who(pipeline, "part"), who(pipeline, "alone")) == ({"1234": "inferred"}, {"1234": "doubtful"})
    pipeline.hear(pipeline.roster([*ROSTER, "1239"], revision="02"))
    pipeline.run()
    assert who(pipeline, "part") == {"1234": "inferred"}, "of two that fit the face tells which"
    pipeline.hear(withdrawn("seen", 2))
    pipeline.run()
    assert who(pipeline, "part") == {}
    pipeline.hear(pipeline.roster(ROSTER, revision="03"), corrected("part", "1234", here=False))
    pipeline.run()
    assert who(pipeline, "part") == {}


PARTS = st.builds(Person, st.sampled_from(NAMES), st.sampled_from(["123?", "?34", "?23?", ""]))


@settings(TRIED, max_examples=60)
@given(
    race=st.dictionaries(st.sampled_from(PHOTOS), st.lists(PARTS, max_size=3, unique_by=lambda one: one.name)),
    roster=st.sampled_from([ROSTER, WIDER_ROSTER]),
    seed=st.integers(0, 2**32),
)
def test_of_parts_alone_nothing_follows_but_doubts(race: Race, roster: list[str], seed: int) -> None:
    # Mutation: Link.worn gives a part's bib to the photos that match.
    pipeline = Pipeline(chance=random.Random(seed))
    paint(pipeline, race)
    pipeline.hear(configured(), pipeline.roster(roster), *map(ingested, race))
    pipeline.run_anyhow(workers=2, repeats=2)
    assert {status for photo in race for status in who(pipeline, photo).values()} <= {"doubtful"}


def test_a_runners_name_decides_whose_part_it_is_and_tells_her_other_photos(pipeline: Pipeline) -> None:
    race = {"named": [Person("ann", "?34 BERG", 65.0)], "hidden": [Person("ann", "")]}
    paint(pipeline, race)
    pipeline.hear(configured(), pipeline.roster(WIDER_ROSTER, names=NAME_OF), *map(ingested, race))
    pipeline.run()
    assert (who(pipeline, "named"), who(pipeline, "hidden")) == ({"1234": "confirmed"}, {"1234": "inferred"})
    pipeline.hear(pipeline.roster(WIDER_ROSTER, revision="02"))
    pipeline.run()
    assert (who(pipeline, "named"), who(pipeline, "hidden")) == ({}, {})
