"""A drawn runner: body, clothes and bib, in one of a few poses.

Places on a body are measured in heads (skull to chin) from the hollow of the neck: x to the right, y down.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from local.race.canvas import (
    Color,
    Points,
    ellipse,
    flat,
    lettering,
    limb,
    mixed,
    points,
    scaled,
    shade,
    smooth,
    soft,
    turned,
)
from local.race.face import Expression, Look, draw_head

HEAD_ABOVE = 1.12  # the skull's top is so far above the hollow of the neck
SOLE = 4.72  # and the ground so far below it
_TOP, _SIDE = 2.75, 2.0  # what a sheet holds above the neck (raised arms) and to each side

Joint = tuple[float, float]


class Pose(enum.Enum):
    """What the body does."""

    RUN = "run"
    DRIVE = "drive"
    CHEER = "cheer"
    WAVE = "wave"
    STAND = "stand"
    THUMB = "thumb"
    PORTRAIT = "portrait"


class Cover(enum.Enum):
    """What stands between the bib and the camera: the first three hide all of it, the last two a half."""

    NONE = "none"
    JACKET = "jacket"
    FLAG = "flag"
    ARMS = "arms"
    OPEN_JACKET = "open_jacket"
    TOWEL = "towel"


@dataclass(frozen=True)
class Outfit:
    """Somebody's clothes."""

    shirt: Color
    trim: Color
    shorts: Color
    shoes: Color
    sleeves: bool = False
    tights: bool = False


@dataclass(frozen=True)
class Figure:
    """Somebody as one picture shows them. `printed` is what the bib says; empty = wears none."""

    look: Look
    outfit: Outfit
    printed: str
    pose: Pose = Pose.RUN
    cover: Cover = Cover.NONE
    expression: Expression = field(default_factory=Expression)
    mirrored: bool = False
    medal: bool = False
    lean: float = 0.0


# Shoulder, elbow and wrist of the right and the left arm (on the screen); hip, knee and ankle of the legs.
_ARM_FORWARD: tuple[Joint, ...] = ((0.62, 0.25), (1.00, 1.00), (0.76, 0.44))
_ARM_BACK: tuple[Joint, ...] = ((-0.62, 0.25), (-1.06, 0.86), (-0.92, 1.42))
_ARM_UP: tuple[Joint, ...] = ((0.62, 0.21), (1.14, -0.42), (0.98, -1.22))
_ARM_WAVING: tuple[Joint, ...] = ((0.62, 0.23), (1.22, 0.10), (1.20, -0.70))
_ARM_ON_HIP: tuple[Joint, ...] = ((0.62, 0.25), (1.20, 0.98), (0.70, 1.58))
_ARM_THUMB: tuple[Joint, ...] = ((0.62, 0.25), (1.06, 1.06), (0.98, 0.36))
_ARM_HANGING: tuple[Joint, ...] = ((-0.62, 0.25), (-0.94, 1.05), (-0.90, 1.80))
_ARM_FOLDED: tuple[Joint, ...] = ((0.62, 0.25), (0.88, 0.93), (-0.42, 0.90))
_ARM_FOLDED_OVER: tuple[Joint, ...] = ((-0.62, 0.25), (-0.88, 1.10), (0.42, 1.13))
_ARM_HOLDING: tuple[Joint, ...] = ((0.62, 0.25), (1.16, 0.95), (0.90, 0.66))

_LEG_STANDING: tuple[Joint, ...] = ((0.29, 1.95), (0.27, 3.20), (0.17, 4.38))
_LEG_STRAIGHT: tuple[Joint, ...] = ((-0.29, 1.95), (-0.36, 3.20), (-0.36, 4.38))
_LEG_TRAILING: tuple[Joint, ...] = ((-0.29, 1.95), (-0.33, 3.00), (-0.24, 3.62))
_LEG_DRIVING: tuple[Joint, ...] = ((-0.29, 1.95), (-0.38, 2.72), (-0.30, 3.66))


def _other_side(joints: tuple[Joint, ...]) -> tuple[Joint, ...]:
    return tuple((-x, y) for x, y in joints)


def _direction(ex: float, ey: float, wx: float, wy: float) -> tuple[float, float]:
    """From the elbow to the wrist; shorter than 1 where the forearm points at the camera."""
    length = max(0.2, math.hypot(wx - ex, wy - ey))
    return (wx - ex) / length, (wy - ey) / length


