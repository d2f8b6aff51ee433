"""Which row of a table is its header, and which of its columns have the bib and the name.

Timing companies, clubs and spreadsheets name these columns in their own language. The words stand in the tables below,
one line a language; case, accents, width, dots and other signs do not matter when they are compared.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.contracts import bibs
from shared.contracts.errors import InvalidRoster

MAX_COLUMNS = 1_000
# Titles, dates and sponsors above a header take a few rows in result files.
MAX_ROWS_ABOVE = 30
_MAX_EXAMPLES = 3
_MAX_QUOTED = 40
_MAX_COLUMNS_NAMED = 12

Row = tuple[int, list[str]]
"""The number of the line that a row ends in (1 = the first), and its cells."""

# A column with such a name has the bibs, wherever it stands.
_SURE_BIB_WORDS = """
bib | bibs | bib number | bib numbers | bib no | bib num | bib nr | bib # | bib id | race bib | race number | race no
race nr | race num | race # | start number | start no | start nr | runner number | runner no | athlete number
startnummer | start-nr | startnr | start nummer | stnr | st nr | startnumber | startnummern
dossard | no dossard | numero dossard | numero de dossard | no de dossard | dossards | num dossard | nr dossard
dorsal | no dorsal | numero dorsal | numero de dorsal | num dorsal | dorsales | numero de corredor
pettorale | pett | n pettorale | numero pettorale | numero di pettorale | num pettorale | numero di gara | numero gara
numero de peito | no de peito | peito | peitoral | dorsais
startnummer deelnemer | rugnummer | borstnummer | brystnummer | nummerlapp | rintanumero | kilpailunumero | rasanumer
numer startowy | nr startowy | nr start | startovni cislo | st cislo | startove cislo | rajtszam | numar de concurs
numar concurs | startni broj | startna stevilka | stardinumber | starta numurs | starto numeris | gogus numarasi
gogus no | yarisci no | tavlingsnr | tavlingsnummer | plate | plate no | plate number
αριθμος συμμετοχης | αριθμος αθλητη | מספר חזה | رقم الصدر | หมายเลขบิบ | เลขบิบ | หมายเลขวิ่ง | bib หมายเลข
so bib | so deo | so ao
стартовый номер | стартовый no | ст номер | ст no | нагрудный номер | номер участника | no участника | старт номер
стартовий номер | нагрудний номер | номер учасника | стартов номер | стартни број | стартови номер
배번 | 배번호 | 배 번 | 배번 번호 | 참가번호 | 참가자번호 | 참가 번호
선수번호 | 선수 번호 | 빕번호 | 빕 번호 | 대회번호
ゼッケン | ゼッケン番号 | ゼッケンno | ゼッケン no | ナンバー | ナンバーカード | ナンバーカード番号
no カード | ビブ | ビブナンバー
ビブス | レースナンバー | レースno | アスリートビブス | 競技者番号 | 参加番号 | 参加者番号 | 選手番号
号码布 | 号码布号 | 号码布号码 | 参赛号 | 参赛号码 | 参赛编号 | 参赛号码布 | 比赛号码 | 选手号码 | 运动员号码 | 号牌
號碼布 | 號碼布號碼 | 參賽號 | 參賽號碼 | 參賽編號 | 比賽號碼 | 選手號碼 | 號碼牌 | 號碼簿
"""

# Such a column has the bibs where none above does: it can as well be a rank, a row's number or a member's.
_UNSURE_BIB_WORDS = """
no | nr | num | number | n | # | numbers | numero | nummer | numer | cislo | szam | broj | stevilka | numar | numara
nro | nomor | nombor | so | номер | број | αριθμος | מספר | رقم | หมายเลข | เลขที่
번호 | 番号 | 番號 | 号码 | 號碼 | 编号 | 編號 | 序号 | 序號 | 連番 | 순번
"""

_FULL_NAME_WORDS = """
full name | fullname | name full | complete name | runner | runner name | participant | participant name | athlete
athlete name | competitor | name surname | first and last name | display name | bib name
vorname nachname | nachname vorname | name vorname | teilnehmer | nom complet | nom prenom | nom et prenom | prenom nom
coureur | nombre completo | nombre y apellidos | nombre y apellido | apellidos y nombre | corredor | atleta
nome completo | nome e cognome | cognome e nome | nome cognome | cognome nome | concorrente | nominativo
volledige naam | naam | navn | namn | nimi | nafn | imie i nazwisko | nazwisko i imie | zawodnik | jmeno a prijmeni
prijmeni a jmeno | meno a priezvisko | nev | nume | nume si prenume | ime i prezime | ime in priimek | ad soyad
adi soyadi | isim | nama | nama lengkap | ho va ten | ho ten | ονοματεπωνυμο | שם מלא | الاسم | ชื่อ-นามสกุล | ชื่อ-สกุล
фио | фамилия имя | фамилия и имя | имя фамилия | имя и фамилия | фамилия имя отчество | участник | спортсмен | піб
прізвище ім'я | прізвище та ім'я
성명 | 성함 | 참가자 | 참가자명 | 참가자 성명 | 참가자 이름 | 선수명
氏名 | 名前 | お名前 | 選手名 | 参加者氏名 | 競技者名 | 氏名漢字
姓名 | 选手姓名 | 参赛者 | 参赛者姓名 | 運動員 | 選手姓名 | 參賽者姓名 | 名字
"""

# Of a column that can be all of a name or a part of it: a part where the other part stands beside it.
_NAME_OR_FAMILY_WORDS = "name | names | nom"
_NAME_OR_GIVEN_WORDS = "nombre | nome | имя | ім'я | jmeno | meno | ime | ad | adi | 이름 | ชื่อ | שם | ονομα"

_GIVEN_NAME_WORDS = """
first name | firstname | first | given name | given names | givenname | forename | forenames | name first | vorname
vornamen | rufname | prenom | prenoms | nombres | nome proprio | voornaam | fornavn | fornamn | etunimi | eesnimi | imie
krestni jmeno | keresztnev | utonev | prenume | vards | vardas | ten | nama depan | 名 | 이름(명) | שם פרטי
"""

_FAMILY_NAME_WORDS = """
last name | lastname | last | surname | surnames | family name | familyname | name last | nachname | familienname
zuname | nom de famille | nom famille | apellido | apellidos | primer apellido | apellido 1 | apellido1 | cognome
cognomi | sobrenome | apelido | achternaam | familienaam | efternavn | etternavn | efternamn | sukunimi | perekonnanimi
nazwisko | prijmeni | priezvisko | vezeteknev | csaladnev | nume de familie | prezime | priimek | uzvards | pavarde
soyad | soyadi | ho | nama belakang | фамилия | прізвище | презиме | επωνυμο | שם משפחה | นามสกุล | 성 | 姓
"""


def folded(cell: str) -> str:
    """A header cell without what does not tell words apart: case, accents, width, dots, other signs, spaces.

    BibNumber is two words, as programs write them.
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell.replace("°", "o").replace("#", " # "))
    text = unicodedata.normalize("NFKD", apart).casefold()
    text = "".join(character for character in text if unicodedata.category(character) not in ("Mn", "Cf"))
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    return " ".join(re.sub(r"[^\w#]+|_", " ", text).split())


