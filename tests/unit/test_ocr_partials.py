"""Words that are parts of bibs, and weakly read ones. The mutation that each test was tried with is named with it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.ocr.domain.bibs import read_bibs
from services.ocr.edges import FILTERS, TextDetector
from services.ocr.records import End, Word
from shared.contracts.bibs import BibRules
from shared.contracts.events import Bibs, Box
from shared.contracts.race import RaceSettings
from shared.kit.detection import Pictures
from tests.kit.events import BOX, picture
from tests.kit.fake_aws import FakeRekognition

SETTINGS = RaceSettings(name="Race", date="2026-10-25")
FOUR_DIGITS = msgspec.structs.replace(SETTINGS, bib_rules=BibRules(max_digits=4))


def word(text: str, *cut: End, confidence: float = 75.0, left: float = 0.4, top: float = 0.4) -> Word:
    return Word(text=text, confidence=confidence, cut=cut, box=Box(left=left, top=top, width=0.05, height=0.03))


def bibs(*words: Word, roster: set[str] | None = None, settings: RaceSettings = SETTINGS) -> Bibs:
    return read_bibs(words, settings, None if roster is None else frozenset(roster))


def partials(found: Bibs) -> list[tuple[str, str | None]]:
    return [(each.pattern, each.bib or None) for each in found.partials or ()]


def guesses(found: Bibs) -> list[tuple[str, str | None]]:
    return [(each.bib, each.guess or None) for each in found.suggestions]


class TestPartials:
    def test_a_cut_word_is_a_pattern_and_never_a_reading(self) -> None:
        # Mutation: `cut` not looked at where readings are made.
        found = bibs(word("376", "END", confidence=99.0))
        assert (found.readings, partials(found)) == ((), [("376?", None)])
        assert bibs(word("376", "END", confidence=99.0), roster={"376", "3761"}).readings == ()

    @pytest.mark.parametrize(
        ("roster", "expected"),
        [
            ({"3761", "1000"}, [("376?", "3761")]),
            ({"3761", "3762", "1000"}, [("376?", None)]),
            ({"1000", "1376"}, []),
            (set(), []),
        ],
    )
    def test_with_a_roster_it_proposes_the_only_bib_that_fits(self, roster: set[str], expected: Any) -> None:
        assert partials(bibs(word("376", "END"), roster=roster)) == expected

    def test_a_digit_at_the_cut_end_is_left_open_where_the_roster_contradicts_it(self) -> None:
        # Mutation: the digit is always left open, or never: 3502 was seen of 35031, whose 3 is half hidden.
        roster = {"35031", "1000"}
        assert partials(bibs(word("3502", "END"), roster=roster)) == [("350?", "35031")]
        assert partials(bibs(word("3502", "END"), roster={*roster, "35029"})) == [("3502?", "35029")]
        assert partials(bibs(word("11317", "START"), roster={"21317", "1000"})) == [("?1317", "21317")]
        assert partials(bibs(word("61303", "START", "END"), roster={"11303", "51309"})) == [("?130?", None)]
        assert partials(bibs(word("37", "END"), roster={"38", "391"})) == [], "one digit says too little"
        assert partials(bibs(word("3502", "END"))) == [("3502?", None)], "nothing contradicts it without a roster"
        assert partials(bibs(word("3502", "END"), roster={"35031", "3502"})) == [], "it is whole"

    def test_a_second_sight_of_a_bib_that_is_read_says_nothing(self) -> None:
        # Mutation: `besides` keeps all. The neighbour's face would be told of 3761.
        roster = {"3761", "1000"}
        whole, part = word("3761", confidence=99.0), word("376", "END", left=0.1)
        assert partials(bibs(whole, part, roster=roster)) == []
        assert partials(bibs(word("1000", confidence=99.0), part, roster=roster)) == [("376?", "3761")]

    def test_a_number_shorter_than_all_of_the_roster_is_a_part_and_no_misread(self) -> None:
        # Mutation: only marked words are parts. Rekognition marks none.
        roster = {"1592", "3761", "4000"}
        found = bibs(word("592", confidence=99.0), word("376", confidence=99.0, left=0.1), roster=roster)
        assert partials(found) == [("*376*", "3761"), ("*592*", "1592")]
        assert found.suggestions == ()
        shorter = bibs(word("592", confidence=99.0), roster={*roster, "77"})
        assert (partials(shorter), guesses(shorter)) == ([], [("1592", None)])

    def test_without_a_roster_the_rules_say_how_short_a_number_can_be(self) -> None:
        settings = RaceSettings(name="Race", date="2026-10-25", bib_rules=BibRules(min_digits=4))
        found = bibs(word("592", confidence=99.0), word("42", confidence=99.0), settings=settings)
        assert (found.readings, partials(found)) == ((), [("*592*", None)])

    def test_a_short_number_must_be_read_surely(self) -> None:
        assert partials(bibs(word("592", confidence=79.0), roster={"1592", "3761"})) == []

    def test_what_the_rules_exclude_or_the_watermark_holds_is_no_part(self) -> None:
        settings = RaceSettings(name="Race", date="2026-10-25", bib_rules=BibRules(min_digits=4, excluded=("202",)))
        assert partials(bibs(word("202", confidence=99.0), word("202", "END"), settings=settings)) == []
        assert partials(bibs(word("376", "END", left=0.9, top=0.95))) == []

    def test_the_order_of_words_does_not_matter(self) -> None:
        words = [word("376", "END"), word("376", "END", left=0.1), word("59", "START", left=0.7)]
        assert bibs(*words) == bibs(*reversed(words))
        assert partials(bibs(*words)) == [("376?", None), ("376?", None), ("?59", None)]

    def test_where_there_is_none_the_event_is_as_it_was(self) -> None:
        # Mutation: an empty tuple instead of UNSET. The ids of all events would change.
        assert b"partials" not in msgspec.json.encode(bibs(word("3761", confidence=99.0)))


class TestWeakReadings:
    def test_a_bib_of_the_roster_that_is_read_weakly_is_a_guess(self) -> None:
        found = bibs(word("3761", confidence=63.0), roster={"3761"})
        assert (found.readings, guesses(found)) == ((), [("3761", "weak")])

    def test_off_the_roster_or_without_one_it_is_nothing(self) -> None:
        assert bibs(word("3762", confidence=63.0), roster={"3761"}) == Bibs()
        assert bibs(word("3761", confidence=63.0)) == Bibs()

    def test_a_sure_reading_takes_its_place_and_it_takes_that_of_a_misread(self) -> None:
        weak, sure, misread = (
            word("3761", confidence=63.0),
            word("3761", confidence=95.0, left=0.1),
            word("3769", confidence=95.0, left=0.7),
        )
        assert guesses(bibs(weak, sure, roster={"3761"})) == []
        assert guesses(bibs(weak, misread, roster={"3761"})) == [("3761", "weak")]

    def test_a_cut_word_that_no_longer_bib_fits_is_whole(self) -> None:
        # Mutation: a cut word is dropped where nothing fits it; or has to have what the race asks of others.
        marked = word("3761", "END", confidence=79.0)
        assert [each.bib for each in bibs(marked, roster={"3761", "1000"}).readings] == ["3761"]
        assert guesses(bibs(word("3761", "END", confidence=78.0), roster={"3761", "1000"})) == [("3761", "weak")]
        assert bibs(marked, roster={"37610", "3761"}).readings == ()
        assert guesses(bibs(word("3761", "END", confidence=70.0), roster={"3769", "1000"})) == []

    def test_so_is_one_that_has_as_many_digits_as_the_race_allows(self) -> None:
        # Mutation: a cut word is never whole where there is no roster.
        marked = word("3761", "END", confidence=79.0)
        assert [each.bib for each in bibs(marked, settings=FOUR_DIGITS).readings] == ["3761"]
        assert bibs(marked).readings == ()
        assert bibs(word("3761", "END", confidence=78.0), settings=FOUR_DIGITS).readings == ()


class Detector:
    """TextDetector over a picture with words that our vision server, or Rekognition, has read."""

    def __init__(self, marks: dict[int, Any]) -> None:
        self.rekognition = FakeRekognition()
        self.rekognition.words_in["p"] = [("376", 72.0, BOX), ("1042", 97.5, BOX), ("11", 49.0, BOX)]
        self.rekognition.marks_in["p"] = marks

    def words(self) -> tuple[Word, ...]:
        detector = TextDetector(self.rekognition, Pictures(None))  # type: ignore[arg-type]
        return detector.look(picture("p.jpg", 100, 100)).words


class TestDetector:
    def test_what_our_server_says_beyond_rekognition_is_kept_by_word(self) -> None:
        # Mutation: marks by the word's place in the list instead of its Id.
        said = [{"Text": "1048", "Confidence": 21.4567}, {"Text": "042", "Confidence": 10.0}]
        one, other, faint = Detector(
            {0: {"Cut": ["END"]}, 1: {"Torso": True, "Size": 0.42, "Alternatives": said}}
        ).words()
        assert (one.text, one.cut, one.torso, one.size) == ("376", ("END",), False, None)
        assert (other.text, other.cut, other.torso, other.size) == ("1042", (), True, 0.42)
        assert [(each.text, each.confidence) for each in other.alternatives] == [("1048", 21.46), ("042", 10.0)]
        assert (one.alternatives, faint.alternatives) == ((), ())

    def test_with_rekognition_all_works_without(self) -> None:
        words = Detector({}).words()
        assert [(each.cut, each.torso, each.size, each.alternatives) for each in words] == [((), False, None, ())] * 3

    def test_words_below_rekognitions_own_bar_are_asked_for(self) -> None:
        assert [each.text for each in Detector({}).words()] == ["376", "1042", "11"]
        assert FILTERS == {"WordFilter": {"MinConfidence": 10}}

    def test_a_word_without_marks_is_kept_as_it_was(self) -> None:
        plain = Word(text="42", confidence=90.0, box=BOX)
        assert set(msgspec.to_builtins(plain)) == {"text", "confidence", "box"}
        assert msgspec.convert(msgspec.to_builtins(plain), Word) == plain