def draw_figure(figure: Figure, head: float, *, reach: float = SOLE + 0.3) -> tuple[Image.Image, tuple[float, float]]:
    """Draw somebody whose head is `head` pixels high, down to `reach` heads below the neck.

    Returns the picture (RGBA, at its final size) and where in it the hollow of the neck is.
    """
    oversampling = 2.0 if head < 170 else 1.5
    return _FigureDrawing(figure, head, reach, oversampling).finished()


class _FigureDrawing:
    def __init__(self, figure: Figure, head: float, reach: float, oversampling: float) -> None:
        self.figure = figure
        self.final = (round(2 * _SIDE * head), round((_TOP + reach) * head))
        self.oversampling = oversampling
        self.head = head = head * oversampling
        self.look, self.outfit = figure.look, figure.outfit
        self.neck = (_SIDE * head, _TOP * head)
        size = (round(self.final[0] * oversampling), round(self.final[1] * oversampling))
        self.sheet = Image.new("RGBA", size, (*figure.look.skin, 0))
        self.broad = 0.93 if figure.look.woman else 1.04
        self.skin = scaled(figure.look.skin, 0.96)
        self.sun = figure.expression.sun

    def finished(self) -> tuple[Image.Image, tuple[float, float]]:
        """Everything, from what is farthest away to what is nearest."""
        head = draw_head(self.look, self.figure.expression, self.head / 2)
        middle = self._at(points([(self.figure.lean * 0.06, -0.62)]))[0]
        corner = round(middle[0] - head.center[0]), round(middle[1] - head.center[1])
        self.sheet.alpha_composite(head.back, (max(0, corner[0]), max(0, corner[1])))
        self._legs()
        arms = self._arms()
        for joints, behind in arms:
            if behind:
                self._arm(joints, behind=True)
        self._torso()
        self._bib()
        self._jacket()
        for joints, behind in arms:
            if not behind and self.figure.cover is not Cover.FLAG:
                self._arm(joints)
        self._towel()
        self._medal()
        self.sheet.alpha_composite(head.front, (max(0, corner[0]), max(0, corner[1])))
        self._flag()
        for joints, behind in arms:
            if not behind and self.figure.cover is Cover.FLAG:
                self._arm(joints)
        sprite = self.sheet.resize(
            self.final, Image.Resampling.BOX if self.oversampling == 2 else Image.Resampling.HAMMING
        )
        return sprite, (self.neck[0] / self.oversampling, self.neck[1] / self.oversampling)

    # Tools

    def _at(self, shape: Points, *, mirror: bool = False) -> Points:
        if mirror and self.figure.mirrored:
            shape = shape * points([(-1, 1)])
        placed: Points = turned(shape, self.figure.lean * 0.05) * self.head + np.array(self.neck)
        return placed

    def _shaded(
        self, shape: Points, color: Color, softness: float, *, mirror: bool = False, depth: float = 0.30
    ) -> None:
        self._rounded([shape], color, softness, mirror=mirror, depth=depth)

    def _rounded(
        self, shapes: list[Points], color: Color, softness: float, *, mirror: bool = False, depth: float = 0.30
    ) -> None:
        """Several shapes as one body, without a seam between them."""
        placed = [self._at(shape, mirror=mirror) for shape in shapes]
        shade(self.sheet, *placed, color=color, sun=self.sun, softness=softness * self.head, depth=depth)

    def _soft(self, shape: Points, color: Color, opacity: float, blur: float, *, mirror: bool = False) -> None:
        soft(self.sheet, self._at(shape, mirror=mirror), color, opacity=opacity, blur=blur * self.head)

    def _line(self, line: Points, color: Color, width: float, *, mirror: bool = False) -> None:
        ImageDraw.Draw(self.sheet).line(
            flat(self._at(line, mirror=mirror)), fill=color, width=max(1, round(width * self.head)), joint="curve"
        )

    # Legs

    def _legs(self) -> None:
        standing = self.figure.pose in (Pose.STAND, Pose.THUMB, Pose.PORTRAIT)
        lifted = _LEG_STRAIGHT if standing else _LEG_DRIVING if self.figure.pose is Pose.DRIVE else _LEG_TRAILING
        behind = lifted is _LEG_TRAILING
        firm = _other_side(_LEG_STRAIGHT) if standing else _LEG_STANDING
        for joints in (lifted, firm) if behind else (firm, lifted):
            self._leg(joints, behind=behind and joints is lifted)
        self._shorts(lifted, firm)

    def _leg(self, joints: tuple[Joint, ...], *, behind: bool) -> None:
        (hx, hy), (kx, ky), (ax, ay) = joints
        color = scaled(self.skin, 0.66 if behind else 1.0)
        cloth = scaled(self.outfit.shorts, 0.7 if behind else 1.0)
        covered = self.outfit.tights
        shin = [
            (kx, ky - 0.06, 0.165),
            (kx, ky + 0.10, 0.150),
            (kx + (ax - kx) * 0.38, ky + (ay - ky) * 0.38, 0.168),
            (kx + (ax - kx) * 0.75, ky + (ay - ky) * 0.75, 0.115),
            (ax, ay, 0.090),
        ]
        thigh = [
            (hx, hy, 0.30),
            (hx + (kx - hx) * 0.5, hy + (ky - hy) * 0.5, 0.255),
            (kx, ky - 0.05, 0.175),
        ]
        if behind:
            self._shoe(ax, ay, away=True)
        self._rounded([limb(thigh), limb(shin)], cloth if covered else color, 0.12, mirror=True, depth=0.34)
        if not behind:
            sock = [(ax + (kx - ax) * 0.16, ay + (ky - ay) * 0.16, 0.105), (ax, ay + 0.03, 0.098)]
            self._shaded(limb(sock), (240, 240, 242), 0.06, mirror=True)
            self._shoe(ax, ay, away=False)
        if not covered:
            knee = ellipse(kx, ky + 0.02, 0.085, 0.10)
            self._soft(knee, scaled(color, 1.10), 0.35, 0.05, mirror=True)
            self._soft(ellipse(kx, ky + 0.15, 0.10, 0.035), scaled(color, 0.62), 0.35, 0.04, mirror=True)

    def _shoe(self, x: float, y: float, *, away: bool) -> None:
        color = self.outfit.shoes
        if away:
            sole = smooth(
                points([(x - 0.13, y), (x + 0.13, y), (x + 0.14, y + 0.22), (x, y + 0.38), (x - 0.14, y + 0.22)])
            )
            self._shaded(sole, scaled(color, 0.55), 0.06, mirror=True)
            return
        sole = smooth(
            points(
                [
                    (x - 0.17, y + 0.22),
                    (x, y + 0.20),
                    (x + 0.17, y + 0.22),
                    (x + 0.19, y + 0.31),
                    (x, y + 0.35),
                    (x - 0.19, y + 0.31),
                ]
            )
        )
        self._shaded(sole, (244, 244, 246), 0.05, mirror=True)
        upper = smooth(
            points(
                [
                    (x - 0.11, y - 0.02),
                    (x + 0.11, y - 0.02),
                    (x + 0.165, y + 0.16),
                    (x + 0.175, y + 0.27),
                    (x, y + 0.30),
                    (x - 0.175, y + 0.27),
                    (x - 0.165, y + 0.16),
                ]
            )
        )
        self._shaded(upper, color, 0.07, mirror=True)
        tongue = smooth(
            points([(x - 0.06, y - 0.02), (x + 0.06, y - 0.02), (x + 0.075, y + 0.13), (x - 0.075, y + 0.13)])
        )
        self._shaded(tongue, scaled(color, 0.62), 0.03, mirror=True)
        for step in range(3):
            down = y + 0.02 + 0.04 * step
            self._line(points([(x - 0.07, down), (x + 0.07, down)]), (250, 250, 250), 0.018, mirror=True)

    def _shorts(self, lifted: tuple[Joint, ...], firm: tuple[Joint, ...]) -> None:
        color = self.outfit.shorts
        hem = 0.72
        for (hx, hy), (kx, ky), _ in (lifted, firm):
            end = hem if not self.outfit.tights else 0.30
            side = 1.0 if hx > 0 else -1.0
            x, y = hx + (kx - hx) * end, hy + (ky - hy) * end
            leg = smooth(
                points(
                    [
                        (hx + side * 0.24, hy - 0.25),
                        (hx + side * 0.285, hy + 0.1),
                        (x + side * 0.27, y),
                        (x, y + 0.05),
                        (x - side * 0.27, y - 0.01),
                        (hx - side * 0.28, hy + 0.06),
                        (hx - side * 0.26, hy - 0.25),
                    ]
                )
            )
            self._shaded(leg, color, 0.12, mirror=True, depth=0.36)
            stripe = points(
                [(hx + side * 0.27, hy - 0.10), (hx + side * 0.275, hy + 0.1), (x + side * 0.255, y - 0.02)]
            )
            self._line(smooth(stripe, closed=False), self.outfit.trim, 0.045, mirror=True)
        seat = smooth(
            points([(-0.52, 1.60), (0.52, 1.60), (0.575, 1.95), (0.22, 2.16), (0, 2.12), (-0.22, 2.16), (-0.575, 1.95)])
        )
        self._shaded(seat, color, 0.07, depth=0.14)
        self._soft(limb([(0, 2.0, 0.03), (0, 2.2, 0.05)]), scaled(color, 0.5), 0.5, 0.04)

    # Arms

    def _arms(self) -> list[tuple[tuple[Joint, ...], bool]]:
        """Both arms' joints, and whether the arm goes behind the body."""
        figure = self.figure
        if figure.cover is Cover.ARMS:
            return [(_ARM_FOLDED, False), (_ARM_FOLDED_OVER, False)]
        if figure.cover is Cover.FLAG:
            return [(_ARM_HOLDING, False), (_other_side(_ARM_HOLDING), False)]
        return {
            Pose.RUN: [(_ARM_BACK, True), (_ARM_FORWARD, False)],
            Pose.DRIVE: [(_ARM_BACK, True), (_ARM_FORWARD, False)],
            Pose.CHEER: [(_other_side(_ARM_UP), True), (_ARM_UP, True)],
            Pose.WAVE: [(_ARM_BACK, True), (_ARM_WAVING, True)],
            Pose.STAND: [(_other_side(_ARM_ON_HIP), False), (_ARM_ON_HIP, False)],
            Pose.PORTRAIT: [(_ARM_HANGING, True), (_other_side(_ARM_HANGING), True)],
            Pose.THUMB: [(_ARM_HANGING, True), (_ARM_THUMB, False)],
        }[figure.pose]

    def _arm(self, joints: tuple[Joint, ...], *, behind: bool = False) -> None:
        (sx, sy), (ex, ey), (wx, wy) = ((x * (self.broad if i == 0 else 1.0), y) for i, (x, y) in enumerate(joints))
        tone = 0.90 if behind else 1.0
        color = scaled(self.skin, tone)
        jacket = self.figure.cover in (Cover.JACKET, Cover.OPEN_JACKET)
        strong = 0.90 if self.look.woman else 1.06
        upper = [
            (sx, sy, 0.185 * strong),
            (sx + (ex - sx) * 0.45, sy + (ey - sy) * 0.45, 0.165 * strong),
            (ex, ey, 0.122 * strong),
        ]
        fore = [
            (ex, ey, 0.122 * strong),
            (ex + (wx - ex) * 0.32, ey + (wy - ey) * 0.32, 0.132 * strong),
            (wx, wy, 0.082),
        ]
        # A stretched arm is one body; of a bent one the forearm lies before the upper arm.
        stretched = (ex - sx) * (wx - ex) + (ey - sy) * (wy - ey) > 0
        self._rounded([limb(upper), limb(fore)] if stretched else [limb(upper)], color, 0.09, mirror=True)
        if self.outfit.sleeves and not jacket:
            sleeve = [(sx * 0.93, sy - 0.02, 0.205), (sx + (ex - sx) * 0.50, sy + (ey - sy) * 0.50, 0.200)]
            self._shaded(limb(sleeve), scaled(self.outfit.shirt, tone), 0.10, mirror=True)
        if jacket:
            self._shaded(
                limb([(x, y, r * 1.16) for x, y, r in upper]), scaled(self.outfit.trim, 0.82 * tone), 0.10, mirror=True
            )
            self._shaded(
                limb([(x, y, r * 1.22) for x, y, r in fore]), scaled(self.outfit.trim, 0.86 * tone), 0.09, mirror=True
            )
        elif not stretched:
            self._shaded(limb(fore), color, 0.08, mirror=True)
        self._hand(ex, ey, wx, wy, color)
        if not jacket and wx > 0:
            along = _direction(ex, ey, wx, wy)
            watch = [(wx - along[0] * away, wy - along[1] * away, 0.082) for away in (0.06, 0.03)]
            self._shaded(limb(watch), (54, 56, 66), 0.04, mirror=True)

    def _hand(self, ex: float, ey: float, wx: float, wy: float, color: Color) -> None:
        along = _direction(ex, ey, wx, wy)
        x, y = wx + along[0] * 0.13, wy + along[1] * 0.13
        if self.figure.pose is Pose.WAVE and wy < 0:
            for spread in (-0.42, -0.16, 0.10, 0.36):
                tip = turned(points([along]), spread)[0] * 0.30
                self._shaded(limb([(x, y, 0.042), (x + tip[0], y + tip[1], 0.034)]), color, 0.03, mirror=True)
            self._shaded(limb([(x, y, 0.04), (x - 0.17, y - 0.06, 0.036)]), color, 0.03, mirror=True)
        if self.figure.pose is Pose.THUMB and wx > 0:
            self._shaded(limb([(x - 0.04, y, 0.055), (x - 0.06, y - 0.24, 0.045)]), color, 0.03, mirror=True)
        tilt = math.atan2(along[1], along[0])
        self._shaded(ellipse(x, y, 0.150, 0.125, tilt=tilt), color, 0.07, mirror=True)
        across = (-along[1], along[0])
        for step in (-0.055, 0.0, 0.055):
            start = (x + along[0] * 0.03 + across[0] * step, y + along[1] * 0.03 + across[1] * step)
            self._line(
                points([start, (start[0] + along[0] * 0.08, start[1] + along[1] * 0.08)]),
                scaled(color, 0.72),
                0.014,
                mirror=True,
            )

    # Body and clothes

    def _torso(self) -> None:
        b, shirt = self.broad, self.outfit.shirt
        waist = 0.50 if self.look.woman else 0.57
        hip = 0.58 if self.look.woman else 0.56
        trunk = points(
            [
                (0.20, -0.10),
                (0.34, 0.02),
                (0.66 * b, 0.10),
                (0.78 * b, 0.24),
                (0.66 * b, 0.62),
                (0.60, 0.95),
                (waist, 1.30),
                (hip, 1.72),
            ]
        )
        body = smooth(np.vstack([trunk, trunk[::-1] * points([(-1, 1)])]))
        self._shaded(body, self.skin, 0.16)
        neck = points(
            [(-0.23, -0.55), (0.23, -0.55), (0.25, -0.1), (0.36, 0.06), (0, 0.20), (-0.36, 0.06), (-0.25, -0.1)]
        )
        self._shaded(smooth(neck), scaled(self.skin, 0.90), 0.12)
        self._soft(ellipse(0.0, -0.19, 0.32, 0.17), scaled(mixed(self.skin, (120, 50, 40), 0.2), 0.45), 0.78, 0.07)
        inset = 0.0 if self.outfit.sleeves else 0.14
        deep = 0.20 if self.outfit.sleeves else 0.34
        strap = 0.40
        side = [
            (strap, 0.01),
            ((0.70 - inset * 1.2) * b, 0.075),
            ((0.80 - inset * 1.8) * b, 0.28),
            ((0.74 - inset * 0.8) * b, 0.56),
            (0.63, 0.95),
            (waist + 0.05, 1.30),
            (hip + 0.05, 1.78),
        ]
        right = smooth(points(side), closed=False)
        left = right[::-1] * points([(-1, 1)])
        neckline = smooth(
            points([(-strap, 0.01), (-0.24, deep * 0.72), (0, deep), (0.24, deep * 0.72), (strap, 0.01)]), closed=False
        )
        self._shaded(np.vstack([right, left, neckline]), shirt, 0.20, depth=0.26)
        for flank in (-1, 1):
            stripe = points(
                [
                    (flank * 0.60, 0.80),
                    (flank * 0.63, 0.95),
                    (flank * (waist + 0.05), 1.30),
                    (flank * (hip + 0.05), 1.78),
                    (flank * (hip - 0.07), 1.78),
                    (flank * (waist - 0.06), 1.30),
                ]
            )
            self._shaded(stripe, self.outfit.trim, 0.06)
        self._line(neckline, self.outfit.trim, 0.045)
        for x, y, length, slant in (
            (-0.42, 0.50, 0.30, 0.35),
            (0.40, 0.52, 0.28, -0.4),
            (-0.30, 1.50, 0.22, 0.5),
            (0.28, 1.52, 0.22, -0.5),
        ):
            fold = limb(
                [
                    (x, y, 0.012),
                    (x + slant * length, y + length * 0.5, 0.035),
                    (x + slant * length * 1.6, y + length, 0.012),
                ]
            )
            self._soft(fold, scaled(shirt, 0.62), 0.45, 0.035)

    def _bib(self) -> None:
        if not self.figure.printed or self.figure.cover is Cover.JACKET:
            return
        card = bib_card(self.figure.printed, round(1.14 * self.head))
        middle = self._at(points([(0, 1.02)]))[0]
        bent = card.rotate(-2.9 * self.figure.lean, Image.Resampling.BICUBIC, expand=True)
        corner = round(middle[0] - bent.width / 2), round(middle[1] - bent.height / 2)
        edge = ellipse(0.02, 1.06, 0.54, 0.40)
        self._soft(edge, scaled(self.outfit.shirt, 0.45), 0.5, 0.05)
        self.sheet.alpha_composite(bent, corner)
        away = -1.0 if self.sun > 0 else 1.0
        self._soft(
            points([(away * 0.40, 0.62), (away * 0.60, 0.62), (away * 0.60, 1.44), (away * 0.40, 1.44)]),
            (70, 70, 96),
            0.26,
            0.10,
        )

    def _jacket(self) -> None:
        if self.figure.cover not in (Cover.JACKET, Cover.OPEN_JACKET):
            return
        b, color = self.broad, self.outfit.trim
        opening = 0.0 if self.figure.cover is Cover.JACKET else 0.03
        for side in (-1, 1):
            # Of an open jacket the one half lies over the bib's half, the other is thrown back.
            inner = opening if side < 0 or self.figure.cover is Cover.JACKET else 0.66
            panel = points(
                [
                    (side * 0.30, -0.10),
                    (side * 0.56 * b, 0.02),
                    (side * 0.86 * b, 0.24),
                    (side * 0.78, 0.70),
                    (side * 0.72, 1.20),
                    (side * 0.74, 1.86),
                    (side * (inner + 0.02), 1.90),
                    (side * inner, 1.00),
                    (side * max(inner * 0.8, 0.02), 0.30),
                    (side * 0.12, 0.10),
                ]
            )
            self._shaded(smooth(panel, steps=6), color, 0.16, mirror=True)
            self._soft(
                limb([(side * 0.62, 0.7, 0.02), (side * 0.50, 1.2, 0.05), (side * 0.58, 1.7, 0.02)]),
                scaled(color, 0.6),
                0.45,
                0.05,
                mirror=True,
            )
            collar = points(
                [
                    (side * 0.34, -0.20),
                    (side * 0.40, 0.02),
                    (side * 0.10, 0.22),
                    (side * 0.06, 0.10),
                    (side * 0.26, -0.06),
                ]
            )
            self._shaded(smooth(collar), scaled(color, 0.84), 0.05, mirror=True)
        if self.figure.cover is Cover.JACKET:
            self._line(points([(0, 0.18), (0.01, 1.88)]), (236, 236, 240), 0.022)
            self._shaded(
                points([(-0.70, 0.52), (0.70, 0.52), (0.69, 0.62), (-0.69, 0.62)]),
                scaled(self.outfit.shirt, 0.95),
                0.05,
            )

    def _towel(self) -> None:
        """A towel over one shoulder, hanging down before half of the bib."""
        if self.figure.cover is not Cover.TOWEL:
            return
        cloth = smooth(
            points(
                [
                    (0.22, -0.14),
                    (0.46, -0.04),
                    (0.66, 0.20),
                    (0.68, 0.9),
                    (0.66, 1.62),
                    (0.36, 1.66),
                    (0.05, 1.60),
                    (0.03, 0.9),
                    (0.10, 0.25),
                ]
            )
        )
        self._shaded(cloth, (238, 240, 244), 0.14, mirror=True)
        for y in (1.34, 1.43):
            band = points([(0.05, y), (0.36, y + 0.04), (0.66, y)])
            self._line(smooth(band, closed=False), self.outfit.trim, 0.045, mirror=True)
        for x in (0.22, 0.44):
            self._soft(
                limb([(x, 0.2, 0.015), (x, 0.9, 0.04), (x + 0.02, 1.5, 0.02)]), (150, 156, 172), 0.5, 0.04, mirror=True
            )

    def _flag(self) -> None:
        """A finisher's cloth, held before the body with both hands."""
        if self.figure.cover is not Cover.FLAG:
            return
        color, trim = self.outfit.trim, self.outfit.shirt
        top = smooth(points([(-1.02, 0.56), (-0.5, 0.68), (0, 0.71), (0.5, 0.68), (1.02, 0.56)]), closed=False)
        hem = smooth(
            points([(0.94, 1.62), (0.6, 1.72), (0.2, 1.64), (-0.25, 1.73), (-0.6, 1.65), (-0.94, 1.70)]), closed=False
        )
        self._shaded(np.vstack([top, hem]), color, 0.16)
        band_top = top * points([(0.985, 1)]) + points([(0, 0.12)])
        self._shaded(np.vstack([band_top, (top * points([(0.98, 1)]) + points([(0, 0.20)]))[::-1]]), trim, 0.04)
        for x in (-0.62, -0.22, 0.2, 0.58):
            self._soft(
                limb([(x, 0.75, 0.02), (x * 0.96, 1.2, 0.06), (x * 1.02, 1.62, 0.03)]), scaled(color, 0.6), 0.5, 0.06
            )
        ink: Color = (255, 255, 255) if sum(color) < 480 else (40, 40, 60)
        word = lettering("FINISHER", max(8, round(0.22 * self.head)), ink, weight=0.06)
        middle = self._at(points([(0, 1.20)]))[0]
        self.sheet.alpha_composite(word, (round(middle[0] - word.width / 2), round(middle[1] - word.height / 2)))

    def _medal(self) -> None:
        if not self.figure.medal or self.figure.cover is Cover.FLAG:
            return
        for side in (-1, 1):
            ribbon = points(
                [(side * 0.27, 0.0), (side * 0.20, 0.0), (side * 0.0 - 0.03, 0.40), (side * 0.0 + 0.03, 0.40)]
            )
            self._shaded(ribbon, (52, 92, 190) if side < 0 else (214, 58, 72), 0.03)
        self._shaded(ellipse(0, 0.47, 0.13, 0.13), (226, 178, 66), 0.06)
        self._shaded(ellipse(0, 0.47, 0.085, 0.085), (246, 212, 118), 0.04)


