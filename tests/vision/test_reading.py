"""What the text reader makes of bibs that are small, askew or seen twice, and how much it looks at."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.vision.drawing import bib, heads, nobody
from vision.engine.lines import MOST_SEEN, LineFinder
from vision.engine.looks import MOST_TORSOS, TORSO_WIDTHS, Looks
from vision.engine.messages import Word
from vision.engine.pictures import WORKING_SIDE, Pixels
from vision.engine.text import TextReader, _Found, _once
from vision.engine.torsos import TORSO_SHAPE, Torso, TorsoFinder

MOST_LOOKS = 7
"""Tiles of the largest picture: six at its own size, one at the second (docs/vision.md)."""
ANNA = 0
MOST_ON_A_TORSO = sum(wide * wide * TORSO_SHAPE for wide in TORSO_WIDTHS) * 1.01
"""Pixels of all looks at a torso, and a part more because sides are rounded."""


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader()


def words(reader: TextReader, picture: Image.Image) -> list[Word]:
    return [word for line in reader.read(np.asarray(picture)) for word in line.words]


def sure(reader: TextReader, picture: Image.Image) -> list[str]:
    return sorted(word.text for word in words(reader, picture) if word.confidence >= 80)


def test_digits_of_seven_pixels_are_read_in_a_photo_as_ingest_makes_them(reader: TextReader) -> None:
    photo = nobody(2048, 1365)
    photo.paste(bib("20417", 28), (1010, 670))  # where tiles meet
    assert sure(reader, photo) == ["20417"]


@pytest.mark.parametrize("degrees", [-40, -30, 30, 40])
def test_a_bib_that_hangs_askew_is_read(reader: TextReader, degrees: int) -> None:
    photo = nobody(900, 700)
    card = bib("3761", 220).convert("RGBA").rotate(degrees, expand=True, resample=Image.Resampling.BICUBIC)
    photo.paste(card, (340, 240), card)
    assert sure(reader, photo) == ["3761"]


def test_a_number_that_no_tile_shows_whole_is_read_from_the_whole_picture(reader: TextReader) -> None:
    photo = nobody(2048, 1400)
    photo.paste(bib("20417", 400), (1024 - 200, 560))
    assert [word.text for word in words(reader, photo)] == ["20417"]


def anna(printed: str) -> Image.Image:
    """A head, and a bib where she would wear it."""
    scene = nobody(1000, 700)
    scene.paste(heads(ANNA, unit=60), (500, 20))
    scene.paste(bib(printed, 120), (560, 380))
    return scene


def test_a_number_that_the_scene_does_not_show_is_read_on_the_torso(
    reader: TextReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Looks, "scene", lambda _self, _picture: [])
    (word,) = words(reader, anna("3761"))
    assert (word.text, word.torso) == ("3761", True)
    assert word.confidence >= 80


def test_a_torso_whose_number_is_read_is_not_looked_at_again(
    reader: TextReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    def torsos(_: Looks, _picture: Pixels, torsos: list[Torso], wide: int, _known: object) -> list[np.ndarray]:
        looked.append(len(torsos))
        return []

    monkeypatch.setattr(Looks, "torsos", torsos)
    assert sure(reader, anna("3761")) == ["3761"]
    assert looked == [0] * len(TORSO_WIDTHS)


def test_lines_of_torsos_stand_among_the_others_in_reading_order(
    reader: TextReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = anna("3761")
    scene.paste(bib("2019", 120), (560, 580))
    whole = Looks.scene
    monkeypatch.setattr(
        Looks, "scene", lambda self, picture: [box for box in whole(self, picture) if box[:, 1].mean() > 500]
    )
    assert [word.text for word in words(reader, scene)] == ["3761", "2019"]


def box(left: float, right: float) -> np.ndarray:
    return np.array([[left, 0.0], [right, 0.0], [right, 20.0], [left, 20.0]])


def test_a_number_that_two_looks_box_is_answered_once() -> None:
    """The longer one is the number, and of equal ones the surer; the same digits elsewhere are another number."""
    whole = _Found("3761", (0.9,) * 4, box(0, 80))
    again = _Found("3761", (0.8,) * 4, box(2, 84))
    part = _Found("376", (0.99,) * 3, box(0, 60))
    elsewhere = _Found("376", (0.9,) * 3, box(200, 260))
    word = _Found("MAR", (0.9,) * 3, box(0, 60))
    assert _once([[part], [again, word], [whole, elsewhere]]) == [[word], [whole, elsewhere]]


@pytest.mark.parametrize("size", [(WORKING_SIDE, WORKING_SIDE), (WORKING_SIDE, 1365), (81, WORKING_SIDE), (80, 80)])
def test_what_is_looked_at_is_bounded(
    reader: TextReader, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the picture: so many tiles, of so many pixels each."""
    given: list[int] = []
    crowd = [Torso(left, 10.0, left + 100.0, 300.0) for left in range(-40, 60)]

    def corners(_: LineFinder, picture: Pixels) -> np.ndarray:
        given.append(picture.shape[0] * picture.shape[1])
        return np.empty((0, 4, 2))

    monkeypatch.setattr(LineFinder, "_corners", corners)
    monkeypatch.setattr(TorsoFinder, "find", lambda _self, _picture: crowd)
    reader.read(np.asarray(nobody(*size)))
    assert 1 <= len(given) <= MOST_LOOKS + MOST_TORSOS * len(TORSO_WIDTHS)
    assert sum(given) <= MOST_LOOKS * MOST_SEEN + MOST_TORSOS * MOST_ON_A_TORSO
    assert max(given) <= MOST_SEEN
