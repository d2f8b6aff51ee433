"""Drawing tools that the race shares: smooth outlines, limbs, soft light, and letters.

Shapes are arrays of points, shape (n, 2), in pixels of the sheet they are drawn on. A sheet is drawn larger than
needed and reduced at the end, which is what makes its edges smooth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

Color = tuple[int, int, int]
Points = NDArray[np.float64]


def points(pairs: Iterable[Sequence[float]]) -> Points:
    """The pairs as an array of shape (n, 2)."""
    return np.array([tuple(pair) for pair in pairs], dtype=np.float64)


def flat(shape: Points) -> list[tuple[float, float]]:
    """The points as Pillow wants them."""
    return [(float(x), float(y)) for x, y in shape]


def smooth(corners: Points, *, closed: bool = True, steps: int = 8) -> Points:
    """A Catmull-Rom spline through `corners`: `steps` points for each of its pieces."""
    if closed:
        padded = np.vstack([corners[-1:], corners, corners[:2]])
    else:
        padded = np.vstack([2 * corners[0] - corners[1], corners, 2 * corners[-1] - corners[-2]])
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (padded[i : len(padded) - 3 + i, None, :] for i in range(4))
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    flattened: Points = curve.reshape(-1, 2)
    return flattened if closed else np.vstack([flattened, corners[-1:]])


def limb(joints: Sequence[tuple[float, float, float]], *, steps: int = 8) -> Points:
    """The outline of an arm, a leg or a brush stroke through `joints`, each (x, y, radius), with round ends."""
    line = smooth(points((x, y) for x, y, _ in joints), closed=False, steps=steps)
    radii = np.interp(np.linspace(0, len(joints) - 1, len(line)), range(len(joints)), [r for _, _, r in joints])
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    sides = np.stack([along[:, 1], -along[:, 0]], axis=1) * radii[:, None]
    angles = np.linspace(-np.pi / 2, np.pi / 2, 9)[1:-1]
    end = _cap(line[-1], along[-1], radii[-1], angles)
    start = _cap(line[0], -along[0], radii[0], angles)
    return np.vstack([line + sides, end, (line - sides)[::-1], start])


def _cap(center: Points, outward: Points, radius: float, angles: NDArray[np.float64]) -> Points:
    normal = np.array([outward[1], -outward[0]])
    cap: Points = center + radius * (np.cos(angles)[:, None] * outward - np.sin(angles)[:, None] * normal)
    return cap


def ellipse(x: float, y: float, width: float, height: float, *, tilt: float = 0.0, count: int = 36) -> Points:
    """An ellipse around (x, y) with these half axes, turned by `tilt` radians."""
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    shape = np.stack([width * np.cos(t), height * np.sin(t)], axis=1)
    return turned(shape, tilt) + points([(x, y)])


def turned(shape: Points, angle: float) -> Points:
    """The shape turned about the origin, clockwise on the screen, by `angle` radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    result: Points = shape @ np.array([[cos, sin], [-sin, cos]])
    return result


def scaled(color: Sequence[float], factor: float) -> Color:
    """A lighter or darker color."""
    r, g, b = (max(0, min(255, round(channel * factor))) for channel in color)
    return r, g, b


