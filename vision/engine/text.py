"""Reading text: rapidocr finds lines and recognises their characters; here they become words with places.

Numbers matter most in a race, so each of them is read again in wider cuts of the picture around it (`agreement`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from rapidocr import RapidOCR

from vision.engine.agreement import Agreed, Reading, agreed, alternatives
from vision.engine.cut import cut_ends
from vision.engine.looks import TORSO_WIDTHS, Looks, scaled
from vision.engine.messages import Alternative, End, Line, Point, Word
from vision.engine.pictures import Pixels
from vision.engine.quads import Quad, apart, between, height, middle, shared, widened, width
from vision.engine.torsos import Torso, TorsoFinder
from vision.engine.worn import size_on_body

ENLARGED_SIDE = 1280
"""Smaller pictures are enlarged towards this longest side, by MAX_ENLARGEMENT at most."""
MAX_ENLARGEMENT = 2.0
SAME_NUMBER = 0.5
"""Two numbers of which the smaller one's box shares this part are one, if the text of one is in the other's."""
CUTS = ((0.1, 0.1, 0.0), (0.6, 0.0, 0.0), (0.0, 0.6, 0.0), (0.3, 0.3, 0.15), (0.6, 0.6, 0.0))
"""How much wider than its box a number is read again: before it, after it, above and below, in heights of the box."""
AGREEMENT_AT_80 = 0.75
"""How far the readings of a number agree where its confidence is 80 percent, below which DetectText leaves words out.

On 105 race photos the F1 of reading bibs is best from .74 to .80; the lower end is taken for the sake of those who look
for their photos.
"""
MOST_CERTAIN_CUT = 0.79
"""The certainty of a number that goes on beyond an end, at most: below DetectText's default of 80 percent, as it is no
whole word, and above the 50 percent from which the ocr stage takes a word as evidence.
"""
MOST_READ = 60_000
"""Pixels of all lines of a picture together that are read, each scaled to the recogniser's height, the tallest first.

