"""Lines: what a walk over the bytes finds is what Python finds in the strings."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.furniture import ends_sentence as is_sentence
from transforms.line_signs import (
    AT,
    DIGIT,
    GLUED,
    MIXED,
    MIXED_WORD,
    ODD,
    QUOTE,
    SCRIPT,
    SEGMENT,
    WAY,
    ends_sentence,
)
from transforms.line_words import hash_words, line_key
from transforms.lines import first_bytes, read_lines
from transforms.tokens import count_words

# White space of all kinds, letters of several scripts, and marks that lines are known by.
CHARACTERS = st.characters(codec="utf-8")
MIX = st.text(
    st.sampled_from("aZ é \n\n\t\xa0\u2003\u00ad\u3000 “”.:-—|·(1234,) ßй中\u0301\u200b")
    | CHARACTERS
)


def strings(texts: list[str]) -> list[str]:
    lines = read_lines(pa.array(texts, pa.string()))
    return lines.texts(np.arange(lines.starts.size)).to_pylist()


def signs(line: str) -> int:
    return int(read_lines(pa.array([line])).signs[0])


@given(st.lists(MIX, max_size=4))
def test_lines_are_those_of_python(texts):
    expected = [
        " ".join(line.split())
        for text in texts
        for line in text.replace("\u00ad", "").split("\n")
    ]
    assert strings(texts) == expected
    lines = read_lines(pa.array(texts, pa.string()))
    assert np.diff(lines.offsets).tolist() == [text.count("\n") + 1 for text in texts]
    assert lines.chars.tolist() == [len(line) for line in expected]
    assert lines.spaces.tolist() == [line.count(" ") for line in expected]


@given(st.lists(MIX, max_size=4))
def test_words_are_counted_as_those_of_the_line(texts):
    found = hash_words(read_lines(pa.array(texts, pa.string())))
    expected = count_words(pa.array(strings(texts), pa.string()))
    assert found.counts.tolist() == expected.tolist()


def test_a_slice_of_a_batch_is_read_like_a_batch():
    texts = pa.array(["one", "two\nthree", "four"])
    lines = read_lines(texts.slice(1, 1))
    assert lines.texts(np.arange(2)).to_pylist() == ["two", "three"]


def test_a_line_has_one_key_whatever_its_case_marks_and_numbers():
    keys = [line_key(x) for x in ("Page 3 of 1,204", "- page 12, of 7!", "Page three of 7")]
    assert keys[0] == keys[1] != keys[2]


def test_an_empty_line_has_the_key_zero():
    found = hash_words(read_lines(pa.array(["", "a\n\nb"])))
    assert (found.keys == 0).tolist() == [True, False, True, False]


def test_line_keys_are_stable_across_releases():
    """Tables of recurring lines are kept for later runs: a change is a format change."""
    assert line_key("Log in to page 7") == 5061394677207387427


@pytest.mark.parametrize(
    ("line", "sign", "holds"),
    [
        ("It was 7 then", DIGIT, True),
        ("2minute read", MIXED, True),
        ("2minute read", MIXED_WORD, True),
        ("in the 1990s", MIXED, True),
        ("in the 1990s", MIXED_WORD, False),
        ("“27 people”", MIXED, False),
        ("Die “Neue Zeit” kam", QUOTE, True),
        ("Home » News", WAY, True),
        ("a@b", AT, True),
        ("the function (f)", SCRIPT, True),
        ("Washington (AP)", SCRIPT, False),
        ("push({})", SCRIPT, True),
        ("大桥", ODD, True),
        ("year ٢٠٢٠", ODD, True),
        ("plain été words", ODD, False),
        ("It rained. Photo: Jane", SEGMENT, True),
        ("Editing by Jane", SEGMENT, True),
        ("It rained by day", SEGMENT, False),
    ],
)
def test_a_line_is_known_by_its_marks(line, sign, holds):
    assert bool(signs(line) & sign) == holds


@given(st.from_regex(re.compile(r"[ a-c]{0,4}[0-9][a-z]{0,3} [a-c]{0,3}"), fullmatch=True))
def test_letters_beside_a_digit_are_seen(line):
    beside = re.search(r"[a-z]\d|\d[a-z]", line)
    assert bool(signs(line) & MIXED) == bool(beside)
    runs = re.findall(r"[a-z]+(?=\d)", line) + re.findall(r"(?<=\d)[a-z]+", line)
    strange = set(runs) - GLUED
    assert bool(signs(line) & MIXED_WORD) == bool(strange)


@given(st.text(st.sampled_from('a.!?"”。؟！ é'), max_size=5))
def test_a_sentence_ends_as_furniture_says(line):
    data = np.frombuffer(line.encode(), np.uint8)
    assert ends_sentence(data, 0, data.size) == is_sentence(line)


def test_the_first_byte_of_a_letter_is_that_of_a_small_one():
    found = first_bytes(pa.array(["Bridge", None, "", "été"]))
    assert found.tolist() == [ord("b"), 32, 32, "é".encode()[0] | 0x20]
