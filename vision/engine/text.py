"""Reading text: rapidocr finds lines and recognises their characters; here they become words with places.

Numbers matter most in a race, so each of them is read again in wider cuts of the picture around it (`agreement`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from rapidocr import RapidOCR

from vision.engine.agreement import Agreed, Reading, agreed, alternatives
from vision.engine.cut import cut_ends
from vision.engine.lines import LineFinder
from vision.engine.messages import Alternative, End, Line, Point, Word
from vision.engine.pictures import Pixels, resized
from vision.engine.quads import Quad, apart, between, height, shared, widened, width
from vision.engine.torsos import Torso, TorsoFinder
from vision.engine.worn import size_on_body

DETECTION_SIDES = (2048, 800)
"""Longest sides, in pixels, at which lines are looked for; the second look adds what the first did not see.

The first is for a runner in the distance, the second for digits of a hundred pixels. Characters are recognised at the
picture's own size, whatever these are.
"""
ENLARGED_SIDE = 1280
"""Smaller pictures are enlarged towards this longest side, by MAX_ENLARGEMENT at most."""
MAX_ENLARGEMENT = 2.0
SAME_PLACE = 0.3
"""Two boxes that share this part of the smaller one hold the same line, if their heights are ALIKE."""
ALIKE = 2.0
"""Ratio of two boxes' heights from which one is no look at the other's line: small print beside a number, or noise
around it."""
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
LONGEST = 50.0
"""A line that is longer than so many of its heights, some hundred characters, is read in parts: the memory that reading
takes grows with the length.
"""
MOST_READ = 60_000
"""Pixels of all lines of a picture together that are read, each scaled to the recogniser's height, the tallest first.

It is some 6 s of one core. A page of small print has more; DetectText answers 100 words at most.
"""
MOST_READ_AGAIN = 40
"""Numbers in one picture that are read again, the tallest first: it bounds the time that a page of figures takes."""

_CALIBRATION = math.log(0.80) / math.log(AGREEMENT_AT_80)
_LEAST_CERTAINTY = 0.5  # of a line on average; what is below is taken for no text
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
        self._lines = LineFinder()
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
        self._lines.find(pixels)
        self._torsos.find(pixels)

    def read(self, pixels: Pixels) -> list[Line]:
        """The lines of text, in reading order."""
        longest = max(pixels.shape[:2])
        enlargement = min(MAX_ENLARGEMENT, max(1.0, ENLARGED_SIDE / longest))
        picture = _scaled(pixels[:, :, ::-1], enlargement)  # the engine's order is BGR
        boxes = _in_reading_order(_affordable(self._boxes(picture)))
        lines = [
            _words(box, characters)
            for box, characters in zip(boxes, self._recognised([_cut(picture, box) for box in boxes]), strict=True)
            if characters and sum(each.certainty for each in characters) / len(characters) >= _LEAST_CERTAINTY
        ]
        again = self._read_again(picture, [word for words in lines for word in words])
        lines = _once([[again.get(id(word), word) for word in words] for words in lines])
        torsos = self._torsos.find(picture) if lines else []
        size = np.array([picture.shape[1], picture.shape[0]], dtype=np.float64)
        return [_line(words, size, torsos) for words in lines]

    def _boxes(self, picture: Pixels) -> list[Quad]:
        """Where lines of text stand, each once."""
        boxes: list[Quad] = []
        at_the_edge: list[Quad] = []
        longest = max(picture.shape[:2])
        for number, side in enumerate(DETECTION_SIDES):
            if number and side >= longest:
                break  # it would see the same again
            scale = min(1.0, side / longest)
            for seen in self._lines.find(_scaled(picture, scale)):
                boxes += _new([box / scale for box in seen.whole], boxes)
                at_the_edge += [box / scale for box in seen.at_the_edge]
        boxes += _new(at_the_edge, boxes)  # a part of a line counts where no other tile or look shows the whole
        return [part for box in boxes for part in _parts(box)]

    def _recognised(self, strips: list[Pixels]) -> list[list[_Character]]:
        """The characters of each strip, spaces among them."""
        if not strips:
            return []
        found: Any = self._ocr.recognize_txt(strips)
        return [_characters(text, columns) for text, columns in zip(found.txts, found.word_results, strict=True)]

    def _read_again(self, picture: Pixels, words: list[_Found]) -> dict[int, _Found]:
        """The numbers among `words`, each by the id of what it was, as all cuts of it say together."""
        numbers = sorted((word for word in words if _is_number(word.text)), key=lambda word: -height(word.box))
        numbers = numbers[:MOST_READ_AGAIN]
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
                torso=any(torso.has(word.box.mean(axis=0)) for torso in torsos),
                size=size_on_body(word.box, torsos),
                alternatives=tuple(Alternative(each.text, 100 * each.certainty) for each in word.alternatives),
            )
            for word in words
        ],
        corners=_corners(np.stack([words[0].box[0], words[-1].box[1], words[-1].box[2], words[0].box[3]]), size),
    )


def _corners(box: Quad, size: NDArray[np.float64]) -> tuple[Point, Point, Point, Point]:
    a, b, c, d = (Point(float(x), float(y)) for x, y in np.clip(box / size, 0.0, 1.0))
    return a, b, c, d


def _scaled(picture: Pixels, scale: float) -> Pixels:
    return np.ascontiguousarray(picture) if scale == 1 else resized(picture, scale)


def _cut(picture: Pixels, box: Quad) -> Pixels:
    """What is in the box, turned upright; beyond the picture's edge its last pixels go on."""
    wide, high = max(round(width(box)), 4), max(round(height(box)), 4)
    upright = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], dtype=np.float32)
    turn = cv2.getPerspectiveTransform(box.astype(np.float32), upright)
    cut = cv2.warpPerspective(picture, turn, (wide, high), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, dtype=np.uint8)


def _new(boxes: Sequence[Quad], others: Sequence[Quad]) -> list[Quad]:
    """The boxes whose line is none of the others'."""
    return [box for box in boxes if not any(_same_line(box, other) for other in others)]


def _same_line(box: Quad, other: Quad) -> bool:
    ratio = height(box) / max(height(other), 1.0)
    return 1 / ALIKE < ratio < ALIKE and shared(box, other) > SAME_PLACE


def _parts(box: Quad) -> list[Quad]:
    """The box, or what it is cut into if it is longer than LONGEST."""
    count = max(1, math.ceil(width(box) / (LONGEST * max(height(box), 1.0))))
    return [between(box, number / count, (number + 1) / count) for number in range(count)]


def _affordable(boxes: Sequence[Quad]) -> list[Quad]:
    """The tallest lines that MOST_READ allows to read."""
    tallest = sorted(boxes, key=height, reverse=True)
    read = itertools.accumulate(max(_STRIP[1] * width(box) / max(height(box), 1.0), _STRIP[2]) for box in tallest)
    return [box for box, total in zip(tallest, read, strict=True) if total <= MOST_READ]


def _in_reading_order(boxes: Sequence[Quad]) -> list[Quad]:
    """Row by row, each from left to right; what begins within half a row's height of its first belongs to the row."""
    rows: list[list[Quad]] = []
    for box in sorted(boxes, key=lambda each: float(each[:, 1].mean())):
        if rows and box[:, 1].mean() - rows[-1][0][:, 1].mean() < height(rows[-1][0]) / 2:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [box for row in rows for box in sorted(row, key=lambda each: float(each[:, 0].mean()))]
