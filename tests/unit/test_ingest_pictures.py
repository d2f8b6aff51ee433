"""What becomes of a picture file: the right pixels, nothing else, and a typed refusal for all that is no picture."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from services.ingest.domain.formats import MAX_BYTES
from services.ingest.pictures import READABLE, render, watermark_text
from shared.contracts.errors import InvalidPicture
from tests.kit import pictures

REASONS = {
    "empty", "too_large", "not_an_image", "unsupported_format", "raw_format", "truncated", "too_many_pixels", "corrupt",
}  # fmt: skip


def rendered(content: bytes) -> Image.Image:
    return pictures.opened(render(content, "a.jpg", "Race").processed)


def near(pixel: object, expected: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(a - b) < 12 for a, b in zip(pixel, expected, strict=True))


@pytest.mark.parametrize(("name", "reason"), pictures.BAD_REASONS)
def test_every_bad_file_is_refused_with_its_reason(name: str, reason: str) -> None:
    with pytest.raises(InvalidPicture) as refusal:
        render(pictures.bad(name), name, "Race")
    assert refusal.value.reason == reason
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(
    ("name", "says"), [("animated.gif", "GIF"), ("raw.nef", "RAW"), ("scan.tiff", "TIFF"), ("web.webp", "WebP")]
)
def test_an_unsupported_format_is_named(name: str, says: str) -> None:
    with pytest.raises(InvalidPicture, match=says):
        render(pictures.bad(name), name, "Race")


@pytest.mark.parametrize("size", [(320, 240), (3000, 2000)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"subsampling": 0, "quality": 97},
        {"restart_marker_blocks": 4},
        {"progressive": True, "restart_marker_rows": 1},
    ],
)
@pytest.mark.parametrize("padding", [b"", bytes(700)], ids=["bare", "padded"])
def test_a_jpeg_that_lacks_only_its_end_marker_is_taken(
    padding: bytes, options: dict[str, int], size: tuple[int, int]
) -> None:
    whole = pictures.jpeg(5, size, **options)
    made = render(pictures.without_end(whole) + padding, "a.jpg", "Race")
    assert made.processed == render(whole, "a.jpg", "Race").processed


def test_a_png_that_lacks_only_its_end_is_taken_and_one_that_lacks_a_part_is_not() -> None:
    noise = Image.effect_noise((700, 500), 90).convert("RGB")
    whole = pictures.encoded(noise, "PNG")
    parts = [found.start() - 4 for found in re.finditer(b"IDAT|IEND", whole)]
    assert len(parts) > 3
    assert render(whole[: parts[-1]], "a.png", "Race").processed == render(whole, "a.png", "Race").processed
    for end in (*parts[1:-1], parts[-1] - 1):
        with pytest.raises(InvalidPicture) as refusal:
            render(whole[:end], "a.png", "Race")
        assert refusal.value.reason == "truncated"


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0.3, 1), progressive=st.booleans())
def test_a_jpeg_that_lacks_a_part_of_the_picture_is_truncated(share: float, progressive: bool) -> None:
    whole = pictures.without_end(pictures.jpeg(6, (200, 160), progressive=progressive))
    cut = int(share * (len(whole) - 16))  # of the very last bytes nothing may be seen
    with pytest.raises(InvalidPicture) as refusal:
        render(whole[:cut], "a.jpg", "Race")
    assert refusal.value.reason == "truncated"


@pytest.mark.parametrize(
    ("size", "processed"),
    [((2500, 99), (2048, 81)), ((2048, 80), (2048, 80)), ((80, 2049), (80, 2048)), ((5000, 90), (2048, 37))],
)
def test_a_thin_picture_is_shown(size: tuple[int, int], processed: tuple[int, int]) -> None:
    assert rendered(pictures.jpeg(2, size)).size == processed


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (pictures.jpeg(1, (79, 300)), "The picture has 79 x 300 pixels; each side must have at least 80. "),
        (
            pictures.jpeg(1, (6000, 80)),
            "The picture has 6,000 x 80 pixels, of which 1,280 x 17 would be shown; each side must have at least 20",
        ),
        (
            pictures.png_bomb(10_001, 10_000, colour=0),
            "The picture has 10,001 x 10,000 = 100,010,000 pixels; at most 100,000,000 are taken. Save it smaller.",
        ),
        (bytes(MAX_BYTES + 1), "The file has 41,943,041 bytes; at most 41,943,040 are taken. "),
    ],
    ids=["short", "flat", "many pixels", "many bytes"],
)
def test_what_is_just_beyond_a_limit_is_told_by_how_much(content: bytes, sentence: str) -> None:
    with pytest.raises(InvalidPicture) as refusal:
        render(content, "a", "Race")
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize(("size", "colour"), [((10_000, 10_000), 0), ((80, 300), 2), ((1280, 80), 2)])
def test_what_is_just_within_a_limit_is_taken(size: tuple[int, int], colour: int) -> None:
    assert render(pictures.png_bomb(*size, colour=colour), "a", "Race").look.processed


CORNERS = {"red": (20, 20), "lime": (-20, 20), "blue": (20, -20), "yellow": (-20, -20)}


def corners(size: tuple[int, int] = (400, 240)) -> Image.Image:
    """A picture with another colour in each quarter."""
    image = Image.new("RGB", size)
    width, height = size
    for colour, (x, y) in CORNERS.items():
        image.paste(colour, (0 if x > 0 else width // 2, 0 if y > 0 else height // 2, *_end(x, y, size)))
    return image


def _end(x: int, y: int, size: tuple[int, int]) -> tuple[int, int]:
    return (size[0] // 2 if x > 0 else size[0], size[1] // 2 if y > 0 else size[1])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(orientation: int) -> None:
    upright = corners()
    # What a camera held that way would store: the inverse of what the tag asks the viewer to do.
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    content = pictures.encoded(stored, quality=95, exif=pictures.exif(orientation=orientation))
    shown = rendered(content)
    assert shown.size == upright.size
    for place in CORNERS.values():
        at = (place[0] % 400, place[1] % 240)
        assert near(shown.getpixel(at), upright.getpixel(at))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "words",
    [
        'tiff:Orientation="6"',
        "tiff:Orientation='6'",
        'tiff:Orientation = "6"',
        "<tiff:Orientation>6</tiff:Orientation>",
        "<tiff:Orientation> 6 </tiff:Orientation>",
    ],
)
@pytest.mark.parametrize("exif", [None, {"make": "X"}, {"orientation": 0}])
def test_xmp_says_how_to_turn_a_picture_where_exif_does_not(words: str, exif: dict[str, object] | None) -> None:
    said = {} if exif is None else {"exif": pictures.exif(**exif)}
    content = pictures.encoded(pictures.scene(1, (400, 240)), xmp=pictures.xmp(words), **said)
    assert rendered(content).size == (240, 400)


def test_exif_says_it_where_both_do() -> None:
    exif, xmp = pictures.exif(orientation=1), pictures.xmp('tiff:Orientation="6"')
    assert rendered(pictures.encoded(pictures.scene(1, (400, 240)), exif=exif, xmp=xmp)).size == (400, 240)


def test_nothing_but_the_picture_is_served() -> None:
    secret = "SECRET-37.5663N"
    exif = pictures.exif(make=secret, orientation=3, gps=True)
    content = pictures.encoded(pictures.scene(), exif=exif, comment=secret.encode(), xmp=secret.encode())
    made = render(content, "a.jpg", "Race")
    assert secret.encode() in content
    for body in (made.processed, made.preview, made.thumbnail):
        assert secret.encode() not in body
        image = pictures.opened(body)
        assert not image.getexif()
        assert not {"exif", "xmp", "comment", "icc_profile"} & image.info.keys()


@pytest.mark.parametrize(
    ("size", "processed", "preview", "thumbnail"),
    [
        ((6000, 4000), (2048, 1365), (1280, 853), (320, 213)),
        ((4000, 6000), (1365, 2048), (853, 1280), (213, 320)),
        ((2049, 1366), (2048, 1365), (1280, 853), (320, 213)),
        ((1600, 1067), (1600, 1067), (1280, 854), (320, 214)),
        ((300, 200), (300, 200), (300, 200), (300, 200)),
    ],
)
@pytest.mark.parametrize("picture_format", ["JPEG", "PNG"])
def test_sizes(
    picture_format: str,
    size: tuple[int, int],
    processed: tuple[int, int],
    preview: tuple[int, int],
    thumbnail: tuple[int, int],
) -> None:
    made = render(pictures.encoded(pictures.scene(3, size), picture_format), "a", "Race")
    for body, look, expected in (
        (made.processed, made.look.processed, processed),
        (made.preview, made.look.preview, preview),
        (made.thumbnail, made.look.thumbnail, thumbnail),
    ):
        assert pictures.opened(body).size == (look.width, look.height) == expected


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "I;16", "CMYK"])
@pytest.mark.parametrize("size", [(400, 240), (8000, 4800)])
def test_every_kind_of_pixels(mode: str, size: tuple[int, int]) -> None:
    image = Image.new("L", size, 200)
    if mode == "1":
        image = Image.new("1", size, 1)
    elif mode == "I;16":
        image = Image.new("I;16", size, 200 * 257)
    elif mode == "P":
        image = Image.new("RGB", size, (200, 200, 200)).convert("P")
    elif mode == "CMYK":
        image = Image.new("CMYK", size, (55, 55, 55, 0))
    else:
        image = image.convert(mode)
    content = pictures.encoded(image, "JPEG" if mode == "CMYK" else "PNG")
    shown = rendered(content)
    assert shown.mode == "RGB"
    expected = 255 if mode == "1" else 200
    assert near(shown.getpixel((shown.width // 2, shown.height // 2)), (expected,) * 3)
    assert near(shown.getpixel((shown.width - 1, shown.height - 1)), (expected,) * 3)


def test_what_is_transparent_is_white() -> None:
    clear = Image.new("RGBA", (200, 200), (255, 0, 0, 0))
    assert near(rendered(pictures.encoded(clear, "PNG")).getpixel((100, 100)), (255, 255, 255))
    palette = Image.new("P", (200, 200), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert near(rendered(pictures.encoded(palette, "PNG", transparency=0)).getpixel((9, 9)), (255, 255, 255))


def test_the_first_frame_of_an_animated_png() -> None:
    frames = [Image.new("RGB", (200, 200), colour) for colour in ("red", "blue")]
    content = pictures.encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert near(rendered(content).getpixel((9, 9)), (255, 0, 0))


def test_colours_of_another_profile_become_srgb() -> None:
    lab_grey = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.new("RGB", (200, 200), (200, 40, 40))
    for profile in (srgb, lab_grey.tobytes(), b"nonsense"):
        content = pictures.encoded(image, icc_profile=profile)
        assert near(rendered(content).getpixel((9, 9)), (200, 40, 40))


def test_heic_is_taken_where_its_library_is() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(corners((400, 240))).save(buffer, quality=90)
    assert "HEIC" in READABLE
    assert rendered(buffer.getvalue()).size == (400, 240)
    with pytest.raises(InvalidPicture) as refusal:
        render(buffer.getvalue()[:-400], "a.heic", "Race")
    assert refusal.value.reason in {"truncated", "corrupt"}


def test_what_the_camera_says() -> None:
    exif = pictures.exif(
        make="NIKON CORPORATION\x00", model="NIKON Z 9 ", original="2026:10:25 09:12:03", subsecond="7", offset="+02:00"
    )
    look = render(pictures.jpeg(exif=exif), "a.jpg", "Race").look
    assert look.camera == "NIKON CORPORATION NIKON Z 9"
    assert look.capture is not None
    assert look.capture.taken_at("Asia/Seoul") == "2026-10-25T09:12:03.700+02:00"


@pytest.mark.parametrize(
    ("tags", "taken_at"),
    [
        ({"changed": "2026:10:25 09:12:03"}, "2026-10-25T09:12:03+09:00"),
        ({"digitized": "2026:10:25 09:12:03"}, "2026-10-25T09:12:03+09:00"),
        ({"original": "2026:10:25 09:12:03", "offset": "Z"}, "2026-10-25T09:12:03+00:00"),
        ({"original": "2026:10:25 09:12:03", "changed_offset": "+02:00"}, "2026-10-25T09:12:03+02:00"),
        ({"original": "0000:00:00 00:00:00"}, None),
    ],
)
def test_when_the_picture_was_taken(tags: dict[str, str], taken_at: str | None) -> None:
    look = render(pictures.jpeg(exif=pictures.exif(**tags)), "a.jpg", "Race").look
    assert (look.capture.taken_at("Asia/Seoul") if look.capture else None) == taken_at
    assert look.no_time == (None if taken_at else tags["original"])


def test_damaged_exif_is_no_reason_to_refuse() -> None:
    content = pictures.jpeg(exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff\xff\xff\xff\xff")
    assert render(content, "a.jpg", "Race").look.camera is None


def test_the_placeholder_is_tiny() -> None:
    placeholder = render(pictures.jpeg(), "a.jpg", "Race").look.placeholder
    assert placeholder.startswith("data:image/webp;base64,")
    assert len(placeholder) <= 600


def test_the_watermark_is_on_the_preview_alone() -> None:
    for colour in ("white", "black", (120, 130, 140)):
        made = render(pictures.encoded(Image.new("RGB", (1280, 853), colour)), "a.jpg", "Seoul Marathon")
        assert len(pictures.opened(made.processed).getcolors(10_000) or []) < 5
        marked = pictures.opened(made.preview).convert("L").histogram()
        assert sum(marked) - max(marked) > 0.01 * sum(marked)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Seoul Marathon", "Seoul Marathon"),
        ("Zürich Marathon", "Zürich Marathon"),
        ("서울 마라톤", "SnapRace · seoul26"),
        ("Run 🏃", "SnapRace · seoul26"),
        ("\n", "SnapRace · seoul26"),
    ],
)
def test_the_watermark_is_legible(name: str, text: str) -> None:
    assert watermark_text(name, "seoul26") == text


SEEDS = {
    "jpeg": pictures.jpeg(size=(160, 120), exif=pictures.exif(orientation=6, original="2026:10:25 09:12:03")),
    "progressive": pictures.jpeg(size=(160, 120), progressive=True),
    "png": pictures.encoded(pictures.scene(size=(160, 120)), "PNG"),
    "palette": pictures.encoded(pictures.scene(size=(160, 120), mode="P"), "PNG", transparency=3),
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(sorted(SEEDS)),
    damage=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=6),
    keep=st.floats(0.02, 1),
)
def test_a_damaged_file_is_rendered_or_refused_but_never_an_error(
    kind: str, damage: list[tuple[float, bytes]], keep: float
) -> None:
    """Invariant 11."""
    content = bytearray(SEEDS[kind])
    for where, noise in damage:
        at = int(where * len(content))
        content[at : at + len(noise)] = noise
    try:
        render(bytes(content[: int(keep * len(content))]), "a.jpg", "Race")
    except InvalidPicture as refusal:
        assert refusal.reason in REASONS | {"too_small"}


# --- memory -----------------------------------------------------------------------------------------

# Each runs by itself, with what the function has loaded besides: peak memory is of the whole process.
_MEASURE = """
import resource, sys
from pathlib import Path
import services.ingest.functions.intake
from shared.kit import aws
from shared.contracts.errors import InvalidPicture
aws.client("s3", None), aws.client("dynamodb"), aws.client("events"), aws.client("sqs")
from services.ingest.pictures import render
try:
    look = render(Path(sys.argv[1]).read_bytes(), "a.jpg", "Race").look
    outcome = f"{look.processed.width}x{look.processed.height}"