It is some 6 s of one core. A page of small print has more; DetectText answers 100 words at most.
"""
MOST_READ_AGAIN = 40
"""Numbers in one picture that are read again, the tallest first: it bounds the time that a page of figures takes."""
TORSOS_SHARE = 0.25
"""Of MOST_READ and MOST_READ_AGAIN, what each look at torsos may add."""

_CALIBRATION = math.log(0.80) / math.log(AGREEMENT_AT_80)
_LEAST_CERTAINTY = 0.5  # of a line on average; what is below is taken for no text
_ANSWERED = 0.8  # DetectText's default
_STRIP = [3, 48, 160]  # channels, height and least width of what the recogniser takes; its own 320 is mostly padding


class _Character(NamedTuple):
    """`certainty` from 0 to 1; `place` is its middle, from 0 at the start of what was cut out to 1 at its end."""

    text: str
    certainty: float
    place: float


class _Found(NamedTuple):
    """A word in the picture, the certainty of each of its characters from 0 to 1, and the ends where it is cut.

    `alternatives` are what some readings of a number say instead.
    """

    text: str
    certainties: Sequence[float]
    box: Quad
    cut: tuple[End, ...] = ()
    alternatives: Sequence[Agreed] = ()


class TextReader:
    """Reads the text in pictures, with one thread. Loading takes about a second."""

    def __init__(self) -> None:
        self._looks = Looks()
        self._torsos = TorsoFinder()
        self._ocr = RapidOCR(
            params={
                "Global.use_cls": False,
                "Global.log_level": "critical",
                "Global.return_word_box": True,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                "Rec.rec_img_shape": _STRIP,
                "Rec.rec_batch_num": 1,  # more at once would all be padded to the longest, and take so much more memory
            }
        )

    def warm(self, pixels: Pixels) -> None:
        """Look for lines once, as `read` does in each of its tiles."""
        self._looks.warm(pixels)
        self._torsos.find(pixels)

    def read(self, pixels: Pixels) -> list[Line]:
        """The lines of text, in reading order."""
        longest = max(pixels.shape[:2])
        enlargement = min(MAX_ENLARGEMENT, max(1.0, ENLARGED_SIDE / longest))
        picture = scaled(pixels[:, :, ::-1], enlargement)  # the engine's order is BGR
        torsos = self._torsos.find(picture)
        lines = self._lines(picture, self._looks.scene(picture), 1)
        for wide in TORSO_WIDTHS:
            words = [word for line in lines for word in line]
            boxes = self._looks.torsos(picture, _unread(torsos, words), wide, [word.box for word in words])
            lines += self._lines(picture, boxes, TORSOS_SHARE)
        size = np.array([picture.shape[1], picture.shape[0]], dtype=np.float64)
        return [_line(words, size, torsos) for words in _in_reading_order(_once(lines))]

    def _lines(self, picture: Pixels, boxes: Sequence[Quad], part: float) -> list[list[_Found]]:
        """What is read in the boxes, numbers as all their cuts say together; `part` of the most that is read at all."""
        boxes = _affordable(boxes, round(part * MOST_READ))
        lines = [
            _words(box, characters)
            for box, characters in zip(boxes, self._recognised([_cut(picture, box) for box in boxes]), strict=True)
            if characters and sum(each.certainty for each in characters) / len(characters) >= _LEAST_CERTAINTY
        ]
        words = [word for line in lines for word in line]
        again = self._read_again(picture, words, round(part * MOST_READ_AGAIN))
        return [[again.get(id(word), word) for word in line] for line in lines]

    def _recognised(self, strips: list[Pixels]) -> list[list[_Character]]:
        """The characters of each strip, spaces among them."""
        if not strips:
            return []
        found: Any = self._ocr.recognize_txt(strips)
        return [_characters(text, columns) for text, columns in zip(found.txts, found.word_results, strict=True)]

    def _read_again(self, picture: Pixels, words: Sequence[_Found], most: int) -> dict[int, _Found]:
        """The `most` tallest numbers among `words`, each by the id of what it was, as all cuts of it say together."""
        numbers = sorted((word for word in words if _is_number(word.text)), key=lambda word: -height(word.box))
        numbers = numbers[:most]
        boxes = [widened(word.box, *cut) for word in numbers for cut in CUTS]
        strips = self._recognised([_cut(picture, box) for box in boxes])
        cuts = [_words(box, characters) for box, characters in zip(boxes, strips, strict=True)]
        return {
            id(word): _judged(picture, _agreed(word, cuts[len(CUTS) * number : len(CUTS) * (number + 1)]))
            for number, word in enumerate(numbers)
        }


def _once(lines: Sequence[Sequence[_Found]]) -> list[list[_Found]]:
    """The lines without numbers that are read once more, whole, in the same place: two looks can box one number.

    The longest is the number, and of equal ones the surest.
    """
    kept: list[_Found] = []
    numbers = [word for words in lines for word in words if _is_number(word.text)]
    for word in sorted(numbers, key=lambda each: (-len(each.text), -min(each.certainties))):
        if not any(word.text in other.text and shared(word.box, other.box) > SAME_NUMBER for other in kept):
            kept.append(word)
    known = {id(word) for word in kept}
    left = [[word for word in words if id(word) in known or not _is_number(word.text)] for words in lines]
    return [words for words in left if words]


def _is_number(text: str) -> bool:
    digits = sum(character.isdecimal() for character in text)
    return digits >= 2 and 2 * digits >= len(text)


def _unread(torsos: Iterable[Torso], words: Iterable[_Found]) -> list[Torso]:
    """The torsos on which no number is read that DetectText answers as a whole word."""
    numbers = [word for word in words if _is_number(word.text) and not word.cut]
    places = [middle(number.box) for number in numbers if min(number.certainties) >= _ANSWERED]
    return [torso for torso in torsos if not any(torso.wears(place) for place in places)]


def _agreed(word: _Found, cuts: Sequence[Sequence[_Found]]) -> _Found:
    """The number `word`, from its own box and from the words in cuts around it."""
    nearest = [min(found, key=lambda each: apart(each.box, word.box)) for found in cuts if found]
    unread = [Reading("", ())] * (len(cuts) - len(nearest))
    others = [Reading(each.text, each.certainties) for each in nearest]
    own = Reading(word.text, word.certainties)
    text, agreement = agreed(own, others + unread)
    certainty = agreement**_CALIBRATION
    box = next(each.box for each in [word, *nearest] if each.text == text)
    instead = alternatives([own, *others, *unread], text)
    numbers = [each._replace(certainty=each.certainty**_CALIBRATION) for each in instead if _is_number(each.text)]
    return _Found(text, (certainty,) * len(text), box, alternatives=numbers)


def _judged(picture: Pixels, number: _Found) -> _Found:
    """The number, and the ends beyond which it goes on; then it is no more certain than MOST_CERTAIN_CUT."""
    ends = cut_ends(picture[:, :, ::-1], number.box, number.text)
    certainties = [min(each, MOST_CERTAIN_CUT) for each in number.certainties] if ends else number.certainties
    return number._replace(certainties=certainties, cut=ends)


def _characters(text: str, columns: Any) -> list[_Character]:
    """Text as the recogniser answers it; it says in which of `line_txt_len` columns each character stands."""
    places = iter([column for word in columns.word_cols for column in word])
    characters, place = [], 0.0
    for character, certainty in zip(text, columns.confs, strict=False):
        if not character.isspace():  # a space has no column
            place = (next(places) + 0.5) / columns.line_txt_len
        characters.append(_Character(character, float(certainty), place))
    return characters


def _words(box: Quad, characters: Sequence[_Character]) -> list[_Found]:
    """What stands between spaces in the strip that was cut out of `box`; a word alone has the whole box."""
    half = _half_character(box, len(characters))
    words = []
    for blank, group in itertools.groupby(characters, key=lambda each: each.text.isspace()):
        own = list(group)
        if not blank:
            place = between(box, own[0].place - half, own[-1].place + half)
            words.append(_Found("".join(each.text for each in own), [each.certainty for each in own], place))
    return [words[0]._replace(box=box)] if len(words) == 1 else words


def _half_character(box: Quad, characters: int) -> float:
    """Half a character's width as a share of the box: an even share of it, but never wider than the box is high."""
    return min(1 / max(characters, 1), height(box) / max(width(box), 1.0)) / 2