def bib_card(printed: str, width: int) -> Image.Image:
    """A bib: the race's name on top, the number large, a sponsor below, pinned at four corners."""
    height = round(width * 0.72)
    card = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(card)
    strip: Color = _STRIPS.get(printed[0], (28, 66, 140))
    draw.rounded_rectangle((0, 0, width - 1, height - 1), radius=width // 28, fill=(252, 252, 250))
    draw.rounded_rectangle((0, 0, width - 1, round(height * 0.21)), radius=width // 28, fill=strip)
    draw.rectangle((0, round(height * 0.14), width - 1, round(height * 0.21)), fill=strip)
    draw.rectangle((0, round(height * 0.91), width - 1, round(height * 0.945)), fill=strip)
    _centered(card, lettering("SNAPRACE MARATHON", max(5, round(height * 0.075)), (255, 255, 255), weight=0.05), 0.105)
    number = lettering(printed, round(height * 0.44), (22, 24, 32), weight=0.075, spacing=0.06)
    if number.width > width * 0.88:
        number = number.resize((round(width * 0.88), number.height), Image.Resampling.LANCZOS)
    _centered(card, number, 0.50)
    _centered(card, lettering("HANGANG WATER", max(4, round(height * 0.055)), (90, 96, 110), weight=0.04), 0.83)
    for x in (0.045, 0.955):
        for y in (0.075, 0.86):
            px, py, r = width * x, height * y, width * 0.012
            draw.ellipse((px - r, py - r, px + r, py + r), fill=(120, 124, 132))
            draw.line(
                (px - r, py, px + r * 3.2 * (1 if x < 0.5 else -1), py + r * 1.6),
                fill=(176, 180, 188),
                width=max(1, round(r * 0.8)),
            )
    return card


_STRIPS: dict[str, Color] = {"A": (176, 36, 52), "F": (126, 50, 140)}


def _centered(card: Image.Image, text: Image.Image, y: float) -> None:
    card.alpha_composite(text, (round((card.width - text.width) / 2), round(card.height * y - text.height / 2)))
