"""Which key holds which photo, and what an upload says about itself: pure rules."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.announcements import announcement, consequences
from services.ingest.domain.formats import accept, sniff
from services.ingest.domain.keys import KeyEvent, Rejection, is_handled, is_history
from services.ingest.domain.photos import Gone, KeyContent, PhotoContent, photos_of, settle
from services.ingest.domain.texts import camera, tidy
from services.ingest.domain.times import Stamp, found
from services.ingest.records import Capture, Copy, KeyRecord, Look, Size, TimeField, UploadedPhoto
from shared.contracts.errors import InvalidPicture
from shared.contracts.events import Meta, PhotoIngested, next_revision
from shared.contracts.keys import RaceRef, photo_id
from shared.contracts.messages import ObjectCreated, ObjectDeleted
from tests.kit import pictures

RACE = RaceRef("org", "race")
BY = Meta(id="i", version=1, correlation_id="c", causation_id="x", occurred_at="2026-10-25T00:00:00Z")
SIZE = Size(width=10, height=10)
LOOK = Look(processed=SIZE, preview=SIZE, thumbnail=SIZE, placeholder="data:")


def told(key: str, sequencer: str, content: KeyContent) -> KeyEvent:
    if isinstance(content, Gone):
        return ObjectDeleted(meta=BY, bucket="photos", key=key, sequencer=sequencer, at=sequencer)
    return ObjectCreated(
        meta=BY, bucket="photos", key=key, sequencer=sequencer, size=1, etag="", version_id=None, at=sequencer
    )


class RaceState:
    """The state of a race, driven by events as the function drives it."""

    def __init__(self) -> None:
        self.records: dict[str, KeyRecord] = {}
        self.photos: dict[str, UploadedPhoto] = {}
        self.said: dict[str, PhotoIngested | None] = {}
        self.derived: set[tuple[str, int]] = set()

    def hear(self, key: str, sequencer: str, content: KeyContent) -> None:
        record, happened = self.records.get(key), told(key, sequencer, content)
        if is_history(happened, record) or (record and is_handled(happened, record)):
            return
        change = settle(happened, content, record=record, photos=self.photos, look=LOOK)
        for photo in change.photos:
            before = self.photos.get(photo.photo_id)
            assert photo.revision == next_revision(before.revision if before else 0, BY)
            self.photos[photo.photo_id] = photo
            if photo.copies:
                self.derived.add((photo.photo_id, photo.generation))
        self.records[key] = change.record
        for one in photos_of(change.record):
            said = announcement(RACE, self.photos[one], "derived")
            self.said[one] = said if isinstance(said, PhotoIngested) else None
        gone = consequences(RACE, change.record, self.photos, "derived", news=True).obsolete
        self.derived -= {one for one in self.derived if f"org/race/processed/{_name(*one)}.jpg" in gone}

    def state(self) -> object:
        records = {
            key: (record.state, record.sequencer, record.photo_id, record.reason)
            for key, record in self.records.items()
        }
        shown = {
            photo_id: (said.keys, said.uploaded_at, said.photographer) for photo_id, said in self.said.items() if said
        }
        return records, shown


def _name(photo_id: str, generation: int) -> str:
    return f"{photo_id}-{generation}" if generation else photo_id


def content(name: str, photographer: str | None = None) -> PhotoContent:
    return PhotoContent(photo_id=photo_id(RACE, name), bucket="photos", sha256=name, photographer=photographer)


_contents = st.one_of(
    st.builds(content, st.sampled_from("XYZ"), st.sampled_from(["A", "B", None])),
    st.just(Rejection(reason="corrupt", message="Damaged.")),
    st.just(Gone()),
)
_events = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), _contents), min_size=1, max_size=7
).map(lambda told: [(key, f"{number:02X}", left) for number, (key, left) in enumerate(told)])  # fmt: skip


@given(_events, st.data())
def test_only_the_newest_event_of_each_key_counts(
    happened: list[tuple[str, str, KeyContent]], data: st.DataObject
) -> None:
    """Invariants 2 and 3: any order and repetition gives what the newest events alone give."""
    newest = RaceState()
    for event in {key: (key, sequencer, left) for key, sequencer, left in happened}.values():
        newest.hear(*event)
    world = RaceState()
    for event in data.draw(st.permutations(happened + data.draw(st.lists(st.sampled_from(happened), max_size=5)))):
        world.hear(*event)
    assert world.state() == newest.state()
    shown = {(photo.photo_id, photo.generation) for photo in world.photos.values() if photo.copies}
    assert world.derived == shown, "pictures of photos on show, and no others"


def test_derived_objects_of_a_return_are_new_ones() -> None:
    world = RaceState()
    for number, left in enumerate([content("X"), Gone(), content("X")]):
        world.hear("a", str(number), left)
    (photo,) = world.photos.values()
    said = announcement(RACE, photo, "derived")
    assert isinstance(said, PhotoIngested)
    assert said.processed.key == f"org/race/processed/{photo.photo_id}-1.jpg"


ORIGINAL, DIGITIZED, CHANGED = "2026:10:25 09:12:03", "2026:10:25 09:12:04", "2026:10:26 18:00:00"
ZERO = "0000:00:00 00:00:00"
BLANK = "    :  :     :  :  "


def stamps(*texts: tuple[str, str, str]) -> list[Stamp]:
    """EXIF's stamps of time, subsecond and offset, in the order of their fields; those that are not given are empty."""
    fields: tuple[TimeField | None, ...] = (None, "DateTimeDigitized", "DateTime")
    return [Stamp(field, *text) for field, text in itertools.zip_longest(fields, texts, fillvalue=("", "", ""))]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("time", "subsecond", "offset", "expected"),
    [
        (ORIGINAL, "", "", Capture(local="2026-10-25T09:12:03")),
        (ORIGINAL, "07", "+09:00", Capture(local="2026-10-25T09:12:03.070", offset="+09:00")),
        (ORIGINAL, "123456", "-04:30", Capture(local="2026-10-25T09:12:03.123", offset="-04:30")),
        (ORIGINAL, "x", "+99:99", Capture(local="2026-10-25T09:12:03")),
        (ORIGINAL, "", "   :  ", Capture(local="2026-10-25T09:12:03")),
        (ORIGINAL, "", "Z", Capture(local="2026-10-25T09:12:03", offset="+00:00")),
        (ORIGINAL, "", "+0900", Capture(local="2026-10-25T09:12:03", offset="+09:00")),
        (ORIGINAL, "", "+9", Capture(local="2026-10-25T09:12:03", offset="+09:00")),
        (ORIGINAL, "", "\u22124:30", Capture(local="2026-10-25T09:12:03", offset="-04:30")),
        ("2026-10-25T09:12:03.5+0900", "", "", Capture(local="2026-10-25T09:12:03.500", offset="+09:00")),
        ("2026/10/25 09:12:03Z", "", "+09:00", Capture(local="2026-10-25T09:12:03", offset="+00:00")),
    ],
)
def test_a_time_in_all_the_forms_that_cameras_write(time: str, subsecond: str, offset: str, expected: Capture) -> None:
    assert found(stamps((time, subsecond, offset))) == (expected, None)


