"""How strange words are, as names and other words of a roster, for somebody who reads the languages of an encoding.

Of a word 0 is: as words are; up to 1: as some words are; 4: as no word is, because it mixes scripts, has capitals
inside, or has letters that no language has together.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence

NEVER = 4.0
# Most of a race's runners are of one country; a word of a neighbour's language is a little strange.
_OF_ANOTHER_LANGUAGE = 0.7

Strangeness = Callable[[Sequence[str]], float]
"""How strange words are together."""

# The letters beyond a-z of the languages that are written in an encoding, and how many of a hundred such letters in
# names are each: estimates, of which the order of size counts. A roster of é, é, è and ê is French, and not Czech.
_GERMAN = {"German": "ü38 ö30 ä25 ß6 é1"}
_WEST = _GERMAN | {
    "French": "é62 è10 ç6 ë4 ï4 ô4 ê3 î2 â2 à1 û1 ü1 œ1 ö0.3 ù0.2 ÿ0.2 æ0.1",
    "Spanish": "í24 é22 á20 ó18 ñ9 ú6 ü1",
    "Portuguese": "ã20 á15 é15 ç12 í10 ó8 ê5 â5 õ5 ú3 ô2 à0.2",
    "Italian": "ò35 ì20 à20 è12 ù8 é4 í1 ó1",
    "Catalan": "í20 à20 ó15 é10 è10 ò10 ú5 ç5 ï3 ü2",
    "Dutch": "ë40 é25 ï20 è6 ö4 ü3 á1 ó1",
    "Swedish, Finnish": "ö38 ä33 å24 é4 š0.5 ž0.5",
    "Danish, Norwegian": "ø55 å20 æ18 é3 ö2 ä1 ü0.5 ò0.5",
    "Estonian": "ä30 õ25 ü25 ö15 š3 ž2",
}
_ICELANDIC = {"Icelandic, Faroese": "ó20 ð18 á15 í10 ö10 þ7 ú7 æ5 ø3 é3 ý3"}
_POLISH = {"Polish": "ł35 ń12 ó12 ś10 ż8 ą8 ę7 ć5 ź3"}
_CENTRAL = (
    _GERMAN
    | _POLISH
    | {
        "Czech": "á25 í15 š10 ř10 č10 ž7 ý6 é5 ě5 ů4 ň1 ú1 ť0.5 ď0.5 ó0.3",
        "Slovak": "á25 č15 í10 ý10 š10 ž8 ú6 é4 ľ4 ň2 ó2 ť1 ď1 ô1 ä1",
        "Hungarian": "á36 é20 ó15 ö7 í6 ő5 ű4 ü3 ú2",
        "Croatian, Serbian": "ć40 č22 š16 ž14 đ8",
        "Slovene": "č50 š25 ž24 ć1",
        "Romanian": "ă35 ş25 ţ20 â10 î10",
    }
)
_TURKISH = {"Turkish": "ı20 ş17 ü14 ö13 ğ12 ç12 İ8 â2 î1 û1"}
_BALTIC = (
    _GERMAN
    | _POLISH
    | {
        "Lithuanian": "ė25 š20 ž15 č12 ū10 ų5 į5 ą5 ę3",
        "Latvian": "ā25 ī20 š15 ņ12 ē10 ļ5 ķ5 č4 ž4 ū4 ģ3",
        "Estonian": "ä30 õ25 ü25 ö15 š3 ž2",
    }
)
# They stand in names that came from elsewhere, in every country.
_BORROWED = frozenset("éèëçöüäáóñ")
_SHARE_OF_BORROWED = 0.4
# How strange it is, in these units, that something had a chance of 1 in e.
_UNLIKELY = 0.35
_NOT_FIRST = frozenset("ßığÿ")

_CYRILLIC = (
    frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюя"),
    frozenset("абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"),
    frozenset("абвгдеёжзійклмнопрстуўфхцчшыьэюя"),
    frozenset("абвгдђежзијклљмнњопрстћуфхцчџшѓќѕ"),
)
_CYRILLIC_VOWELS = frozenset("аеёиоуыэюяєіїъ")
_GREEK = frozenset("αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ")
_GREEK_VOWELS = frozenset("αεηιουωάέήίόύώϊϋΐΰ")
_GREEK_ACCENTED = frozenset("άέήίόύώΐΰ")

_KOREAN_SURNAMES = frozenset(
    "김이박최정강조윤장임한오서신권황안송류유전홍고문양손배백허남심노하곽성차주우구민진지엄채원천방공현함변염여추도소석선설"
    "마길연위표명기반라왕금옥육인맹제모탁국은편용예경봉사부가복태목형피두감"
)
_CHINESE_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范"
    "汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤欧傅康施牛洪齐倪樊兰殷温颜柳"
    "尚庄章岳俞季葛伍鲁申盛安翟左喻祝"
)
_TAIWANESE_SURNAMES = frozenset(
    "王李張劉陳楊黃趙吳周徐孫馬朱胡郭何林羅高鄭梁謝宋唐許韓鄧馮曹彭曾蕭田董潘袁蔡蔣余于杜葉程魏蘇呂丁任盧姚沈鍾姜崔譚陸范"
    "汪廖石金韋賈夏付方鄒熊白孟秦邱侯江尹薛閻段雷龍黎史陶賀毛郝顧龔邵萬覃武錢戴嚴莫孔向常湯歐簡游詹施洪賴連柯紀童藍翁溫"
    "顏莊巫涂古卓阮"
)
# Characters of which Japanese names are mostly made; other scripts' bytes, taken for Japanese, seldom give two of them.
_JAPANESE_NAME_CHARACTERS = frozenset(
    "田中山川木本村藤佐高橋鈴小林松井上下大野原石青森池谷岡島崎清水金内吉加伊斎斉渡辺後近遠福三一二四五七八九十千万東西南北"
    "平新安永長河前宮杉桜久保坂阪柴竹武菊菅関神尾丸和今成市服部岩飯荒工江口沢澤横奥土浜星月早春秋夏冬光明秀正昭英雄夫男子美恵"
    "代郎太朗介助輔之也哉樹幸由紀希真麻理里奈菜香花華陽葵結衣愛翔悠斗蓮颯輝健誠隆博浩洋亮拓直純智裕俊康敏勝豊茂進修学優彩沙"
    "織友朋百合絵莉那乃凛咲楓萌番号氏名性別年齢男女県市区町都府道"
)


def _capitals(word: str) -> float:
    """How strange the word's capitals are: Åsa, ÅSA and åsa are words; åSA, jÖrg and KŘhnert are none."""
    for before, here, after in zip(word, word[1:], word[2:] + " ", strict=False):
        inside = before.islower() or after.islower()
        if here.isupper() and inside and not (here.isascii() and before.isascii()) and after != "ß":
            return NEVER
    small_among_capitals = any(character.islower() and character != "ß" for character in word[1:])
    if small_among_capitals and sum(character.isupper() for character in word) > 2:
        return NEVER / 2
    return 0.5 if word[0].islower() and not word[0].isascii() else 0.0


