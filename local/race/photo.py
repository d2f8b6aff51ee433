"""From a shot to a picture: backdrop, people in front of it, the photographer's mark, and the camera's notes."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFilter, ImageFont

from local.race import scenery
from local.race.canvas import Color, font, gradient, mixed
from local.race.cast import ROSTER, Person
from local.race.face import Expression
from local.race.figure import HEAD_ABOVE, SOLE, Figure, Outfit, Pose, draw_figure
from local.race.plan import Appearance, Shot

LANDSCAPE = (1600, 1067)
PORTRAIT = (1067, 1600)
SELFIE = (700, 860)
QUALITY = 88

_SPACE = 2.15  # heads between two people who stand side by side
_STORED = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class _Standing:
    """Where somebody stands: the hollow of the neck and the height of the head, in pixels."""

    appearance: Appearance
    x: float
    y: float
    head: float

    @property
    def behind(self) -> bool:
        """Whether the next one stands before her."""
        return self.appearance.behind


def photo(shot: Shot) -> bytes:
    """The shot as a JPEG file, stored as its orientation says."""
    picture = upright(shot)
    if shot.orientation in _STORED:
        picture = picture.transpose(_STORED[shot.orientation])
    return _encoded(picture, _exif(shot))


def upright(shot: Shot) -> Image.Image:
    """The picture as it is meant to be seen."""
    people = _standing(shot)
    picture = _view(shot)
    for person in people:
        _shadow(picture, person)
    for person in people:
        _stand(picture, person.appearance.figure, person.x, person.y, person.head)
    picture = _tinted(picture, scenery.DAYLIGHTS[shot.daylight].tint)
    _mark(picture, f"© {shot.photographer}  {shot.taken:%Y-%m-%d}  {1000 + shot.seed}")
    return picture


def selfie(person: Person) -> bytes:
    """A picture that somebody takes of herself at home: other clothes, other light, nothing behind."""
    number = ROSTER.index(person)
    random = np.random.default_rng([5, number])
    wall: Color = ((214, 206, 196), (196, 208, 214), (222, 216, 204), (202, 204, 192))[number % 4]
    width, height = SELFIE
    picture = gradient(SELFIE, [(0, mixed(wall, (255, 255, 255), 0.35)), (1, mixed(wall, (90, 90, 100), 0.12))])
    shirt: Color = ((92, 104, 124), (236, 232, 226), (136, 92, 88), (84, 118, 104), (64, 66, 76))[number % 5]
    figure = Figure(
        look=person.look,
        outfit=Outfit(shirt, mixed(shirt, (0, 0, 0), 0.18), shirt, shirt, sleeves=True),
        printed="",
        pose=Pose.PORTRAIT,
        expression=Expression(
            yaw=float(random.uniform(-0.14, 0.14)),
            pitch=float(random.uniform(-0.04, 0.05)),
            roll=float(random.uniform(-0.08, 0.08)),
            smile=float(random.choice((0.2, 0.35, 0.8, 0.95))),
            sun=float(random.choice((-0.6, -0.4, 0.4, 0.6))),
        ),
    )
    _stand(picture, figure, width * 0.5, height * 0.70, height * 0.44)
    return _encoded(picture, Image.Exif())


# Who stands where


def _size(shot: Shot) -> tuple[int, int]:
    return PORTRAIT if shot.portrait else LANDSCAPE


def heads(shot: Shot) -> dict[str, tuple[float, float]]:
    """Where each one's head is in the upright picture, by bib: fractions of its width and height."""
    width, height = _size(shot)
    return {
        person.appearance.person.bib: (person.x / width, (person.y - 0.62 * person.head) / height)
        for person in _standing(shot)
    }


def _standing(shot: Shot) -> list[_Standing]:
    """Places for everybody, the farthest first."""
    random = np.random.default_rng([3, shot.seed])
    appearances, (width, height) = shot.appearances, _size(shot)
    pairs = sum(appearance.behind for appearance in appearances)
    columns = len(appearances) - pairs
    room = (columns - 1) * _SPACE + 2.7 + 0.5 * pairs
    whole = HEAD_ABOVE + SOLE
    if height > width:
        head = min(height * 0.90 / whole * float(random.uniform(0.92, 1.0)), width * 0.98 / room)
        neck = height * 0.955 - SOLE * head
    else:
        head = min(float(random.uniform(165, 250)), width * 0.98 / room)
        neck = height * float(random.uniform(0.33, 0.36)) + 0.22 * (head - 150)
    neck = max(neck, head * (HEAD_ABOVE + 0.28 + (0.55 if _reaches_up(appearances) else 0.0)))
    x = (width - (room - 2.7) * head) / 2
    if columns == 1:
        x += float(random.uniform(-0.16, 0.16)) * (width - 2.7 * head)
    people: list[_Standing] = []
    for appearance in appearances:
        if people and people[-1].behind:
            # Nearer and lower, so that head and shoulders cover the other's bib, and not her face.
            far = people[-1]
            people.append(_Standing(appearance, far.x + 0.05 * head, far.y + 1.36 * head, head * 1.26))
        else:
            own = head * float(random.uniform(0.93, 1.0))
            people.append(_Standing(appearance, x, neck + float(random.uniform(-0.05, 0.10)) * head, own))
        x += 0.5 * head if appearance.behind else _SPACE * head
    return sorted(people, key=lambda person: person.head)


