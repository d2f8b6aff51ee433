"""A drawn head: who it is (`Look`), what it does (`Expression`), and the drawing of both.

Places on a head are measured in half heads: x to the right, y down, the skull's top at -1 and the chin at 1.
The face is a shallow dome, so a turned head moves its nose further than its ears, as a real one does. That
and the light on it are what lets a face detector and a face recognizer take the drawing for a face.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from local.race.canvas import Color, Points, ellipse, flat, limb, mixed, points, scaled, smooth

_DOME = 0.62  # how far the face's middle stands before its rim
_REACH = 1.75  # how far a tile reaches from the head's middle to the left, the right and up
_DEPTH = 2.05  # and down: long hair

SKINS: tuple[Color, ...] = (
    (250, 221, 199),
    (243, 205, 176),
    (232, 186, 150),
    (214, 162, 122),
    (181, 126, 89),
    (139, 92, 63),
    (101, 66, 47),
)
HAIRS: tuple[Color, ...] = (
    (30, 25, 27),
    (46, 33, 28),
    (88, 54, 34),
    (134, 84, 44),
    (205, 164, 98),
    (150, 66, 34),
    (150, 150, 154),
)
STYLES_HER = ("bob", "long", "ponytail", "bun", "fringe", "curly")
STYLES_HIS = ("crop", "side", "fringe", "bald", "curly", "quiff")


@dataclass(frozen=True)
class Look:
    """What stays the same about somebody's head in every picture."""

    woman: bool
    skin: Color
    hair: Color
    style: str
    width: float
    jaw: float
    chin: float
    eye_y: float
    eye_gap: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    iris: Color
    brow_lift: float
    brow_weight: float
    brow_tilt: float
    nose_length: float
    nose_width: float
    mouth_drop: float
    mouth_width: float
    lip_top: float
    lip_low: float
    hairline: float
    beard: str
    glasses: str
    freckles: bool
    age: float
    lipstick: float
    rims: float

    @classmethod
    def from_seed(cls, seed: int) -> Look:
        """A look of its own for each seed."""
        random = np.random.default_rng([7, seed])

        def between(low: float, high: float) -> float:
            # More at both ends than in the middle: average faces are hard to tell apart.
            return low + (high - low) * float(random.beta(0.6, 0.6))

        woman = bool(random.random() < 0.5)
        age = between(0, 1)
        skin = SKINS[int(random.choice(len(SKINS), p=[0.20, 0.20, 0.16, 0.12, 0.10, 0.10, 0.12]))]
        hairs = [0.30, 0.16, 0.14, 0.1, 0.10, 0.07, 0.13] if sum(skin) > 420 else [0.7, 0.2, 0.04, 0, 0, 0, 0.06]
        return cls(
            woman=woman,
            skin=skin,
            hair=HAIRS[int(random.choice(len(HAIRS), p=hairs))],
            style=str(random.choice(STYLES_HER if woman else STYLES_HIS)),
            width=between(0.62, 0.80) + (0.0 if woman else 0.03),
            jaw=between(0.55, 0.92) + (0.0 if woman else 0.10),
            chin=between(0.10, 0.36) + (0.0 if woman else 0.06),
            eye_y=between(-0.16, 0.10),
            eye_gap=between(0.26, 0.40),
            eye_width=between(0.115, 0.20),
            eye_height=between(0.045, 0.115),
            eye_tilt=between(-0.035, 0.06),
            iris=((44, 30, 24), (70, 44, 26), (92, 62, 34), (74, 96, 70), (70, 104, 140))[
                int(random.choice(5, p=[0.4, 0.25, 0.15, 0.1, 0.1] if sum(skin) > 560 else [0.6, 0.4, 0, 0, 0]))
            ],
            brow_lift=between(0.15, 0.30),
            brow_weight=between(0.014, 0.040) if woman else between(0.026, 0.078),
            brow_tilt=between(-0.07, 0.025),
            nose_length=between(0.28, 0.56),
            nose_width=between(0.085, 0.20) + (0.0 if woman else 0.02),
            mouth_drop=between(0.15, 0.30),
            mouth_width=between(0.16, 0.37),
            lip_top=between(0.016, 0.065) + (0.01 if woman else 0.0),
            lip_low=between(0.030, 0.105) + (0.01 if woman else 0.0),
            hairline=between(-0.74, -0.44),
            beard="" if woman else str(random.choice(("", "", "stubble", "full", "goatee", "moustache"))),
            glasses=str(random.choice(("", "", "", "round", "square"))),
            freckles=bool(random.random() < 0.15),
            age=age,
            lipstick=float(random.choice((0.0, 0.15, 0.5))) if woman else 0.0,
            rims=float(random.choice((0.030, 0.060))),
        )