def mixed(one: Sequence[float], other: Sequence[float], share: float) -> Color:
    """`share` of `other` in `one`."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(one, other, strict=True))
    return r, g, b


def shade(
    sheet: Image.Image, *outlines: Points, color: Color, sun: float, softness: float, depth: float = 0.30
) -> None:
    """Fill the outlines, as one shape, so that it looks round: lit from where `sun` (-1 left … 1 right) stands.

    `softness` is the width in pixels over which light falls off, `depth` how dark the far side gets.
    """
    box = _box_around(np.vstack(outlines), round(softness) + 2, sheet.size)
    if box is None:
        return
    corner = points([box[:2]])
    size = (box[2] - box[0], box[3] - box[1])
    mask = _filled(size, [outline - corner for outline in outlines], 255)
    # Light is soft: half the resolution shows all of it.
    half = (max(1, size[0] // 2), max(1, size[1] // 2))
    inner = _filled(half, [(outline - corner) / 2 for outline in outlines], 255)
    inner = inner.filter(ImageFilter.BoxBlur(softness / 2)).filter(ImageFilter.BoxBlur(softness / 4))
    lit = ImageChops.offset(inner, round(sun * softness * 0.35), -round(softness * 0.18)).point(_FROM_HALF_UP)
    dark = mixed(scaled(color, 1 - depth), (40, 30, 70), 0.10)
    sheet.paste((*dark, 255), box, mask)
    lit = ImageChops.multiply(lit.resize(size, Image.Resampling.BILINEAR), mask)
    sheet.paste((*scaled(color, 1.05), 255), box, lit)


# A blurred mask is about half at its outline: this stretches the upper half to the whole range.
_FROM_HALF_UP = [max(0, min(255, int((value - 96) * 1.75))) for value in range(256)]


def _filled(size: tuple[int, int], outlines: Sequence[Points], value: int) -> Image.Image:
    mask = Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)
    for outline in outlines:
        draw.polygon(flat(outline), fill=value)
    return mask


def _box_around(shape: Points, pad: int, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The shape's surroundings within a sheet of this size, or None when it lies outside."""
    left, top = max(0, int(shape[:, 0].min()) - pad), max(0, int(shape[:, 1].min()) - pad)
    right, bottom = min(size[0], int(shape[:, 0].max()) + pad), min(size[1], int(shape[:, 1].max()) + pad)
    return (left, top, right, bottom) if right > left and bottom > top else None


def soft(sheet: Image.Image, outline: Points, color: Color, *, opacity: float, blur: float) -> None:
    """Lay a blurred patch of `color` over what is drawn already; what is empty stays empty."""
    box = _box_around(outline, round(2 * blur) + 2, sheet.size)
    if box is None:
        return
    size = (box[2] - box[0], box[3] - box[1])
    half = (max(1, size[0] // 2), max(1, size[1] // 2))
    mask = _filled(half, [(outline - points([box[:2]])) / 2], round(255 * opacity))
    mask = mask.filter(ImageFilter.GaussianBlur(blur / 2)).resize(size, Image.Resampling.BILINEAR)
    mask = ImageChops.multiply(mask, sheet.crop(box).getchannel("A"))
    sheet.paste((*color, 255), box, mask)


def gradient(size: tuple[int, int], stops: Sequence[tuple[float, Color]]) -> Image.Image:
    """A picture that runs from top to bottom through colors, each at a fraction of its height."""
    width, height = size
    at = np.linspace(0, 1, height)
    column = np.stack([np.interp(at, [s for s, _ in stops], [c[i] for _, c in stops]) for i in range(3)], axis=1)
    strip = Image.fromarray(np.round(column[:, None, :]).astype(np.uint8))
    return strip.resize((width, height), Image.Resampling.NEAREST)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own typeface, so that a drawing looks the same on every machine."""
    loaded = ImageFont.load_default(size)
    assert isinstance(loaded, ImageFont.FreeTypeFont)  # noqa: S101  # with a size it always is
    return loaded


@cache
def lettering(text: str, height: int, color: Color, *, weight: float = 0.0, spacing: float = 0.0) -> Image.Image:
    """The text alone on a transparent sheet cut to its ink, capitals and digits `height` pixels high.

    `weight` thickens the strokes and `spacing` widens the gaps, both as parts of the height.
    """
    face = font(max(4, round(height * 1.40)))
    stroke = max(0, round(height * weight))
    advance = [face.getlength(character) + spacing * height + stroke for character in text]
    sheet = Image.new("L", (round(sum(advance)) + 4 * stroke + 8, height * 3), 0)
    draw = ImageDraw.Draw(sheet)
    x = float(2 * stroke + 2)
    for character, step in zip(text, advance, strict=True):
        draw.text((x, height * 2), character, fill=255, font=face, anchor="ls", stroke_width=stroke)
        x += step
    ink = sheet.getbbox() or (0, 0, 1, 1)
    letters = Image.new("RGBA", sheet.size, (*color, 0))
    letters.putalpha(sheet)
    return letters.crop(ink)
