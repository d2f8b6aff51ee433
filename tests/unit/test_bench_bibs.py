"""How the bench of bibs counts, without a picture."""

from __future__ import annotations

import pytest

from bench.bibs import OTHERS, Photo, roster_of, score, settings_of
from bench.labelled import Score


def photo(*numbers: str, also: tuple[str, ...] = ()) -> Photo:
    return Photo(frozenset(numbers), frozenset(also))


def test_precision_and_recall_over_all_photos() -> None:
    photos = {"a": photo("12", "34"), "b": photo("56"), "c": photo()}
    found = score(photos, {"a": frozenset({"12", "99"}), "b": frozenset({"56"}), "c": frozenset({"56"})})
    assert (found.precision, found.recall) == (0.5, 0.6667)
    assert found.f1 == pytest.approx(2 * 0.5 * 0.6667 / 1.1667, abs=1e-4)


def test_a_number_that_the_labels_miss_is_right_when_read_and_costs_nothing_when_not() -> None:
    photos = {"a": photo("12", also=("34",))}
    assert score(photos, {"a": frozenset({"12", "34"})}) == (1.0, 1.0)
    assert score(photos, {"a": frozenset({"12"})}) == (1.0, 1.0)
    assert score(photos, {"a": frozenset({"34"})}) == (1.0, 0.0)


def test_nothing_read_is_no_division_by_nothing() -> None:
    found = score({"a": photo("12")}, {"a": frozenset()})
    assert (found.precision, found.recall, found.f1) == (0.0, 0.0, 0.0)
    assert Score(1.0, 1.0).f1 == 1.0


def test_the_roster_holds_every_number_and_others_of_their_lengths_the_same_each_time() -> None:
    photos = [photo("123", "45678", also=("777",)), photo("123")]
    roster = roster_of(photos)
    assert {"123", "45678", "777"} <= roster
    assert len(roster) == 3 + OTHERS
    assert {len(number) for number in roster} == {3, 5}
    assert roster == roster_of(reversed(photos))
    assert roster_of([]) == frozenset()


def test_an_organizer_sets_the_lengths_that_many_numbers_have() -> None:
    photos = [photo(*map(str, range(100, 199))), photo("12"), photo("12345", "54321", "51234")]
    rules = settings_of(photos).bib_rules
    assert (rules.min_digits, rules.max_digits) == (3, 5)
    assert settings_of([photo()]).bib_rules.admits("1")
