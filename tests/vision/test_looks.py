"""Where lines are looked for on a torso: each by itself, and only what is new and whole there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vision.drawing import bib, nobody
from vision.engine.looks import TORSO_WIDTHS, Looks
from vision.engine.pictures import Pixels
from vision.engine.torsos import Torso

WORN = (300, 200)
"""Upper left corner of a bib that is 90 pixels wide."""
CHEST = Torso(220, 100, 480, 420)


@pytest.fixture(scope="module")
def looks() -> Looks:
    return Looks()


@pytest.fixture(scope="module")
def photo() -> Pixels:
    scene = nobody(700, 500)
    scene.paste(bib("3761", 90), WORN)
    return np.asarray(scene)


@pytest.mark.parametrize("wide", TORSO_WIDTHS)
def test_a_line_on_a_torso_is_where_it_stands_in_the_picture(looks: Looks, photo: Pixels, wide: int) -> None:
    (box,) = looks.torsos(photo, [CHEST], wide, [])
    assert np.allclose(box.mean(axis=0), (WORN[0] + 45, WORN[1] + 31), atol=4)
    assert 60 < np.ptp(box[:, 0]) < 110


def test_a_line_that_two_torsos_show_or_that_is_known_is_answered_once(looks: Looks, photo: Pixels) -> None:
    beside = CHEST._replace(left=CHEST.left + 20, right=CHEST.right + 20)
    (box,) = looks.torsos(photo, [CHEST, beside], TORSO_WIDTHS[0], [])
    assert looks.torsos(photo, [CHEST, beside], TORSO_WIDTHS[0], [box]) == []


def test_a_line_that_goes_on_beyond_a_torso_is_left_out(looks: Looks, photo: Pixels) -> None:
    through_the_number = CHEST._replace(right=WORN[0] + 50)
    assert looks.torsos(photo, [through_the_number], TORSO_WIDTHS[0], []) == []


def test_a_torso_beyond_the_picture_shows_nothing(looks: Looks, photo: Pixels) -> None:
    below, beside = CHEST._replace(top=500, bottom=800), CHEST._replace(left=-300, right=-10)
    assert looks.torsos(photo, [below, beside], TORSO_WIDTHS[0], []) == []


@given(left=st.floats(-50, 50), wide=st.floats(1, 500), x=st.floats(-100, 600), y=st.floats(-100, 600))
def test_who_wears_a_bib_has_it_on_her_torso(left: float, wide: float, x: float, y: float) -> None:
    torso = Torso(left, 0.0, left + wide, 1.25 * wide)
    place = np.array([x, y])
    assert torso.has(place) or not torso.wears(place)
    middle = np.array([left + wide / 2, wide / 2])
    assert torso.wears(middle)
