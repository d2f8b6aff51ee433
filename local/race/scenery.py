"""Where the race runs: painted backdrops, each seen in several lights.

A backdrop is painted once at 1.25 times a photo's width, softly, as a lens shows what stands behind its
subject; a photo takes a part of it.
"""

from __future__ import annotations

import enum
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from local.race.canvas import Color, ellipse, flat, gradient, lettering, mixed, points, scaled, shade, smooth

WIDTH, HEIGHT = 2000, 1334
HORIZON = 0.44
CLOCK_AT = (560, 300)  # where the finish has its clock: its top left


class Place(enum.Enum):
    """Stations of the course."""

    RIVER = "river"
    CITY = "city"
    AVENUE = "avenue"
    BRIDGE = "bridge"
    FINISH = "finish"
    WALL = "wall"


class Daylight(NamedTuple):
    """Colors of an hour: sky above and at the horizon, what distance fades to, and a tint over all (factors)."""

    zenith: Color
    horizon: Color
    haze: Color
    tint: tuple[float, float, float]


DAYLIGHTS: dict[str, Daylight] = {
    "dawn": Daylight((116, 148, 206), (252, 212, 186), (226, 190, 190), (1.03, 0.985, 0.97)),
    "morning": Daylight((88, 158, 226), (226, 240, 248), (188, 212, 230), (1.01, 1.0, 0.985)),
    "noon": Daylight((58, 136, 220), (206, 232, 248), (176, 206, 230), (1.0, 1.0, 1.0)),
    "cloudy": Daylight((158, 174, 190), (222, 228, 232), (188, 198, 206), (0.97, 0.985, 1.01)),
    "evening": Daylight((102, 126, 190), (255, 208, 142), (232, 190, 150), (1.045, 0.995, 0.94)),
}

_SPONSORS: tuple[tuple[str, Color], ...] = (
    ("HANGANG WATER", (28, 116, 188)),
    ("NARU BANK 2026", (18, 132, 98)),
    ("DAMO SHOES", (226, 84, 52)),
    ("SNAPRACE", (40, 44, 92)),
    ("BADA ENERGY", (238, 170, 34)),
    ("SEOUL RUN 2026", (186, 42, 84)),
)


@cache
def backdrop(place: Place, daylight: str) -> Image.Image:
    """The place in this light, RGB of WIDTH × HEIGHT. Do not draw on it: it is shared."""
    return _Backdrop(place, DAYLIGHTS[daylight]).painted()


