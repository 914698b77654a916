import pytest

from transforms.code_points import (
    APOSTROPHE,
    CLASS_SHIFT,
    EXPANDS,
    IGNORED,
    LOW_BITS,
    MARK,
    SEPARATOR,
    UNSPACED,
    WORD,
    code_point_tables,
)


def folded(character):
    table, expansions, _ = code_point_tables()
    low = int(table[ord(character)]) & (EXPANDS | LOW_BITS)
    if not low & EXPANDS:
        return chr(low)
    first = low & LOW_BITS
    codes = expansions[first + 1 : first + 1 + int(expansions[first])]
    return "".join(map(chr, codes))


@pytest.mark.parametrize(
    ("characters", "kind"),
    [
        ("azAZ09_éßЖא한½", WORD),
        ("日川カがไ々", UNSPACED),
        ("\u0301\u093f\u3099ﾞ", MARK),
        ("'’\u02bc", APOSTROPHE),
        ("\u00ad\u200b\u200d\ufeff\ufe0f", IGNORED),
        (" \n.-—…“”·・😀", SEPARATOR),
    ],
)
def test_every_character_has_its_class(characters, kind):
    table, _, _ = code_point_tables()
    assert {int(table[ord(character)]) >> CLASS_SHIFT for character in characters} == {kind}


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        ("A", "a"),
        ("É", "e\u0301"),
        ("ß", "ss"),
        ("\uff21", "a"),
        ("٣", "3"),
        ("ｶ", "カ"),
        ("가", "\u1100\u1161"),
        ("각", "\u1100\u1161\u11a8"),
        ("ς", "\u03c3"),
        ("日", "日"),
    ],
)
def test_case_width_and_accents_are_folded(character, expected):
    assert folded(character) == expected


def test_ascii_table_agrees_with_the_full_one():
    table, _, ascii_letters = code_point_tables()
    for code in range(0x80):
        if chr(code) != "'":
            assert ascii_letters[code] == (ord(folded(chr(code))) if table[code] else 0)
