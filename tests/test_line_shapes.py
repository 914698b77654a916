"""Line shapes: characters counted by kind, whatever the script."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.line_shapes import (
    CAPITALS,
    COLON,
    COMMA,
    DIGIT,
    FIRST,
    INNER_ENDS,
    KINDS,
    LAST,
    LONGEST_WORD,
    LOWER,
    SPACE,
    STOP,
    UNCASED,
    UPPER,
    WORDS,
    line_shapes,
)


def shape(line: str) -> np.ndarray:
    (row,) = line_shapes(pa.array([line]))
    return row


def test_a_line_is_counted_by_kind():
    row = shape("The Ferry, 12 years old. It sank:")
    assert row[[UPPER, LOWER, DIGIT, COMMA, STOP, COLON, SPACE]].tolist() == [
        *(3, 19, 2, 1, 1, 1, 6)
    ]
    assert row[[WORDS, CAPITALS, INNER_ENDS, LONGEST_WORD]].tolist() == [7, 3, 1, 6]
    assert row[[FIRST, LAST]].tolist() == [UPPER, COLON]


@pytest.mark.parametrize(
    "line", ["It sank.", "“It sank.”", "(It sank!)", "沉没了。", "沉！"]
)
def test_a_sentence_ends_inside_its_quotation_marks(line):
    assert shape(line)[LAST] == STOP


def test_scripts_without_capitals_are_uncased():
    assert shape("المدينة")[UNCASED] == 7
    assert shape("渡轮")[UNCASED] == 2


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_every_character_has_one_kind(lines):
    shapes = line_shapes(pa.array(lines))
    assert shapes[:, :KINDS].sum(axis=1).tolist() == [len(line) for line in lines]


def test_a_slice_is_counted_as_the_lines_it_holds():
    lines = pa.array(["one", "Two three", "4"])
    np.testing.assert_array_equal(line_shapes(lines.slice(1)), line_shapes(lines)[1:])
