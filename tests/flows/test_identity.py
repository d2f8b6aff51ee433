"""Identity under any order and repetition of deliveries: always what a batch over all evidence gives."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from services.faces.domain import Bibs, Match, link_bibs, resolve
from services.ocr.domain import Word, read_bibs
from shared.events import Box, Face, MatchedRunner
from tests.fakes import Seen
from tests.flows.pipeline import Pipeline, configured, ingested, roster_imported, withdrawn

# moto answers in milliseconds, so examples are few here and a failure is shown as found: shrinking takes minutes.
SLOW = settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ROSTER = ["11", "22", "33", "44", "1234", "A77"]


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with mock_aws():
        yield Pipeline()


@dataclass(frozen=True)
class Person:
    """Somebody in a photo: which face, and the text on her chest ("" = hidden)."""

    name: str
    chest: str


Race = dict[str, list[Person]]


def place(slot: int) -> tuple[Box, Box]:
    """Where the face and the bib of the n-th person in a photo are."""
    left = 0.05 + 0.24 * slot
    return (
        Box(left=left, top=0.2, width=0.06, height=0.09),
        Box(left=left + 0.005, top=0.42, width=0.05, height=0.03),
    )


def paint(pipeline: Pipeline, race: Race) -> None:
    for photo, people in race.items():
        pipeline.rekognition.faces_in[photo] = [Seen(p.name, place(n)[0]) for n, p in enumerate(people)]
        pipeline.rekognition.words_in[photo] = [(p.chest, 97.5, place(n)[1]) for n, p in enumerate(people) if p.chest]


def expected(pipeline: Pipeline, race: Race) -> dict[str, tuple[MatchedRunner, ...]]:
    """The batch reference: everything at once, from the pictures alone."""
    (collection,) = pipeline.rekognition.collections.values() or ({},)
    faces: dict[str, list[Face]] = {photo: [] for photo in race}
    for face_id, (photo, seen) in collection.items():
        faces[photo].append(Face(face_id=face_id, box=seen.box, confidence=99.5))
    bibs, links = {}, {}
    for photo, people in race.items():
        words = [Word(text=p.chest, confidence=97.5, box=place(n)[1]) for n, p in enumerate(people) if p.chest]
        read = read_bibs(words, configured().settings, frozenset(ROSTER))
        bibs[photo] = Bibs(readings=read.readings, suggestions=read.suggestions)
        links[photo] = link_bibs(bibs[photo], faces[photo])
    person_of = {face_id: seen.person for face_id, (_, seen) in collection.items()}
    result = {}
    for photo in race:
        matches = {
            face.face_id: [
                Match(similarity=similarity, link=links[other_photo].get(other.face_id))
                for other_photo, others in faces.items()
                for other in others
                if other_photo != photo
                and (similarity := pipeline.rekognition.similar(person_of[face.face_id], person_of[other.face_id]))
                >= 80
            ]
            for face in faces[photo]
        }
        result[photo] = resolve(bibs[photo], sorted(faces[photo], key=lambda f: f.box.left), matches)
    return result


NAMES = ["ann", "bea", "cho", "dan"]
CHESTS = ["", "11", "22", "33", "44", "1234", "A77", "1235", "12:34", "99999"]
PEOPLE = st.builds(Person, st.sampled_from(NAMES), st.sampled_from(CHESTS))
RACES = st.dictionaries(
    st.sampled_from([f"photo{n}" for n in range(8)]),
    st.lists(PEOPLE, max_size=4, unique_by=lambda person: person.name),
    min_size=1,
    max_size=6,
)


def lookalikes(a: str, b: str) -> float:
    if a == b:
        return 98.0
    return 84.0 if {a, b} == {"ann", "bea"} else 0.0


@SLOW
@given(race=RACES, seed=st.integers(0, 2**32), repeats=st.integers(1, 3))
def test_any_order_and_repetition_gives_the_batch_result(race: Race, seed: int, repeats: int) -> None:
    with mock_aws():
        pipeline = Pipeline()
        pipeline.rekognition.similar = lookalikes
        paint(pipeline, race)
        pipeline.hear(configured(), roster_imported(pipeline.s3, ROSTER), *map(ingested, race))
        pipeline.run(random.Random(seed), repeats=repeats)
        outcomes = pipeline.outcomes()
        assert {photo: outcome.runners for photo, outcome in outcomes.items()} == expected(pipeline, race)
        assert all(outcome.complete and outcome.said == outcome.revision for outcome in outcomes.values())
        newest = {event.photo_id: event for event in sorted(pipeline.matched, key=lambda event: event.revision)}
        assert {photo: event.runners for photo, event in newest.items()} == expected(pipeline, race)


@SLOW
@given(race=RACES, seed=st.integers(0, 2**32), gone=st.sampled_from([f"photo{n}" for n in range(8)]))
def test_a_withdrawn_photo_leaves_no_trace_whenever_the_news_comes(race: Race, seed: int, gone: str) -> None:
    race = {**race, gone: race.get(gone, [Person("ann", "11")])}
    with mock_aws():
        pipeline = Pipeline()
        paint(pipeline, race)
        pipeline.hear(configured(), roster_imported(pipeline.s3, ROSTER), *map(ingested, race), withdrawn(gone, 2))
        pipeline.run(random.Random(seed), repeats=2)
        left = {photo: people for photo, people in race.items() if photo != gone}
        (collection,) = pipeline.rekognition.collections.values() or ({},)
        assert gone not in {photo for photo, _ in collection.values()}
        outcomes = pipeline.outcomes()
        assert {p: o.runners for p, o in outcomes.items() if p != gone} == expected(pipeline, left)
        assert outcomes[gone].runners == () and outcomes[gone].faces == ()
        matches = [item for photo in race for item in pipeline.faces_table.query(f"MATCHES#{photo}")]
        assert all(item["photo_id"] != gone for item in matches)
        assert list(pipeline.faces_table.query(f"MATCHES#{gone}")) == []


def test_a_photo_that_comes_back_is_found_again(pipeline: Pipeline) -> None:
    race = {"one": [Person("ann", "11")], "two": [Person("ann", "")]}
    paint(pipeline, race)
    pipeline.hear(configured(), roster_imported(pipeline.s3, ROSTER), ingested("one"), ingested("two"))
    pipeline.run()
    pipeline.hear(withdrawn("one", 2))
    pipeline.run()
    assert pipeline.outcomes()["two"].runners == ()
    pipeline.rekognition.generation = 1  # faces indexed anew get new ids
    pipeline.hear(ingested("one", revision=3))
    pipeline.run()
    assert [runner.bib for runner in pipeline.outcomes()["two"].runners] == ["11"]


def test_a_hidden_bib_is_inferred_from_the_face(pipeline: Pipeline) -> None:
    paint(pipeline, {"seen": [Person("ann", "11")], "hidden": [Person("ann", "")]})
    pipeline.hear(configured(), roster_imported(pipeline.s3, ROSTER), ingested("hidden"), ingested("seen"))
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
    pipeline.hear(configured(), roster_imported(pipeline.s3, ROSTER), *map(ingested, ["group", "bea", "cho"]))
    pipeline.run()
    outcomes = pipeline.outcomes()
    assert [runner.bib for runner in outcomes["group"].runners] == ["11"]
    assert outcomes["bea"].runners == () and outcomes["cho"].runners == ()


def test_a_misread_on_the_roster_is_corrected_by_the_other_photos(pipeline: Pipeline) -> None:
    race = {f"right{n}": [Person("ann", "1234")] for n in range(3)} | {"wrong": [Person("ann", "33")]}
    paint(pipeline, race)
    pipeline.hear(configured(), roster_imported(pipeline.s3, ROSTER), *map(ingested, race))
    pipeline.run()
    by_bib = {runner.bib: runner.status for runner in pipeline.outcomes()["wrong"].runners}
    assert by_bib == {"1234": "inferred", "33": "doubtful"}


def test_with_faces_off_nothing_biometric_is_asked_or_kept(pipeline: Pipeline) -> None:
    paint(pipeline, {"one": [Person("ann", "11")]})
    pipeline.hear(configured(faces=False), roster_imported(pipeline.s3, ROSTER), ingested("one"))
    pipeline.run()
    (runner,) = pipeline.outcomes()["one"].runners
    assert (runner.bib, runner.status, runner.face_id) == ("11", "confirmed", None)
    assert pipeline.rekognition.calls == ["DetectText"]


def test_switching_faces_off_forgets_them_and_on_finds_them_again(pipeline: Pipeline) -> None:
    race = {"seen": [Person("ann", "11")], "hidden": [Person("ann", "")]}
    paint(pipeline, race)
    pipeline.hear(configured(), roster_imported(pipeline.s3, ROSTER), *map(ingested, race))
    pipeline.run()
    pipeline.hear(configured(faces=False, revision="02"))
    pipeline.run()
    (collection,) = pipeline.rekognition.collections.values()
    assert collection == {}
    assert pipeline.outcomes()["hidden"].runners == ()
    assert [item for photo in race for item in pipeline.faces_table.query(f"MATCHES#{photo}")] == []
    pipeline.hear(configured(revision="03"))
    pipeline.run()
    assert [runner.bib for runner in pipeline.outcomes()["hidden"].runners] == ["11"]


def test_a_changed_roster_reads_kept_words_anew_without_asking_again(pipeline: Pipeline) -> None:
    paint(pipeline, {"one": [Person("ann", "99999")], "two": [Person("ann", "11")]})
    pipeline.hear(configured(), roster_imported(pipeline.s3, ROSTER), ingested("one"), ingested("two"))
    pipeline.run()
    assert [runner.status for runner in pipeline.outcomes()["one"].runners] == ["inferred"]  # 11, by her face
    pipeline.hear(roster_imported(pipeline.s3, ["99999"], revision="02"))
    pipeline.run()
    assert {p: [r.bib for r in o.runners] for p, o in pipeline.outcomes().items()} == {
        "one": ["99999"],
        "two": ["99999"],
    }
    assert pipeline.rekognition.calls.count("DetectText") == 2


def test_an_older_roster_heard_late_changes_nothing(pipeline: Pipeline) -> None:
    paint(pipeline, {"one": [Person("ann", "11")]})
    new, old = roster_imported(pipeline.s3, ["11"], revision="0A"), roster_imported(pipeline.s3, ["22"], revision="09")
    pipeline.hear(configured(), new, ingested("one"))
    pipeline.run()
    pipeline.hear(old)
    pipeline.run()
    assert [runner.bib for runner in pipeline.outcomes()["one"].runners] == ["11"]


def test_older_settings_heard_late_change_nothing(pipeline: Pipeline) -> None:
    paint(pipeline, {"seen": [Person("ann", "11")], "hidden": [Person("ann", "")]})
    old = configured(faces=False, revision="01", min_confidence=99.9)
    pipeline.hear(configured(revision="02"), roster_imported(pipeline.s3, ROSTER), ingested("seen"), ingested("hidden"))
    pipeline.run()
    pipeline.hear(old)
    pipeline.run()
    assert [runner.bib for runner in pipeline.outcomes()["hidden"].runners] == ["11"]
    (collection,) = pipeline.rekognition.collections.values()
    assert len(collection) == 2