@dataclass(frozen=True)
class Expression:
    """How the head is held and lit: radians to the right, down and clockwise; smile 0-1; sun -1 left … 1 right."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    smile: float = 0.4
    sun: float = 0.4


@dataclass(frozen=True)
class Head:
    """Two layers, one for behind the shoulders and one for before them; `center` is the head's middle in both."""

    back: Image.Image
    front: Image.Image
    center: tuple[float, float]


def draw_head(look: Look, expression: Expression, unit: float) -> Head:
    """Draw the head with half its height `unit` pixels long."""
    return _HeadDrawing(look, expression, unit).head()


class _HeadDrawing:
    def __init__(self, look: Look, expression: Expression, unit: float) -> None:
        self.look, self.expression, self.unit = look, expression, unit
        self.center = (_REACH * unit, _REACH * unit)
        self.size = (round(2 * _REACH * unit), round((_REACH + _DEPTH) * unit))
        self.front = Image.new("RGBA", self.size, (*look.skin, 0))
        self.back = Image.new("RGBA", self.size, (*look.hair, 0))

    def head(self) -> Head:
        """Both layers, drawn in the order in which things lie upon each other."""
        self._hair_behind()
        self._ears()
        self._skin()
        self._beard()
        self._eyes()
        self._nose()
        self._mouth()
        self._brows()
        self._hair_before()
        self._glasses()
        return Head(self.back, self.front, self.center)

    # Places

    def _turned(self, x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]) -> Points:
        e = self.expression
        moved_x = x * np.cos(e.yaw) + z * np.sin(e.yaw)
        moved_y = y * np.cos(e.pitch) + z * np.sin(e.pitch)
        cos, sin = np.cos(e.roll), np.sin(e.roll)
        # The neck, not the middle of the face, is what a head tilts about.
        moved_y = moved_y - 1
        rolled = np.stack([moved_x * cos - moved_y * sin, moved_x * sin + moved_y * cos + 1], axis=-1)
        result: Points = rolled * self.unit + np.array(self.center)
        return result

    def _on_face(self, shape: Points, lift: float = 0.0) -> Points:
        """Pixels of a shape that lies on the face's dome, or `lift` above it."""
        x, y = shape[:, 0], shape[:, 1]
        dome = _DOME * np.sqrt(np.clip(1 - (x / (self.look.width * 1.05)) ** 2 - 0.35 * y**2, 0, 1))
        return self._turned(x, y, dome + lift)

    def _on_rim(self, shape: Points) -> Points:
        """Pixels of a shape on the head's outline, which turns little: the skull is round, the chin stands out."""
        x, y = shape[:, 0], shape[:, 1]
        return self._turned(x, y, 0.22 * np.clip(y, 0, 1) ** 2)

    def _mask(self, *outlines: Points, box: tuple[int, int, int, int] | None = None) -> Image.Image:
        """What lies inside any of the outlines, on the whole tile or in a box of it."""
        left, top, right, bottom = box or (0, 0, *self.size)
        mask = Image.new("L", (right - left, bottom - top), 0)
        draw = ImageDraw.Draw(mask)
        for outline in outlines:
            draw.polygon(flat(outline - points([(left, top)])), fill=255)
        return mask

    def _grid(self, box: tuple[int, int, int, int], step: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where on the head every `step`-th pixel of the box lies: x and y."""
        left, top, right, bottom = box
        ys, xs = np.mgrid[top:bottom:step, left:right:step]
        return (xs - self.center[0]) / self.unit, (ys - self.center[1]) / self.unit

    def _tint_face(self, color: Color, opacity: float, blur: float, *outlines: Points) -> None:
        """Color the face within the outlines, with edges `blur` wide (in half heads)."""
        box = self._around(np.vstack(outlines), pad=round(2 * blur * self.unit) + 2)
        mask = self._mask(*outlines, box=box).filter(ImageFilter.GaussianBlur(self.unit * blur))
        mask = ImageChops.multiply(mask, self.face_mask.crop(box)).point([round(v * opacity) for v in range(256)])
        self.front.paste((*color, 255), box, mask)

    @property
    def _draw(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.front)

    def _skin_shade(self, factor: float, red: float = 0.25) -> Color:
        return mixed(scaled(self.look.skin, factor), scaled((190, 84, 66), factor), red * max(0.0, 1 - factor))

    # The head itself

    def _face_outline(self, grow: float = 1.0) -> Points:
        look = self.look
        w = look.width
        half = [
            (0.0, -1.0),
            (w * 0.60, -0.90),
            (w * 0.94, -0.55),
            (w, -0.12),
            (w * 0.97, 0.25),
            (w * (0.30 + 0.66 * look.jaw), 0.60),
            (look.chin + 0.08, 0.91),
            (look.chin * 0.5, 1.0),
        ]
        right = points(half)
        left = right[::-1][:-1] * points([(-1, 1)])
        return smooth(np.vstack([right, left]) * grow)

    def _ears(self) -> None:
        look = self.look
        for side in (-1, 1):
            if side * self.expression.yaw > 0.30:
                continue
            ear = ellipse(side * look.width * 1.02, look.eye_y + 0.16, 0.11, 0.21, tilt=-side * 0.15)
            self._draw.polygon(flat(self._on_rim(ear)), fill=self._skin_shade(0.90))
            inner = ellipse(side * look.width * 1.04, look.eye_y + 0.16, 0.06, 0.14, tilt=-side * 0.15)
            self._draw.polygon(flat(self._on_rim(inner)), fill=self._skin_shade(0.74))

    def _skin(self) -> None:
        """The face as a lit dome with the soft shadows and highlights that make its relief."""
        look, e = self.look, self.expression
        self.face_mask = self._mask(self._on_rim(self._face_outline()))
        box = self.face_mask.getbbox()
        assert box is not None  # noqa: S101  # a face is never empty
        left, top, right, bottom = box
        # Light changes slowly over a face, so it is worked out on a coarse grid and spread to all pixels.
        step = max(1, round(self.unit / 70))
        x, y = self._grid(box, step)
        nx, ny = x / look.width, y / 1.15
        nz = np.sqrt(np.clip(1.08 - nx**2 - ny**2, 0.02, 1))
        light = np.array([0.45 * e.sun, -0.38, 0.81])
        lambert = np.clip((nx * light[0] + ny * light[1] + nz * light[2]) / np.linalg.norm(light), 0, 1)
        tone = (0.66 + 0.40 * lambert)[..., None]
        deep = np.array([1.0, 0.90, 0.86])
        picture = np.array(look.skin, dtype=np.float64) * tone * deep ** ((1.06 - tone) * 1.6)

        def patch(px: float, py: float, w: float, h: float, color: Color, opacity: float) -> None:
            cx, cy = (self._on_face(points([(px, py)]))[0] - np.array(self.center)) / self.unit
            columns = slice(*np.searchsorted(x[0], (cx - 2.6 * w, cx + 2.6 * w)))
            rows = slice(*np.searchsorted(y[:, 0], (cy - 2.6 * h, cy + 2.6 * h)))
            across = np.exp(-(((x[:1, columns] - cx) / w) ** 2))
            down = np.exp(-(((y[rows, :1] - cy) / h) ** 2))
            under = picture[rows, columns]
            under += (np.array(color) - under) * (opacity * down * across)[..., None]

        dark, darker = self._skin_shade(0.66), self._skin_shade(0.50)
        bright = mixed(scaled(look.skin, 1.12), (255, 244, 226), 0.25)
        blush = mixed(look.skin, (226, 92, 82), 0.42)
        nose = look.eye_y + look.nose_length
        mouth = nose + look.mouth_drop
        for side in (-1, 1):
            patch(side * look.eye_gap, look.eye_y - 0.05, 0.22, 0.13, dark, 0.46)
            patch(side * 0.10, look.eye_y - 0.02, 0.07, 0.12, dark, 0.42)
            patch(side * 0.42, nose - 0.02, 0.19, 0.15, blush, 0.42 if look.woman else 0.30)
            patch(side * 0.40, look.eye_y + 0.20, 0.17, 0.08, bright, 0.36)
            patch(side * look.eye_gap, look.eye_y + 0.115, 0.14, 0.045, dark, 0.16 + 0.24 * look.age)
            patch(side * (look.nose_width + 0.08), nose + 0.07, 0.05, 0.13, dark, 0.16 + 0.26 * look.age * e.smile)
            patch(side * (look.mouth_width + 0.05), mouth, 0.06, 0.07, dark, 0.30)
        away = -1.0 if e.sun > 0 else 1.0
        patch(away * look.nose_width * 0.85, nose - 0.13, 0.07, 0.20, dark, 0.55)
        patch(-away * look.nose_width * 0.9, nose - 0.05, 0.05, 0.10, dark, 0.28)
        patch(0, nose + 0.055, look.nose_width * 1.25, 0.05, darker, 0.52)
        patch(0, look.eye_y + 0.08, 0.045, 0.20, bright, 0.38)
        patch(0, nose - 0.07, 0.07, 0.06, bright, 0.62)
        patch(0, -0.45, 0.36, 0.18, bright, 0.32)
        patch(0, mouth + look.lip_low + 0.07, look.mouth_width * 0.65, 0.045, dark, 0.55)
        patch(0, 0.90, 0.13, 0.07, bright, 0.26)
        skin = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
        size = (right - left, bottom - top)
        self.front.paste(skin.resize(size, Image.Resampling.BILINEAR), (left, top), self.face_mask.crop(box))
        if look.freckles:
            self._freckles()

    def _freckles(self) -> None:
        random = np.random.default_rng(round(self.look.width * 1e6))
        for _ in range(34):
            x, y = random.normal(0, 0.30), self.look.eye_y + 0.22 + random.normal(0, 0.08)
            spot = self._on_face(ellipse(x, y, 0.012, 0.010, count=8))
            self._draw.polygon(flat(spot), fill=self._skin_shade(0.78))

    # The features

    def _eyes(self) -> None:
        look, e = self.look, self.expression
        height = look.eye_height * (1 - 0.22 * e.smile)
        for side in (-1, 1):
            x, y, w = side * look.eye_gap, look.eye_y, look.eye_width
            inner, outer = y + 0.010, y - look.eye_tilt
            almond = smooth(
                points(
                    [
                        (x - side * w, inner),
                        (x - side * w * 0.35, y - height * 0.92),
                        (x + side * w * 0.35, y - height * 0.95 - look.eye_tilt * 0.5),
                        (x + side * w, outer),
                        (x + side * w * 0.3, y + height * 0.72),
                        (x - side * w * 0.4, y + height * 0.70),
                    ]
                )
            )
            self._eyeball(self._on_face(almond), x, height)
            lash = scaled(mixed(look.hair, (20, 14, 14), 0.7), 0.8)
            self._stroke(
                [
                    (x - side * w * 1.04, inner + 0.012, 0.010),
                    (x - side * w * 0.35, y - height * 1.00, 0.020),
                    (x + side * w * 0.35, y - height * 1.02 - look.eye_tilt * 0.5, 0.024),
                    (x + side * w * (1.16 if look.woman else 1.06), outer - (0.02 if look.woman else 0), 0.014),
                ],
                lash,
            )
            self._stroke(
                [
                    (x - side * w * 0.6, y + height * 0.72, 0.004),
                    (x + side * w * 0.3, y + height * 0.80, 0.007),
                    (x + side * w * 0.98, outer + 0.012, 0.007),
                ],
                self._skin_shade(0.52),
            )
            self._stroke(
                [
                    (x - side * w * 0.8, y - height * 1.15, 0.005),
                    (x, y - height * 1.75, 0.009),
                    (x + side * w * 0.95, outer - height * 0.75, 0.005),
                ],
                self._skin_shade(0.62),
            )

    def _eyeball(self, almond: Points, x: float, height: float) -> None:
        """What is seen between the lids: white, iris, pupil, the upper lid's shadow and a light in it."""
        look, y, w = self.look, self.look.eye_y, self.look.eye_width
        box = self._around(almond)
        corner = points([box[:2]])
        ball = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), (240, 236, 232))
        draw = ImageDraw.Draw(ball)
        radius = min(height * 1.08, 0.092)
        gaze = x - 0.10 * self.expression.yaw

        def disc(dx: float, dy: float, size: float, color: Color) -> None:
            draw.polygon(flat(self._on_face(ellipse(gaze + dx, y + dy, size, size)) - corner), fill=color)

        disc(0, -height * 0.10, radius, scaled(look.iris, 0.72))
        disc(0, -height * 0.06, radius * 0.8, look.iris)
        disc(0, -height * 0.10, radius * 0.46, (12, 10, 12))
        high, low = y - height * 1.3, y - height * 0.48
        shadow = self._on_face(points([(x - w, high), (x + w, high), (x + w, low), (x - w, low)]))
        lid = self._mask(shadow, box=box).filter(ImageFilter.GaussianBlur(self.unit * 0.03))
        ball.paste((70, 50, 52), (0, 0, *ball.size), lid.point([round(v * 0.47) for v in range(256)]))
        disc(0.03, -height * 0.42, 0.022, (255, 255, 255))
        self.front.paste(ball, box[:2], self._mask(almond, box=box))

    def _around(self, shape: Points, pad: int = 3) -> tuple[int, int, int, int]:
        (left, top), (right, bottom) = shape.min(axis=0), shape.max(axis=0)
        return (
            max(0, int(left) - pad),
            max(0, int(top) - pad),
            min(self.size[0], int(right) + pad),
            min(self.size[1], int(bottom) + pad),
        )

    def _stroke(self, line: list[tuple[float, float, float]], color: Color, lift: float = 0.0) -> None:
        """A brush stroke on the face: places and half widths."""
        self._draw.polygon(flat(self._on_face(limb(line, steps=6), lift)), fill=color)

    def _brows(self) -> None:
        look = self.look
        color = scaled(look.hair, 0.92) if sum(look.hair) < 300 else scaled(look.hair, 0.72)
        for side in (-1, 1):
            x, y, w = side * look.eye_gap, look.eye_y - look.brow_lift - 0.015 * self.expression.smile, look.eye_width
            self._stroke(
                [
                    (x - side * w * 1.02, y + 0.005 + look.brow_tilt * 0.5, look.brow_weight * 0.75),
                    (x - side * w * 0.2, y - 0.02, look.brow_weight),
                    (x + side * w * 0.55, y - 0.035 - look.brow_tilt * 0.4, look.brow_weight * 0.85),
                    (x + side * w * 1.30, y + 0.025 - look.brow_tilt, look.brow_weight * 0.25),
                ],
                color,
            )

    def _nose(self) -> None:
        look = self.look
        y, w = look.eye_y + look.nose_length, look.nose_width
        for side in (-1, 1):
            nostril = ellipse(side * w * 0.52, y + 0.005, w * 0.26, 0.022, tilt=-side * 0.25)
            self._draw.polygon(flat(self._on_face(nostril, 0.08)), fill=self._skin_shade(0.36))
            self._stroke(
                [
                    (side * w * 0.92, y - 0.085, 0.004),
                    (side * w * 1.08, y - 0.03, 0.010),
                    (side * w * 0.88, y + 0.018, 0.006),
                ],
                self._skin_shade(0.60),
                0.06,
            )

    def _mouth(self) -> None:
        look, smile = self.look, self.expression.smile
        y = look.eye_y + look.nose_length + look.mouth_drop
        w = look.mouth_width * (1 + 0.14 * smile)
        corner = y - 0.055 * smile
        bare = mixed(mixed(look.skin, (186, 58, 66), 0.42 if look.woman else 0.27), (70, 30, 30), 0.10)
        lips = mixed(bare, (176, 28, 58), look.lipstick)
        if smile > 0.5:
            gap = 0.02 + 0.075 * (smile - 0.5) / 0.5
            self._draw.polygon(
                flat(
                    self._on_face(
                        smooth(
                            points(
                                [
                                    (-w, corner),
                                    (0, y - 0.02),
                                    (w, corner),
                                    (w * 0.5, y + gap * 0.9),
                                    (0, y + gap + 0.02),
                                    (-w * 0.5, y + gap * 0.9),
                                ]
                            )
                        )
                    )
                ),
                fill=(96, 36, 38),
            )
            teeth = points(
                [
                    (-w * 0.80, corner + 0.008),
                    (0, y - 0.020),
                    (w * 0.80, corner + 0.008),
                    (w * 0.42, y + gap * 0.62),
                    (0, y + gap * 0.80),
                    (-w * 0.42, y + gap * 0.62),
                ]
            )
            self._draw.polygon(flat(self._on_face(smooth(teeth))), fill=(246, 243, 238))
        else:
            gap = 0.0
        top = points(
            [
                (-w, corner),
                (-w * 0.35, y - look.lip_top - 0.010),
                (0, y - look.lip_top * 0.62),
                (w * 0.35, y - look.lip_top - 0.010),
                (w, corner),
                (w * 0.4, y - 0.004),
                (0, y + 0.006),
                (-w * 0.4, y - 0.004),
            ]
        )
        self._draw.polygon(flat(self._on_face(smooth(top))), fill=scaled(lips, 0.86))
        low = points(
            [
                (-w * 0.97, corner + 0.010),
                (-w * 0.45, y + gap + 0.004),
                (0, y + gap + 0.014),
                (w * 0.45, y + gap + 0.004),
                (w * 0.97, corner + 0.010),
                (w * 0.48, y + gap + look.lip_low * 0.85),
                (0, y + gap + look.lip_low),
                (-w * 0.48, y + gap + look.lip_low * 0.85),
            ]
        )
        self._draw.polygon(flat(self._on_face(smooth(low))), fill=lips)
        gloss = ellipse(0, y + gap + look.lip_low * 0.55, w * 0.34, look.lip_low * 0.16)
        self._draw.polygon(flat(self._on_face(gloss)), fill=mixed(lips, (255, 226, 216), 0.35))
        if not gap:
            self._stroke([(-w * 1.03, corner, 0.006), (0, y + 0.008, 0.010), (w * 1.03, corner, 0.006)], (84, 36, 36))
        for side in (-1, 1):
            self._stroke(
                [(side * w, corner - 0.01, 0.008), (side * w * 1.06, corner - 0.015, 0.006)], self._skin_shade(0.5)
            )

    def _beard(self) -> None:
        look = self.look
        if not look.beard:
            return
        w = look.width
        mouth = look.eye_y + look.nose_length + look.mouth_drop
        lip = mouth - look.mouth_drop * 0.50
        areas: list[Points] = []
        if look.beard in ("full", "stubble"):
            rim = [(w * 0.96, 0.18), (w * (0.30 + 0.66 * look.jaw), 0.60), (look.chin + 0.08, 0.93), (0.0, 1.03)]
            inside = [(look.mouth_width + 0.05, lip - 0.01), (w * 0.62, mouth - 0.06), (w * 0.86, 0.12)]
            right = points(rim)
            left = right[::-1][1:] * points([(-1, 1)])
            back = np.vstack([points(inside)[::-1] * points([(-1, 1)]), points([(0.0, lip - 0.03)]), points(inside)])
            areas.append(smooth(np.vstack([right, left, back]), steps=5))
        if look.beard == "goatee":
            areas.append(
                smooth(points([(-0.20, mouth + 0.10), (0.20, mouth + 0.10), (0.22, 0.94), (0, 1.04), (-0.22, 0.94)]))
            )
        if look.beard in ("goatee", "moustache"):
            m = look.mouth_width
            areas.append(
                smooth(
                    points(
                        [
                            (0, lip - 0.03),
                            (m * 0.7, lip + 0.02),
                            (m * 1.12, mouth - 0.01),
                            (m * 0.5, mouth - 0.05),
                            (0, mouth - 0.06),
                            (-m * 0.5, mouth - 0.05),
                            (-m * 1.12, mouth - 0.01),
                            (-m * 0.7, lip + 0.02),
                        ]
                    )
                )
            )
        strength = 0.36 if look.beard == "stubble" else 0.90
        self._tint_face(scaled(look.hair, 0.95), strength, 0.035, *(self._on_face(area) for area in areas))

    # Hair and glasses

    def _paint_hair(self, layer: Image.Image, *outlines: Points, dim: float = 1.0) -> None:
        mask = self._mask(*outlines)
        box = mask.getbbox()
        if box is None:
            return
        left, top, right, bottom = box
        x, y = self._grid(box, max(1, round(self.unit / 110)))
        angle = np.arctan2(x - 0.25, 1.6 + y)
        strands = 0.05 * np.sin(angle * 95) + 0.04 * np.sin(angle * 41 + 1.3)
        ring = np.exp(-(((np.hypot(x - 0.22 * self.expression.sun, (y + 0.1) * 0.9) - 0.80) / 0.14) ** 2)) / (
            1 + np.exp(14 * (y + 0.25))
        )
        tone = dim * (0.82 + 0.16 * self.expression.sun * x - 0.10 * y + strands + 0.34 * ring * (1 + 3 * strands))
        base = np.array(mixed(self.look.hair, (110, 96, 92), 0.12), dtype=np.float64)
        picture = Image.fromarray(np.clip(base * np.clip(tone, 0.4, 1.7)[..., None], 0, 255).astype(np.uint8))
        size = (right - left, bottom - top)
        layer.paste(picture.resize(size, Image.Resampling.BILINEAR), (left, top), mask.crop(box))

    def _hair_behind(self) -> None:
        look, w = self.look, self.look.width
        lean = -0.25 * np.sin(self.expression.yaw)
        if look.style == "long":
            shape = points(
                [
                    (0, -1.12),
                    (w * 0.9, -0.9),
                    (w + 0.20, -0.2),
                    (w + 0.24, 0.7),
                    (w + 0.20, 1.5),
                    (w * 0.5, 1.78),
                    (0, 1.6),
                    (-w * 0.5, 1.78),
                    (-w - 0.20, 1.5),
                    (-w - 0.24, 0.7),
                    (-w - 0.20, -0.2),
                    (-w * 0.9, -0.9),
                ]
            )
        elif look.style == "bob":
            shape = points(
                [
                    (0, -1.14),
                    (w * 0.9, -0.94),
                    (w + 0.22, -0.2),
                    (w + 0.26, 0.5),
                    (w + 0.16, 0.92),
                    (0, 0.9),
                    (-w - 0.16, 0.92),
                    (-w - 0.26, 0.5),
                    (-w - 0.22, -0.2),
                    (-w * 0.9, -0.94),
                ]
            )
        elif look.style == "ponytail":
            shape = points(
                [
                    (w * 0.2, -0.9),
                    (w * 0.8, -0.86),
                    (w + 0.16, -0.62),
                    (w + 0.30, -0.2),
                    (w + 0.34, 0.25),
                    (w + 0.22, 0.72),
                    (w + 0.12, 0.3),
                    (w + 0.04, -0.1),
                    (w * 0.7, -0.5),
                ]
            )
        elif look.style == "bun":
            shape = ellipse(0.02, -1.12, 0.36, 0.33)
        elif look.style == "curly":
            grown = self._face_outline(1.0)[:, :] * points([(1.22, 1.0)])
            shape = grown[grown[:, 1] < 0.35 if not look.woman else grown[:, 1] < 0.75] * points([(1.08, 1.16)])
            around = np.arange(len(shape))
            shape = shape * (1 + 0.035 * np.sin(around * 0.9)[:, None])
        else:
            return
        outline = shape if look.style in ("bun", "curly") else smooth(shape)
        self._paint_hair(self.back, self._on_rim(outline + points([(lean, 0)])), dim=0.78)

    def _hair_before(self) -> None:
        look, w, line = self.look, self.look.width, self.look.hairline
        if look.style == "bald":
            return
        lift = {
            "crop": 1.04,
            "side": 1.10,
            "quiff": 1.14,
            "fringe": 1.10,
            "curly": 1.20,
            "bun": 1.06,
            "ponytail": 1.06,
        }.get(look.style, 1.13)
        wide = {"crop": 1.02, "curly": 1.16, "quiff": 1.04, "bun": 1.03, "ponytail": 1.03}.get(look.style, 1.08)
        down = {
            "crop": -0.10,
            "side": -0.04,
            "quiff": -0.12,
            "fringe": 0.02,
            "curly": 0.02,
            "bun": -0.16,
            "ponytail": -0.12,
        }.get(look.style, 0.15)
        outer = [
            (-w * wide, down),
            (-w * wide, -0.40),
            (-w * 0.78 * wide, -0.80 * lift),
            (-w * 0.35, -0.985 * lift),
            (w * 0.2, -1.0 * lift),
            (w * 0.70 * wide, -0.84 * lift),
            (w * wide, -0.42),
            (w * wide, down),
        ]
        inner = {
            "side": [
                (w * 0.93, -0.16),
                (w * 0.84, line + 0.10),
                (w * 0.30, line + 0.06),
                (-w * 0.30, line - 0.10),
                (-w * 0.62, line + 0.02),
                (-w * 0.92, -0.16),
            ],
            "quiff": [
                (w * 0.94, -0.24),
                (w * 0.80, line + 0.06),
                (w * 0.25, line - 0.10),
                (-w * 0.35, line - 0.12),
                (-w * 0.80, line + 0.06),
                (-w * 0.94, -0.24),
            ],
            "fringe": [
                (w * 0.95, -0.02),
                (w * 0.88, -0.30),
                (w * 0.45, line + 0.20),
                (-w * 0.10, line + 0.13),
                (-w * 0.55, line + 0.21),
                (-w * 0.90, -0.26),
                (-w * 0.95, -0.02),
            ],
            "bob": [
                (w * 0.97, 0.10),
                (w * 0.86, -0.28),
                (w * 0.35, line - 0.02),
                (-w * 0.10, line - 0.20),
                (-w * 0.60, line + 0.16),
                (-w * 0.90, -0.20),
                (-w * 0.97, 0.10),
            ],
            "long": [
                (w * 0.96, 0.12),
                (w * 0.86, -0.30),
                (w * 0.40, line - 0.06),
                (0, line - 0.24),
                (-w * 0.40, line - 0.06),
                (-w * 0.86, -0.30),
                (-w * 0.96, 0.12),
            ],
        }.get(
            look.style,
            [
                (w * 0.95, -0.16),
                (w * 0.86, line + 0.14),
                (w * 0.45, line),
                (0, line - 0.03),
                (-w * 0.45, line),
                (-w * 0.86, line + 0.14),
                (-w * 0.95, -0.16),
            ],
        )
        crown = smooth(points(outer), closed=False)
        if look.style == "curly":
            crown = crown * (1 + 0.025 * np.sin(np.arange(len(crown)) * 1.1)[:, None])
        edge = smooth(points(inner), closed=False)
        outline = np.vstack([self._on_rim(crown), self._on_face(edge, -0.10)])
        locks: list[Points] = []
        if look.style in ("bob", "long"):
            end = 0.86 if look.style == "bob" else 1.55
            for side in (-1, 1):
                lock = [
                    (side * w * 0.93, -0.35, 0.10),
                    (side * (w + 0.05), 0.15, 0.12),
                    (side * (w + 0.05), end * 0.6, 0.13),
                    (side * (w - 0.02), end, 0.06),
                ]
                locks.append(self._on_rim(limb(lock)))
        self._tint_face(self._skin_shade(0.45), 0.38, 0.05, outline + points([(0, self.unit * 0.06)]))
        self._paint_hair(self.front, outline, *locks)

    def _glasses(self) -> None:
        look = self.look
        if not look.glasses:
            return
        color = (38, 34, 40) if sum(look.hair) < 300 else (96, 62, 40)
        line = max(2, round(self.unit * look.rims))
        rim_w, rim_h = (0.205, 0.185) if look.glasses == "round" else (0.225, 0.155)
        draw = self._draw
        y = look.eye_y + 0.02
        for side in (-1, 1):
            x = side * max(look.eye_gap, rim_w + 0.035)
            if look.glasses == "round":
                ring = ellipse(x, y, rim_w, rim_h)
            else:
                ring = smooth(
                    points(
                        [
                            (x - rim_w, y - rim_h * 0.8),
                            (x, y - rim_h),
                            (x + rim_w, y - rim_h * 0.8),
                            (x + rim_w * 0.92, y + rim_h * 0.7),
                            (x, y + rim_h),
                            (x - rim_w * 0.92, y + rim_h * 0.7),
                        ]
                    )
                )
            placed = flat(self._on_face(ring, 0.06))
            draw.line([*placed, placed[0], placed[1]], fill=color, width=line, joint="curve")
            arm = self._on_face(points([(x + side * rim_w, y - 0.04), (side * look.width, look.eye_y - 0.02)]), 0.03)
            draw.line(flat(arm), fill=color, width=line)
        inner = max(look.eye_gap, rim_w + 0.035) - rim_w
        bridge = self._on_face(
            smooth(points([(-inner, y - 0.02), (0, y - 0.06), (inner, y - 0.02)]), closed=False), 0.08
        )
        draw.line(flat(bridge), fill=color, width=line, joint="curve")


@cache
def look(seed: int) -> Look:
    """The look of a seed, made once."""
    return Look.from_seed(seed)
