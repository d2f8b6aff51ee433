"""Bytes as text: which encoding a roster is in, decided by what would stand there, or not decided.

UTF-8 and UTF-16 are told by their form. Older encodings have none: nearly any bytes are text in each of them. So each
is tried, and the words that it gives are judged by who reads such words (alphabets.py). Where one encoding alone gives
words of its languages it is taken; where several do, or none, nothing is guessed: whoever sent the file is shown what
the words would be, and asked. docs/decisions/rosters.md says why no library does this.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from shared.contracts.errors import InvalidRoster
from shared.contracts.roster import alphabets
from shared.contracts.roster.alphabets import NEVER, Strangeness
from shared.contracts.roster.headers import KNOWN, folded

# What spreadsheets of the last thirty years write where they do not write Unicode, and who reads it.
CANDIDATES: dict[str, Strangeness] = {
    "cp949": alphabets.korean,
    "cp932": alphabets.japanese,
    "euc_jp": alphabets.japanese,
    "gb18030": alphabets.simplified_chinese,
    "cp950": alphabets.traditional_chinese,
    "cp1252": alphabets.western,
    "cp1250": alphabets.central,
    "iso8859_2": alphabets.central,
    "cp1254": alphabets.turkish,
    "cp1257": alphabets.baltic,
    "mac_roman": alphabets.western,
    "cp850": alphabets.western,
    "cp852": alphabets.central,
    "cp1251": alphabets.cyrillic,
    "koi8_u": alphabets.cyrillic,
    "cp866": alphabets.cyrillic,
    "cp1253": alphabets.greek,
    "cp1255": alphabets.hebrew,
    "cp874": alphabets.thai,
}

_SAMPLE_BYTES = 64 * 1024
_MAX_WORDS = 1_500
# A text is believed whose words are hardly ever strange, where any other reading of it is clearly stranger.
_STILL_PLAUSIBLE = 1.3
_CLEARLY_STRANGER = 2.0
_WORDS_SHOWN = 3
_CANDIDATES_SHOWN = 6
_KNOWN_WORD = 3.0

_WORD = re.compile(r"[^\W\d_]+(?:[\u0e31-\u0e4e]+[^\W\d_]*)*")
# Signs that stand between or beside words in every language, and are no sign of a wrong encoding.
_SIGNS = frozenset("\u00a0\u3000«»‘’“”„–—…·•№´`、。・，．：；（）「」『』　－〜～％＃＊／＋＆＝！？℃㎞")
_ORDINAL = re.compile(r"(?:(?<=\d)|\b[nN])[ºª°](?!\w)")
_MISPLACED_SIGN = re.compile(
    r"(?<=[^\W\d_])[·•№–—„«\xa0](?![^\W\d_])|(?<![^\W\d_])[·•–—»”…](?=[^\W\d_])"
    r"|(?<=[^\W\d_])[•№„«»‘“”…\xa0](?=[^\W\d_])|[«»‘“”„–—…·•№]{2}"
)
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True)
class Decoded:
    """A text and its encoding, a Python codec's name; `guessed` where the bytes alone do not say it."""

    text: str
    encoding: str
    guessed: bool


def decode(body: bytes, encoding: str | None = None) -> Decoded:
    """The text of a roster. `encoding` is given where somebody knows it. Raises InvalidRoster."""
    if body.startswith((_ZIP, _OLE)):
        raise InvalidRoster(
            "roster_spreadsheet",
            "The roster is a spreadsheet's own file (such as .xlsx) and no CSV, whatever its name. Import it as .xlsx, "
            ".xls or .ods with snaprace roster import, or save it as CSV (UTF-8).",
        )
    if encoding is not None:
        return Decoded(_decoded_as(body, encoding), _codec(encoding), guessed=False)
    decoded = _by_form(body)
    if decoded is None:
        decoded = _by_words(body)
    if decoded.text.startswith("%PDF-"):
        raise InvalidRoster("roster_not_text", "The roster is a PDF, and no CSV. Save its table as CSV (UTF-8).")
    if re.match(r"\s*<(?:!doctype|html|table|\?xml)", decoded.text[:200], re.IGNORECASE):
        raise InvalidRoster("roster_not_csv", "The roster is a web page or XML, and no CSV. Save it as CSV (UTF-8).")
    return decoded


def _codec(name: str) -> str:
    try:
        codec = codecs.lookup(name.strip())
        "".encode(codec.name)
    except (LookupError, ValueError):
        raise InvalidRoster(
            "roster_encoding",
            f"There is no encoding '{name[:40]}'. Well-known are utf-8, utf-16, {', '.join(CANDIDATES)}.",
        ) from None
    return codec.name


def _decoded_as(body: bytes, encoding: str) -> str:
    name = _codec(encoding)
    try:
        return body.decode("utf-8-sig" if name == "utf-8" else name).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise InvalidRoster("roster_encoding", f"The roster is not {name} text: line {line} is not.") from None


