"""`snaprace demo --small`: which photos of the drawn race it takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ops.demo.fewer import chosen, fewer
from ops.demo.material import Material
from tests.kit.small_truth import TRUTH

WHOLE = Material(
    photos=[Path("photos", name) for name in sorted([*TRUTH.photos, *TRUTH.bad])],
    settings=b"{}",
    roster_file=None,
    roster=None,
    truth=TRUTH,
)


def test_photos_with_hidden_bibs_come_with_those_that_tell_whose_they_are() -> None:
    assert chosen(TRUTH, 3) == {"c.jpg", "d.jpg", "e.jpg"}
    assert chosen(TRUTH, 5) == {"a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"}


def test_bad_files_and_copies_of_what_is_chosen_come_along() -> None:
    small = fewer(WHOLE, 3)
    assert [path.name for path in small.photos] == ["c.jpg", "copy of c.jpg", "d.jpg", "e.jpg", "empty.jpg"]
    assert small.truth is not None
    assert small.truth.photos.keys() == {"c.jpg", "copy of c.jpg", "d.jpg", "e.jpg"}
    assert (small.truth.bad, small.truth.duplicates) == (TRUTH.bad, {"copy of c.jpg": "c.jpg"})


def test_photos_without_a_truth_cannot_be_chosen() -> None:
    with pytest.raises(ValueError, match="truth"):
        fewer(replace(WHOLE, truth=None), 3)