def _each(of_a_word: Callable[[str], float]) -> Strangeness:
    return lambda words: sum(map(of_a_word, words))


def _latin(*groups: dict[str, str]) -> Strangeness:
    """Of a reader of languages in Latin letters, one of which most words are in."""
    languages = [_strangeness_of_letters(shares) for group in groups for shares in group.values()]

    def strangeness(words: Sequence[str]) -> float:
        total, by_language = 0.0, [0.0] * len(languages)
        for word in words:
            letters = [character if character == "İ" else character.lower() for character in word]
            foreign = [letter for letter in letters if not letter.isascii()]
            each = [_strangeness_of_word(foreign, of_letter) for of_letter in languages]
            if min(each) == NEVER or not _is_latin(word):
                total += NEVER
                continue
            total += _capitals(word)
            of_another = min(each) + _OF_ANOTHER_LANGUAGE
            by_language = [sum_ + min(one, of_another) for sum_, one in zip(by_language, each, strict=True)]
        return total + min(by_language)

    return strangeness


def _strangeness_of_word(foreign: Sequence[str], of_letter: dict[str, float]) -> float:
    """Of a word with these letters beyond a-z: more than their mean, as each tells something, less than twice it."""
    if not all(letter in of_letter for letter in foreign):
        return NEVER
    return 2 * sum(of_letter[letter] for letter in foreign) / (len(foreign) + 1)


def _strangeness_of_letters(shares: str) -> dict[str, float]:
    percent = dict.fromkeys(_BORROWED, _SHARE_OF_BORROWED)
    percent |= {share[0]: float(share[1:]) for share in shares.split()}
    return {letter: -_UNLIKELY * math.log(share / 100) for letter, share in percent.items()}


def _is_latin(word: str) -> bool:
    letters = all(unicodedata.name(character, "").startswith("LATIN ") for character in word)
    return letters and word.isalpha() and word[0].lower() not in _NOT_FIRST


def _with_vowels(word: str, vowels: frozenset[str]) -> float:
    if len(word) < 3:
        return 0.5
    share = sum(character in vowels for character in word) / len(word)
    run = longest = 0
    for character in word:
        run = 0 if character in vowels else run + 1
        longest = max(longest, run)
    return NEVER if not 0.19 < share < 0.81 or longest > 4 else 0.0


def _cyrillic(word: str) -> float:
    """Of a reader of Russian, Ukrainian, Belarusian, Bulgarian, Serbian or Macedonian."""
    letters = set(word.lower())
    if not any(letters <= alphabet for alphabet in _CYRILLIC) or word[0].lower() in "ъьы":
        return NEVER
    return _capitals(word) + _with_vowels(word.lower(), _CYRILLIC_VOWELS)


def _greek(word: str) -> float:
    """Of a reader of Greek."""
    small = word.lower()
    if not set(small) <= _GREEK or "ς" in small[:-1] or (word[-1:] == "σ" and len(word) > 1):
        return NEVER
    if sum(character in _GREEK_ACCENTED for character in small) > 1:
        return NEVER
    return _capitals(word) + _with_vowels(small, _GREEK_VOWELS)


