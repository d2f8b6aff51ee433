"""A runner's name by a number. The mutation that each test was tried with is named with it."""

from __future__ import annotations

import pytest

from services.ocr.domain.bibs import read_bibs
from services.ocr.records import End, Word
from shared.contracts.bibs import BibRules
from shared.contracts.events import Bibs, Box
from shared.contracts.race import RaceSettings
from shared.contracts.roster.names import folded, names_of
from shared.contracts.roster.runners import Runner

SETTINGS = RaceSettings(name="Race", date="2026-10-25", bib_rules=BibRules(min_digits=2))
NAMES = {"3761": "Zoë Müller", "3762": "Ann O'Hara", "3861": "Ruth Berg", "42": ""}


def number(text: str, *cut: End, confidence: float = 65.0) -> Word:
    return Word(text=text, confidence=confidence, cut=cut, box=Box(left=0.4, top=0.4, width=0.08, height=0.03))


def name(text: str, left: float = 0.4, top: float = 0.45, height: float = 0.02) -> Word:
    return Word(text=text, confidence=95.0, box=Box(left=left, top=top, width=0.08, height=height))


def bibs(*words: Word, names: dict[str, str] = NAMES, settings: RaceSettings = SETTINGS) -> Bibs:
    known = names_of(Runner(bib=bib, printed=bib, name=each) for bib, each in names.items())
    return read_bibs(words, settings, frozenset(names), names=known)


def readings(found: Bibs) -> list[tuple[str, float, bool]]:
    return [(each.bib, each.confidence, bool(each.named)) for each in found.readings]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Zoë MÜLLER", {"zoe", "muller"}),
        ("O'Hara, Ann-Lu J.", {"hara", "ann"}),
        ("Ångström", {"angstrom"}),
        ("김철수", {"김철수"}),
        ("山田 太郎", {"山田", "太郎"}),
        ("1042", set()),
        ("", set()),
    ],
)
def test_names_are_compared_without_case_and_accents(text: str, words: set[str]) -> None:
    assert folded(text) == words


def test_a_name_that_many_have_says_nothing() -> None:
    # Mutation: TOO_COMMON 1.
    runners = [Runner(bib=str(n), printed="", name=f"Kim Nr{chr(97 + n // 26)}{chr(97 + n % 26)}") for n in range(100)]
    assert names_of(runners)["30"] == ("nrbe",)
    assert names_of(runners[:1])["0"] == ("kim", "nraa")


def test_it_makes_a_reading_of_a_weak_one() -> None:
    found = bibs(number("3761"), name("MULLER"))
    assert readings(found) == [("3761", 89.5, True)]
    assert found.suggestions == ()
    assert readings(bibs(number("3761"), name("BERG"))) == []


def test_it_raises_a_reading() -> None:
    assert readings(bibs(number("3761", confidence=85.0), name("Zoe"))) == [("3761", 95.5, True)]
    assert readings(bibs(number("3761", confidence=85.0), name("Ruth"))) == [("3761", 85.0, False)]


def test_it_decides_whose_part_it_is() -> None:
    # Mutation: the first fitting bib instead of the named one.
    for printed, bib in (("MÜLLER", "3761"), ("HARA", "3762")):
        found = bibs(number("376", "END"), name(printed))
        assert (readings(found), found.partials or ()) == ([(bib, 89.5, True)], ())
    assert [each.pattern for each in bibs(number("376", "END"), name("BERG")).partials or ()] == ["376?"]


def test_it_makes_a_reading_of_a_cut_number_that_no_longer_bib_fits() -> None:
    # Mutation: a cut word can only be what it is a part of.
    assert readings(bibs(number("3761", "END"), name("MULLER"))) == [("3761", 89.5, True)]


def test_it_decides_between_the_neighbours_of_a_misread() -> None:
    misread = number("3661", confidence=95.0)
    assert bibs(misread) == Bibs()
    assert readings(bibs(misread, name("Berg"))) == [("3861", 98.5, True)]


def test_two_runners_of_one_name_are_not_told_apart_by_it() -> None:
    twins = {"3761": "Ida Berg", "3762": "Eva Berg"} | {str(n): "" for n in range(100, 200)}
    assert readings(bibs(number("376", "END"), name("BERG"), names=twins)) == []


@pytest.mark.parametrize(
    "elsewhere",
    [name("MULLER", left=0.6), name("MULLER", top=0.6), name("MULLER", top=0.2), name("MULLER", height=0.05)],
)
def test_a_name_elsewhere_is_of_somebody_else(elsewhere: Word) -> None:
    assert readings(bibs(number("3761"), elsewhere)) == []
    assert readings(bibs(number("3761"), name("MULLER", top=0.37))) == [("3761", 89.5, True)]


def test_what_the_race_asks_for_still_holds() -> None:
    strict = RaceSettings(name="Race", date="2026-10-25", min_confidence=95.0)
    found = bibs(number("3761"), name("MULLER"), settings=strict)
    assert (found.readings, [each.guess for each in found.suggestions]) == ((), ["weak"])


def test_no_name_is_kept() -> None:
    # docs/privacy.md: what is kept of a name is that it stands there. What was printed in the photo is a word of it.
    assert not {"muller", "zoe"} & folded(repr(bibs(number("3761"), name("MULLER"))).replace("'", " "))
