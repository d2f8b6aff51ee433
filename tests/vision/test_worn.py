"""How large a word is on the body where it stands."""

from __future__ import annotations

import numpy as np
import pytest

from vision.engine.quads import Quad
from vision.engine.torsos import BELOW, BESIDE, Torso
from vision.engine.worn import size_on_body


def torso(middle: float, chin: float, width: float, height: float) -> Torso:
    """The torso below a face of this width and height."""
    beside = (0.5 + BESIDE) * width
    return Torso(middle - beside, chin, middle + beside, chin + BELOW * height)


def box(x: float, y: float, height: float) -> Quad:
    """A box three times as wide as high, around a place."""
    half, up = 1.5 * height, height / 2
    return np.array([[x - half, y - up], [x + half, y - up], [x + half, y + up], [x - half, y + up]])


RUNNER = torso(500, 200, 80, 100)


def test_it_is_in_heights_of_the_face_above() -> None:
    assert size_on_body(box(500, 400, 45), [RUNNER]) == pytest.approx(0.45)
    assert size_on_body(box(570, 400, 20), [RUNNER]) == pytest.approx(0.2)


@pytest.mark.parametrize(("x", "y"), [(590, 400), (410, 400), (500, 150), (500, 720)])
def test_beside_a_body_and_above_or_below_it_nothing_is_said(x: float, y: float) -> None:
    assert size_on_body(box(x, y, 45), [RUNNER]) is None
    assert size_on_body(box(x, y, 45), []) is None


def test_of_two_bodies_the_smaller_one_is_meant() -> None:
    behind = torso(520, 250, 30, 40)
    assert size_on_body(box(510, 350, 20), [RUNNER, behind]) == pytest.approx(0.5)
    assert size_on_body(box(510, 350, 20), [behind, RUNNER]) == pytest.approx(0.5)