def _by_form(body: bytes) -> Decoded | None:
    """The text where its bytes say what it is: by a mark at the start, by zero or escape bytes, or by being UTF-8."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\x00" in body:
        return _utf_16(body)
    if b"\x1b" in body:
        return _iso_2022(body)
    try:
        return Decoded(body.decode("utf-8-sig"), "utf-8", guessed=False)
    except UnicodeDecodeError:
        return None


def _iso_2022(body: bytes) -> Decoded:
    """The encoding of Japanese mail, which switches between alphabets by escapes and else is ASCII."""
    try:
        text = body.decode("iso2022_jp_2")
    except UnicodeDecodeError:
        text = "\x1b"
    if "\x1b" in text:
        raise InvalidRoster("roster_not_text", "The roster is not a text file. Save it as CSV (UTF-8).")
    return Decoded(text, "iso2022_jp_2", guessed=False)


def _utf_16(body: bytes) -> Decoded:
    """UTF-16 with its mark, or by which half of most pairs is zero: digits and separators are in every roster."""
    if body.startswith(codecs.BOM_UTF16_LE):
        encoding = "utf-16-le"
    elif body.startswith(codecs.BOM_UTF16_BE):
        encoding = "utf-16-be"
    else:
        encoding = "utf-16-be" if body[::2].count(0) > body[1::2].count(0) else "utf-16-le"
    try:
        text = body.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        text = "\x00"
    if any(character < " " and character not in "\t\n\r\v\f" for character in set(text)):
        raise InvalidRoster("roster_not_text", "The roster is not a text file. Save it as CSV (UTF-8).")
    return Decoded(text, encoding, guessed=False)


# --- by words ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reading:
    """What a part of the roster would be in one encoding: its words beyond ASCII, and how strange they are together."""

    encoding: str
    sample: str
    words: int
    strangeness: float


def _by_words(body: bytes) -> Decoded:
    readings = _readings(_sample(body))
    while readings:
        best = readings[0]
        others = [reading for reading in readings if reading.sample != best.sample]
        if best.strangeness > _STILL_PLAUSIBLE * best.words or (
            others and others[0].strangeness - best.strangeness < _CLEARLY_STRANGER
        ):
            break
        try:
            return Decoded(body.decode(best.encoding), best.encoding, guessed=True)
        except UnicodeDecodeError:  # of the whole, of which a part was judged
            readings.remove(best)
    raise _not_sure(readings)


def _sample(body: bytes) -> bytes:
    """The first lines beyond ASCII, as many as are enough to judge by; the last of them can end within a character."""
    sample = bytearray()
    for match in re.finditer(rb"[^\r\n]+", body):
        if len(sample) > _SAMPLE_BYTES:
            break
        line = match.group()
        if not line.isascii():
            sample += line[:_SAMPLE_BYTES] + b"\n"
            if len(line) > _SAMPLE_BYTES:
                break
    return bytes(sample[:-1])


def _readings(sample: bytes) -> list[_Reading]:
    """The sample in each encoding that can be it, the least strange first."""
    readings = []
    for encoding, judge in CANDIDATES.items():
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(sample)
        except UnicodeDecodeError:
            continue
        words = _words(text)[:_MAX_WORDS]
        strangeness = judge(words) + NEVER * _odd_signs(text) - _KNOWN_WORD * _known_words(text)
        readings.append(_Reading(encoding, text, max(len(words), 1), strangeness))
    return sorted(readings, key=lambda reading: reading.strangeness)


def _odd_signs(text: str) -> int:
    """How many signs beyond ASCII stand in no text: box drawing, currencies, or a quote inside a word."""
    signs = (character for character in _ORDINAL.sub("", text) if not character.isascii() and not character.isalpha())
    odd = sum(1 for sign in signs if sign not in _SIGNS and not "\u0e31" <= sign <= "\u0e4e")
    return odd + len(_MISPLACED_SIGN.findall(text))


def _known_words(text: str) -> int:
    """How many cells of the first lines are header words; no other encoding makes one."""
    return sum(1 for line in text.split("\n", 3)[:3] for cell in re.split(r'[,;\t|"]', line) if _is_known(cell))


def _is_known(cell: str) -> bool:
    return not cell.isascii() and folded(cell) in KNOWN


def _words(text: str) -> list[str]:
    """The words that have letters beyond ASCII."""
    return [word for word in _WORD.findall(text) if not word.isascii()]


def _not_sure(readings: list[_Reading]) -> InvalidRoster:
    shown: dict[str, str] = {}
    for reading in readings:
        words = ", ".join(_words(reading.sample)[:_WORDS_SHOWN])
        if words and words not in shown:
            shown[words] = reading.encoding
    listed = "; ".join(f"{encoding}: {words[:60]}" for words, encoding in list(shown.items())[:_CANDIDATES_SHOWN])
    would_be = f" Its words would be in {listed}." if listed else ""
    return InvalidRoster(
        "roster_encoding",
        "The roster is not UTF-8, and what it is instead is not sure. Save it as CSV (UTF-8), or import it with "
        f"snaprace roster import --encoding NAME.{would_be}",
    )
