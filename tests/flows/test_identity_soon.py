"""When hidden bibs are found while uploads go on, for how many searches, and that none is forgotten in the end."""

from __future__ import annotations

import random

import pytest

from services.faces.domain.links import link_bibs, needs_search
from services.faces.search_scheduler import PATIENCE_S, QUIET_S
from shared.contracts.errors import Throttled
from tests.kit import events
from tests.kit.pipeline import Pipeline, parsed
from tests.kit.race_day import RaceDay, Someone, drawn_photos, index, place, read

SOON_S = 15


def steady(photos: int, each_s: float) -> list[float]:
    return [number * each_s for number in range(photos)]


def in_bursts(photos: int, of: int, pause_s: float) -> list[float]:
    """So many photos within so many half seconds, then nobody for a while."""
    return [number // of * pause_s + number % of * 0.5 for number in range(photos)]


def anyhow(photos: int, seed: int) -> list[float]:
    """Photographers who come back at any time with any number of photos."""
    chance = random.Random(seed)
    now, times = 0.0, []
    while len(times) < photos:
        now += chance.choice([1, 20, 100, 1000, 5000])
        burst = chance.randint(1, 30)
        times += [now + number * chance.choice([0.1, 2, 10]) for number in range(burst)]
    return times[:photos]


DAYS = {
    "steady": lambda photos: steady(photos, 2.0),
    "slow": lambda photos: steady(photos, 12.0),
    "one in 45 seconds": lambda photos: steady(photos, 45.0),
    "in bursts": lambda photos: in_bursts(photos, 20, 60.0),
    "back an hour later": lambda photos: in_bursts(photos, photos // 4, 4000.0),
    "anyhow": lambda photos: anyhow(photos, 1),
    "anyhow else": lambda photos: anyhow(photos, 2),
}


def day(name: str, races: int = 1) -> RaceDay:
    photos = drawn_photos(races)
    passed = RaceDay(photos, DAYS[name](len(photos)))
    passed.run()
    return passed


def assert_all_pairs_are_known(passed: RaceDay) -> None:
    """Of each two faces of one person of which one needs the other, and one has a bib, both photos keep the match."""
    held = passed.pipeline.outcomes()
    links = {photo_id: link_bibs(photo) for photo_id, photo in held.items()}
    of: dict[str, list[tuple[str, str]]] = {}
    for number, people in enumerate(passed.photos):
        for slot, someone in enumerate(people):
            of.setdefault(someone.name, []).append((str(number), f"{number}/{slot}"))
    for faces in of.values():
        for photo, face in faces:
            for other_photo, other in faces:
                both = (links[photo].get(face), links[other_photo].get(other))
                if photo != other_photo and any(both) and any(map(needs_search, both)):
                    assert other in held[photo].matches.get(face, ()), f"{face} does not know of {other}"


@pytest.mark.parametrize("name", DAYS)
def test_a_hidden_bib_is_found_soon_after_its_photo_and_no_pair_is_missed_in_the_end(name: str) -> None:
    # Mutations: look_at_once that does nothing; _match_all without the older; Rounds written anew by each round.
    passed = day(name)
    assert set(passed.found_s) == set(passed.hidden) != set()
    seen = passed.seen_s
    known_before = [
        passed.found_s[number, bib] - passed.uploaded_s[number]
        for number, bib in passed.hidden
        if seen[bib] < passed.uploaded_s[number]
    ]
    assert len(known_before) > len(passed.hidden) / 2
    assert max(known_before) <= SOON_S
    assert_all_pairs_are_known(passed)


@pytest.mark.parametrize(
    ("name", "a_photo"),
    [("steady", 0.86), ("slow", 0.91), ("one in 45 seconds", 0.98), ("in bursts", 1.36), ("back an hour later", 1.43)],
)
def test_searches_are_as_few_as_the_decision_says(name: str, a_photo: float) -> None:
    # docs/decisions/search-rounds.md. Mutation: PAUSE_SHARE = 10**6, and a photo a minute has all faces searched.
    passed = day(name, races=3)
    assert round(passed.searches / len(passed.photos), 2) == a_photo


# --- what is searched at once, moment by moment ---------------------------------------------------------------


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


def tell(pipeline: Pipeline, number: int, *people: Someone, replay: str | None = None) -> None:
    """Let ocr and index say what they see in a photo, and identity hear all but its notes about the race."""
    index(pipeline, number, people, replay=replay)
    read(pipeline, number, people, replay=replay)
    pipeline.run_but_rounds()


def searches(pipeline: Pipeline) -> int:
    return pipeline.rekognition.calls.count("SearchFaces")


def who(pipeline: Pipeline, number: int) -> dict[str, str]:
    return {runner.bib: runner.status for runner in pipeline.outcomes()[str(number)].runners}


SEEN, HIDDEN = Someone("ann", "11", read=True), Someone("ann", "11", read=False)


def test_a_hidden_bib_is_found_before_the_race_makes_a_pause(pipeline: Pipeline) -> None:
    tell(pipeline, 0, SEEN)
    assert searches(pipeline) == 0
    tell(pipeline, 1, HIDDEN)
    assert (searches(pipeline), who(pipeline, 1)) == (1, {"11": "inferred"})


def test_what_is_said_again_is_not_searched_again(pipeline: Pipeline) -> None:
    # Mutation: urgent_faces without the look at what was known before.
    tell(pipeline, 0, SEEN)
    tell(pipeline, 1, HIDDEN)
    tell(pipeline, 1, HIDDEN)
    assert searches(pipeline) == 1


def test_a_replay_is_searched_in_the_pause_alone(pipeline: Pipeline) -> None:
    tell(pipeline, 0, SEEN, replay="again")
    tell(pipeline, 1, HIDDEN, replay="again")
    assert (searches(pipeline), who(pipeline, 1)) == (0, {})
    pipeline.run()
    assert (searches(pipeline), who(pipeline, 1)) == (1, {"11": "inferred"})


def test_evidence_is_kept_when_the_search_is_refused(pipeline: Pipeline) -> None:
    # Mutation: look_at_once that raises. The photo would wait for Rekognition with all that was told of it.
    def refuse(operation: str) -> None:
        if operation == "SearchFaces":
            raise Throttled("Too many searches.")

    tell(pipeline, 0, SEEN)
    pipeline.rekognition.step = refuse
    tell(pipeline, 1, HIDDEN)
    assert pipeline.outcomes()["1"].complete
    assert (searches(pipeline), who(pipeline, 1)) == (0, {})
    pipeline.rekognition.step = lambda _operation: None
    pipeline.run()
    assert who(pipeline, 1) == {"11": "inferred"}


def test_whom_an_organizer_names_is_found_elsewhere_at_once(pipeline: Pipeline) -> None:
    # Mutation: urgent_faces without those that an organizer gave a bib to. They would wait for the next pause.
    tell(pipeline, 0, HIDDEN)
    tell(pipeline, 1, HIDDEN)
    pipeline.run()
    assert who(pipeline, 1) == {}
    face, _ = place(0)
    pipeline.hear(events.corrected("0", "11", box=face))
    pipeline.run_but_rounds()
    assert who(pipeline, 1) == {"11": "inferred"}


# --- pauses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lasted_s", "pause_s"),
    [(0, QUIET_S), (60, QUIET_S), (600, 60), (3600, 360), (7200, 720), (90_000, 900)],
)
def test_the_longer_a_race_lasts_the_longer_its_pauses_are(pipeline: Pipeline, lasted_s: int, pause_s: int) -> None:
    tell(pipeline, 0, SEEN)
    pipeline.run()
    pipeline.clock += lasted_s * 1000
    tell(pipeline, 1, HIDDEN)
    waited, plan = 0, pipeline.pending.pop()
    while '"match-race"' in plan.body:
        assert plan.delay_s <= 60, "else the queue's oldest message may seem to be forgotten"
        waited += plan.delay_s
        pipeline.pending.clear()
        pipeline.handle(plan.function, [parsed(plan)])
        (plan,) = pipeline.pending
    assert waited == pause_s


def test_news_in_a_pause_begins_it_anew(pipeline: Pipeline) -> None:
    tell(pipeline, 0, SEEN)
    tell(pipeline, 1, HIDDEN)
    stale = list(pipeline.pending)
    pipeline.pending.clear()
    tell(pipeline, 2, HIDDEN)
    before = searches(pipeline)
    for plan in stale:
        pipeline.handle(plan.function, [parsed(plan)])
    pipeline.run_but_rounds()
    assert searches(pipeline) == before
    pipeline.run()
    assert searches(pipeline) == before + 2


def test_where_nobody_was_found_is_searched_once_more_when_no_pause_comes(pipeline: Pipeline) -> None:
    # Mutations: _with_nobody that gives all photos with unsure faces; _match_early that asks for none.
    tell(pipeline, 0, HIDDEN)
    tell(pipeline, 1, SEEN)
    tell(pipeline, 2, HIDDEN)
    assert (who(pipeline, 0), who(pipeline, 2), searches(pipeline)) == ({}, {"11": "inferred"}, 2)
    pipeline.pending.clear()
    pipeline.clock += PATIENCE_S * 1000
    tell(pipeline, 3, SEEN)
    plan = pipeline.pending.pop(0)
    pipeline.clock += 1000
    tell(pipeline, 4, SEEN)
    pipeline.handle(plan.function, [parsed(plan)])
    pipeline.run_but_rounds()
    assert (who(pipeline, 0), searches(pipeline)) == ({"11": "inferred"}, 3)