class _Backdrop:
    def __init__(self, place: Place, light: Daylight) -> None:
        self.place, self.light = place, light
        self.random = np.random.default_rng([11, list(Place).index(place)])
        self.sheet = Image.new("RGB", (WIDTH, HEIGHT))
        self.ground = round(HEIGHT * HORIZON)

    def painted(self) -> Image.Image:
        """The whole view, from the sky to the road."""
        if self.place is Place.WALL:
            self._sponsor_wall()
            return self.sheet
        self._sky()
        if self.place in (Place.RIVER, Place.BRIDGE):
            self._hills()
            self._skyline(0.30, far=True)
            self._river()
        if self.place in (Place.CITY, Place.FINISH):
            self._skyline(0.55, far=True)
            self._street_fronts()
        if self.place is Place.AVENUE:
            self._hills()
        self._verge()
        self._road()
        if self.place is Place.BRIDGE:
            self._pylons()
        if self.place in (Place.AVENUE, Place.RIVER, Place.CITY):
            self._trees()
        self._soften(2.2)
        if self.place in (Place.FINISH, Place.CITY):
            self._crowd()
        if self.place is Place.FINISH:
            self._arch()
        self._barriers()
        self._soften(1.4)
        return self.sheet

    # Colors and edges

    def _faded(self, color: Color, distance: float) -> Color:
        """A color seen through the air: distance 0 is here, 1 is far away."""
        return mixed(color, self.light.haze, 0.78 * distance)

    def _soften(self, radius: float) -> None:
        self.sheet = self.sheet.filter(ImageFilter.GaussianBlur(radius))

    @property
    def _draw(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.sheet)

    # Far away

    def _sky(self) -> None:
        light = self.light
        sky = gradient(
            (WIDTH, self.ground + 60),
            [(0.0, light.zenith), (0.75, mixed(light.zenith, light.horizon, 0.75)), (1.0, light.horizon)],
        )
        self.sheet.paste(sky, (0, 0))
        clouds = Image.new("L", (WIDTH // 4, (self.ground + 60) // 4), 0)
        draw = ImageDraw.Draw(clouds)
        for _ in range(7):
            x, y = self.random.uniform(0, WIDTH / 4), self.random.uniform(10, self.ground / 4 * 0.72)
            for _ in range(9):
                dx, dy = self.random.normal(0, 30), self.random.normal(0, 3.5)
                r = self.random.uniform(6, 15)
                draw.ellipse(
                    (x + dx - r * 1.9, y + dy - r * 0.55, x + dx + r * 1.9, y + dy + r * 0.55),
                    fill=int(self.random.uniform(70, 150)),
                )
        mask = clouds.filter(ImageFilter.GaussianBlur(5)).resize(sky.size, Image.Resampling.BICUBIC)
        self.sheet.paste(Image.new("RGB", sky.size, mixed((255, 255, 255), light.horizon, 0.35)), (0, 0), mask)

    def _hills(self) -> None:
        for layer, (height, distance) in enumerate(((150, 0.95), (95, 0.75))):
            xs = np.linspace(0, WIDTH, 26)
            bumps = sum(np.sin(xs / WIDTH * np.pi * k + layer * 2.1 + k) / k for k in (2, 3, 5, 9))
            ridge = self.ground - height * (0.62 + 0.28 * np.asarray(bumps))
            shape = [*zip(xs.tolist(), ridge.tolist(), strict=True), (WIDTH, self.ground + 80), (0, self.ground + 80)]
            self._draw.polygon(shape, fill=self._faded((70, 112, 92), distance))

    def _skyline(self, share: float, *, far: bool) -> None:
        x = -20.0
        while x < WIDTH:
            width = float(self.random.uniform(46, 120))
            height = float(self.random.uniform(0.25, 1.0)) * self.ground * share
            tone = self._faded(
                ((126, 138, 160), (150, 146, 150), (108, 126, 148))[int(self.random.integers(3))], 0.72 if far else 0.4
            )
            top = self.ground - height
            self._draw.rectangle((x, top, x + width, self.ground + 10), fill=tone)
            self._draw.rectangle((x + width * 0.72, top, x + width, self.ground + 10), fill=scaled(tone, 0.93))
            for row in np.arange(top + 12, self.ground - 8, 17):
                for column in np.arange(x + 8, x + width - 12, 15):
                    if self.random.random() < 0.62:
                        lit = scaled(tone, float(self.random.choice((0.86, 1.10))))
                        self._draw.rectangle((column, row, column + 7, row + 9), fill=lit)
            x += width + float(self.random.uniform(-8, 22))

    def _river(self) -> None:
        top, bottom = self.ground - 4, self.ground + 70
        water = gradient(
            (WIDTH, bottom - top), [(0, self._faded((120, 170, 204), 0.6)), (1, self._faded((70, 128, 170), 0.2))]
        )
        self.sheet.paste(water, (0, top))
        for _ in range(160):
            x, y = self.random.uniform(0, WIDTH), self.random.uniform(top + 3, bottom)
            length = 14 + 60 * (y - top) / (bottom - top)
            self._draw.line((x, y, x + length, y), fill=mixed(self.light.horizon, (120, 170, 204), 0.25), width=2)
        deck = self.ground - 46
        self._draw.rectangle((0, deck, WIDTH, deck + 12), fill=self._faded((190, 192, 200), 0.5))
        for x in range(60, WIDTH, 230):
            self._draw.rectangle((x, deck + 12, x + 16, self.ground + 6), fill=self._faded((168, 172, 182), 0.5))
            arch = [(x + 16 + t * 214, deck - 52 * np.sin(t * np.pi)) for t in np.linspace(0, 1, 20)]
            self._draw.line(
                [(float(a), float(b)) for a, b in arch], fill=self._faded((214, 96, 82), 0.45), width=7, joint="curve"
            )

    def _street_fronts(self) -> None:
        """Houses along both sides, drawn towards the vanishing point."""
        vanish = WIDTH / 2
        for side in (-1, 1):
            edges = [1.06, 0.80, 0.60, 0.45, 0.34, 0.26, 0.20]
            for index, (near, far) in enumerate(pairwise(edges)):
                tall = float(self.random.uniform(0.62, 1.0)) * 1.02
                color = (
                    (196, 176, 158),
                    (172, 128, 108),
                    (150, 164, 178),
                    (208, 200, 188),
                    (134, 148, 158),
                    (190, 150, 122),
                )[int(self.random.integers(6))]
                tone = self._faded(color, 0.16 + 0.12 * index)
                x0, x1 = vanish + side * near * WIDTH / 2, vanish + side * far * WIDTH / 2
                y0, y1 = self.ground - near * tall * self.ground, self.ground - far * tall * self.ground
                b0, b1 = self.ground + near * 150, self.ground + far * 150
                self._draw.polygon(
                    [(x0, y0), (x1, y1), (x1, b1), (x0, b0)], fill=scaled(tone, 0.92 if side < 0 else 1.04)
                )
                for floor in np.arange(0.10, 0.86, 0.115):
                    for bay in np.arange(0.10, 0.88, 0.20):
                        quad = []
                        for fx, fy in (
                            (bay, floor),
                            (bay + 0.11, floor),
                            (bay + 0.11, floor + 0.065),
                            (bay, floor + 0.065),
                        ):
                            top, base = y0 + (y1 - y0) * fx, b0 + (b1 - b0) * fx
                            quad.append((x0 + (x1 - x0) * fx, top + (base - top) * fy))
                        glass = mixed(scaled(tone, 0.70), self.light.zenith, 0.30)
                        self._draw.polygon(quad, fill=glass if self.random.random() < 0.8 else scaled(glass, 1.3))
                awning = [
                    (x0 + (x1 - x0) * f, (y0 + (y1 - y0) * f) + ((b0 + (b1 - b0) * f) - (y0 + (y1 - y0) * f)) * h)
                    for f, h in ((0.05, 0.84), (0.95, 0.84), (0.95, 0.89), (0.05, 0.89))
                ]
                shop = ((206, 84, 72), (70, 128, 160), (228, 186, 92), (88, 140, 104))[int(self.random.integers(4))]
                self._draw.polygon(awning, fill=self._faded(shop, 0.15 + 0.1 * index))

    # The ground

    def _verge(self) -> None:
        near, far = {
            Place.RIVER: ((122, 164, 86), (150, 186, 120)),
            Place.AVENUE: ((150, 156, 82), (186, 184, 116)),
        }.get(self.place, ((172, 170, 168), (190, 190, 192)))
        top = self.ground + (66 if self.place in (Place.RIVER, Place.BRIDGE) else 0)
        floor = gradient((WIDTH, HEIGHT - top), [(0, self._faded(far, 0.35)), (1, near)])
        self.sheet.paste(floor, (0, top))

    def _road(self) -> None:
        top = self.ground + (66 if self.place in (Place.RIVER, Place.BRIDGE) else 0)
        vanish = WIDTH / 2
        asphalt = gradient(
            (WIDTH, HEIGHT - top),
            [(0, self._faded((152, 154, 162), 0.5)), (0.35, (128, 130, 138)), (1, (104, 106, 114))],
        )
        mask = Image.new("L", asphalt.size, 0)
        draw = ImageDraw.Draw(mask)
        depth = HEIGHT - top
        draw.polygon([(vanish - 130, 0), (vanish + 130, 0), (vanish + 1120, depth), (vanish - 1120, depth)], fill=255)
        self.sheet.paste(asphalt, (0, top), mask)
        pale: Color = (226, 226, 222)
        for side in (-1, 1):
            self._draw.polygon(
                [
                    (vanish + side * 122, top),
                    (vanish + side * 126, top),
                    (vanish + side * 1068, HEIGHT),
                    (vanish + side * 1030, HEIGHT),
                ],
                fill=pale,
            )
        for lane in (-0.33, 0.33):
            for start in np.linspace(0.0, 0.93, 9) ** 1.7:
                end = start + 0.05 + 0.06 * start
                y0, y1 = top + start * depth, top + min(1.0, end) * depth
                x0, x1 = (vanish + lane * (130 + 990 * t) for t in (start, min(1.0, end)))
                w0, w1 = 2 + 9 * start, 2 + 9 * min(1.0, end)
                self._draw.polygon([(x0 - w0, y0), (x0 + w0, y0), (x1 + w1, y1), (x1 - w1, y1)], fill=(206, 207, 208))
        self._draw.polygon(
            [(vanish - 14, top), (vanish - 8, top), (vanish - 96, HEIGHT), (vanish - 150, HEIGHT)], fill=(76, 126, 190)
        )

    def _trees(self) -> None:
        autumn = self.place is Place.AVENUE
        leaves: tuple[Color, ...] = (
            ((226, 172, 52), (208, 140, 46), (234, 192, 84))
            if autumn
            else ((92, 142, 72), (112, 158, 80), (80, 128, 74))
        )
        spots = [(side, d) for d in (0.30, 0.40, 0.54, 0.74, 1.0) for side in (-1, 1)]
        for side, near in spots:
            x = WIDTH / 2 + side * near * (980 if autumn else 1060)
            base = self.ground + 30 + near * 220
            size = near * (330 if autumn else 270)
            trunk = self._faded((104, 82, 66), 0.6 * (1 - near))
            self._draw.polygon(
                [
                    (x - size * 0.055, base),
                    (x + size * 0.055, base),
                    (x + size * 0.035, base - size),
                    (x - size * 0.035, base - size),
                ],
                fill=trunk,
            )
            crown = base - size * 1.45
            for _ in range(34):
                angle, reach = self.random.uniform(0, 2 * np.pi), float(np.sqrt(self.random.uniform(0, 1)))
                dx, dy = np.cos(angle) * reach * size * 0.52, np.sin(angle) * reach * size * 0.72
                color = leaves[int(self.random.integers(3))]
                tone = scaled(color, 1.08 - 0.30 * (dy / size + 0.5))
                r = size * self.random.uniform(0.13, 0.24)
                self._draw.polygon(
                    flat(ellipse(x + dx, crown + dy, r, r * 0.85, count=18)), fill=self._faded(tone, 0.65 * (1 - near))
                )

    def _pylons(self) -> None:
        for side in (-1, 1):
            for near in (0.36, 0.62, 1.0):
                x, width = WIDTH / 2 + side * near * 930, near * 60
                base, top = self.ground + near * 210, self.ground - near * 760
                tone = self._faded((206, 212, 220), 0.5 * (1 - near))
                self._draw.rectangle((x - width / 2, top, x + width / 2, base), fill=tone)
                self._draw.rectangle((x + width * 0.2, top, x + width / 2, base), fill=scaled(tone, 0.88))
                for cable in range(1, 8):
                    reach = WIDTH / 2 + side * (near * 930 - near * cable * 92)
                    self._draw.line(
                        (x, top + cable * near * 26, reach, self.ground + 60 * near),
                        fill=scaled(tone, 0.86),
                        width=max(1, round(3 * near)),
                    )
            rail = [(WIDTH / 2 + side * (140 + 990 * t), self.ground + 30 + 330 * t) for t in (0, 1.1)]
            self._draw.line(rail, fill=self._faded((232, 236, 240), 0.1), width=7)

    # People and things along the course

    def _crowd(self) -> None:
        """Spectators on both sides, out of focus."""
        layer = Image.new("RGBA", (WIDTH // 2, HEIGHT // 2), (150, 130, 120, 0))
        draw = ImageDraw.Draw(layer)
        coats: tuple[Color, ...] = (
            (188, 76, 70),
            (64, 92, 140),
            (224, 214, 196),
            (70, 76, 88),
            (214, 168, 78),
            (98, 138, 110),
        )
        for near in np.sort(self.random.uniform(0.17, 1.0, 120)):
            side = -1 if self.random.random() < 0.5 else 1
            x = WIDTH / 4 + side * (near * 540 + self.random.uniform(0, 70 * near))
            size = near * 29
            base = self.ground / 2 + near * 150
            y = base - size * float(self.random.uniform(5.6, 6.4))
            coat = self._faded(coats[int(self.random.integers(6))], 0.5 * (1 - near) + 0.1)
            draw.rounded_rectangle((x - size * 0.9, y + size * 0.8, x + size * 0.9, base), radius=size * 0.6, fill=coat)
            hairs: tuple[Color, ...] = ((46, 38, 36), (70, 50, 40), (120, 110, 104))
            hair = self._faded(hairs[int(self.random.integers(3))], 0.25)
            draw.ellipse((x - size * 0.52, y - size * 0.66, x + size * 0.52, y + size * 0.5), fill=hair)
            skin = self._faded((216, 172, 142), 0.3)
            draw.ellipse((x - size * 0.44, y - size * 0.36, x + size * 0.44, y + size * 0.66), fill=skin)
        layer = layer.filter(ImageFilter.GaussianBlur(2.2)).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
        self.sheet.paste(layer, (0, 0), layer)

    def _barriers(self) -> None:
        """Barriers with the sponsors' boards along both sides."""
        vanish = WIDTH / 2
        top = self.ground + (66 if self.place in (Place.RIVER, Place.BRIDGE) else 0)
        for side in (-1, 1):
            edges = [0.20, 0.27, 0.36, 0.47, 0.62, 0.82, 1.10]
            for index, (far, near) in enumerate(pairwise(edges)):
                word, color = _SPONSORS[(index + (3 if side > 0 else 0)) % len(_SPONSORS)]
                x0, x1 = vanish + side * far * 980, vanish + side * near * 980
                lift0, lift1 = top + far * 300, top + near * 300
                tall0, tall1 = far * 155, near * 155
                tone = self._faded(color, 0.45 * (1 - near))
                quad = [(x0, lift0 - tall0), (x1, lift1 - tall1), (x1, lift1), (x0, lift0)]
                self._draw.polygon(quad, fill=tone)
                board = lettering(word, 60, (255, 255, 255), weight=0.05)
                self._lettered(board, quad, mirrored=side < 0)
                self._draw.line(
                    [quad[0], quad[1]], fill=self._faded((236, 238, 240), 0.2), width=max(2, round(7 * near))
                )

    def _lettered(self, board: Image.Image, quad: list[tuple[float, float]], *, mirrored: bool) -> None:
        """Put the word onto a board that is seen at an angle."""
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = (quad[1], quad[0], quad[3], quad[2]) if mirrored else quad
        left, right = round(min(ax, bx)), round(max(ax, bx))
        top, bottom = round(min(ay, by)), round(max(cy, dy))
        if right - left < 40:
            return
        inner = 0.10

        def spot(u: float, v: float) -> tuple[float, float]:
            upper = (ax + (bx - ax) * u, ay + (by - ay) * u)
            lower = (dx + (cx - dx) * u, dy + (cy - dy) * u)
            return upper[0] + (lower[0] - upper[0]) * v - left, upper[1] + (lower[1] - upper[1]) * v - top

        corners = [spot(inner, 0.30), spot(1 - inner, 0.30), spot(1 - inner, 0.74), spot(inner, 0.74)]
        size = (right - left, bottom - top)
        w, h = board.size
        coefficients = _perspective(corners, [(0, 0), (w, 0), (w, h), (0, h)])
        placed = board.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
        self.sheet.paste(placed, (left, top), placed.getchannel("A"))

    def _arch(self) -> None:
        """The finish arch: an inflated portal with the race's name."""
        color: Color = (40, 62, 150)
        left, right, top, base = 420, WIDTH - 420, 84, self.ground + 190
        sheet = self.sheet
        for x in (left, right):
            pillar = smooth(
                points(
                    [
                        (x - 74, base),
                        (x + 74, base),
                        (x + 70, top + 120),
                        (x + 60, top + 20),
                        (x - 60, top + 20),
                        (x - 70, top + 120),
                    ]
                ),
                steps=6,
            )
            shade(sheet, pillar, color=color, sun=0.4, softness=30)
        beam = smooth(
            points(
                [
                    (left - 66, top + 150),
                    (left - 66, top + 20),
                    (left + 40, top - 26),
                    (right - 40, top - 26),
                    (right + 66, top + 20),
                    (right + 66, top + 150),
                    (right - 60, top + 170),
                    (left + 60, top + 170),
                ]
            ),
            steps=8,
        )
        shade(sheet, beam, color=color, sun=0.3, softness=34)
        word = lettering("FINISH", 72, (255, 255, 255), weight=0.10, spacing=0.34)
        sheet.paste(word, (round(WIDTH / 2 - word.width / 2), top + 12), word)
        below = lettering("SNAPRACE DEMO MARATHON", 22, (255, 214, 92), weight=0.06, spacing=0.15)
        sheet.paste(below, (round(WIDTH / 2 - below.width / 2), top + 118), below)
        for x in (left, right):
            for y in range(top + 230, base - 40, 90):
                self._draw.rectangle((x - 66, y, x + 66, y + 26), fill=(250, 206, 70))

    def _sponsor_wall(self) -> None:
        """The wall that finishers are photographed before."""
        self.sheet.paste(
            gradient((WIDTH, HEIGHT), [(0, (244, 246, 250)), (0.8, (228, 232, 240)), (1, (206, 210, 222))]), (0, 0)
        )
        words = [word for word, _ in _SPONSORS]
        for row in range(9):
            for column in range(-1, 6):
                word = words[(row * 2 + column) % len(words)]
                color = mixed(_SPONSORS[(row * 2 + column) % len(words)][1], (236, 240, 246), 0.45)
                sign = lettering(word, 22, color, weight=0.06, spacing=0.06)
                x = column * 430 + (215 if row % 2 else 0) + 60
                self.sheet.paste(sign, (x, 60 + row * 128), sign)
        floor = gradient((WIDTH, 210), [(0, (150, 58, 66)), (1, (120, 42, 52))])
        self.sheet.paste(floor, (0, HEIGHT - 210))
        self._soften(1.6)
        tint = np.asarray(self.sheet, dtype=np.float64)
        xs = np.linspace(-1, 1, WIDTH)[None, :, None]
        ys = np.linspace(-1, 1, HEIGHT)[:, None, None]
        lamp = 1.04 - 0.16 * np.clip(xs**2 + 0.7 * ys**2, 0, 1.4)
        self.sheet = Image.fromarray(np.clip(tint * lamp, 0, 255).astype(np.uint8))


def _perspective(to: list[tuple[float, float]], source: list[tuple[float, float]]) -> list[float]:
    """The eight coefficients of Pillow's PERSPECTIVE transform that lays `source` corners onto `to`."""
    rows = []
    for (x, y), (u, v) in zip(to, source, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solved = np.linalg.solve(np.array(rows, dtype=np.float64), np.array(source, dtype=np.float64).reshape(8))
    return [float(value) for value in solved]


def clock(text: str) -> Image.Image:
    """A race clock: red figures on black, on a stand's bar."""
    figures = lettering(text, 46, (255, 74, 52), weight=0.06, spacing=0.10)
    box = Image.new("RGBA", (figures.width + 56, figures.height + 44), (0, 0, 0, 0))
    draw = ImageDraw.Draw(box)
    draw.rounded_rectangle((0, 0, box.width - 1, box.height - 1), radius=10, fill=(236, 190, 52))
    draw.rounded_rectangle((8, 8, box.width - 9, box.height - 9), radius=6, fill=(20, 20, 24))
    box.alpha_composite(figures, (28, 22))
    return box
