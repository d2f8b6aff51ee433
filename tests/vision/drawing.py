"""Small pictures for these tests: drawn runners' heads, and words."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from local.race.cast import ROSTER
from local.race.face import Expression, draw_head

GRASS = (104, 132, 92)


def heads(*people: int, unit: int = 90, yaw: float = 0.0, smile: float = 0.4, sun: float = 0.4) -> Image.Image:
    """These people of the demo race's roster side by side, each head about 2 x `unit` pixels high."""
    step = 4 * unit
    picture = Image.new("RGB", (step * max(len(people), 1), step), GRASS)
    for place, person in enumerate(people):
        drawn = draw_head(ROSTER[person].look, Expression(yaw=yaw, smile=smile, sun=sun), unit)
        corner = (int(step * (place + 0.5) - drawn.center[0]), int(step / 2 - drawn.center[1]))
        for layer in (drawn.back, drawn.front):
            picture.paste(layer, corner, layer)
    return picture


def nobody(width: int = 240, height: int = 160) -> Image.Image:
    """A lawn."""
    return Image.new("RGB", (width, height), GRASS)


def words(*lines: tuple[str, int, tuple[int, int]], size: tuple[int, int] = (800, 500)) -> Image.Image:
    """Dark text on white: (text, height of its font in pixels, upper left corner)."""
    picture = Image.new("RGB", size, (250, 250, 248))
    draw = ImageDraw.Draw(picture)
    for text, height, corner in lines:
        draw.text(corner, text, fill=(20, 20, 30), font=ImageFont.load_default(height))
    return picture


def bib(printed: str, width: int) -> Image.Image:
    """A white card, `width` pixels wide, that the number fills by three quarters."""
    height = int(width * 0.7)
    card = Image.new("RGB", (width, height), (248, 248, 248))
    font = next(
        font
        for points in range(height, 5, -1)
        if (font := ImageFont.load_default(points)).getlength(printed) <= width * 0.75
    )
    ImageDraw.Draw(card).text((width / 2, height / 2), printed, fill=(16, 16, 24), font=font, anchor="mm")
    return card


def jpeg(picture: Image.Image, **options: Any) -> bytes:
    """The picture as a JPEG file."""
    return _file(picture, "JPEG", {"quality": 90, **options})


def png(picture: Image.Image, **options: Any) -> bytes:
    """The picture as a PNG file."""
    return _file(picture, "PNG", options)


def _file(picture: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()
