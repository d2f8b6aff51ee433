"""Rosters as people bring them: what is read, and what is said of the rest."""

from __future__ import annotations

import csv
import io
import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.contracts.bibs import BibRules
from shared.contracts.errors import InvalidRoster
from shared.contracts.roster.reading import MAX_PROBLEMS, MAX_RUNNERS, Roster, parse_roster
from shared.contracts.roster.runners import MAX_PROBLEMS_KEPT, Problem, kept
from shared.contracts.roster.tables import MAX_LINES_PER_ROW


def read(text: str, **how: str) -> Roster:
    return parse_roster(text.encode(), encoding=how.get("encoding"), bib_column=how.get("bib_column"))


def runners(text: str, **how: str) -> dict[str, str]:
    return {runner.printed: runner.name for runner in read(text, **how).runners}


def problems(text: str) -> list[tuple[int, str]]:
    return [(problem.line, problem.message) for problem in read(text).problems]


def refusal(text: str | bytes, **how: str) -> InvalidRoster:
    with pytest.raises(InvalidRoster) as refused:
        read(text, **how) if isinstance(text, str) else parse_roster(text)
    return refused.value


def test_bad_rows_are_named_and_the_rest_is_used() -> None:
    text = "bib,name\n12,Ann\n,Nobody\nx:1,Bad\n12,Twice\nA-007,Bond\n1,2,3\n\n"
    assert [(r.bib, r.printed, r.name, r.line) for r in read(text).runners] == [
        ("12", "12", "Ann", 2),
        ("A7", "A-007", "Bond", 6),
    ]
    assert problems(text) == [
        (3, "no bib."),
        (4, "'x:1' is not a bib, which is like 1042, A42, 727-2 or 1042F."),
        (5, "bib 12 is already in line 2."),
        (7, "3 columns where the header has 2."),
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The roster is empty."),
        (b" \r\n\n", "The roster is empty."),
        (b"%PDF-1.7\n", "The roster is a PDF, and no CSV."),
    ],
)
def test_a_file_without_a_table_says_so(body: bytes, said: str) -> None:
    assert str(refusal(body)).startswith(said)


