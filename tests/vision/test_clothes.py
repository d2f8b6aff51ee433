"""The shares of colours that somebody wears."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from shared.kit.extension import extension_of, keep_extension
from tests.vision.drawing import GRASS, heads, jpeg
from tests.vision.running import Server
from vision.engine.clothes import GREYS, HUES, clothes
from vision.engine.pictures import Pixels

FACE = (80.0, 40.0, 40.0, 50.0)  # left, top, width, height
SHIRTS = {
    "red": (190, 30, 40),
    "yellow": (225, 200, 40),
    "green": (40, 150, 60),
    "blue": (40, 80, 180),
    "black": (28, 28, 30),
    "white": (240, 240, 238),
}


def runner(shirt: tuple[int, int, int], light: float = 1.0, bib: bool = True) -> Pixels:
    """Somebody with her face at FACE, in a shirt and with a bib, in such light."""
    picture = Image.new("RGB", (200, 300), GRASS)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((55, 100, 145, 250), fill=shirt)
    if bib:
        draw.rectangle((80, 150, 120, 180), fill=(250, 250, 250))
    return np.clip(np.asarray(picture) * light, 0, 255).astype(np.uint8)


def apart(one: tuple[float, ...] | None, other: tuple[float, ...] | None) -> float:
    """Hellinger's distance."""
    assert one is not None
    assert other is not None
    return float(np.sqrt(max(0.0, 1 - np.sqrt(np.array(one) * np.array(other)).sum())))


@pytest.mark.parametrize("shirt", SHIRTS)
def test_one_shirt_is_itself_in_another_light_and_when_the_bib_slips(shirt: str) -> None:
    seen = clothes(runner(SHIRTS[shirt]), *FACE)
    assert seen is not None
    assert (len(seen), sum(seen)) == (HUES + GREYS, pytest.approx(1, abs=1e-3))
    assert apart(seen, clothes(runner(SHIRTS[shirt], light=0.8), *FACE)) < 0.3
    assert apart(seen, clothes(np.roll(runner(SHIRTS[shirt]), (3, -4), (0, 1)), *FACE)) < 0.1


def test_shirts_of_different_colours_are_apart() -> None:
    seen = {shirt: clothes(runner(colour), *FACE) for shirt, colour in SHIRTS.items()}
    for one, other in itertools.combinations(SHIRTS, 2):
        assert apart(seen[one], seen[other]) > 0.5, f"{one} and {other}"


def test_a_chest_that_is_outside_the_picture_wears_nothing() -> None:
    picture = runner(SHIRTS["red"])
    assert clothes(picture[:140], *FACE) is None
    assert clothes(picture[:160], *FACE) is not None
    assert clothes(picture[:, 110:], FACE[0] - 110, *FACE[1:]) is None


def test_index_faces_says_them_in_the_field_that_clients_of_rekognition_ignore(server: Server, collection: str) -> None:
    picture = heads(8)
    width, height = picture.size
    dressed = Image.new("RGB", (width, 2 * height), GRASS)
    dressed.paste(picture, (0, 0))
    ImageDraw.Draw(dressed).rectangle((0.2 * width, 0.8 * height, 0.8 * width, 2 * height), fill=SHIRTS["red"])

    def indexed(client: Any, shown: Image.Image) -> Any:
        return client.index_faces(CollectionId=collection, Image={"Bytes": jpeg(shown)})

    client = server.client()
    assert "SnapRace" not in indexed(client, dressed)
    keep_extension(client)
    answer = indexed(client, dressed)
    (face_id,) = (record["Face"]["FaceId"] for record in answer["FaceRecords"])
    shares = extension_of(answer)["Faces"][face_id]["Clothes"]
    assert len(shares) == HUES + GREYS
    assert shares[0] + shares[1] > 0.8, "red"
    (nothing,) = extension_of(indexed(client, picture.crop((0, 0, width, int(0.7 * height)))))["Faces"].values()
    assert nothing == {}
