import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.alignment import CAPITALISED, NUMBER, OTHER, aligned_words, differing_slots

words = st.lists(st.integers(0, 5), max_size=20)


def hashes(words):
    return np.array(words, np.uint64)


def common(left, right):
    """The definition, without a table."""
    if not left or not right:
        return 0
    if left[-1] == right[-1]:
        return common(left[:-1], right[:-1]) + 1
    return max(common(left[:-1], right), common(left, right[:-1]))


@given(words.map(lambda own: own[:8]), words.map(lambda own: own[:8]))
def test_aligned_words_are_a_longest_common_subsequence(left, right):
    assert aligned_words(hashes(left), hashes(right)) == common(left, right)


@given(words, words)
def test_words_left_out_are_not_missed(left, right):
    whole = [*left, *right]
    assert aligned_words(hashes(left), hashes(whole)) == len(left)


def slots(left, right):
    vocabulary: dict[str, int] = {}
    texts = [text.split() for text in (left, right)]
    kinds = [
        np.array(
            [
                NUMBER if word.isdigit() else CAPITALISED if word[0].isupper() else OTHER
                for word in text
            ],
            np.uint8,
        )
        for text in texts
    ]
    numbered = [
        hashes([vocabulary.setdefault(word, len(vocabulary)) for word in text])
        for text in texts
    ]
    return differing_slots(*numbered, *kinds)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("paid 3 pct to Bank", "paid 4 pct to Bank", (1, 1, 1, 1)),
        ("paid 3 pct to Ada Ltd", "paid 4 pct to Bob Ltd", (2, 2, 2, 1)),
        # What is added or left out is no slot, nor are other plain words.
        ("he said today that it is so", "he said that it is so", (0, 0, 1, 0)),
        ("the big dog barks", "the small dog barks", (0, 0, 1, 0)),
        # A number against a name tells nothing.
        ("on 3 went home", "on Monday went home", (0, 0, 1, 0)),
        # Two lists of numbers are one slot each, though they have a number in common.
        ("drawn were 1 2 3 4 now", "drawn were 7 3 8 9 now", (3, 1, 1, 0)),
        # A long gap is another text.
        ("a 1 b c d e f g h i z", "a 2 j k l m n o p q z", (0, 0, 1, 0)),
        ("same words", "same words", (0, 0, 0, 0)),
        ("", "1", (0, 0, 1, 0)),
    ],
)
def test_slots_are_facts_that_face_each_other(left, right, expected):
    assert slots(left, right) == expected
    assert slots(right, left) == expected
