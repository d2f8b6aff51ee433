"""What demo visitors can search for in a race: asked of the search API, as they would."""

from __future__ import annotations

import random
from itertools import islice

from ops.race.rosters import runners_of
from ops.reach.errors import Failed
from ops.reach.search_api import SearchApi
from ops.reach.target import Target
from ops.traffic.plan import Gallery
from services.races.records import RosterHeld
from shared.contracts.keys import RaceRef

MOST_BIBS = 40
"""Bibs that are asked for, drawn from the roster's: each takes a request."""
_MOST_PHOTOS = 100
"""Photos that are looked at for bibs where there is no roster, and of a bib."""


def gallery_of(target: Target, race: RaceRef, seed: int) -> Gallery:
    """Some of the race's bibs, always the same for a seed, and their photos. Raises Failed where there are none."""
    api = SearchApi(target.api_url("search"))
    roster = target.records("races").get(RosterHeld.locate(race))
    if roster is not None:
        bibs = {runner.bib for runner in runners_of(target, roster)}
    else:
        photos = islice(api.newest(race), _MOST_PHOTOS)
        bibs = {runner.bib for photo in photos for runner in photo.runners}
    chance = random.Random(seed)  # noqa: S311 - no secrets
    some = chance.sample(sorted(bibs), min(len(bibs), MOST_BIBS))
    made = Gallery(
        photos_of={bib: tuple(photo.photo_id for photo in islice(api.by_bib(race, bib), _MOST_PHOTOS)) for bib in some}
    )
    if not made.found:
        raise Failed(f"No photo of {race} can be found by a bib yet, so visitors have nothing to look at. Upload some.")
    return made