@pytest.mark.parametrize(
    ("texts", "local", "field", "offset"),
    [
        ([(ORIGINAL, "", ""), (DIGITIZED, "", "")], "2026-10-25T09:12:03", None, None),
        ([("", "", ""), (DIGITIZED, "5", ""), (CHANGED, "", "")], "2026-10-25T09:12:04.500", "DateTimeDigitized", None),
        ([(ZERO, "", ""), (BLANK, "", ""), (CHANGED, "", "")], "2026-10-26T18:00:00", "DateTime", None),
        # The offset of another field: where that has no time, or the same.
        ([(ORIGINAL, "", ""), ("", "", ""), ("", "", "+09:00")], "2026-10-25T09:12:03", None, "+09:00"),
        ([(ORIGINAL, "", ""), (ORIGINAL, "", "+09:00")], "2026-10-25T09:12:03", None, "+09:00"),
        ([(ORIGINAL, "", "Z"), (ORIGINAL, "", "+09:00")], "2026-10-25T09:12:03", None, "+00:00"),
        ([("", "", "+09:00"), ("", "", ""), (CHANGED, "", "")], "2026-10-26T18:00:00", "DateTime", "+09:00"),
        # Edited the next day, on a computer in another zone.
        ([(ORIGINAL, "", ""), ("", "", ""), (CHANGED, "", "+02:00")], "2026-10-25T09:12:03", None, None),
    ],
)
def test_the_time_is_the_surest_there_is_with_its_offset(
    texts: list[tuple[str, str, str]], local: str, field: TimeField | None, offset: str | None
) -> None:
    assert found(stamps(*texts)) == (Capture(local=local, offset=offset, field=field), None)


