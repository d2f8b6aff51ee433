"""What the similarity of two faces is worth, by what else is known of them.

How well both are seen: whoever wears sunglasses looks like others who do, and a blurred face like other blurred ones.
So the same similarity is wrong more often there, and is lowered until it is wrong as seldom as between two faces that
are seen well. What they wear: one person's clothes are mostly alike at one race, two people's mostly are not. And when
one camera took them: of all faces in a race hardly any stranger is among those of the same seconds.

What is not known says nothing.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from shared.contracts.events import FaceQuality, Taken, Why

MATCHES_FROM = 85.0
"""Percent of worth from which two faces count as one person's.

On race photos no pair of 86,797 strangers of different races reaches it by the faces alone, and one of 98,021 in
clothes of strangers at one race; 5 reach 80 percent. On portraits one of 190,899 reaches it, and 95 of 100 pairs that
show one person (97). `snaprace bench accuracy` measures it.
"""

# In log odds, by which strangers are more alike. Of race photos, the nearest 1 in 100 to 1 in 10,000 pairs are .08 to
# .12 nearer where both wear sunglasses than where none does, .015 where one does; .04 to .09 where both have a
# sharpness below 30, and no nearer where one has. In the vision server's similarity .05 of distance is 1.
COVERED = (0.0, 0.5, 2.0)  # by how many of the two faces are covered
BOTH_BLURRED = 1.8
# Sharpness in percent that counts as fully blurred, and as not at all. Portraits of a newspaper have 40 and more.
BLURRED, CRISP = 20.0, 40.0

ALIKE = 0.4
"""The distance of two faces' clothes (Hellinger's, 0 to 1) that says nothing: nearer ones speak for one person.

In race photos clothes of one person are .31 apart on average (22 pairs; up to .68 where other runners or an arm are in
front), of two people at one race .53 (4,716 pairs; 2 in 100 are .17 or nearer, a quarter .67 or farther). As two normal
distributions of one width (.19) these have equal likelihoods at .42.
"""
CLOTHES = 2.0
"""Log odds by which clothes that are 1 farther apart lower a similarity; by 1.2 at most, and they raise it by .8.

The two distributions of `ALIKE` give 6 natural log odds, and 1 of similarity is worth 3 of these: from 60 to 80 percent
(1 apart) strangers become 9 times as rare, and people themselves twice as frequent. More would not find more, because
the distances are no normal distributions: clothes that are hidden lie far apart.
"""

SECONDS = 20.0
"""So long after a photo one of the same camera says nothing any more. Bursts and a runner's way past last seconds.

Only one camera's times are compared, because no two cameras' clocks agree.
"""
SAME_MOMENT = 1.0
"""Log odds that a photo of the same second has for one person, falling steadily to 0 at SECONDS.

It lets eight times as many strangers pass (1 of 11,778), but among the one or two hundred faces that a camera sees
within SECONDS, not among a race's 100,000. More would find hardly more: of race photos smeared by a fifth of a face's
width, .78 of the faces match by themselves, .83 with clothes, .845 with both, and no more are alike enough to be found
by a search.
"""

_TOLD_FROM = 0.2  # log odds; what shifts a similarity by less is not told as a reason
_SUREST = 99.99  # odds of 100 percent would be infinite

Quality = FaceQuality | msgspec.UnsetType


class Sight(NamedTuple):
    """What is known of a face besides its likeness to others: how well it is seen, clothes below it, when and by whom.

    Clothes are shares of colours as in `Face`. UNSET is not known.
    """

    quality: Quality = msgspec.UNSET
    clothes: tuple[float, ...] | msgspec.UnsetType = msgspec.UNSET
    taken: Taken | msgspec.UnsetType = msgspec.UNSET


class Worth(NamedTuple):
    """The similarity, in percent, of two faces of which nothing else is known that says as much, and why it differs."""

    percent: float
    why: tuple[Why, ...] = ()


def worth(similarity: float, one: Sight, other: Sight) -> Worth:
    """What a similarity (percent) counts as. It does not matter which face is which."""
    shifts = dict(_shifts(one, other))
    if not shifts or similarity <= 0:
        return Worth(similarity)
    share, shift = min(similarity, _SUREST) / 100.0, math.fsum(shifts.values())
    percent = round(100.0 / (1.0 + (1.0 - share) / share * math.exp(-shift)), 2)
    why = tuple(why for why, each in shifts.items() if abs(each) >= _TOLD_FROM)
    return Worth(max(percent, similarity) if shift >= 0 else percent, why)


def _shifts(one: Sight, other: Sight) -> Iterator[tuple[Why, float]]:
    """What raises (above 0) or lowers the log odds that two faces are one person's."""
    if covered := COVERED[_covered(one.quality) + _covered(other.quality)]:
        yield "covered", -covered
    if blurred := BOTH_BLURRED * min(_blurred(one.quality), _blurred(other.quality)):
        yield "blurred", -blurred
    if one.clothes and other.clothes and len(one.clothes) == len(other.clothes):
        alike = CLOTHES * (ALIKE - clothes_apart(one.clothes, other.clothes))
        yield "clothes_alike" if alike > 0 else "clothes_unlike", alike
    if one.taken and other.taken and (together := SAME_MOMENT * _together(one.taken, other.taken)):
        yield "seconds_apart", together


def _covered(quality: Quality) -> bool:
    """Whether something rather covers the face's eyes or mouth than not."""
    return max(quality.sunglasses or 0.0, quality.occluded or 0.0) >= 50.0 if quality else False


def _blurred(quality: Quality) -> float:
    """0 to 1."""
    return min(1.0, max(0.0, (CRISP - quality.sharpness) / (CRISP - BLURRED))) if quality else 0.0


def clothes_apart(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Hellinger's distance of two shares, 0 to 1."""
    common = math.fsum(math.sqrt(a * b) for a, b in zip(one, other, strict=True))
    return math.sqrt(max(0.0, 1.0 - common))


def _together(one: Taken, other: Taken) -> float:
    """How near in time one camera took both: from 0, for SECONDS apart or two cameras, to 1."""
    if (one.photographer, one.camera) != (other.photographer, other.camera):
        return 0.0
    return max(0.0, 1.0 - abs(_second(one.taken_at) - _second(other.taken_at)) / SECONDS)


@functools.lru_cache(maxsize=5000)  # a photo's time is asked for with each of its matches
def _second(taken_at: str) -> float:
    at = datetime.fromisoformat(taken_at)
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()