class TestHeaders:
    @pytest.mark.parametrize(
        ("header", "bib", "names"),
        [
            ("bib,name", "bib", ["name"]),
            ("BIB NUMBER,NAME", "BIB NUMBER", ["NAME"]),
            ("Bib #,Full Name", "Bib #", ["Full Name"]),
            ("Name,Bib No.", "Bib No.", ["Name"]),
            ("BibNumber,FirstName,LastName", "BibNumber", ["FirstName", "LastName"]),
            ("race_no,RUNNERNAME", "race_no", ["RUNNERNAME"]),
            ("Göğüs No,Ad", "Göğüs No", ["Ad"]),
            ("No.,Name", "No.", ["Name"]),
            ("#,Name", "#", ["Name"]),
            ("Race No,First Name,Last Name", "Race No", ["First Name", "Last Name"]),
            ("Startnummer,Vorname,Nachname", "Startnummer", ["Vorname", "Nachname"]),
            ("Start-Nr.,Nachname,Vorname", "Start-Nr.", ["Vorname", "Nachname"]),
            ("StNr,Name,Vorname", "StNr", ["Vorname", "Name"]),
            ("N° Dossard,Nom,Prénom", "N° Dossard", ["Prénom", "Nom"]),
            ("Dossard,Nom", "Dossard", ["Nom"]),
            ("Dorsal,Nombre,Apellidos", "Dorsal", ["Nombre", "Apellidos"]),
            ("Número,Nombre", "Número", ["Nombre"]),
            ("Pettorale,Cognome,Nome", "Pettorale", ["Nome", "Cognome"]),
            ("Numero di gara,Nome", "Numero di gara", ["Nome"]),
            ("Nº de peito,Nome completo", "Nº de peito", ["Nome completo"]),
            ("Startnummer,Fornavn,Etternavn", "Startnummer", ["Fornavn", "Etternavn"]),
            ("Numer startowy,Imię,Nazwisko", "Numer startowy", ["Imię", "Nazwisko"]),
            ("Startovní číslo,Jméno,Příjmení", "Startovní číslo", ["Jméno", "Příjmení"]),
            ("Rajtszám,Név", "Rajtszám", ["Név"]),
            ("배번,성명", "배번", ["성명"]),
            ("번호,이름", "번호", ["이름"]),
            ("배번호,이름", "배번호", ["이름"]),
            ("참가번호,참가자명", "참가번호", ["참가자명"]),
            ("ゼッケン,氏名", "ゼッケン", ["氏名"]),
            ("ナンバーカード,名前", "ナンバーカード", ["名前"]),
            ("号码布,姓名", "号码布", ["姓名"]),
            ("号码,姓名", "号码", ["姓名"]),
            ("參賽號碼,姓名", "參賽號碼", ["姓名"]),
            ("Стартовый номер,ФИО", "Стартовый номер", ["ФИО"]),
            ("Номер,Фамилия,Имя", "Номер", ["Имя", "Фамилия"]),
            ("Стартовый №,Участник", "Стартовый №", ["Участник"]),
            ("Rank,Startnummer 2026,Name", "Startnummer 2026", ["Name"]),
            ("bib,club", "bib", []),
            ("No.,Bib,Name", "Bib", ["Name"]),
            ("Bib Name,No.", "No.", ["Bib Name"]),
        ],
    )
    def test_words_of_the_worlds_result_files(self, header: str, bib: str, names: list[str]) -> None:
        columns = header.split(",")
        row = ["" for _ in columns]
        row[columns.index(bib)] = "1042"
        for number, column in enumerate(names):
            row[columns.index(column)] = f"Part{number}"
        roster = read(f"{header}\n{','.join(row)}\n")
        assert (roster.bib_column, list(roster.name_columns)) == (bib, names)
        assert [(r.bib, r.name) for r in roster.runners] == [
            ("1042", " ".join(f"Part{number}" for number in range(len(names))))
        ]

    def test_east_asian_names_are_joined_as_they_are_written(self) -> None:
        assert runners("배번,이름,성\n1,서연,김\n") == {"1": "김서연"}
        assert runners("No.,姓,名\n1,山田,太郎\n") == {"1": "山田太郎"}
        assert runners("bib,first name,last name\n1,Ann,\n2,,Lee\n") == {"1": "Ann", "2": "Lee"}

    @pytest.mark.parametrize(
        "above", ["Seoul Marathon 2026 - Start list,,", "\n\n", "Bib numbers\n,,", "Race,Seoul\n\nDate,"]
    )
    def test_what_stands_above_the_header(self, above: str) -> None:
        assert runners(f"{above}\nNo.,Name,Club\n1042,Kim,A\n") == {"1042": "Kim"}

    def test_an_answer_in_a_row_is_no_header(self) -> None:
        seen = refusal("Runner id,Name,Paid\n1042,Kim,no\n1043,Lee,no\n")
        assert seen.reason == "roster_no_bib_column"
        assert "'Runner id', 'Name', 'Paid'" in str(seen)
        assert "--bib-column" in str(seen)

    @pytest.mark.parametrize(
        ("header", "said"),
        [
            ("Startnr alt,Startnr neu,Name", "1 'Startnr alt' (7), 2 'Startnr neu' (1042)"),
            ("Bib,Start number,Name", "Say which by its name, --bib-column 'Start number'"),
            ("No.,Number,Name", "1 'No.' (7), 2 'Number' (1042)"),
            ("bib,bib,Name", "Say which by its number, --bib-column '2'"),
        ],
    )
    def test_two_columns_that_could_be_the_bib_are_refused(self, header: str, said: str) -> None:
        seen = refusal(f"{header}\n7,1042,Kim\n")
        assert seen.reason == "roster_which_bib_column"
        assert said in str(seen)

    @pytest.mark.parametrize("column", ["Startnr neu", "startnr  NEU", "2"])
    def test_a_column_is_chosen_by_name_or_number(self, column: str) -> None:
        assert runners("Startnr alt,Startnr neu,Name\n7,1042,Kim\n", bib_column=column) == {"1042": "Kim"}
        assert runners("bib,bib,name\n7,1042,Kim\n", bib_column="2") == {"1042": "Kim"}

    def test_a_column_that_is_not_there_and_a_header_that_is_none(self) -> None:
        assert "no column 'x'. Its columns seem to be 'bib', 'name'" in str(refusal("bib,name\n1,A\n", bib_column="x"))
        assert "no line that names its columns" in str(refusal("1042,Kim\n1043,Lee\n", bib_column="1"))
        assert refusal("1042,Kim\n1043,Lee\n").reason == "roster_no_bib_column"