def _reaches_up(appearances: tuple[Appearance, ...]) -> bool:
    return any(appearance.figure.pose is Pose.CHEER for appearance in appearances)


def _stand(picture: Image.Image, figure: Figure, x: float, y: float, head: float) -> None:
    reach = min(SOLE + 0.2, (picture.height - y) / head + 0.15)
    sprite, neck = draw_figure(figure, head, reach=reach)
    picture.paste(sprite, (round(x - neck[0]), round(y - neck[1])), sprite)


def _shadow(picture: Image.Image, person: _Standing) -> None:
    """The soft shadow of somebody whose feet can be seen."""
    ground = person.y + SOLE * person.head
    if ground > picture.height + 40:
        return
    head = person.head
    box = (
        round(person.x - 1.9 * head),
        round(ground - 0.5 * head),
        round(person.x + 1.9 * head),
        round(ground + 0.4 * head),
    )
    mask = Image.new("L", (box[2] - box[0], box[3] - box[1]), 0)
    shift = -0.45 * head * person.appearance.figure.expression.sun
    middle = mask.width / 2 + shift
    ImageDraw.Draw(mask).ellipse((middle - 0.85 * head, 0.36 * head, middle + 0.85 * head, 0.60 * head), fill=120)
    mask = mask.filter(ImageFilter.GaussianBlur(head * 0.09))
    picture.paste(Image.new("RGB", mask.size, (34, 34, 50)), box[:2], mask)


# What is behind them


def _view(shot: Shot) -> Image.Image:
    """A part of the shot's backdrop in the photo's size."""
    random = np.random.default_rng([4, shot.seed])
    size = _size(shot)
    scene = scenery.backdrop(shot.place, shot.daylight)
    if shot.clock:
        scene = scene.copy()
        box = scenery.clock(shot.clock)
        scene.paste(box, scenery.CLOCK_AT, box)
    width, height = size
    share = float(random.uniform(0.76, 0.97)) if shot.appearances else 0.99
    if shot.portrait:
        share = 0.995
    scale = min(scenery.WIDTH / width, scenery.HEIGHT / height) * share
    part_width, part_height = width * scale, height * scale
    left = (
        (scenery.WIDTH - part_width) / 2 * (1 + float(random.uniform(-0.95, 0.95)) * (1 if shot.appearances else 0.2))
    )
    top = (scenery.HEIGHT - part_height) * float(random.uniform(0.1, 0.7))
    box_of_part = (left, top, left + part_width, top + part_height)
    return scene.resize(size, Image.Resampling.BICUBIC, box=box_of_part)


def _tinted(picture: Image.Image, tint: tuple[float, float, float]) -> Image.Image:
    """The whole picture in its hour's light, with a little more contrast."""
    tables: list[int] = []
    for factor in tint:
        for value in range(256):
            t = min(1.0, value / 255 * factor)
            curved = t + 0.07 * (t - 0.5) * (1 - (2 * t - 1) ** 2)
            tables.append(round(255 * min(1.0, max(0.0, curved))))
    return picture.point(tables)


def _mark(picture: Image.Image, text: str) -> None:
    """The photographer's line in the corner at the bottom right."""
    face: ImageFont.FreeTypeFont = font(round(picture.width * 0.0145))
    x, y = picture.width * 0.982, picture.height * 0.972
    draw = ImageDraw.Draw(picture)
    draw.text((x + 1.5, y + 1.5), text, fill=(30, 30, 40), font=face, anchor="rs")
    draw.text((x, y), text, fill=(246, 246, 246), font=face, anchor="rs")


# What the camera writes


def _exif(shot: Shot) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = shot.camera
    exif[ExifTags.Base.Orientation] = shot.orientation
    exif[ExifTags.Base.Artist] = shot.photographer
    exif[ExifTags.Base.DateTime] = f"{shot.taken:%Y:%m:%d %H:%M:%S}"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = f"{shot.taken:%Y:%m:%d %H:%M:%S}"
    details[ExifTags.Base.OffsetTimeOriginal] = "+09:00"
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef], place[ExifTags.GPS.GPSLatitude] = "N", (37.0, 31.0, 12.0 + shot.seed / 10)
    place[ExifTags.GPS.GPSLongitudeRef], place[ExifTags.GPS.GPSLongitude] = "E", (126.0, 58.0, 30.0 + shot.seed / 10)
    return exif


def _encoded(picture: Image.Image, exif: Image.Exif) -> bytes:
    body = io.BytesIO()
    picture.save(body, "JPEG", quality=QUALITY, exif=exif)
    return body.getvalue()
