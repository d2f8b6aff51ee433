"""Who runs in the demo race: faces that a recognizer can tell apart, bibs that cannot be mistaken for another."""

from __future__ import annotations

from dataclasses import dataclass

from local.race.canvas import Color
from local.race.face import Look, look
from local.race.figure import Outfit
from shared.contracts.bibs import canonical

_RED: Color = (220, 62, 58)
_BLUE: Color = (38, 112, 190)
_NAVY: Color = (34, 46, 88)
_TEAL: Color = (26, 150, 146)
_YELLOW: Color = (248, 204, 66)
_ORANGE: Color = (240, 128, 50)
_PINK: Color = (236, 104, 150)
_PURPLE: Color = (116, 72, 168)
_GREEN: Color = (74, 160, 84)
_MINT: Color = (128, 222, 188)
_SKY: Color = (120, 190, 236)
_WHITE: Color = (238, 240, 244)
_BLACK: Color = (42, 44, 54)
_GREY: Color = (112, 120, 136)


@dataclass(frozen=True)
class Person:
    """Somebody who runs; `seed` gives her face. `printed` is what her bib says."""

    printed: str
    name: str
    seed: int
    outfit: Outfit

    @property
    def bib(self) -> str:
        """The bib's canonical spelling."""
        bib = canonical(self.printed)
        assert bib is not None  # noqa: S101  # every bib below is one
        return bib

    @property
    def look(self) -> Look:
        """What stays the same about her head."""
        return look(self.seed)


def _outfit(
    shirt: Color,
    trim: Color,
    shorts: Color,
    shoes: Color,
    extra: str = "",
) -> Outfit:
    return Outfit(shirt, trim, shorts, shoes, sleeves="sleeves" in extra, tights="tights" in extra)


# The faces were chosen from 3,000 seeds so that all are far apart for the vision server (see bench/drawn_race.py);
# change a seed, or how a face is drawn, and measure again. No bib is a part of another, so that a half-hidden one
# never reads as somebody else's.
ROSTER: tuple[Person, ...] = (
    Person("2187", "Amara Okafor", 2895, _outfit(_YELLOW, _PURPLE, _BLACK, _PINK)),
    Person("A123", "Marco Bianchi", 2581, _outfit(_RED, _WHITE, _BLACK, _YELLOW)),
    Person("731", "Rafaela Costa", 1969, _outfit(_MINT, _NAVY, _NAVY, _ORANGE, "sleeves")),
    Person("F77", "김하늘", 2503, _outfit(_PINK, _WHITE, _GREY, _MINT, "tights")),
    Person("12964", "이준호", 2947, _outfit(_BLUE, _YELLOW, _BLACK, _RED, "sleeves")),
    Person("88", "박소연", 2134, _outfit(_ORANGE, _NAVY, _NAVY, _SKY)),
    Person("5219", "Daniel Haddad", 1800, _outfit(_TEAL, _ORANGE, _BLACK, _YELLOW, "sleeves")),
    Person("A605", "Owen Gallagher", 2781, _outfit(_WHITE, _RED, _RED, _BLUE, "sleeves")),
    Person("3054", "Clara Fischer", 376, _outfit(_NAVY, _MINT, _GREY, _GREEN)),
    Person("F930", "정서연", 1848, _outfit(_SKY, _PINK, _BLACK, _ORANGE, "tights")),
    Person("46", "강도윤", 1394, _outfit(_GREEN, _YELLOW, _BLACK, _WHITE, "sleeves")),
    Person("6340", "Joseph Mensah", 2798, _outfit(_BLACK, _ORANGE, _BLACK, _RED)),
    Person("30571", "Emma Lindqvist", 2605, _outfit(_PURPLE, _MINT, _BLACK, _YELLOW)),
    Person("8126", "Meera Nair", 2757, _outfit(_RED, _YELLOW, _NAVY, _MINT, "sleeves")),
    Person("A2750", "Fiona Byrne", 882, _outfit(_SKY, _NAVY, _NAVY, _YELLOW)),
    Person("509", "Samuel Adeyemi", 2116, _outfit(_WHITE, _GREEN, _GREEN, _ORANGE, "sleeves")),
    Person("24138", "Andre Silva", 2935, _outfit(_YELLOW, _GREEN, _BLUE, _RED)),
    Person("F318", "윤미경", 1238, _outfit(_TEAL, _WHITE, _BLACK, _PINK, "sleeves")),
)

# His bib looks like any other, but the organizer's list does not have it.
STRANGER = Person("66041", "", 598, _outfit(_GREY, _YELLOW, _BLACK, _ORANGE))