class TestTables:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_separators_and_line_ends(self, delimiter: str, end: str) -> None:
        rows = [["bib", "name", "club"], ["1042", "Kim", "A, B; C"], ["1043", "Lee", ""]]
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
            out = io.StringIO()
            csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
            assert runners(out.getvalue()) == {"1042": "Kim", "1043": "Lee"}

    @pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n', "\ufeffsep=;\n"])
    def test_a_separator_line_of_excel(self, line: str) -> None:
        roster = read(f"{line}Startnummer;Name\n1042;Weiß, Jörg\n?;bad\n")
        assert [(r.bib, r.name, r.line) for r in roster.runners] == [("1042", "Weiß, Jörg", 3)]
        assert [problem.line for problem in roster.problems] == [4]

    def test_empty_cells_at_the_end_of_rows_and_header(self) -> None:
        assert runners("bib,name,club,\n1042,Kim,A,\n1043,Lee,B,,,\n") == {"1042": "Kim", "1043": "Lee"}

    def test_a_cell_of_two_lines(self) -> None:
        roster = read('bib,name,remark\n1042,Kim,"two\nlines"\n1043,Lee,\n?,x,\n')
        assert [(r.bib, r.line) for r in roster.runners] == [("1042", 2), ("1043", 4)]
        assert [problem.line for problem in roster.problems] == [5]

    @pytest.mark.parametrize(
        "rows",
        [
            '1042,"Kim\n1043,Lee\n1044,Park\n',
            '1042,"Kim\n1043,"Lee"\n1044,Park\n',
            '1042,"Kim\n1043,Lee"\n1044,Park\n',
            '1042,"Kim\n' + "\n" * MAX_LINES_PER_ROW + '"\n',
            '1042,"Kim" Junior\n',
        ],
    )
    def test_a_quote_that_is_not_closed_swallows_nobody(self, rows: str) -> None:
        seen = refusal(f"bib,name\n{rows}")
        assert seen.reason == "roster_not_csv"
        assert str(seen).startswith("Line 2 of the roster has a quote that is not closed")

    def test_a_row_of_as_many_lines_as_are_taken(self) -> None:
        cell = "\n" * (MAX_LINES_PER_ROW - 1)
        assert runners(f'bib,name,remark\n1,A,"{cell}"\n2,B,\n') == {"1": "A", "2": "B"}

    def test_a_header_of_two_lines_below_many_that_are_blank(self) -> None:
        assert runners("\n" * 500 + '"Bib\nNumber",Name\n1042,Kim\n') == {"1042": "Kim"}


class TestCells:
    @pytest.mark.parametrize(
        ("cell", "printed"),
        [
            ("1042.0", "1042"),
            ("1042.00", "1042"),
            ('"1042,0"', "1042"),
            ('"=""0042"""', "0042"),
            ('="0042"', "0042"),
            ("=1042", "1042"),
            ("'0042", "0042"),
            ("\u200b1042\u00a0", "1042"),
            ("１０４２", "1042"),
            (" 1042 ", "1042"),
        ],
    )
    def test_what_spreadsheets_make_of_a_bib(self, cell: str, printed: str) -> None:
        assert runners(f"bib,name\n{cell},Kim\n") == {printed: "Kim"}

    @pytest.mark.parametrize(
        ("cell", "why"),
        [
            ('"1,043"', "separator of thousands"),
            ("1.043", "separator of thousands"),
            ("1.04E+05", "rounded"),
            ("2026-01-02", "is a date"),
            ("1042.5", "is not a bib"),
        ],
    )
    def test_what_cannot_be_told_any_more(self, cell: str, why: str) -> None:
        ((line, message),) = problems(f"bib,name\n1,A\n{cell},Kim\n")
        assert line == 3
        assert why in message


class TestRules:
    def test_bibs_that_the_rules_refuse_are_named_and_kept_on_file(self) -> None:
        roster = parse_roster(b"bib,name\n1042,Kim\nF318,Lee\n?,Bad\n727-2,Park\n", BibRules())
        assert [r.bib for r in roster.runners] == ["1042"]
        assert [problem.line for problem in roster.problems] == [3, 4, 5]
        assert [r.bib for r in roster.on_file] == ["1042", "F318", "727-2"]
        later = roster.under(BibRules(prefixes=("", "F"), formats=("number", "number-leg")))
        assert [r.bib for r in later.runners] == ["1042", "F318", "727-2"]
        assert [problem.line for problem in later.problems] == [4]

    def test_a_roster_whose_every_row_is_bad_says_why(self) -> None:
        assert str(refusal("bib,name\n12-A/B,Kim\n?,Lee\n")) == (
            "No row of the roster can be used. "
            "Line 2: '12-A/B' is not a bib, which is like 1042, A42, 727-2 or 1042F. "
            "Line 3: '?' is not a bib, which is like 1042, A42, 727-2 or 1042F."
        )
        many = str(refusal("bib\n" + "?\n" * 8))
        assert many.endswith("1042F. And 3 more.")
        with pytest.raises(InvalidRoster, match=r"Line 2: bib F1 has F before"):
            parse_roster(b"bib\nF1\n", BibRules())