@pytest.mark.parametrize(
    ("time", "told"),
    [
        (ZERO, ZERO),
        ("2026:02:30 00:00:00", "2026:02:30 00:00:00"),
        ("9999:12:31 23:59:59", "9999:12:31 23:59:59"),
        ("0026:10:25 09:12:03", "0026:10:25 09:12:03"),
        ("noon", "noon"),
        (BLANK, None),
        ("", None),
    ],
)
def test_what_stands_where_a_time_should_be_is_told(time: str, told: str | None) -> None:
    assert found(stamps((time, "", "+09:00"))) == (None, told)


UPLOADED = "2026-10-25T12:00:00Z"


@pytest.mark.parametrize(
    ("local", "offset", "believed"),
    [
        ("2026-10-25T11:00:00", None, True),
        ("2026-10-26T12:00:00", None, True),  # the clock of a zone, or that of another
        ("2026-10-26T12:00:01", None, False),
        ("2026-10-26T12:00:01", "+09:00", True),
        ("2026-10-26T11:00:00", "-02:00", False),
        ("2099-10-25T09:30:00", None, False),
        ("9998-12-31T23:59:59", "-14:00", False),
        ("1900-01-01T00:00:00", "+14:00", True),
    ],
)
def test_a_time_that_was_still_to_come_at_the_upload_is_not_believed(
    local: str, offset: str | None, believed: bool
) -> None:
    photo = UploadedPhoto(
        photo_id="p",
        revision=1,
        look=msgspec.structs.replace(LOOK, capture=Capture(local=local, offset=offset)),
        copies=(Copy(key="a", uploaded_at=UPLOADED),),
    )
    assert (photo.taken_at is not None, photo.clock_ahead) == (believed, not believed)


def test_a_time_is_believed_as_soon_as_one_upload_is_behind_it() -> None:
    # Else it would depend on which of two uploads of the same picture is heard first.
    uploads = (Copy(key="a", uploaded_at=UPLOADED), Copy(key="b", uploaded_at="2026-11-01T00:00:00Z"))
    look = msgspec.structs.replace(LOOK, capture=Capture(local="2026-10-30T00:00:00"))
    photo = UploadedPhoto(photo_id="p", revision=1, look=look, copies=uploads)
    assert photo.taken_at == "2026-10-30T00:00:00+00:00"


@pytest.mark.parametrize(("field", "sure"), [(None, msgspec.UNSET), ("DateTimeDigitized", False), ("DateTime", False)])
def test_a_time_that_is_less_sure_is_said_to_be(field: TimeField | None, sure: bool | msgspec.UnsetType) -> None:
    photo = UploadedPhoto(
        photo_id="p",
        revision=1,
        look=msgspec.structs.replace(LOOK, capture=Capture(local="2026-10-25T09:00:00", field=field)),
        copies=(Copy(key="a", uploaded_at=UPLOADED),),
    )
    said = announcement(RACE, photo, "derived")
    assert isinstance(said, PhotoIngested)
    assert said.taken_at_sure is sure


@pytest.mark.parametrize(
    ("local", "offset", "timezone", "expected"),
    [
        ("2026-10-25T09:00:00", None, "Asia/Seoul", "2026-10-25T09:00:00+09:00"),
        ("2026-07-01T09:00:00", None, "America/New_York", "2026-07-01T09:00:00-04:00"),
        ("2026-07-01T09:00:00", None, "Asia/Kolkata", "2026-07-01T09:00:00+05:30"),
        ("2026-07-01T09:00:00.250", "+02:00", "Asia/Seoul", "2026-07-01T09:00:00.250+02:00"),
        ("1905-01-01T00:00:00", None, "Asia/Seoul", "1905-01-01T00:00:00+08:27"),
    ],
)
def test_taken_at(local: str, offset: str | None, timezone: str, expected: str) -> None:
    assert Capture(local=local, offset=offset).taken_at(timezone) == expected


