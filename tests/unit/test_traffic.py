"""Demo visitors: a plan that follows from its seed and can be believed, and how it is played."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from ops.reach.insight_api import InsightApi
from ops.traffic.plan import Act, Gallery, plan
from ops.traffic.send import Sent, play
from services.insight.domain.collecting import events_of
from services.insight.domain.robots import is_robot
from services.insight.questions import Download, Event, EventsAnswer, PageView, PhotoView, Search, Share
from shared.contracts.keys import RaceRef
from tests.kit.events import RACE

PHOTOS = [f"{number:032x}" for number in range(40)]
GALLERY = Gallery(photos_of={str(100 + bib): tuple(PHOTOS[4 * bib : 4 * bib + 4]) for bib in range(10)} | {"999": ()})
MANY = plan(GALLERY, visitors=400, minutes=30, seed=7)


def of(acts: Sequence[Act], *kinds: type[Event]) -> list[Any]:
    return [event for act in acts for event in act.events if isinstance(event, kinds)]


PEOPLE = [act for act in MANY if not act.robot]


def test_the_same_seed_is_the_same_plan_and_another_is_another() -> None:
    assert plan(GALLERY, visitors=400, minutes=30, seed=7) == MANY
    assert plan(GALLERY, visitors=400, minutes=30, seed=8) != MANY


def test_every_visitor_comes_and_all_is_within_the_time_and_in_order() -> None:
    assert len({act.user_agent for act in MANY}) == 400
    times = [act.at_s for act in MANY]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < 30 * 60


def test_a_crowd_comes_first_and_a_tail_after_it() -> None:
    arrivals: dict[str, float] = {}
    for act in MANY:
        arrivals.setdefault(act.user_agent, act.at_s)
    halves = Counter(at_s < 15 * 60 for at_s in arrivals.values())
    assert halves[True] > 2 * halves[False] > 0


def test_what_visitors_do_can_be_believed() -> None:
    views, searches = of(PEOPLE, PhotoView), of(PEOPLE, Search)
    assert 0.6 < sum(search.found > 0 for search in searches) / len(searches) < 0.95
    assert 0.2 < len(of(PEOPLE, Download)) / len(views) < 0.4
    assert 0.05 < len(of(PEOPLE, Share)) / len(views) < 0.2
    assert len(of(PEOPLE, PageView)) > 380
    assert len(views) > 2 * len(of(PEOPLE, PageView))
    assert {page.referrer for page in of(PEOPLE, PageView)} > {"", "https://www.instagram.com"}
    once = Counter(act.user_agent for act in PEOPLE)
    assert 0.05 < sum(acts == 1 for acts in once.values()) / len(once) < 0.25, "some leave at once"


def test_visitors_search_for_bibs_of_the_race_and_look_at_photos_that_are_there() -> None:
    for search in of(MANY, Search):
        assert search.found == len(GALLERY.photos_of.get(search.query, ()))
    looked_at = {event.photo_id for event in of(MANY, PhotoView, Download, Share)}
    assert looked_at <= set(PHOTOS)
    assert len(looked_at) > 30


def test_the_collector_takes_all_of_it_and_knows_the_robots() -> None:
    for act in MANY:
        told = msgspec.to_builtins(act.events)
        assert events_of(told) == list(act.events)
        assert is_robot(act.user_agent, says_so=False, purpose="") == act.robot
    robots = {act.user_agent for act in MANY if act.robot}
    assert len(robots) == 20


def test_a_race_of_one_photo_and_no_visitors_are_plans_too() -> None:
    assert plan(GALLERY, visitors=0, minutes=1, seed=1) == []
    assert plan(Gallery(photos_of={"1": (PHOTOS[0],)}), visitors=30, minutes=1, seed=1)


class Told(InsightApi):
    """Remembers what it was told, and when, by a clock that goes on while it is waited."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.requests: list[tuple[float, str, list[Event]]] = []

    def tell(self, race: RaceRef, events: Sequence[Event], user_agent: str) -> EventsAnswer:
        assert race == RACE
        self.requests.append((self.now_s - 50.0, user_agent, list(events)))
        return EventsAnswer(taken=len(events), counted=True)

    def wait(self, seconds: float) -> bool:
        self.now_s += seconds
        return False


def test_a_plan_is_played_in_its_time_and_counted() -> None:
    api, sent = Told(), Sent()
    play(MANY, api, RACE, sent, speed=10, wait=api.wait, clock=lambda: api.now_s)
    assert [at_s for at_s, _, _ in api.requests] == pytest.approx([act.at_s / 10 for act in MANY])
    assert (sent.visitors, sent.robots, sent.requests) == (380, 20, len(MANY))
    assert sent.events.total() + sent.robot_events == sum(len(act.events) for act in MANY)
    assert sent.events["photo_view"] == len(of(PEOPLE, PhotoView))


def test_events_of_two_plays_are_never_the_same() -> None:
    api = Told()
    for _ in range(2):
        play(MANY, api, RACE, Sent(), wait=api.wait, clock=lambda: api.now_s)
    ids = [event.id for _, _, events in api.requests for event in events]
    assert len(set(ids)) == len(ids) == 2 * sum(len(act.events) for act in MANY)


def test_a_play_that_is_ended_has_counted_what_it_sent() -> None:
    api, sent = Told(), Sent()
    play(MANY, api, RACE, sent, wait=lambda _: len(api.requests) == 5, clock=lambda: 0.0)
    assert sent.requests == len(api.requests) == 5
