"""Which numbers are banners', by what is seen of them. The mutation that each test was tried with is named with it."""

from __future__ import annotations

import random

import msgspec
import pytest

from ops.look.banners import LEAST_PHOTOS, SAMPLE, Banner, Sighting, judged

DICE = random.Random(14)


def sighting(number: int, *, x: float = 0.5, y: float = 0.1, minute: int | None = None, worn: bool | None) -> Sighting:
    at = "" if minute is None else f"2026-10-25T{8 + minute // 60:02}:{minute % 60:02}"
    return Sighting(photo_id=f"{number:032x}", x=x, y=y, minute=at, worn=worn, verified=False)


def moving(photos: int, *, worn: bool | None) -> list[Sighting]:
    """Somebody who is all over the pictures, all day."""
    places = ((DICE.uniform(0.1, 0.9), DICE.uniform(0.3, 0.7)) for _ in range(photos))
    return [sighting(n, x=x, y=y, minute=n, worn=worn) for n, (x, y) in enumerate(places)]


def standing(photos: int, *, worn: bool | None, minutes: int = 600) -> list[Sighting]:
    """Something at one place, within that time."""
    return [
        sighting(n, x=0.5 + DICE.uniform(-0.02, 0.02), minute=n * minutes // photos, worn=worn) for n in range(photos)
    ]


@pytest.mark.parametrize("worn", [True, None])
def test_a_favourites_bib_in_200_photos_is_no_banner(worn: bool | None) -> None:
    # Mutations: SELDOM_WORN 1; MOSTLY 0.
    assert judged("42", 200, moving(200, worn=worn)) is None


@pytest.mark.parametrize("worn", [True, None])
def test_nor_is_a_bib_of_which_a_camera_that_stands_took_200_photos_in_passing(worn: bool | None) -> None:
    # Mutation: LEAST_MINUTES 0.
    assert judged("42", 200, standing(200, worn=worn, minutes=10)) is None


def test_what_hardly_anybody_wears_is_a_banner_wherever_it_is() -> None:
    some = [sighting(n, x=0.1 + n % 9 / 10, worn=n % 20 == 0) for n in range(40)]
    found = judged("2026", 140, some)
    assert found is not None
    assert (found.photos, found.looked_at, found.worn) == (140, 40, 2)
    often = [each._replace(worn=n % 5 == 0) for n, each in enumerate(some)]
    assert judged("2026", 140, often) is None


@pytest.mark.parametrize("worn", [True, None])
def test_what_is_at_one_place_all_day_is_one_though_somebody_stands_behind_it(worn: bool | None) -> None:
    # Mutation: `fixed` never.
    found = judged("2026", 60, [*standing(50, worn=worn), *moving(5, worn=worn)])
    assert found is not None
    assert found.at_one_place >= 50
    assert judged("2026", 60, [*standing(20, worn=worn), *moving(20, worn=worn)]) is None


def test_a_few_photos_prove_nothing() -> None:
    # Mutation: LEAST_PHOTOS 1.
    assert judged("2026", 19, standing(LEAST_PHOTOS - 1, worn=False)) is None


def test_without_times_and_faces_nobody_can_say() -> None:
    assert judged("2026", 50, [each._replace(minute="", worn=None) for each in standing(50, worn=None)]) is None


def test_the_order_does_not_matter() -> None:
    some = [*standing(40, worn=True), *moving(8, worn=True)]
    straight = judged("2026", 48, some)
    for _ in range(5):
        DICE.shuffle(some)
        assert judged("2026", 48, some) == straight is not None


def test_what_it_costs_is_told() -> None:
    banner = Banner(bib="2026", photos=1200, looked_at=SAMPLE, worn=1, at_one_place=47, on_roster=False)
    assert banner.why == (
        "2026 is read in 1,200 photos: of 50 looked at it is on somebody's chest in 1, "
        "and at one place of the picture in 47."
    )
    assert msgspec.structs.replace(banner, on_roster=True).why.endswith("she would no longer be found by it.")