# Letters that have a stroke or a form of their own, so that normalization does not take it from them.
_PLAIN = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae"})


def _words(table: str) -> frozenset[str]:
    """The words of a table, folded, and each written as one: databases have no spaces."""
    words = {folded(word) for line in table.splitlines() for word in line.split("|") if word.strip()}
    return frozenset(words | {word.replace(" ", "") for word in words})


SURE, UNSURE = _words(_SURE_BIB_WORDS), _words(_UNSURE_BIB_WORDS)
_FULL, _GIVEN, _FAMILY = _words(_FULL_NAME_WORDS), _words(_GIVEN_NAME_WORDS), _words(_FAMILY_NAME_WORDS)
_FULL_OR_FAMILY, _FULL_OR_GIVEN = _words(_NAME_OR_FAMILY_WORDS), _words(_NAME_OR_GIVEN_WORDS)
_MIDDLE = _words("middle name | отчество | tussenvoegsel | segundo apellido | apellido 2 | apellido2")
KNOWN = SURE | UNSURE | _FULL | _GIVEN | _FAMILY | _FULL_OR_FAMILY | _FULL_OR_GIVEN | _MIDDLE
"""All words that name a column, folded."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """The header and what it says: `cells` as they are written, and the columns (0 = the first) that are used.

    `names` are the columns whose cells make a runner's name, in this order.
    """

    line: int
    cells: tuple[str, ...]
    bib: int
    names: tuple[int, ...]

    @property
    def bib_column(self) -> str:
        """What the bib's column is called."""
        return self.cells[self.bib]

    @property
    def name_columns(self) -> tuple[str, ...]:
        """What the columns are called that make the name."""
        return tuple(self.cells[column] for column in self.names)

    def name_of(self, row: Sequence[str]) -> str:
        """A runner's name in a row. Names in Han, Hangul or kana are joined without a space, the family's first."""
        parts = [row[column].strip() for column in self.names if column < len(row) and row[column].strip()]
        if len(parts) > 1 and all(_is_east_asian(part) for part in parts):
            return "".join(reversed(parts))
        return " ".join(parts)


