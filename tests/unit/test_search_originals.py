"""Full-size pictures are given without what was noted in them, and with the same pixels."""

from __future__ import annotations

import io
import struct
from typing import Any

import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from services.search.domain.originals import bare
from tests.kit import pictures

SECRET = b"Somewhere 37.5N"


def _picture(size: tuple[int, int] = (96, 64)) -> Image.Image:
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    image.putpixel((1, 1), (255, 0, 0))
    return image


def _exif(turn: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = turn, SECRET.decode()
    exif.get_ifd(0x8825)[1] = "N"
    return exif


def _saved(kind: str, turn: int = 1, **how: Any) -> bytes:
    out = io.BytesIO()
    _picture().save(out, kind, exif=_exif(turn), **how)
    return out.getvalue()


def _seen(picture: bytes) -> tuple[tuple[int, int], bytes]:
    with Image.open(io.BytesIO(picture)) as image:
        upright = ImageOps.exif_transpose(image)
        return upright.size, upright.tobytes()


def _given(upload: bytes) -> bytes:
    original = bare(upload)
    assert original
    return original.body


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_the_picture_is_the_same_and_as_upright_and_nothing_else_is_left(kind: str, turn: int) -> None:
    upload = _saved(kind, turn)
    assert SECRET in upload
    given_away = _given(upload)
    assert _seen(given_away) == _seen(upload)
    assert SECRET not in given_away
    with Image.open(io.BytesIO(given_away)) as image:
        assert dict(image.getexif()) == ({} if turn == 1 else {0x0112: turn})


@pytest.mark.parametrize(
    "how", [{"progressive": True}, {"optimize": True}, {"subsampling": 2}, {"restart_marker_rows": 1}]
)
def test_every_kind_of_jpeg_keeps_its_pixels_and_colours(how: dict[str, Any]) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    upload = _saved("JPEG", icc_profile=profile, comment=SECRET, xmp=b"<x>" + SECRET + b"</x>", quality=90, **how)
    given_away = _given(upload)
    assert (_seen(given_away), SECRET in given_away) == (_seen(upload), False)
    with Image.open(io.BytesIO(given_away)) as image:
        assert image.info["icc_profile"] == profile


def test_what_follows_a_jpeg_is_left_out_and_a_missing_end_is_added() -> None:
    upload = _saved("JPEG")
    assert _given(upload + b"\xff\xd8\xff\xe1more" + SECRET) == _given(upload) == _given(upload[:-2])


def test_further_pictures_within_a_jpeg_are_left_out() -> None:
    out = io.BytesIO()
    _picture().save(out, "MPO", save_all=True, append_images=[_picture((32, 32))], exif=_exif(1))
    assert out.getvalue().count(b"\xff\xd8\xff") == 2
    assert _given(out.getvalue()).count(b"\xff\xd8\xff") == 1


@pytest.mark.parametrize("xmp", [b'<r tiff:Orientation="6"/>', b"<tiff:Orientation>6</tiff:Orientation>"])
def test_xmp_says_how_a_picture_is_turned_where_exif_does_not(xmp: bytes) -> None:
    out = io.BytesIO()
    _picture().save(out, "JPEG", xmp=xmp)
    with Image.open(io.BytesIO(_given(out.getvalue()))) as image:
        assert image.getexif()[0x0112] == 6


def test_texts_of_a_png_are_left_out() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", SECRET.decode())
    texts.add_itxt("XML:com.adobe.xmp", SECRET.decode(), zip=False)
    upload = _saved("PNG", pnginfo=texts, transparency=(1, 2, 3), dpi=(72, 72))
    given_away = _given(upload + SECRET)
    assert (_seen(given_away), SECRET in given_away, b"tRNS" in given_away) == (_seen(upload), False, True)


def test_a_png_is_turned_by_its_xmp_where_exif_does_not_say_and_a_missing_end_is_added() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", '<r tiff:Orientation="6"/>', zip=False)
    out = io.BytesIO()
    _picture().save(out, "PNG", pnginfo=texts)
    given_away = _given(out.getvalue())
    assert _given(out.getvalue()[:-12]) == given_away
    with Image.open(io.BytesIO(given_away)) as image:
        assert dict(image.getexif()) == {0x0112: 6}
        assert image.tobytes() == _picture().tobytes()


def test_a_heic_keeps_its_pixels_and_its_turn() -> None:
    image = pillow_heif.from_pillow(_picture())
    out = io.BytesIO()
    image.save(out, exif=_exif(1).tobytes(), xmp=b"<x>" + SECRET + b"</x>")
    upload = out.getvalue() + struct.pack(">I4s", 8 + len(SECRET), b"mpvd") + SECRET
    assert upload.count(SECRET) == 3
    given_away = _given(upload)
    before, after = (pillow_heif.open_heif(each) for each in (upload, given_away))
    assert (bytes(after.data), after.size, SECRET in given_away) == (bytes(before.data), before.size, False)


RAW = (
    struct.pack(">I4s4sI4s", 20, b"ftyp", b"crx ", 1, b"isom") + struct.pack(">I4s", 8 + len(SECRET), b"moov") + SECRET
)


@pytest.mark.parametrize(
    "upload", [b"", b"II*\0 raw", RAW, b"\xff\xd8\xff\0\0", _saved("PNG")[:-20], b"\0\0\0\x20ftypheic"]
)
def test_what_cannot_be_taken_apart_is_not_given_away(upload: bytes) -> None:
    assert bare(upload) is None


@given(st.data(), st.sampled_from([_saved("JPEG", 6), _saved("PNG", 6), pictures.jpeg(1, (40, 30))]))
def test_damage_is_no_crash(data: st.DataObject, upload: bytes) -> None:
    at = data.draw(st.integers(0, len(upload) - 1))
    bare(upload[:at] + data.draw(st.binary(max_size=4)) + upload[at + 1 :])
