"""Which words lie where somebody wears a bib."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vision.drawing import bib, heads, nobody
from vision.engine.text import TextReader

ANNA = 0


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader()


def test_a_number_below_a_face_is_on_a_torso_and_one_beside_it_is_not(reader: TextReader) -> None:
    scene = nobody(1000, 700)
    scene.paste(heads(ANNA, unit=60), (500, 20))
    scene.paste(bib("3761", 120), (560, 380))
    scene.paste(bib("2019", 120), (40, 380))
    words = {word.text: word.torso for line in reader.read(np.asarray(scene)) for word in line.words}
    assert words == {"3761": True, "2019": False}
