"""A failing comparison of two states says where they differ."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from services.search.records import GalleryPhoto
from tests.kit.compare import assert_same
from tests.kit.events import RACE

PHOTO = GalleryPhoto.locate(RACE, "p1")
KEY = " ".join(PHOTO.key)
STATE: dict[str, Any] = {
    "tables": {
        "search": {KEY: {"photo_id": "p1", "runners": [{"bib": "11", "status": "confirmed"}], "keys": ["a", "b"]}},
        "ocr": {},
    },
    "derived": ["x.jpg"],
}


def complaint(change: Any) -> str:
    """What is said of the state and the same after `change`, without how many differences there are."""
    other = copy.deepcopy(STATE)
    change(other)
    with pytest.raises(AssertionError) as told:
        assert_same(STATE, other)
    return str(told.value).split("\n", 1)[1]


def item(state: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = state["tables"]["search"][KEY]
    return found


def test_it_names_stage_item_and_attribute() -> None:
    said = complaint(lambda state: item(state)["runners"][0].update(status="doubtful"))
    assert said == f"search {PHOTO.sort_key}: runners: 0: status: 'confirmed' != 'doubtful'"
    assert complaint(lambda state: item(state).update(keys=["a"])) == (
        f"search {PHOTO.sort_key}: keys: ['a', 'b'] != ['a']"
    )


def test_it_names_what_only_one_of_them_has() -> None:
    assert complaint(lambda state: item(state).pop("photo_id")) == f"search {PHOTO.sort_key}: photo_id: 'p1' != nothing"
    assert complaint(lambda state: state["tables"]["ocr"].update(new={"x": 1})) == "ocr new: nothing != {'x': 1}"
    assert complaint(lambda state: state["derived"].append("y.jpg")) == "derived: ['x.jpg'] != ['x.jpg', 'y.jpg']"


def test_it_names_every_difference() -> None:
    def change(state: dict[str, Any]) -> None:
        item(state).update(keys=[], photo_id="p2")

    assert len(complaint(change).splitlines()) == 2


def test_keys_may_be_pairs_and_it_may_be_said_when() -> None:
    with pytest.raises(AssertionError, match=rf"^1 differences \(call 3\)\nsearch {PHOTO.sort_key}: n: 1 != 2$"):
        assert_same({"search": {PHOTO.key: {"n": 1}}}, {"search": {PHOTO.key: {"n": 2}}}, "call 3")


def test_what_is_equal_passes() -> None:
    assert_same(STATE, copy.deepcopy(STATE))
