"""A race as small as can be with everything in it: a plain photo, a hidden bib, a group, and a key written twice."""

from __future__ import annotations

import functools
import json

from shared.contracts.events import Box
from shared.contracts.keys import RaceRef
from tests.kit import pictures
from tests.kit.events import Happened
from tests.kit.fake_aws import Seen
from tests.kit.world import World

RACE = RaceRef("org", "race")
SETTINGS = {"name": "Han River", "date": "2026-10-25", "timezone": "Asia/Seoul", "faces": True}
ROSTER = "bib,name\n11,Kim\n22,Lee\n"

People = tuple[tuple[str, str], ...]
"""Who is in a photo, from the left, and the text on each chest ("" = hidden)."""

PLAIN: People = (("kim", "11"),)
HIDDEN: People = (("kim", ""),)
GROUP: People = (("kim", ""), ("lee", "22"))
FIRST: People = (("lee", "22"),)
SECOND: People = (("lee", ""),)
LATE: People = (("kim", ""), ("park", "33"))


def key(name: str) -> str:
    return f"{RACE.prefix}raw_photos/{name}"


def photo(world: World, name: str, people: People, seed: int) -> Happened:
    """Upload a picture of these people; the n-th picture ever, by `seed`."""
    body = picture(seed)
    faces, words = [], []
    for slot, (person, chest) in enumerate(people):
        left = 0.05 + 0.24 * slot
        faces.append(Seen(person, Box(left=left, top=0.2, width=0.06, height=0.09)))
        if chest:
            words.append((chest, 97.5, Box(left=left + 0.005, top=0.42, width=0.05, height=0.03)))
    world.paint(RACE, body, faces, words)
    return world.upload(key(name), body)


@functools.cache
def picture(seed: int) -> bytes:
    return pictures.jpeg(seed, (96, 80))


def race_files(world: World) -> list[Happened]:
    return [world.upload(f"{RACE.prefix}race.json", json.dumps(SETTINGS).encode()), roster(world)]


def roster(world: World, text: str = ROSTER) -> Happened:
    return world.upload(f"{RACE.prefix}roster.csv", text.encode())


def photos(world: World) -> list[Happened]:
    return [
        photo(world, "plain.jpg", PLAIN, 1),
        photo(world, "twice.jpg", FIRST, 2),
        photo(world, "hidden.jpg", HIDDEN, 3),
        photo(world, "group.jpg", GROUP, 4),
        photo(world, "twice.jpg", SECOND, 5),
    ]
