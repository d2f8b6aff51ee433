"""What demo visitors of a race do, and when: the same for the same seed.

Most come soon after the finish, the others all along. They search for a bib, look at its photos, download and share
some, come back after a pause for somebody else's; a few find nothing, or leave at once. One in twenty is a robot.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from services.insight.questions import Download, Event, PageView, PhotoView, Search, Share

CROWD = 0.7
"""The share of visitors who come in the first half, most of them early in it."""
ROBOTS = 0.05
LEAVES_AT_ONCE = 0.12
HAS_TYPO = 0.1
COMES_BACK = 0.3
DOWNLOADS = 0.3
SHARES = 0.12
MOST_LOOKED_AT = 6

_REFERRERS = (
    ("", 8),
    ("https://www.instagram.com", 5),
    ("https://m.search.naver.com", 4),
    ("https://www.google.com", 3),
    ("https://l.facebook.com", 1),
    ("https://m.cafe.naver.com", 2),
)
_BROWSERS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/22B{number} Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; SM-S928N) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.6778.{number} Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 15; SM-S928N) AppleWebKit/537.36 (KHTML, like Gecko) "
    "SamsungBrowser/27.0.{number} Chrome/125.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.6778.{number} Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1.{number} Safari/605.1.15",
)
_CRAWLERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html) {number}",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php) {number}",
    "Mozilla/5.0 (compatible; Yeti/1.1; +https://naver.me/spd) {number}",
)


class Gallery(msgspec.Struct, frozen=True, kw_only=True):
    """What can be searched for: bibs, each with the ids of its photos, of which there may be none."""

    photos_of: Mapping[str, tuple[str, ...]]

    @property
    def found(self) -> list[str]:
        """The bibs that have photos."""
        return [bib for bib, photos in self.photos_of.items() if photos]


class Act(NamedTuple):
    """What a visitor tells in one request, so many seconds after the begin. Visitors are told apart by `user_agent`."""

    at_s: float
    user_agent: str
    robot: bool
    events: tuple[Event, ...]


def plan(gallery: Gallery, *, visitors: int, minutes: float, seed: int) -> list[Act]:
    """All that so many visitors do within these minutes, in order of time. Ids of events are numbers from 1."""
    chance = random.Random(seed)  # noqa: S311 - no secrets
    began_at = chance.randrange(1000, 9000)
    acts: list[Act] = []
    for number in range(visitors):
        robot = number % round(1 / ROBOTS) == round(1 / ROBOTS) // 2
        name = chance.choice(_CRAWLERS if robot else _BROWSERS).format(number=began_at + number)
        visit = _Visit(gallery, chance, 60 * minutes, came_at_s=_came_at_s(chance, 60 * minutes))
        told = visit.of_a_robot() if robot else visit.of_a_person()
        acts += [Act(round(at_s, 2), name, robot, events) for at_s, events in told if at_s < 60 * minutes]
    return _numbered(sorted(acts, key=lambda act: act.at_s))


def _came_at_s(chance: random.Random, lasts_s: float) -> float:
    if chance.random() < CROWD:
        return chance.triangular(0, lasts_s / 2, lasts_s / 8)
    return chance.uniform(0, 0.95 * lasts_s)


def _numbered(acts: list[Act]) -> list[Act]:
    numbers = iter(range(1, 1 + sum(len(act.events) for act in acts)))
    return [
        act._replace(events=tuple(msgspec.structs.replace(event, id=f"{next(numbers):08d}") for event in act.events))
        for act in acts
    ]


class _Visit:
    """A visitor's visit: events by when they are told."""

    def __init__(self, gallery: Gallery, chance: random.Random, lasts_s: float, *, came_at_s: float) -> None:
        self._gallery = gallery
        self._chance = chance
        self._lasts_s = lasts_s
        self._at_s = came_at_s

    def of_a_robot(self) -> Iterator[tuple[float, tuple[Event, ...]]]:
        """The page, and some photos, as fast as a program is."""
        yield self._at_s, (PageView(id="", page="/"),)
        for photo in self._some_photos(self._any_bib(self._gallery.found)):
            self._at_s += 0.5
            yield self._at_s, (PhotoView(id="", photo_id=photo),)

    def of_a_person(self) -> Iterator[tuple[float, tuple[Event, ...]]]:
        """The page, searches, photos; and for some all of it once more after a pause."""
        names, weights = zip(*_REFERRERS, strict=True)
        yield self._at_s, (PageView(id="", page="/", referrer=self._chance.choices(names, weights)[0]),)
        if self._chance.random() < LEAVES_AT_ONCE:
            return
        yield from self._searches(self._any_bib(list(self._gallery.photos_of)))
        if self._chance.random() < COMES_BACK:
            self._at_s += self._chance.uniform(0.1, 0.5) * self._lasts_s
            yield self._at_s, (PageView(id="", page="/"),)
            yield from self._searches(self._any_bib(self._gallery.found))

    def _any_bib(self, bibs: list[str]) -> str:
        return self._chance.choice(bibs) if bibs else ""

    def _searches(self, bib: str) -> Iterator[tuple[float, tuple[Event, ...]]]:
        """A search for a bib, perhaps mistyped at first, and what follows from it; without bibs one for all photos."""
        self._pause(6)
        if bib and self._chance.random() < HAS_TYPO:
            mistyped = bib + self._chance.choice("0123456789")
            yield self._at_s, (Search(id="", query=mistyped, found=len(self._photos(mistyped))),)
            self._pause(5)
        photos = self._photos(bib)
        yield self._at_s, (Search(id="", query=bib or "all", found=len(photos)),)
        for photo in self._some_photos(bib):
            self._pause(5)
            yield self._at_s, tuple(self._looks_at(photo))

    def _looks_at(self, photo: str) -> Iterator[Event]:
        yield PhotoView(id="", photo_id=photo)
        if self._chance.random() < DOWNLOADS:
            yield Download(id="", photo_id=photo)
        if self._chance.random() < SHARES:
            yield Share(id="", photo_id=photo)

    def _photos(self, bib: str) -> tuple[str, ...]:
        return self._gallery.photos_of.get(bib, ())

    def _some_photos(self, bib: str) -> list[str]:
        photos = self._photos(bib)
        return self._chance.sample(photos, min(len(photos), self._chance.randint(1, MOST_LOOKED_AT)))

    def _pause(self, typical_s: float) -> None:
        self._at_s += self._chance.lognormvariate(0, 0.6) * typical_s