def _is_east_asian(text: str) -> bool:
    return all(unicodedata.east_asian_width(character) == "W" for character in text)


def find_header(rows: Sequence[Row], wanted: str | None = None) -> Header | None:
    """The header among a table's first rows; None where none has a bib column. `wanted` is the name or number of one.

    Raises InvalidRoster when several columns could have the bibs, when `wanted` names none, or one of a table without a
    header.
    """
    for at, columns in _likely_headers(rows[: MAX_ROWS_ABOVE + 1], wanted):
        if columns:
            line, cells = rows[at]
            _check(cells, columns, rows[at + 1 :], wanted)
            return _header(line, cells, columns[0])
    if wanted is not None:
        raise InvalidRoster(
            "roster_no_bib_column", f"The roster has no column '{wanted[:_MAX_QUOTED]}'. {columns_seen(rows)}"
        )
    return None


def _likely_headers(rows: Sequence[Row], wanted: str | None) -> Iterator[tuple[int, list[int]]]:
    """Rows that can be the header, the likeliest first, and the columns that have the bibs if it is (maybe none).

    A title stands alone in its row, so rows of several cells come first. A word that is unsure counts in a row that has
    more cells than those above: "no" is the header of a column, or somebody's answer in one.
    """
    filled = [sum(1 for cell in cells if cell.strip()) for _, cells in rows]
    wider = {at for at, width in enumerate(filled) if all(width > above for above in filled[:at])}
    for alone in (False, True):
        candidates = [at for at, width in enumerate(filled) if width and (width == 1) is alone]
        if wanted is not None:
            yield from ((at, _wanted_columns(rows[at][1], wanted)) for at in candidates)
            continue
        yield from ((at, _columns(rows[at][1], SURE.__contains__)) for at in candidates)
        yield from ((at, _columns(rows[at][1], _contains_sure_word)) for at in candidates)
        yield from ((at, _columns(rows[at][1], UNSURE.__contains__)) for at in candidates if at in wider)


def _contains_sure_word(cell: str) -> bool:
    return cell not in KNOWN and any(f" {word} " in f" {cell} " for word in SURE)


def _header(line: int, cells: Sequence[str], bib: int) -> Header:
    stripped = tuple(cell.strip() for cell in cells)
    return Header(line=line, cells=stripped, bib=bib, names=_name_columns([folded(cell) for cell in cells], bib))


def _columns(cells: Sequence[str], says_so: Callable[[str], bool]) -> list[int]:
    return [column for column, cell in enumerate(cells) if says_so(folded(cell))]


