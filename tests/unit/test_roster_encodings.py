"""Which encoding a roster is in: right, or asked for, and never names that nobody has."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.errors import InvalidRoster
from shared.contracts.roster.encodings import CANDIDATES, decode
from shared.contracts.roster.reading import parse_roster

NAMES = {
    "Korean": "김서연 박도현 이하은 최민준 정예린 강지훈 조수아 윤시우 장채원 임건우 한소율 오유찬",
    "Japanese": "山田太郎 鈴木花子 佐藤健一 高橋美咲 田中翔太 伊藤さくら 渡辺ゆう子 中村大輔 小林陽葵 加藤蓮",
    "Chinese": "张伟 王芳 李娜 刘洋 陈静 杨磊 黄晓明 赵敏 周杰 吴秀英 徐丽 孙悦 胡军 郭涛",
    "Taiwanese": "陳志明 林淑芬 黃俊傑 張雅婷 李家豪 王美玲 吳建宏 劉怡君 蔡宗翰 楊惠雯 許文龍",
    "German": "Jörg Weiß, Günther Müller, Björn Schäfer, Käthe Größer, Jürgen Köhler, Bärbel Krüger, Sören Böhm",
    "French": "Hélène Lefèvre, François Gérard, Zoé Lévêque, Benoît Chrétien, Noël André, Aimée Rivière, Thérèse Hervé",
    "Spanish": "José Muñoz, María Peña, Íñigo Núñez, Ángel Ordóñez, Begoña Ibáñez, Andrés Gutiérrez, Inés Cañizares",
    "Portuguese": "João Conceição, Inês Magalhães, Antônio Simões, Luís Gusmão, Tomé Leitão, Sebastião Assunção",
    "Swedish": "Åsa Ärlig, Björn Åkesson, Märta Öberg, Göran Lindström, Åke Sjöberg, Hjördis Ångström",
    "Danish": "Søren Kjær, Jørgen Ågård, Bjørn Sørensen, Mærsk Østergård, Gøran Bødker, Åge Nørgård",
    "Polish": "Łukasz Wałęsa, Małgorzata Dąbrowska, Paweł Wójcik, Żaneta Gołębiewska, Stanisław Kaźmierczak",
    "Czech": "Jiří Dvořák, Šárka Němcová, Tomáš Růžička, Zdeněk Kříž, Alžběta Horáčková, Ondřej Říha",
    "Hungarian": "Erdős László, Szűcs Győző, Kovács Gergő, Tóth Béla, Vörös Csaba, Pásztor Réka, Fűzfa Jenő",
    "Turkish": "Işıl Şahin, Çağrı Güneş, Yıldız Öztürk, Oğuz Kılıç, Ayşe Yılmaz, Gökçe Doğan, Barış Çelik",
    "Lithuanian": "Žydrūnas Šimkus, Rūta Žukauskaitė, Gražvydas Čepulis, Audronė Jokūbauskienė, Mėta Šakalytė",
    "Russian": "Иван Петров, Ольга Смирнова, Дмитрий Кузнецов, Наталья Соколова, Алексей Фёдоров",
    "Ukrainian": "Олексій Шевченко, Наталія Ковальчук, Сергій Бондаренко, Євген Мельник, Юлія Гончаренко",
    "Greek": "Γιώργος Παπαδόπουλος, Μαρία Γεωργίου, Νίκος Κωνσταντίνου, Ελένη Δημητρίου, Κώστας Οικονόμου",
    "Hebrew": "משה כהן, שרה לוי, דוד מזרחי, רחל פרץ, יוסף ביטון, מרים אברהם",
    "Thai": "สมชาย ใจดี, สมหญิง รักไทย, ประเสริฐ สุขสันต์, วิภาวดี ทองคำ",
}

WRITTEN_IN = {
    "cp949": ("Korean",),
    "cp932": ("Japanese",),
    "euc_jp": ("Japanese",),
    "gb18030": ("Chinese",),
    "cp950": ("Taiwanese",),
    "cp1252": ("German", "French", "Spanish", "Portuguese", "Swedish", "Danish"),
    "mac_roman": ("German", "French", "Spanish", "Portuguese", "Swedish", "Danish"),
    "cp850": ("German", "French", "Spanish", "Portuguese", "Swedish", "Danish"),
    "cp1250": ("Polish", "Czech", "Hungarian", "German"),
    "iso8859_2": ("Polish", "Czech", "Hungarian", "German"),
    "cp852": ("Polish", "Czech", "Hungarian"),
    "cp1254": ("Turkish", "German", "French"),
    "cp1257": ("Lithuanian", "German"),
    "cp1251": ("Russian", "Ukrainian"),
    "koi8_u": ("Russian", "Ukrainian"),
    "cp866": ("Russian",),
    "cp1253": ("Greek",),
    "cp1255": ("Hebrew",),
    "cp874": ("Thai",),
}
LISTS = [(encoding, language) for encoding, languages in WRITTEN_IN.items() for language in languages]

EAST_ASIAN = ("Korean", "Japanese", "Chinese", "Taiwanese")


def names_of(language: str) -> list[str]:
    return NAMES[language].split(" " if language in EAST_ASIAN else ", ")


def roster(names: list[str], delimiter: str = ",", header: str = "bib{}name") -> str:
    rows = (f"{1000 + number}{delimiter}{name}" for number, name in enumerate(names))
    return "\r\n".join([header.format(delimiter), *rows, ""])


def test_every_candidate_is_tried_here() -> None:
    assert set(WRITTEN_IN) == set(CANDIDATES)


@pytest.mark.parametrize(("encoding", "language"), LISTS)
def test_a_list_of_names_is_read_right_in_every_encoding(encoding: str, language: str) -> None:
    text = roster(names_of(language))
    decoded = decode(text.encode(encoding))
    assert decoded.text == text
    assert decoded.guessed


@given(st.sampled_from(LISTS), st.sampled_from(",;\t|"), st.booleans(), st.data())
def test_any_part_of_a_list_is_read_right_or_refused(
    where: tuple[str, str], delimiter: str, capitals: bool, data: st.DataObject
) -> None:
    """Also of one or two names, or in capitals: where several encodings give names, nothing is guessed."""
    encoding, language = where
    names = data.draw(st.lists(st.sampled_from(names_of(language)), min_size=1, unique=True))
    body = roster([name.upper() if capitals else name for name in names], delimiter).encode(encoding, "ignore")
    try:
        read = parse_roster(body)
    except InvalidRoster as refused:
        assert refused.reason == "roster_encoding"
        assert "--encoding" in str(refused)
        return
    assert [runner.name for runner in read.runners] == [line.split(delimiter)[1] for line in
                                                        body.decode(encoding).splitlines()[1:]]  # fmt: skip


@pytest.mark.parametrize(("encoding", "language"), LISTS)
def test_whoever_knows_the_encoding_is_believed(encoding: str, language: str) -> None:
    name = names_of(language)[0]
    read = parse_roster(roster([name]).encode(encoding), encoding=encoding)
    assert [runner.name for runner in read.runners] == [name]
    assert not read.guessed


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (roster(["Ann"]).encode(), "utf-8"),
        (roster(["김서연"]).encode(), "utf-8"),
        (roster(["김서연"]).encode("utf-8-sig"), "utf-8"),
        (roster(["김서연"]).encode("utf-16"), "utf-16-le"),
        (codecs.BOM_UTF16_BE + roster(["김서연"]).encode("utf-16-be"), "utf-16-be"),
        (roster(["김서연"]).encode("utf-16-le"), "utf-16-le"),
        (roster(["Jörg"]).encode("utf-16-be"), "utf-16-be"),
        (roster(["山田太郎"]).encode("iso2022_jp"), "iso2022_jp_2"),
    ],
)
def test_unicode_is_known_by_its_form(body: bytes, encoding: str) -> None:
    decoded = decode(body)
    assert (decoded.encoding, decoded.guessed) == (encoding, False)
    assert decoded.text.startswith("bib,name\r\n1000,")


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp932", ["田中一郎", "高橋京子"]),
        ("cp932", ["佐藤健"]),
        ("cp949", ["이지우", "정하늘"]),
        ("cp1252", ["Åke Ängman", "Günter Groß"]),
    ],
)
def test_two_names_are_enough_where_no_other_reading_has_any(encoding: str, names: list[str]) -> None:
    assert decode(roster(names).encode(encoding)).encoding == encoding


def test_header_words_tell_an_encoding_where_names_are_few() -> None:
    body = roster(["이나"], header="배번{}성명").encode("cp949")
    assert decode(body).encoding == "cp949"


def test_who_is_asked_sees_what_the_names_would_be() -> None:
    with pytest.raises(InvalidRoster) as refused:
        parse_roster(roster(["Kučera"]).encode("cp1250"))
    assert refused.value.reason == "roster_encoding"
    assert "cp1250: Kučera" in str(refused.value)
    assert "cp1252: Kuèera" in str(refused.value)
    assert "--encoding NAME" in str(refused.value)


def test_escapes_of_a_terminal_are_no_text() -> None:
    with pytest.raises(InvalidRoster) as refused:
        decode(b"bib,name\n1,\x1b[31mKim\n")
    assert refused.value.reason == "roster_not_text"


def test_a_line_without_an_end_is_judged_by_its_beginning() -> None:
    text = "bib,name\n1," + "김서연 박도현 " * 20_000
    assert decode(text.encode("cp949")).text == text


def test_utf_8_that_is_damaged_is_no_older_encoding() -> None:
    with pytest.raises(InvalidRoster) as refused:
        decode(roster(names_of("French")).encode() + b"\xe9\n")
    assert refused.value.reason == "roster_encoding"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("klingon", "There is no encoding 'klingon'. Well-known are utf-8"), ("base64", "There is no encoding"),
     ("ascii", "not ascii text: line 2 is not")],
)  # fmt: skip
def test_an_encoding_that_is_none_or_not_this_one(encoding: str, said: str) -> None:
    with pytest.raises(InvalidRoster, match=said):
        parse_roster(roster(["Jörg"]).encode(), encoding=encoding)