@given(st.text(max_size=30), st.text(max_size=8), st.text(max_size=8))
def test_no_exif_text_breaks_the_capture_time(date_time: str, subsecond: str, offset: str) -> None:
    capture, _ = found(stamps((date_time, subsecond, offset), (date_time, "", ""), ("", "", offset)))
    assert capture is None or capture.taken_at("Asia/Seoul")


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Canon", "Canon EOS R5", "Canon EOS R5"),
        ("SONY", "ILCE-9M3", "SONY ILCE-9M3"),
        ("", "X", "X"),
        ("Apple", "", "Apple"),
        ("", " \t", None),
    ],
)
def test_camera(make: str, model: str, expected: str | None) -> None:
    assert camera(make, model) == expected


@given(st.text())
def test_tidy_names_are_short_and_printable(text: str) -> None:
    tidied = tidy(text, 20)
    assert len(tidied) <= 20
    assert tidied == tidied.strip()
    assert all(character == " " or character.isprintable() or character.isalnum() for character in tidied)


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (b"\xff\xd8\xff\xe0", "a.png", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "a.jpg", "PNG"),
        (b"\x00\x00\x00\x18ftypheic", "a.jpg", "HEIC"),
        (b"\x00\x00\x00\x18ftypavif", "a.jpg", "AVIF"),
        (b"\x00\x00\x00\x18ftypcrx ", "a.cr3", "RAW"),
        (b"\x00\x00\x00\x18ftypisom", "a.mp4", "video"),
        (b"II*\x00\x08\x00\x00\x00", "DSC_1.NEF", "RAW"),
        (b"MM\x00*\x00\x00\x00\x08", "scan.tif", "TIFF"),
        (b"MM\x00*\xff\xff\xff\xff", "scan.tif", "TIFF"),
        (pictures.tiff({0x010F: 0, 0x0110: 0}), "scan.tif", "TIFF"),
        (pictures.tiff({0xC612: 1}), "renamed.jpg", "RAW"),
        (pictures.tiff({0x010F: 0, 0x014A: 0}, order=">"), "renamed.jpg", "RAW"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "renamed.jpg", "RAW"),
        (b"FUJIFILMCCD-RAW 0201", "DSCF1.RAF", "RAW"),
        (b"IIRO\x08\x00\x00\x00", "P1.ORF", "RAW"),
        (b"IIU\x00\x18\x00\x00\x00", "P1.RW2", "RAW"),
        (b"no magic of ours", "P1.X3F", "RAW"),
        (b"\xff\xd8\xff\xe0", "embedded.nef", "JPEG"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a", "WebP"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "a", None),
        (b"hello", "a.jpg", None),
        (b"", "a.jpg", None),
    ],
)
def test_sniff(head: bytes, name: str, expected: str | None) -> None:
    assert sniff(head, name) == expected


@pytest.mark.parametrize("name", ["a.CR2", "a.CR3", "a.NEF", "a.ARW", "a.DNG", "a.RAF", "a.ORF", "a.RW2"])
def test_a_raw_file_has_its_own_reason_that_says_to_export_it(name: str) -> None:
    with pytest.raises(InvalidPicture, match=rf"RAW file \({name[2:]}\)\. Export it as JPEG") as refusal:
        accept(pictures.tiff({0x0100: 640}), f"org/race/raw_photos/{name}", frozenset({"JPEG"}))
    assert refusal.value.reason == "raw_format"


def test_every_order_of_a_crossing_is_the_same() -> None:
    happened = [
        ("a", "1", content("X")),
        ("b", "2", content("X")),
        ("a", "3", content("Y")),
        ("b", "4", Gone()),
        ("a", "5", content("X", "P")),
    ]
    states = []
    for order in itertools.permutations(happened):
        world = RaceState()
        for event in order:
            world.hear(*event)
        states.append(world.state())
    assert all(state == states[0] for state in states)
