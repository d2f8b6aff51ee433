"""Where lines of text are found: the detector's weights, and tiles of a large picture."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from PIL import Image

from tests.vision.drawing import bib, nobody
from vision.engine import lines
from vision.engine.lines import MOST_SEEN, OVERLAP, LineFinder, tiles


def test_the_weights_that_are_left_out_change_nothing() -> None:
    photo = nobody(320, 256)
    photo.paste(bib("3761", 120), (90, 90))
    given = (np.asarray(photo, dtype=np.float32).transpose(2, 0, 1)[np.newaxis] - 127.5) / 127.5
    published, kept = (onnxruntime.InferenceSession(model) for model in (lines._file(), lines._model()))
    assert np.array_equal(*(session.run(None, {"x": given})[0] for session in (published, kept)))


def test_no_weight_is_left_that_processors_multiply_slowly() -> None:
    weights = [numpy_helper.to_array(each) for each in onnx.load_from_string(lines._model()).graph.initializer]
    numbers = np.concatenate([np.abs(each).ravel() for each in weights if each.dtype == np.float32])
    assert numbers.size > 2_000_000
    assert not np.any((numbers > 0) & (numbers < np.finfo(np.float32).tiny))


@pytest.mark.parametrize("size", [(640, 480), (1280, 1024), (2048, 1365), (1365, 2048), (2048, 2048), (2048, 80)])
def test_tiles_are_bounded_overlap_and_cover_the_picture(size: tuple[int, int]) -> None:
    wide, high = size
    shown = np.zeros((high, wide), dtype=np.uint8)
    for left, top, right, bottom in tiles(wide, high):
        assert (right - left) * (bottom - top) <= MOST_SEEN
        assert 0 <= left < right <= wide
        assert 0 <= top < bottom <= high
        shown[top:bottom, left:right] += 1
    assert shown.min() == 1
    for one, other in itertools.pairwise(sorted({(tile[0], tile[2]) for tile in tiles(wide, high)})):
        assert one[1] - other[0] >= OVERLAP


def test_a_line_that_a_tile_cuts_is_told_from_a_whole_one() -> None:
    """A number stands in the middle of a large picture, where four tiles meet, wider than they overlap."""
    photo = nobody(2048, 1400)
    card = bib("20417", 400)
    photo.paste(card, (1024 - 200, 700 - card.height // 2))
    whole = Image.new("RGB", (640, 480), (104, 132, 92))
    whole.paste(card, (120, 100))
    finder = LineFinder()
    pieces = finder.find(np.asarray(photo))
    assert len(pieces) == 4
    assert not any(seen.whole for seen in pieces)
    assert any(seen.at_the_edge for seen in pieces)
    (seen,) = finder.find(np.asarray(whole))
    assert len(seen.whole) == 1
    assert not seen.at_the_edge
