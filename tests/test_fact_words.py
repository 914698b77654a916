import pyarrow as pa
import pytest

from transforms import fact_words
from transforms.fact_words import (
    ANY,
    CAPITAL_ONLY,
    COMMA,
    HYPHEN,
    MONTH,
    NUMBER,
    OTHER,
    SPACE,
    STOP,
    VALUE_BITS,
    WEEKDAY,
    gap,
    read_facts,
)
from transforms.marks import mark_tokens
from transforms.tokens import tokenize


def facts(text):
    array = pa.array([text])
    return read_facts(mark_tokens(array, tokenize(array)))


@pytest.mark.parametrize(
    ("word", "kind", "value"),
    [
        ("December", MONTH, 12),
        ("août", MONTH, 8),
        ("Dec", MONTH, 12),
        ("dec", OTHER, 0),
        ("May", MONTH, 5),
        ("may", OTHER, 0),
        ("mai", MONTH, 5),
        ("Sunday", WEEKDAY, 6),
        ("lunes", WEEKDAY, 0),
        ("Dienstagabend", WEEKDAY, 1),
        ("Mittwochmorgen", WEEKDAY, 2),
        ("donderdagavond", WEEKDAY, 3),
        ("حزيران", MONTH, 6),
        ("2015", NUMBER, 2015),
        ("007", NUMBER, 7),
        ("\uff13rd", NUMBER, 3),
        ("٣", NUMBER, 3),
        ("12345", OTHER, 0),
        ("word", OTHER, 0),
    ],
)
def test_what_a_word_is(word, kind, value):
    found = facts(word)
    assert found.kinds.tolist() == [kind]
    bits = VALUE_BITS if kind in (MONTH, WEEKDAY) else -1
    assert (found.values & bits).tolist() == [value]


def test_months_written_like_other_words_need_a_capital():
    assert facts("March").values[0] & CAPITAL_ONLY
    assert not facts("mars").values[0] & CAPITAL_ONLY


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a b", SPACE),
        ("a \u00a0\t b", SPACE),
        ("a, b", 10 * COMMA + SPACE),
        ("a، b", 10 * COMMA + SPACE),
        ("a. b", 10 * STOP + SPACE),
        ("a\u2013b", HYPHEN),
        ("a € b", 100 * SPACE + 10 * ANY + SPACE),
        ("a %%%%%% b", ANY),
        ("東京都", ANY),
    ],
)
def test_what_stands_between_two_words(text, code):
    assert gap(facts(text), 0) == code


def table_of(monkeypatch, **changes):
    words = fact_words._fact_words() | changes
    monkeypatch.setattr(fact_words, "_fact_words", lambda: words)
    return fact_words._word_table.__wrapped__()


def test_a_word_in_two_lists_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="must stand in one list, got old in two"):
        table_of(monkeypatch, and_="and", both="both old")


def test_a_word_of_two_tokens_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="must be one token"):
        table_of(monkeypatch, both="both-of")