def _line(words: Sequence[_Found], size: NDArray[np.float64], torsos: Sequence[Torso]) -> Line:
    """`size` is the picture's width and height."""
    return Line(
        words=[
            Word(
                text=word.text,
                confidence=100 * min(1.0, sum(word.certainties) / len(word.certainties)),
                corners=_corners(word.box, size),
                cut=word.cut,
                torso=any(torso.has(middle(word.box)) for torso in torsos),
                size=size_on_body(word.box, torsos),
                alternatives=tuple(Alternative(each.text, 100 * each.certainty) for each in word.alternatives),
            )
            for word in words
        ],
        corners=_corners(_around(words), size),
    )


def _corners(box: Quad, size: NDArray[np.float64]) -> tuple[Point, Point, Point, Point]:
    a, b, c, d = (Point(float(x), float(y)) for x, y in np.clip(box / size, 0.0, 1.0))
    return a, b, c, d


def _cut(picture: Pixels, box: Quad) -> Pixels:
    """What is in the box, turned upright; beyond the picture's edge its last pixels go on."""
    wide, high = max(round(width(box)), 4), max(round(height(box)), 4)
    upright = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], dtype=np.float32)
    turn = cv2.getPerspectiveTransform(box.astype(np.float32), upright)
    cut = cv2.warpPerspective(picture, turn, (wide, high), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, dtype=np.uint8)


def _affordable(boxes: Sequence[Quad], most: int) -> list[Quad]:
    """The tallest lines that `most` of MOST_READ's pixels allow to read."""
    tallest = sorted(boxes, key=height, reverse=True)
    read = itertools.accumulate(max(_STRIP[1] * width(box) / max(height(box), 1.0), _STRIP[2]) for box in tallest)
    return [box for box, total in zip(tallest, read, strict=True) if total <= most]


def _in_reading_order(lines: Sequence[Sequence[_Found]]) -> list[Sequence[_Found]]:
    """Row by row, each from left to right; what begins within half a row's height of its first belongs to the row."""
    placed = sorted(((_around(line), line) for line in lines), key=lambda each: float(middle(each[0])[1]))
    rows: list[list[tuple[Quad, Sequence[_Found]]]] = []
    for box, line in placed:
        if rows and middle(box)[1] - middle(rows[-1][0][0])[1] < height(rows[-1][0][0]) / 2:
            rows[-1].append((box, line))
        else:
            rows.append([(box, line)])
    return [line for row in rows for _, line in sorted(row, key=lambda each: float(middle(each[0])[0]))]


def _around(words: Sequence[_Found]) -> Quad:
    """From the start of a line's first word to the end of its last."""
    first, last = words[0].box, words[-1].box
    return np.stack([first[0], last[1], last[2], first[3]])
