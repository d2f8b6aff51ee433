"""Roster files as people have them, read at the desk: what goes up is plain CSV in UTF-8."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from ops.cli.main import cli
from ops.race import races
from ops.race.rosters import read_roster
from ops.race.settings import create_race, put_race
from ops.reach.errors import Failed
from ops.reach.target import Target
from services.races.records import RosterHeld
from shared.contracts.bibs import BibRules
from shared.contracts.race import parse_race
from shared.contracts.roster.runners import from_json
from tests.kit.deployed import SETTINGS, deployed, listen
from tests.kit.events import RACE
from tests.kit.spreadsheets import Sheets, ods, xlsx

SHEETS: Sheets = {
    "Prices": [["Item", "Price"], ["Bus", 12.5]],
    "Start list": [
        ["Seoul Marathon 2026"],
        [],
        ["Start no", "Name", "Born"],
        [1042.0, "Jörg Weiß", date(1990, 1, 2)],
        ["0042", "김서연", None],
        [date(2026, 1, 2), "Excel made a date of 1-2", None],
        [7.5, "Nobody", None],
    ],
    "Other": [["Bib", "Name"], [9, "Other"]],
}


def file(folder: Path, body: bytes, name: str = "roster.csv") -> Path:
    path = folder / name
    path.write_bytes(body)
    return path


class TestSpreadsheets:
    @pytest.mark.parametrize("write", [xlsx, ods])
    def test_the_first_sheet_with_bibs_is_read_as_it_is_shown(
        self, write: Callable[[Sheets], bytes], tmp_path: Path
    ) -> None:
        read = read_roster(file(tmp_path, write(SHEETS)))
        assert read.sheet == "Start list"
        assert [(r.printed, r.name, r.line) for r in read.roster.runners] == [
            ("1042", "Jörg Weiß", 4),
            ("0042", "김서연", 5),
        ]
        assert [problem.line for problem in read.roster.problems] == [6, 7]
        assert "'2026-01-02' is a date" in read.roster.problems[0].message
        assert read.found().startswith("Read sheet 'Start list', line 3 as the header: bibs from 'Start no'")

    def test_another_sheet_can_be_chosen(self, tmp_path: Path) -> None:
        path = file(tmp_path, xlsx(SHEETS))
        assert [r.name for r in read_roster(path, sheet="Other").roster.runners] == ["Other"]
        with pytest.raises(Failed, match="There is no sheet 'x'; there are 'Prices', 'Start list', 'Other'"):
            read_roster(path, sheet="x")

    def test_no_sheet_with_bibs(self, tmp_path: Path) -> None:
        path = file(tmp_path, xlsx({"A": [["Item"], [1]], "B": [["Price"], [2]]}))
        with pytest.raises(Failed, match=r"No sheet has a column .* there are 'A', 'B'\. Say which with --sheet"):
            read_roster(path)
        assert len(read_roster(path, bib_column="Price").roster.runners) == 1

    def test_two_columns_that_could_be_the_bib(self, tmp_path: Path) -> None:
        path = file(tmp_path, xlsx({"A": [["Startnr alt", "Startnr neu"], [7, 1042]]}))
        with pytest.raises(Failed, match=r"1 'Startnr alt' \(7\), 2 'Startnr neu' \(1042\)"):
            read_roster(path)

    @pytest.mark.parametrize("body", [b"PK\x03\x04 no zip", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 no container"])
    def test_what_only_looks_like_a_spreadsheet(self, body: bytes, tmp_path: Path) -> None:
        with pytest.raises(Failed, match="not a spreadsheet that can be read"):
            read_roster(file(tmp_path, body))

    def test_text_has_no_sheets(self, tmp_path: Path) -> None:
        with pytest.raises(Failed, match="leave out --sheet"):
            read_roster(file(tmp_path, b"bib\n1\n"), sheet="A")


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    monkeypatch.setattr(races, "OUTCOME_SECONDS", 1)
    monkeypatch.setattr(races, "_POLL_SECONDS", 0.01)
    with deployed(monkeypatch, tmp_path / "home") as target:
        listen(target)
        create_race(target, RACE, SETTINGS)
        monkeypatch.setattr("ops.reach.target.choose", lambda *_: target)
        yield target


def run(*arguments: str) -> Result:
    named = ("--organizer", RACE.organizer_id, "--event", RACE.event_id)
    return CliRunner().invoke(cli, ["roster", "import", *arguments, *named])


def said(done: Result) -> str:
    """What it told, on one line: how wide the console is depends on where the tests run."""
    return " ".join(done.stderr.split())


def held(target: Target) -> dict[str, str]:
    roster = target.records("races").get(RosterHeld.locate(RACE))
    if roster is None:
        return {}
    body = target.client("s3").get_object(Bucket=roster.roster.bucket, Key=roster.roster.key)["Body"].read()
    return {runner.printed: runner.name for runner in from_json(body)}


class TestImport:
    def test_it_tells_what_it_read(self, target: Target, tmp_path: Path) -> None:
        body = "Startnummer;Vorname;Nachname\r\n1042;Åsa;Ärlig\r\n1043;Jörg;Weiß\r\n".encode("cp1252")
        done = run(str(file(tmp_path, body)))
        assert done.exit_code == 0
        assert "line 1 as the header: bibs from 'Startnummer', names from 'Vorname' and 'Nachname'" in said(done)
        assert "The encoding seems to be cp1252, which makes the first names: Åsa Ärlig, Jörg Weiß" in said(done)
        assert "2 runners imported." in said(done)
        assert held(target) == {"1042": "Åsa Ärlig", "1043": "Jörg Weiß"}

    def test_json_has_the_same(self, target: Target, tmp_path: Path) -> None:
        path = file(tmp_path, "bib,name\n1042,Kim\nF318,Lee\n?,Bad\n".encode("utf-16"))
        done = run(str(path), "--json", "--skip-bad-rows")
        told = json.loads(done.stdout)
        assert [problem.pop("line") for problem in told["problems"]] == [3, 4]
        assert "prefixes allows no letters" in told.pop("problems")[0]["message"]
        assert told == {
            "imported": 1, "sheet": None, "header_line": 1, "bib_column": "bib", "name_columns": ["name"],
            "encoding": "utf-16-le", "encoding_guessed": False, "first_names": [], "runners": 1,
        }  # fmt: skip
        assert done.exit_code == 0

    def test_bibs_that_the_rules_refuse_stop_it_and_can_be_left_out(self, target: Target, tmp_path: Path) -> None:
        path = str(file(tmp_path, b"bib,name\n1042,Kim\n727-2,Lee\n"))
        done = run(path)
        assert (done.exit_code, held(target)) == (1, {})
        assert "line 3: bib 727-2 is not like 1042: if it is right, say snaprace race set --format" in said(done)
        done = run(path, "--skip-bad-rows")
        assert done.exit_code == 0
        assert "1 runner imported, 1 row left out." in said(done)
        settings = msgspec.structs.replace(parse_race(SETTINGS), bib_rules=BibRules(formats=("number", "number-leg")))
        put_race(target, RACE, msgspec.json.encode(settings))
        assert "2 runners imported." in said(run(path))

    def test_rules_that_come_later_say_what_they_refuse(self, target: Target, tmp_path: Path) -> None:
        run(str(file(tmp_path, b"bib,name\n42,Kim\n1042,Lee\n")))
        change = "race set --min-digits 3"
        named = ["--organizer", RACE.organizer_id, "--event", RACE.event_id]
        done = CliRunner().invoke(cli, [*change.split(), *named])
        assert done.exit_code == 0
        assert "These rules refuse 1 bib of its roster: line 2: bib 42 has 2 digits" in said(done)

    def test_formats_are_declared(self, target: Target, tmp_path: Path) -> None:
        change = "race set --format number-leg --format number-letter"
        named = ["--organizer", RACE.organizer_id, "--event", RACE.event_id]
        assert CliRunner().invoke(cli, [*change.split(), *named]).exit_code == 0
        assert run(str(file(tmp_path, b"bib,name\n727-1,Kim\n727-2,Lee\n1042F,Park\n"))).exit_code == 0
        assert held(target) == {"727-1": "Kim", "727-2": "Lee", "1042F": "Park"}

    def test_a_roster_of_which_the_rules_refuse_all_is_not_sent(self, target: Target, tmp_path: Path) -> None:
        done = run(str(file(tmp_path, b"bib,name\nF1,Kim\n")), "--skip-bad-rows")
        assert (done.exit_code, held(target)) == (1, {})
        assert "No row of the roster can be used. Line 2: bib F1 has F before the number" in str(
            done.exception or ""
        ) + said(done)

    def test_of_many_bad_rows_the_first_are_shown(self, target: Target, tmp_path: Path) -> None:
        done = run(str(file(tmp_path, b"bib\n1\n" + b"?\n" * 25)))
        assert said(done).count("is not a bib") == 20
        assert "and 5 more." in said(done)

    def test_the_column_and_the_encoding_can_be_said(self, target: Target, tmp_path: Path) -> None:
        path = file(tmp_path, "Startnr alt,Startnr neu,Name\n7,1042,Kučera\n".encode("cp1250"))
        done = run(str(path), "--bib-column", "Startnr neu", "--encoding", "cp1250")
        assert done.exit_code == 0
        assert held(target) == {"1042": "Kučera"}

    def test_a_spreadsheet_is_imported(self, target: Target, tmp_path: Path) -> None:
        done = run(str(file(tmp_path, xlsx(SHEETS), "list.xlsx")), "--skip-bad-rows")
        assert done.exit_code == 0
        assert held(target) == {"1042": "Jörg Weiß", "0042": "김서연"}
