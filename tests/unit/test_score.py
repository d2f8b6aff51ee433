"""Precision and recall against a truth: what counts, and what does not."""

import pytest

from ops.demo.score import Found, Score, TruePhoto, TrueRunner, Truth, score, score_bibs, score_people

ROSTER = frozenset({"7", "42", "A5"})
TRUTH = Truth(
    photos={
        "start.jpg": TruePhoto((TrueRunner("0007", "full"), TrueRunner("42", "half"))),
        "finish.jpg": TruePhoto((TrueRunner("a-5", "hidden"), TrueRunner("999", "full"))),
        "empty.jpg": TruePhoto(),
    },
    duplicates={"start (1).jpg": "start.jpg"},
)
PERFECT = Score(precision=1, recall=1, f1=1)


def found(filename: str, bib: str, *, read: bool) -> Found:
    return Found((filename,), bib, read)


@pytest.mark.parametrize(
    ("found_pairs", "right", "required", "expected"),
    [
        ("ab", "ab", "ab", (1, 1, 1)),
        ("abx", "abc", "abc", (0.6667, 0.6667, 0.6667)),
        ("a", "abcd", "abcd", (1, 0.25, 0.4)),
        ("abcd", "a", "a", (0.25, 1, 0.4)),
        ("ab", "ab", "a", (1, 1, 1)),  # allowed, not required
        ("", "ab", "ab", (0, 0, 0)),
        ("x", "", "", (0, 1, 0)),
        ("", "", "", (1, 1, 1)),
    ],
)
def test_a_score_is_what_the_books_say(
    found_pairs: str, right: str, required: str, expected: tuple[float, float, float]
) -> None:
    def pairs(photos: str) -> set[tuple[str, str]]:
        return {(photo, "1") for photo in photos}

    made = score(pairs(found_pairs), right=pairs(right), required=pairs(required))
    assert (made.precision, made.recall, made.f1) == expected


def test_everybody_counts_as_found_hidden_or_not_but_no_number_that_is_not_on_the_roster() -> None:
    everybody = [
        found("start.jpg", "7", read=True),
        found("start.jpg", "42", read=False),
        found("finish.jpg", "A5", read=False),
    ]
    assert score_people(TRUTH, ROSTER, everybody) == PERFECT
    assert score_people(TRUTH, ROSTER, everybody[:2]).recall == pytest.approx(2 / 3, abs=1e-4)


def test_only_what_can_be_read_has_to_be_read() -> None:
    assert score_bibs(TRUTH, ROSTER, [found("start.jpg", "7", read=True)]) == PERFECT


def test_a_half_hidden_bib_that_was_read_is_right_and_a_hidden_one_cannot_have_been() -> None:
    both = [found("start.jpg", "7", read=True), found("start.jpg", "42", read=True)]
    assert score_bibs(TRUTH, ROSTER, both) == PERFECT
    misread = [*both, found("finish.jpg", "A5", read=True)]
    assert score_bibs(TRUTH, ROSTER, misread).precision == pytest.approx(2 / 3, abs=1e-4)


def test_a_runner_known_by_the_face_alone_is_no_reading() -> None:
    inferred = [found("start.jpg", "7", read=True), found("empty.jpg", "42", read=False)]
    assert score_bibs(TRUTH, ROSTER, inferred) == PERFECT
    assert score_people(TRUTH, ROSTER, inferred).precision == 0.5


def test_all_copies_of_a_photo_are_one() -> None:
    copies = [Found(("start (1).jpg", "start.jpg"), "7", True), Found(("start (1).jpg",), "42", True)]
    assert score_bibs(TRUTH, ROSTER, copies) == PERFECT
    assert score_people(TRUTH, ROSTER, copies).precision == 1
