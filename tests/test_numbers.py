"""The figures of a text, as hashes."""

import itertools

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from transforms.marks import mark_tokens
from transforms.numbers import number_hashes
from transforms.tokens import tokenize


def numbers(*texts):
    array = pa.array(texts, pa.string())
    values, offsets = number_hashes(mark_tokens(array, tokenize(array)))
    return [set(values[a:b].tolist()) for a, b in itertools.pairwise(offsets)]


def test_digits_parted_by_a_point_comma_or_colon_are_one_number():
    one, other, third = numbers("2.5bn, 600,000 at 9:45", "600,000", "600 and 000")
    assert len(one) == 3
    assert other < one
    assert not third & one


def test_a_number_at_the_end_of_a_sentence_ends_there():
    one, other = numbers("It cost 12. 40 came.", "12 40")
    assert one == other
    assert len(one) == 2


def test_a_text_without_figures_has_no_numbers():
    assert numbers("Nobody came.", "") == [set(), set()]


@given(st.lists(st.integers(0, 10**9), max_size=8))
def test_every_number_counts_once(values):
    (found,) = numbers(" and ".join(map(str, values + values)))
    assert len(found) == len({str(value) for value in values})
