import unicodedata

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from transforms.normalisation import (
    clean_text,
    clean_texts,
    content_keys,
    hashes,
    one_line,
    one_lines,
    utf8,
    with_values,
)

# What a text may need to be cleaned of, among what it need not.
ODD = (
    *("\r\n", "\r", "\v", "\f", "\u2028", "\x1c", "\x85", "\xa0", "\u2003", "\u3000", "\t"),
    *("\n", " ", "\0", "\x01", "&amp;", "&#39;", "&", ";", "e\u0301", "é", "”", "\u212b"),
    *("가", "\u1100", "\u1161", "が", "か\u3099", "桥", "😀", "𠀀", "\U0002f800", "\u0308"),
)
TEXTS = st.none() | st.lists(
    st.sampled_from([*ODD, "a", "word", "A fine day", "x" * 15, "y" * 16]) | st.text(),
    max_size=12,
).map("".join)
COLUMNS = st.lists(TEXTS, max_size=6)


def strings(*texts: str | None) -> pa.Array:
    return pa.array(texts, pa.string())


def test_text_keeps_its_lines_and_loses_what_is_no_text() -> None:
    assert clean_text("a\r\nb\rc\u2028d\0e\n\nf ") == "a\nb\nc\nde\n\nf "
    assert clean_text("Cafe\u0301") == "Café"
    assert clean_text(" \t\n") == clean_text(" \0 ") == clean_text(None) == ""


def test_character_references_in_plain_text_are_resolved() -> None:
    assert clean_text("Mr. G&#39;s Club &amp; Grill") == "Mr. G's Club & Grill"
    assert clean_text("AT&T; fish & chips") == "AT&T; fish & chips"


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)


@given(COLUMNS)
def test_column_is_cleaned_as_its_texts_are(texts: list[str | None]) -> None:
    column = strings(*texts)
    assert clean_texts(column).to_pylist() == [clean_text(text) for text in texts]
    assert one_lines(column).to_pylist() == [one_line(text) for text in texts]
    part = column.slice(1)
    assert one_lines(part).to_pylist() == [one_line(text) for text in texts[1:]]


def test_every_character_is_cleaned_in_a_column_as_it_is_alone() -> None:
    """Also behind a letter that it may compose with."""
    texts = [
        f"{before}{chr(code)}"
        for code in range(0x11_0000)
        if not 0xD800 <= code < 0xE000
        for before in ("a", "\u1100")
        if code < 0x3_0000 or code % 97 == 0
    ]
    cleaned = clean_texts(strings(*texts)).to_pylist()
    assert cleaned == [clean_text(text) for text in texts]
    assert all(unicodedata.is_normalized("NFC", text) for text in cleaned)


def test_column_that_is_in_order_is_not_copied() -> None:
    column = strings("Rain – in Köln & Bonn;\n\nsun", "a")
    assert clean_texts(column) is column
    assert one_lines(strings("Rain in Köln")).to_pylist() == ["Rain in Köln"]


def key(title: str | None, text: str) -> int:
    return int(content_keys(strings(title), strings(text))[0])


def test_content_is_the_same_whatever_the_white_space() -> None:
    assert key("A  b", "c\n\nd") == key(" A b", "c d ")
    assert key("A b", "c") != key("A", "b c")
    assert key(None, "a") != key("a", "")


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=6))
def test_content_is_the_words_of_title_and_text(rows: list[tuple[str, str]]) -> None:
    titles = clean_texts(strings(*(title for title, _ in rows)))
    texts = clean_texts(strings(*(text for _, text in rows)))
    expected = [
        xxhash.xxh3_64_intdigest(" ".join([*title.split(), "\0", *text.split()]).encode())
        for title, text in zip(titles.to_pylist(), texts.to_pylist(), strict=True)
    ]
    assert content_keys(titles, texts).tolist() == expected


def test_hashes_are_those_of_the_bytes() -> None:
    texts = strings("a", None, "é", "rest").slice(1, 2)
    expected = [xxhash.xxh3_64_intdigest(text) for text in (b"", "é".encode())]
    assert hashes(*utf8(texts)).tolist() == expected
    assert hashes(*utf8(strings())).dtype == np.uint64


@pytest.mark.parametrize(("rows", "values"), [([], []), ([0, 2], ["x", None])])
def test_values_are_replaced_by_row(rows: list[int], values: list[str | None]) -> None:
    replaced = with_values(strings("a", "b", "c"), np.array(rows, np.int64), values)
    expected: list[str | None] = ["a", "b", "c"]
    for row, value in zip(rows, values, strict=True):
        expected[row] = value
    assert replaced.to_pylist() == expected