def _hebrew(word: str) -> float:
    """Of a reader of Hebrew; five letters have a form that stands at a word's end alone."""
    if not all("א" <= character <= "ת" for character in word) or set(word[:-1]) & set("ךםןףץ"):
        return NEVER
    return 0.5 if word[-1] in "כנפצ" or len(word) < 2 else 0.0


def _thai(word: str) -> float:
    """Of a reader of Thai: a sign above or below stands on a consonant, a vowel written first before one."""
    before = ""
    for character in word:
        if not "ก" <= character <= "์" or character in "ฃฅฯ" or (character in "ๅๆ" and not before):
            return NEVER
        stacked = unicodedata.category(character) == "Mn"
        if stacked and not ("ก" <= before <= "ฮ" or "ิ" <= before <= "ู" or before == "ั"):
            return NEVER
        if "เ" <= before <= "ไ" and not "ก" <= character <= "ฮ":
            return NEVER
        before = character
    vowels = sum(1 for character in word if "ะ" <= character <= "ๅ")
    return NEVER if "เ" <= before <= "ไ" else 0.0 if len(word) > 3 and vowels else 1.5


def _in_charset(character: str, charset: str) -> int:
    """The first byte of the character in a charset; 0 where it is not in it."""
    try:
        return character.encode(charset)[0]
    except UnicodeEncodeError:
        return 0


def _latin_beside(word: str) -> tuple[str, float]:
    """The word without the Latin letters at its ends, and how strange these are: A조 is a word, 큦a is none."""
    bare = word.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if not bare or any("A" <= character <= "z" for character in bare) or (len(bare) == 1 and len(word) > 2):
        return bare, NEVER
    return bare, 1.0 if bare != word else 0.0


def _korean(word: str) -> float:
    """Of a reader of Korean. Names have only syllables that the older KS X 1001 has, never Hangul and Han together."""
    word, beside = _latin_beside(word)
    if beside == NEVER:
        return NEVER
    kinds = {"가" <= character <= "힣" for character in word}
    if kinds == {False}:
        return (
            2.0 + beside if all("一" <= character <= "鿿" or "豈" <= character <= "﫿" for character in word) else NEVER
        )
    # The codec spells a syllable that the standard lacks in eight bytes.
    if len(kinds) > 1 or any(len(character.encode("euc_kr")) > 2 for character in word):
        return NEVER
    return beside + (0.0 if word[0] in _KOREAN_SURNAMES and 2 <= len(word) <= 4 else 0.7)


def _han(word: str, surnames: frozenset[str], charset: str, common: int, rare: int) -> float:
    """`common` is the last first byte of a charset's common characters, `rare` that of its others."""
    word, beside = _latin_beside(word)
    if beside == NEVER or not all("一" <= character <= "鿿" for character in word):
        return NEVER
    firsts = [_in_charset(character, charset) for character in word]
    outside = sum(1 for first in firsts if not 0 < first <= rare)
    seldom = sum(1 for first in firsts if common < first <= rare)
    if word[0] in surnames and 2 <= len(word) <= 4:
        return beside + outside
    return beside + min(1.0 + seldom + 2 * outside, NEVER)


def _simplified_chinese(word: str) -> float:
    """Of a reader of Chinese as the mainland writes it."""
    return _han(word, _CHINESE_SURNAMES, "gb2312", 0xD7, 0xF7)


def _traditional_chinese(word: str) -> float:
    """Of a reader of Chinese as Taiwan and Hong Kong write it."""
    return _han(word, _TAIWANESE_SURNAMES, "big5", 0xC6, 0xF9)


def _japanese(word: str) -> float:
    """Of a reader of Japanese. Narrow kana stand among themselves."""
    word, beside = _latin_beside(word)
    if beside == NEVER:
        return NEVER
    if all("ｦ" <= character <= "ﾟ" for character in word):
        return 1.0 + beside if word[0] not in "ｧｨｩｪｫｬｭｮｯｰﾞﾟ" and len(word) > 1 else NEVER
    kana = [character for character in word if "ぁ" <= character <= "ヿ" or character == "々"]
    kanji = [character for character in word if "一" <= character <= "鿿"]
    if len(kana) + len(kanji) < len(word):
        return NEVER
    rare = sum(1 for character in kanji if not 0 < _in_charset(character, "euc_jp") < 0xD0)
    known = sum(1 for character in kanji if character in _JAPANESE_NAME_CHARACTERS)
    if kana or 2 * known >= len(kanji):
        return beside + 0.5 * rare
    return beside + min(1.0 + rare, NEVER)


western = _latin(_WEST, _ICELANDIC)
turkish = _latin(_TURKISH, _WEST)
central = _latin(_CENTRAL)
baltic = _latin(_BALTIC)
cyrillic = _each(_cyrillic)
greek = _each(_greek)
hebrew = _each(_hebrew)
thai = _each(_thai)
korean = _each(_korean)
japanese = _each(_japanese)
simplified_chinese = _each(_simplified_chinese)
traditional_chinese = _each(_traditional_chinese)
