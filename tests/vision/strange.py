"""Pictures that somebody careless or hostile might send, each kind drawn from a seed.

The files are small where they can be: what matters is what decoding them would take.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from tests.vision.drawing import heads, jpeg, nobody, png, words

Draw = Callable[[random.Random], bytes]


def picture(kind: str, seed: int) -> bytes:
    """The file of this kind that the seed gives."""
    return KINDS[kind](random.Random(f"{kind} {seed}"))


def _scene(dice: random.Random) -> Image.Image:
    """A head or a few words, small enough to be looked at in a fraction of a second."""
    if dice.random() < 0.5:
        return heads(dice.randrange(12), unit=dice.randrange(24, 40), yaw=dice.uniform(-0.2, 0.2))
    size = (dice.randrange(100, 260), dice.randrange(80, 160))
    return words((str(dice.randrange(10, 99999)), dice.randrange(12, 40), (8, 20)), size=size)


def _file(dice: random.Random) -> bytes:
    return dice.choice([jpeg, png])(_scene(dice))


def _mutated(dice: random.Random) -> bytes:
    content = bytearray(_file(dice))
    for _ in range(dice.choice([1, 3, 20, 200])):
        content[dice.randrange(len(content))] = dice.randrange(256)
    return bytes(content)


def _mutated_header(dice: random.Random) -> bytes:
    content = bytearray(_file(dice))
    for _ in range(dice.randrange(1, 6)):
        content[dice.randrange(min(len(content), 400))] = dice.choice([0, 1, 127, 128, 255, dice.randrange(256)])
    return bytes(content)


def _cut_out(dice: random.Random) -> bytes:
    content = _file(dice)
    start = dice.randrange(len(content))
    return content[:start] + content[start + dice.randrange(1, 500) :]


def _repeated(dice: random.Random) -> bytes:
    content = _file(dice)
    start, length = dice.randrange(len(content)), dice.randrange(1, 2000)
    return content[:start] + content[start : start + length] * dice.randrange(2, 6) + content[start:]


def _truncated(dice: random.Random) -> bytes:
    content = _file(dice)
    return content[: dice.randrange(1, len(content))]


def _joined(dice: random.Random) -> bytes:
    one, other = jpeg(_scene(dice)), png(_scene(dice))
    return dice.choice([one + other, other + one, one[:300] + other, other[:300] + one])


def _noise(dice: random.Random) -> bytes:
    start = dice.choice([b"", b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xdb", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF"])
    return start + dice.randbytes(dice.randrange(1, 5000))


def _animated_png(dice: random.Random) -> bytes:
    more = [_scene(dice).convert("RGB").resize((120, 100)) for _ in range(dice.randrange(1, 8))]
    return png(_scene(dice).resize((120, 100)), save_all=True, append_images=more, duration=40)


def _several_in_one(dice: random.Random) -> bytes:
    content = io.BytesIO()
    _scene(dice).save(content, "MPO", save_all=True, append_images=[_scene(dice) for _ in range(2)])
    return content.getvalue()


def _other_format(dice: random.Random) -> bytes:
    content = io.BytesIO()
    kind = dice.choice(["GIF", "WEBP", "TIFF", "BMP", "ICO", "PPM", "PDF", "JPEG2000", "TGA", "ICNS"])
    scene = _scene(dice).convert("RGB")
    if kind in ("GIF", "WEBP", "TIFF"):
        scene.save(content, kind, save_all=True, append_images=[scene.rotate(90 * turn) for turn in (1, 2)])
    else:
        scene.save(content, kind)
    return content.getvalue()


def _cmyk(dice: random.Random) -> bytes:
    return jpeg(_scene(dice).convert("CMYK"), progressive=dice.random() < 0.5)


def _sixteen_bits(dice: random.Random) -> bytes:
    return png(Image.fromarray(np.asarray(_scene(dice).convert("L")).astype(np.uint16) * dice.randrange(1, 258)))


def _sixteen_bits_of_colour(dice: random.Random) -> bytes:
    """RGB or RGBA with 16 bits each, which Pillow reads and does not write."""
    colour, samples = dice.choice([(2, 3), (6, 4), (4, 2)])
    width, height = dice.randrange(80, 160), dice.randrange(80, 160)
    rows = b"".join(b"\0" + dice.randbytes(width * samples * 2) for _ in range(height))
    return _png(width, height, 16, colour, rows)


def _exif(dice: random.Random) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = dice.randrange(0, 12)
    exif[0x010E] = "x" * dice.randrange(0, 4000)
    content = bytearray(exif.tobytes())
    if dice.random() < 0.8:
        for _ in range(dice.randrange(1, 20)):
            content[dice.randrange(6, len(content))] = dice.randrange(256)
    scene = _scene(dice)
    return jpeg(scene, exif=bytes(content)) if dice.random() < 0.7 else png(scene, exif=bytes(content))


def _colour_profile(dice: random.Random) -> bytes:
    profile = dice.randbytes(dice.choice([0, 1, 128, 5000])) + b"acsp" + dice.randbytes(20)
    return dice.choice([jpeg, png])(_scene(dice), icc_profile=profile)


def _profile_bomb(dice: random.Random) -> bytes:
    """A PNG whose colour profile or text inflates to tens of megabytes."""
    swollen = zlib.compress(bytes(dice.randrange(30, 80) * 1_000_000), 9)
    extra = dice.choice([(b"iCCP", b"p\0\0"), (b"zTXt", b"t\0\0"), (b"iTXt", b"t\0\1\0\0\0")])
    content = png(_scene(dice))
    return content[:33] + _chunk(extra[0], extra[1] + swollen) + content[33:]


def _interlaced(dice: random.Random) -> bytes:
    """Adam7, which Pillow reads and does not write."""
    width, height = dice.randrange(80, 200), dice.randrange(80, 200)
    rows = b""
    for left, top, across, down in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        columns = len(range(left, width, across))
        rows += b"".join(b"\0" + dice.randbytes(columns * 3) for _ in range(top, height, down) if columns)
    return _png(width, height, 8, 2, rows[: len(rows) - dice.choice([0, 0, 500])], interlaced=True)


def _one_bit(dice: random.Random) -> bytes:
    return png(_scene(dice).convert("1"))


def _palette(dice: random.Random) -> bytes:
    scene = _scene(dice).quantize(dice.choice([2, 4, 16, 256]))
    if dice.random() < 0.5:
        return png(scene, transparency=dice.randrange(2))
    return png(scene, transparency=dice.randbytes(dice.randrange(1, 3)))


def _see_through(dice: random.Random) -> bytes:
    scene = _scene(dice).convert(dice.choice(["RGBA", "LA"]))
    scene.putalpha(dice.randrange(256))
    return png(scene)


def _bomb(dice: random.Random) -> bytes:
    """A header that promises a gigabyte or more, and next to no data."""
    side = dice.choice([(30_000, 30_000), (65_000, 65_000), (2**31 - 1, 2**31 - 1), (2**31 - 1, 2_000), (2_000, 10**7)])
    if dice.random() < 0.5:
        return _png(*side, 8, dice.choice([0, 2, 6]), bytes(1000))
    content = bytearray(jpeg(nobody(100, 100), progressive=dice.random() < 0.5))
    frame = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
    content[frame + 5 : frame + 9] = struct.pack(">HH", min(side[1], 65_500), min(side[0], 65_500))
    return bytes(content)


def _large(dice: random.Random) -> bytes:
    """As large as is allowed, or a little larger, in the modes that take most memory to decode."""
    pixels = dice.choice([24, 31, 33, 49, 51]) * 1_000_000
    ratio = dice.choice([1.0, 1.5, 3.0, 20.0])
    size = (int((pixels * ratio) ** 0.5), int((pixels / ratio) ** 0.5))
    make = dice.choice(
        [
            lambda: png(Image.new("RGBA", size, (1, 2, 3, 128)), compress_level=1),
            lambda: png(Image.new("RGB", size, (90, 120, 80)), compress_level=1),
            lambda: png(Image.new("P", size, 1), transparency=1, compress_level=1),
            lambda: png(Image.new("1", size, 1), compress_level=1),
            lambda: png(Image.fromarray(np.full(size[::-1], 40_000, np.uint16)), compress_level=1),
            lambda: jpeg(Image.new("RGB", size, (90, 120, 80)), subsampling=0, progressive=True),
            lambda: jpeg(Image.new("RGB", size, (90, 120, 80)), subsampling=2, progressive=True),
            lambda: jpeg(Image.new("RGB", size, (90, 120, 80)), subsampling=0),
            lambda: jpeg(Image.new("CMYK", size, (9, 12, 8, 3)), progressive=True),
        ]
    )
    return make()


def _strip(dice: random.Random) -> bytes:
    """Very long and thin."""
    size = (dice.choice([2000, 20_000, 60_000, 400_000]), dice.choice([80, 84, 120]))
    scene = Image.new("L", size if dice.random() < 0.5 else size[::-1], 255)
    scene.paste(0, (0, 20, size[0], 24))
    return png(scene) if max(size) > 65_000 or dice.random() < 0.5 else jpeg(scene)


def _page(dice: random.Random) -> bytes:
    """Small print from edge to edge."""
    height, size = dice.randrange(10, 16), (dice.randrange(1200, 2100), dice.randrange(1200, 2100))
    line = "1234567890 marathon runner " * 40
    return jpeg(words(*((line, height, (2, top)) for top in range(0, size[1], height + 6)), size=size))


def _tiny(dice: random.Random) -> bytes:
    return dice.choice([jpeg, png])(nobody(dice.choice([1, 2, 40, 79, 80]), dice.choice([1, 3, 79, 80])))


def _many_scans(dice: random.Random) -> bytes:
    """A progressive JPEG whose last scan comes some thousand times more."""
    content = jpeg(nobody(400, 300), progressive=True)
    last = content.rfind(b"\xff\xda")
    return content[:-2] + content[last:-2] * dice.randrange(1000, 20_000) + content[-2:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, depth: int, colour: int, rows: bytes, *, interlaced: bool = False) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    data = zlib.compress(rows, 1)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


KINDS: dict[str, Draw] = {
    "whole": _file,
    "mutated": _mutated,
    "mutated header": _mutated_header,
    "a part cut out": _cut_out,
    "a part repeated": _repeated,
    "truncated": _truncated,
    "two joined": _joined,
    "noise": _noise,
    "animated PNG": _animated_png,
    "several in one JPEG": _several_in_one,
    "another format": _other_format,
    "CMYK": _cmyk,
    "16-bit grey": _sixteen_bits,
    "16-bit colour": _sixteen_bits_of_colour,
    "broken EXIF": _exif,
    "broken colour profile": _colour_profile,
    "swollen metadata": _profile_bomb,
    "interlaced": _interlaced,
    "1-bit": _one_bit,
    "palette": _palette,
    "see-through": _see_through,
    "decompression bomb": _bomb,
    "large": _large,
    "strip": _strip,
    "page of small print": _page,
    "tiny": _tiny,
    "many scans": _many_scans,
}