def test_as_many_problems_as_an_event_has_room_for_and_then_how_many_more() -> None:
    problems = [Problem(line=line, message="no bib.") for line in range(2, MAX_PROBLEMS_KEPT + 4)]
    assert kept(problems[:MAX_PROBLEMS_KEPT]) == tuple(problems[:MAX_PROBLEMS_KEPT])
    assert kept(problems)[:-1] == tuple(problems[: MAX_PROBLEMS_KEPT - 1])
    assert kept(problems)[-1].message == "from here on 3 more rows cannot be used, of 102 in all."


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_a_list_as_long_as_a_great_race_is_read_whole(encoding: str) -> None:
    rows = [f"{bib};Jörg Müller {bib};Läufer {bib % 97};{bib % 4}:{bib % 60:02}:00" for bib in range(1, 32_001)]
    body = "\r\n".join(["Great Race 2026", "", "Stnr.;Name;Verein;Zeit", *rows]).encode(encoding)
    roster = parse_roster(body)
    assert [runner.line for runner in roster.runners] == list(range(4, 32_004))
    assert (roster.runners[-1].bib, roster.runners[-1].name) == ("32000", "Jörg Müller 32000")


class TestLimits:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "roster_empty"),
            ("name\nKim\n", "roster_no_bib_column"),
            ("bib,name\n", "roster_empty"),
            ("bib\n" + "?\n" * (MAX_PROBLEMS + 1), "roster_too_many_problems"),
            ("bib\n" + "\n".join(map(str, range(MAX_RUNNERS + 1))), "roster_too_long"),
            ("bib," + "x," * 1000 + "\n1,", "roster_too_wide"),
            ("<html><table><tr><td>bib</td></tr></table>", "roster_not_csv"),
            (b"PK\x03\x04\x00\x00", "roster_spreadsheet"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "roster_spreadsheet"),
            (b"\x00\x01", "roster_not_text"),
        ],
        ids=itertools.count(),
    )
    def test_what_cannot_be_used_at_all(self, text: str | bytes, reason: str) -> None:
        assert refusal(text).reason == reason

    def test_as_many_as_are_taken(self) -> None:
        roster = read("bib\n" + "?\n" * MAX_PROBLEMS + "\n".join(map(str, range(MAX_RUNNERS))))
        assert (len(roster.runners), len(roster.problems)) == (MAX_RUNNERS, MAX_PROBLEMS)


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u0085\u2028\u2029"), max_size=12)


@given(
    st.lists(st.tuples(st.integers(0, 99_999), NAMES), min_size=1, unique_by=lambda row: row[0]),
    st.sampled_from(",;\t|"),
)
@example([(0, ",N")], ";")
def test_whatever_the_names_the_bibs_are_read(rows: list[tuple[int, str]], delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([("bib", "name"), *rows])
    assert [r.bib for r in read(out.getvalue()).runners] == [str(bib) for bib, _ in rows]


@given(
    st.lists(st.sampled_from(["1,Kim", "2,Lee", "", "?,x", "3,", '4,"a\nb"', "5"]), min_size=1, unique=True),
    st.integers(0, 3),
)
def test_what_goes_up_says_the_same_in_the_same_lines(rows: list[str], above: int) -> None:
    try:
        roster = read("\n" * above + "No.,Name\n" + "\n".join(rows))
    except InvalidRoster:
        return
    again = parse_roster(roster.to_csv())
    assert [(r.bib, r.line) for r in again.runners] == [(r.bib, r.line) for r in roster.runners]
    assert [" ".join(r.name.split()) for r in roster.runners] == [r.name for r in again.runners]
    assert again.problems == ()


@given(st.binary(max_size=300))
def test_any_bytes_give_a_roster_or_a_refusal(body: bytes) -> None:
    try:
        assert parse_roster(b"bib,name\n" + body).runners
    except InvalidRoster as refused:
        assert str(refused)
