"""Keys, rosters and race files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import keys
from shared.contracts.errors import InvalidKey, InvalidRace
from shared.contracts.keys import KeyKind, RaceRef, is_newer, parse_key
from shared.contracts.race import parse_race

IDS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,20}[A-Za-z0-9])?", fullmatch=True)


@given(IDS, IDS, st.text(min_size=1).filter(lambda name: "/" not in name))
def test_every_filename_survives_as_it_is(organizer: str, event: str, name: str) -> None:
    parsed = parse_key(f"{organizer}/{event}/raw_photos/{name}")
    assert parsed == (KeyKind.RAW_PHOTO, RaceRef(organizer, event), name)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("org/race/raw_photo/a.jpg", "key_wrong_folder"),
        ("org/race/RAW_PHOTOS/a.jpg", "key_wrong_folder"),
        ("org/race/raw-photos/a.jpg", "key_wrong_folder"),
        ("race/raw_photos/a.jpg", "key_wrong_depth"),
        ("/org/race/raw_photos/a.jpg", "key_wrong_depth"),
        ("org/race/raw_photos/day1/a.jpg", "key_nested"),
        ("or g/race/raw_photos/a.jpg", "key_bad_id"),
        ("org/-race/raw_photos/a.jpg", "key_bad_id"),
    ],
)
def test_a_near_miss_is_refused_with_its_reason(key: str, reason: str) -> None:
    with pytest.raises(InvalidKey) as refusal:
        parse_key(key)
    assert refusal.value.reason == reason
    assert "raw_photos" in str(refusal.value)


@pytest.mark.parametrize("key", ["", "readme.txt", "org/race/raw_photos/", "org/race/notes.txt", "a/b/c/d/e"])
def test_what_has_nothing_to_do_with_us_is_left_alone(key: str) -> None:
    assert parse_key(key).kind is KeyKind.OTHER


@given(IDS, IDS, IDS, IDS)
def test_collections_of_different_races_never_share_a_name(a: str, b: str, c: str, d: str) -> None:
    one, other = RaceRef(a, b), RaceRef(c, d)
    assert (keys.collection_id("dev", one) == keys.collection_id("dev", other)) == (one == other)
    assert RaceRef.from_partition(one.partition) == one


def test_a_b_and_c_is_not_a_and_b_c() -> None:
    assert keys.collection_id("dev", RaceRef("a-b", "c")) != keys.collection_id("dev", RaceRef("a", "b-c"))
    assert keys.collection_id("dev", RaceRef("a", "b")) != keys.collection_id("prod", RaceRef("a", "b"))


def test_sequencers_are_padded_on_the_right() -> None:
    assert is_newer("0055AED6DCD90281E6", than="0055AED6DCD90281E5")
    assert is_newer("0A1", than="0A")
    assert not is_newer("0A", than="0A00")
    assert not is_newer("0a", than="0A")


class TestRace:
    def test_a_small_file_is_enough_and_faces_are_off(self) -> None:
        race = parse_race(b'{"name": "City Run", "date": "2026-10-25"}')
        assert race.faces is False
        assert race.bib_rules.prefixes == ("",)

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"", "not JSON"),
            (b"[]", "object"),
            (b'{"date": "2026-10-25"}', "name"),
            (b'{"name": " ", "date": "2026-10-25"}', "name must not be empty"),
            (b'{"name": "x", "date": "25.10.2026"}', "2026-10-25"),
            (b'{"name": "x", "date": "2026-10-25", "timezone": "Seoul"}', "Asia/Seoul"),
            (b'{"name": "x", "date": "2026-10-25", "timezone": "/etc"}', "Asia/Seoul"),
            (b'{"name": "x", "date": "2026-10-25", "facse": true}', "facse"),
            (b'{"name": "x", "date": "2026-10-25", "bib_rules": {"min_digits": 4, "max_digits": 3}}', "min_digits"),
            (b'{"name": "x", "date": "2026-10-25", "bib_rules": {"prefixes": []}}', "prefixes"),
            (b'{"name": "x", "date": "2026-10-25", "bib_rules": {"formats": []}}', "formats"),
            (b'{"name": "x", "date": "2026-10-25", "bib_rules": {"formats": ["leg"]}}', "leg"),
            (b'{"name": "x", "date": "2026-10-25", "min_confidence": 0}', "min_confidence"),
            (
                b'{"name": "x", "date": "2026-10-25", "watermark": {"left": 7, "top": 0, "width": 1, "height": 1}}',
                "watermark",
            ),
        ],
    )
    def test_a_bad_file_is_refused_with_what_is_wrong(self, body: bytes, said: str) -> None:
        with pytest.raises(InvalidRace) as refusal:
            parse_race(body)
        assert said in str(refusal.value)
