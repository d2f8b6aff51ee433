"""The demo race as a folder of files, with the files that go wrong in every real upload."""

from __future__ import annotations

import csv
import io
import json
import struct
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import msgspec

from local.race.cast import ROSTER, STRANGER, Person
from local.race.photo import photo, selfie
from local.race.plan import START, Shot, plan
from shared.contracts.bibs import BibRules
from shared.contracts.race import DEFAULT_WATERMARK, RaceSettings

# The same photo sent twice: by another photographer's hand, and from a phone.
_COPIES = {"IMG_2307 (1).jpg": 1, "IMG_2307 copy+1.jpg": 1, "복사본 – 결승선.jpg": 51}

TRUNCATED, TEXT, BOMB, EMPTY = "upload cut off.jpg", "notes for tomorrow.jpg", "finish-poster.png", "IMG_0000.jpg"


def draw_race(folder: Path, *, limit: int | None = None, processes: int = 1) -> None:
    """Draw the demo race into `folder`, which is made where needed.

    Writes race.json, roster.csv, photos/, selfies/{bib}.jpg, and truth.json, which says who is in each good
    photo (copies are listed under `duplicates` alone), which files are bad and for which reason of the
    ingest stage. `limit` draws only the first so many photos and selfies, for a quick look; truth.json
    always tells of what is there. The bytes are the same every time.
    """
    shots = plan()[:limit]
    people = ROSTER[:limit]
    photos, selfies = folder / "photos", folder / "selfies"
    for target in (photos, selfies):
        target.mkdir(parents=True, exist_ok=True)
    (folder / "race.json").write_bytes(_race())
    (folder / "roster.csv").write_text(_roster(), encoding="utf-8")
    drawings = [(photo, shot, photos / shot.filename) for shot in shots]
    portraits = [(selfie, person, selfies / f"{person.bib}.jpg") for person in people]
    _draw([*drawings, *portraits], processes)
    bad = _write_bad_files(photos, shots)
    duplicates = _write_copies(photos, shots)
    truth = {"photos": {shot.filename: _truth(shot) for shot in shots}, "bad": bad, "duplicates": duplicates}
    (folder / "truth.json").write_text(json.dumps(truth, ensure_ascii=False, indent=1), encoding="utf-8")


_Drawing = tuple[Callable[[Shot], bytes], Shot, Path] | tuple[Callable[[Person], bytes], Person, Path]


def _draw(drawings: Sequence[_Drawing], processes: int) -> None:
    if processes == 1:
        for drawing in drawings:
            _draw_one(drawing)
        return
    # "spawn" leaves threads and locks of the caller alone. Neighbours share a backdrop: hand them out together.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(_draw_one, drawings, chunksize=6))


def _draw_one(drawing: _Drawing) -> None:
    draw, subject, path = drawing
    path.write_bytes(draw(subject))  # type: ignore[arg-type]  # each pair fits; the union does not show it


def _race() -> bytes:
    settings = RaceSettings(
        name="SnapRace Demo Marathon",
        date=f"{START:%Y-%m-%d}",
        timezone="Asia/Seoul",
        bib_rules=BibRules(prefixes=("", "A", "F"), min_digits=2, max_digits=5, excluded=("2026",)),
        watermark=DEFAULT_WATERMARK,
        faces=True,
        originals=True,
    )
    return msgspec.json.format(msgspec.json.encode(settings), indent=2) + b"\n"


def _roster() -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["bib", "name", "distance"])
    for person in ROSTER:
        distance = {"A": "Half", "F": "10K"}.get(person.printed[0], "Marathon")
        writer.writerow([person.printed, person.name, distance])
    return text.getvalue()


def _truth(shot: Shot) -> dict[str, list[dict[str, str]] | list[str]]:
    return {
        "runners": [
            {"bib": appearance.person.bib, "visibility": appearance.visibility.value}
            for appearance in shot.appearances
            if appearance.person is not STRANGER
        ],
        "strangers": [a.person.bib for a in shot.appearances if a.person is STRANGER],
    }


def _write_copies(photos: Path, shots: Sequence[Shot]) -> dict[str, str]:
    copies = {name: shots[number].filename for name, number in _COPIES.items() if number < len(shots)}
    for name, original in copies.items():
        (photos / name).write_bytes((photos / original).read_bytes())
    return copies


def _write_bad_files(photos: Path, shots: Sequence[Shot]) -> dict[str, str]:
    """Write a file for each way in which an upload can be no photo; returns the reasons."""
    whole = (photos / shots[-1].filename).read_bytes()
    (photos / TRUNCATED).write_bytes(whole[: len(whole) * 3 // 5])
    (photos / TEXT).write_text("Bring the spare battery. Finish line from 09:30.\n", encoding="utf-8")
    (photos / BOMB).write_bytes(_decompression_bomb(12_000, 9_000))
    (photos / EMPTY).write_bytes(b"")
    return {TRUNCATED: "truncated", TEXT: "not_an_image", BOMB: "too_many_pixels", EMPTY: "empty"}


def _decompression_bomb(width: int, height: int) -> bytes:
    """A blank black-and-white PNG: some kilobytes that unpack to `width` × `height` pixels."""
    packer = zlib.compressobj(9)
    row = b"\x00" + b"\xff" * ((width + 7) // 8)
    rows = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