def _wanted_columns(cells: Sequence[str], wanted: str) -> list[int]:
    """The columns that `wanted` names, as it is written or else nearly so; else the one of which it is the number."""
    nearly = [column for column, cell in enumerate(cells) if cell.strip() and folded(cell) == folded(wanted)]
    exactly = [column for column in nearly if cells[column].strip() == wanted.strip()]
    if nearly or not (wanted.isascii() and wanted.isdigit()):
        return exactly or nearly
    return [column for column, cell in enumerate(cells) if cell.strip() and str(column + 1) == wanted]


def _check(cells: Sequence[str], columns: Sequence[int], below: Sequence[Row], wanted: str | None) -> None:
    if len(cells) > MAX_COLUMNS:
        raise InvalidRoster("roster_too_wide", f"The roster has more than {MAX_COLUMNS:,} columns.")
    if wanted is not None and bibs.canonical(cells[columns[0]]) is not None:
        raise InvalidRoster(
            "roster_no_bib_column",
            f"The roster has no line that names its columns: column {columns[0] + 1} begins with "
            f"{cells[columns[0]].strip()[:_MAX_QUOTED]}. Write one above, for example: bib,name.",
        )
    if len(columns) > 1:
        raise _several(cells, columns, below)


def _several(cells: Sequence[str], columns: Sequence[int], below: Sequence[Row]) -> InvalidRoster:
    described = [
        f"{column + 1} '{cells[column].strip()[:_MAX_QUOTED]}' ({_examples(below, column)})"
        for column in columns[:_MAX_COLUMNS_NAMED]
    ]
    how = "name" if len({folded(cells[column]) for column in columns}) == len(columns) else "number"
    example = cells[columns[-1]].strip()[:_MAX_QUOTED] if how == "name" else str(columns[-1] + 1)
    return InvalidRoster(
        "roster_which_bib_column",
        f"{len(columns)} columns of the roster could be the bib. Say which by its {how}, --bib-column '{example}', or "
        f"leave the others out of the file. They are {', '.join(described)}.",
    )


def _examples(below: Iterable[Row], column: int) -> str:
    cells = (row[column].strip()[:_MAX_QUOTED] for _, row in below if column < len(row))
    found = [cell for cell in cells if cell][:_MAX_EXAMPLES]
    return ", ".join(found) or "empty"


def columns_seen(rows: Sequence[Row]) -> str:
    """A sentence that names the columns of what is likeliest the header: the first row with as many cells as any."""
    filled = [[cell.strip() for cell in cells if cell.strip()] for _, cells in rows[:MAX_ROWS_ABOVE]]
    most = max(map(len, filled), default=0)
    if not most:
        return "It has no text."
    names = next(row for row in filled if len(row) == most)
    named = ", ".join(f"'{name[:_MAX_QUOTED]}'" for name in names[:_MAX_COLUMNS_NAMED])
    more = f" and {len(names) - _MAX_COLUMNS_NAMED} more" if len(names) > _MAX_COLUMNS_NAMED else ""
    return f"Its columns seem to be {named}{more}."


def _name_columns(words: Sequence[str], bib: int) -> tuple[int, ...]:
    """The columns of the name: one that has all of it, else the given and the family name's."""

    def first(*tables: Collection[str]) -> int | None:
        return next(
            (column for table in tables for column, word in enumerate(words) if column != bib and word in table), None
        )

    given, family = first(_GIVEN), first(_FAMILY)
    if (full := first(_FULL)) is not None:
        return (full,)
    if given is not None and family is None:
        family = first(_FULL_OR_FAMILY)
    elif family is not None and given is None:
        given = first(_FULL_OR_GIVEN, _FULL_OR_FAMILY)
    elif family is None and given is None and (whole := first(_FULL_OR_FAMILY, _FULL_OR_GIVEN)) is not None:
        return (whole,)
    middle = first(_MIDDLE) if family is not None else None
    return tuple(column for column in (given, middle, family) if column is not None)
