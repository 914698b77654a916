"""Phrases: what a rule of a phrase file takes and what it leaves."""

import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.phrases import (
    LONGEST,
    Phrases,
    expand_rule,
    phrases,
    words_of,
)

FILE = """; a comment
[whole: ui]
sign in|up [now]
origin :
more from ...

[begins: related]
also read

[contains: prompt]
to your inbox

[ends: date]
# minute|minutes read

[words: month]
january february
"""


@pytest.fixture
def rules() -> Phrases:
    return Phrases([("test.txt", FILE)])


def test_words_part_numbers_from_letters_and_keep_telling_marks():
    assert words_of("2minute read | Origin: don’t (AP)") == [
        *("2", "minute", "read", "origin", ":", "don't", "(", "ap", ")")
    ]


def test_every_character_is_a_word_where_a_script_has_no_spaces():
    assert words_of("登录 Log") == ["登", "录", "log"]


def test_a_rule_stands_for_all_its_choices():
    assert set(expand_rule("a|b [c]")) == {("a",), ("b",), ("a", "c"), ("b", "c")}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("SIGN UP NOW!", "ui"),
        ("Sign in:", "ui"),
        ("Sign here", None),
        ("Origin:", "ui"),
        ("Origin", None),
        ("More from the valley", "ui"),
        ("More from one two three four five six seven eight nine", "ui"),
    ],
)
def test_a_whole_rule_takes_the_whole_line_alone(rules, line, reason):
    assert rules.whole(words_of(line), stopped=False) == reason


def test_a_sentence_is_no_phrase_of_open_length(rules):
    words = words_of("More from the valley came.")
    assert rules.whole(words, stopped=True) is None


def test_rules_hold_at_their_place(rules):
    assert rules.begins(words_of("Also read: floods")) == "related"
    assert rules.begins(words_of("They also read")) is None
    assert rules.contains(words_of("We send it to your inbox daily")) == "prompt"
    assert rules.contains(words_of("We send it to your house")) is None
    assert rules.ends(words_of("Floods rise, 3 minute read")) == "date"
    assert rules.ends(words_of("A minute read")) is None


def test_words_of_a_kind_are_gathered(rules):
    assert rules.words["month"] == {"january", "february"}


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=6))
def test_a_line_without_words_of_any_rule_is_taken_by_none(words):
    rules = Phrases([("test.txt", FILE)])
    assert not rules.begins(words)
    assert not rules.contains(words)
    assert not rules.ends(words)
    assert not rules.whole(words, stopped=False)


def test_a_rule_without_a_section_is_refused():
    with pytest.raises(ValueError, match=r"bad.txt line 2: a rule must stand under"):
        Phrases([("bad.txt", "; head\nlog in")])


def test_an_unknown_place_is_refused():
    with pytest.raises(ValueError, match=r"place must be one of .*, got middle"):
        Phrases([("bad.txt", "[middle: ui]")])


def test_every_shipped_language_has_its_rules():
    folder = pathlib.Path(__file__).parents[1] / "transforms" / "data" / "furniture"
    languages = {path.stem for path in folder.glob("*.txt")}
    assert languages >= {"en", "de", "es", "fr", "it", "pt", "nl", "ru", "ar", "zh"}
    assert {"month", "share", "menu", "weather", "by"} <= set(phrases().words)


def test_no_shipped_rule_takes_every_line():
    """A rule of gaps and options alone would be the end of all articles."""
    for line in ("w", "v w", "v w x y z", "v w x y z " * 3):
        words = words_of(line)
        assert not phrases().whole(words, stopped=False)
        assert not phrases().begins(words)
        assert not phrases().ends(words)
    assert set(LONGEST) == {"whole", "begins", "contains", "ends"}


def test_rules_are_listed_as_they_are_matched(rules):
    assert ("whole", ("sign", "up", "now")) in rules.rules
    assert ("ends", ("read", "minutes", "#")) in rules.rules


def test_every_shipped_language_says_who_speaks():
    words = phrases().words
    assert {"us", "wir", "nous", "usted", "você", "мы", "您"} <= words["reader"]
    assert {"desk", "redaktion"} <= words["desk"]
    assert {"related", "recommended"} <= words["links"]