except InvalidPicture as refusal:
    outcome = refusal.reason
status = Path("/proc/self/status")
if status.exists():  # Linux passes ru_maxrss on from the process that started this one
    peak = next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(outcome, peak // 10**6)
"""
_HUGE = Image.linear_gradient("L").resize((100, 80))


def huge(name: str) -> bytes:
    """Pictures at the limit of what is taken, or beyond."""
    match name:
        case "jpeg":
            return pictures.encoded(_HUGE.resize((12_500, 8_000)).convert("RGB"), quality=60)
        case "png":
            return pictures.png_bomb(10_900, 7_300)
        case "png over":
            return pictures.png_bomb(12_500, 8_000)
        case "grey png":
            return pictures.png_bomb(12_500, 8_000, colour=0)
        case "bomb":
            return pictures.png_bomb(14_000, 14_000)
        case "progressive":
            return pictures.encoded(_HUGE.resize((10_000, 5_000)).convert("RGB"), progressive=True, subsampling=0)
        case "progressive over":
            return pictures.encoded(_HUGE.resize((10_000, 6_000)).convert("RGB"), progressive=True, subsampling=0)
        case "palette":
            return pictures.encoded(_HUGE.resize((12_500, 8_000)).convert("P"), "PNG", compress_level=1)
    raise ValueError(name)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("jpeg", "2048x1311"),
        ("png", "2048x1372"),
        ("png over", "too_many_pixels"),
        ("grey png", "2048x1311"),
        ("palette", "2048x1311"),
        ("bomb", "too_many_pixels"),
        ("progressive", "2048x1024"),
        ("progressive over", "too_many_pixels"),
    ],
)
def test_memory_stays_below_512_mb(name: str, outcome: str, tmp_path: Path) -> None:
    """Invariant 11, measured."""
    file = tmp_path / "picture"
    file.write_bytes(huge(name))
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(file)],
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    came_to, megabytes = done.stdout.split()
    assert came_to == outcome
    assert int(megabytes) < 512, f"{megabytes} MB"
