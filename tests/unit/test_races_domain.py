"""Race files: what they come to, and which upload counts."""

from __future__ import annotations

import itertools
import subprocess
import sys
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.races.domain.files import MAX_ROSTER_BYTES, Checked, Known, announcement, check_file
from shared.contracts.bibs import BibRules
from shared.contracts.events import DomainEvent, RaceConfigured, RaceRejected, RosterImported, RosterRejected
from shared.contracts.keys import RACE_FILE, ROSTER_FILE, RaceRef, is_newer
from shared.contracts.race import RaceSettings, Region
from shared.kit.table import from_item, to_item

RACE = RaceRef("org", "race")
GOOD, BAD = b'{"name": "Seoul", "date": "2026-10-25"}', b"{"


def heard(uploads: list[tuple[str, bytes]]) -> Known:
    known = Known()
    for sequencer, body in uploads:
        if not known.of(sequencer) and not known.outdates(sequencer):
            known = known.learn(check_file(RACE, RACE_FILE, body, sequencer, "derived"))
    return known


def said(checked: Checked) -> DomainEvent:
    return announcement(RACE, checked.held or checked.outcome)


@given(
    st.lists(st.tuples(st.sampled_from(["1", "2", "3", "A", "0B"]), st.booleans()), unique_by=lambda one: one[0]),
    st.data(),
)
def test_the_newest_usable_upload_holds_in_every_order(kinds: list[tuple[str, bool]], data: st.DataObject) -> None:
    uploads = [(sequencer, GOOD if good else BAD) for sequencer, good in kinds]
    expected = heard(sorted(uploads))  # one width: text order is S3's order, but "0B" sorts before "1" as it should
    for order in itertools.islice(itertools.permutations(uploads), 24):
        again = data.draw(st.lists(st.sampled_from(uploads)) if uploads else st.just([]))
        assert heard([*order, *again]) == expected
    usable = [sequencer for sequencer, body in uploads if body == GOOD]
    if usable:
        assert expected.held is not None
        assert not any(is_newer(sequencer, than=expected.held.revision) for sequencer in usable)


@given(st.binary(max_size=200), st.sampled_from([RACE_FILE, ROSTER_FILE]))
def test_any_bytes_are_taken_or_refused(body: bytes, filename: str) -> None:
    """Invariant 11."""
    event = said(check_file(RACE, filename, body, "01", "derived"))
    if isinstance(event, RaceRejected | RosterRejected):
        assert event.reason
        assert event.message


_numbers = st.one_of(st.integers(), st.floats(), st.text(max_size=5), st.none())


@given(
    st.fixed_dictionaries(
        {"name": st.text(max_size=20), "date": st.sampled_from(["2026-10-25", "2026-02-30", ""])},
        optional={
            "timezone": st.sampled_from(["Asia/Seoul", "Asia", "../x", "", "a" * 300, "\x00"]),
            "min_confidence": _numbers,
            "bib_rules": st.fixed_dictionaries({}, optional={"lowest": _numbers, "max_digits": _numbers}),
            "watermark": st.fixed_dictionaries(dict.fromkeys(("left", "top", "width", "height"), _numbers)),
        },
    )
)
def test_settings_that_are_taken_can_be_kept_and_said(settings: dict[str, object]) -> None:
    try:
        body = msgspec.json.encode(settings)
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError):
        return
    event = said(check_file(RACE, RACE_FILE, body, "01", "derived"))
    assert isinstance(event, RaceConfigured | RaceRejected)
    if isinstance(event, RaceConfigured):
        kept = from_item(to_item({"settings": event.settings}))["settings"]
        assert msgspec.convert(kept, RaceSettings) == event.settings


def test_equal_rosters_are_equal_claim_checks() -> None:
    first = check_file(RACE, ROSTER_FILE, b"bib,name\n1,A\n02,B\n", "01", "derived")
    second = check_file(RACE, ROSTER_FILE, "name;bib\r\nA;1\r\nB;02\r\n".encode("utf-16"), "02", "derived")
    one, other = said(first), said(second)
    assert isinstance(one, RosterImported)
    assert isinstance(other, RosterImported)
    assert (first.roster, one.roster) == (second.roster, other.roster)


def test_settings_travel_whole() -> None:
    everything = Region(left=0, top=0, width=1, height=1)
    settings = RaceSettings(
        name="서울", date="2026-10-25", bib_rules=BibRules(prefixes=("A", "")), watermark=everything
    )
    event = said(check_file(RACE, RACE_FILE, msgspec.json.encode(settings), "01", "derived"))
    assert isinstance(event, RaceConfigured)
    assert event.settings == settings


_MEASURE = """
import resource, sys, zlib
from pathlib import Path
import services.races.functions.intake
from services.races.domain.files import check_file
from shared.contracts.keys import RaceRef
checked = check_file(RaceRef("o", "e"), "roster.csv", zlib.decompress(Path(sys.argv[1]).read_bytes()), "1", "d")
status = Path("/proc/self/status")
if status.exists():  # Linux passes ru_maxrss on from the process that started this one
    peak = next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(checked.outcome.reason or "imported", peak // 10**6)
"""


@pytest.mark.parametrize(
    ("pattern", "outcome"),
    [
        (b"\n", "roster_too_long"),
        (b"?\n", "roster_too_many_problems"),
        (b"x,", "roster_not_csv"),
        ("가,나\n".encode("cp949"), "roster_too_many_problems"),
        ("김서연 ".encode("cp949"), "roster_not_csv"),
        (b'1,"\n",', "roster_not_csv"),
        ("1,🏃가나다라마바사아자차카타파하\n".encode(), "roster_too_many_problems"),
    ],
)
def test_no_roster_takes_more_than_512_mb(pattern: bytes, outcome: str, tmp_path: Path) -> None:
    """Invariant 11, measured: files as large as are read, made to exhaust."""
    body = b"bib,name\n" + pattern * ((MAX_ROSTER_BYTES - 9) // len(pattern))
    file = tmp_path / "roster"
    file.write_bytes(zlib.compress(body, 1))
    done = subprocess.run([sys.executable, "-c", _MEASURE, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    came_to, megabytes = done.stdout.split()
    assert came_to == outcome
    assert int(megabytes) < 512, f"{megabytes} MB"
