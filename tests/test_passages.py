import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.passages import passages_of_pairs, shared_passages
from transforms.tokens import tokenize

words = st.lists(st.integers(0, 4), max_size=25)


def passages(left, right, min_words):
    left, right = np.array(left, np.uint64), np.array(right, np.uint64)
    return shared_passages(left, right, min_words=min_words).tolist()


def greedy(left, right, min_words):
    """The definition: again and again the longest run that is free, leftmost first."""
    taken_left, taken_right, found = set(), set(), []
    while True:
        best = (0, 0, 0)
        for i in range(len(left)):
            for j in range(len(right)):
                length = 0
                while (
                    i + length < len(left)
                    and j + length < len(right)
                    and left[i + length] == right[j + length]
                    and i + length not in taken_left
                    and j + length not in taken_right
                ):
                    length += 1
                best = max(best, (length, -i, -j))
        length, i, j = best[0], -best[1], -best[2]
        if length < min_words:
            return found
        found.append([i, i + length, j, j + length])
        taken_left |= set(range(i, i + length))
        taken_right |= set(range(j, j + length))


@given(words, words, st.integers(1, 5))
def test_passages_are_the_longest_free_runs(left, right, min_words):
    assert passages(left, right, min_words) == greedy(left, right, min_words)


def test_moved_passages_are_found_where_they_went():
    words = list(range(20))
    moved = [[0, 10, 8, 18], [12, 20, 0, 8]]
    assert passages(words, words[12:] + words[:10], 8) == moved


def test_texts_that_share_too_little_share_no_passage():
    assert passages([1, 2, 3], [1, 2, 4], 3) == []
    assert passages([], [1], 1) == []


@pytest.mark.parametrize("period", [1, 3])
def test_a_text_that_repeats_itself_is_still_its_own_copy(period):
    """Four million equal runs stand against each other here; few are looked at."""
    text = [word % period for word in range(2_000)]
    assert passages(text, text, 8) == [[0, 2_000, 0, 2_000]]


def test_what_repeats_without_end_hides_no_passage_beside_it():
    rest = list(range(100, 150))
    left, right = [1] * 500 + rest, rest + [1] * 500
    assert passages(left, right, 8)[0] == [500, 550, 0, 50]


def test_passages_are_placed_in_characters():
    texts = ["So “The quick, brown fox” ran.", "It was the QUICK BROWN fox!"]
    tokens = tokenize(pa.array(texts))
    spans, offsets = passages_of_pairs(
        tokens, np.array([0, 1]), np.array([1, 1]), min_words=3
    )
    assert offsets.tolist() == [0, 1, 2]
    start, end, matched_start, matched_end = spans[0]
    assert texts[0][start:end] == "The quick, brown fox"
    assert texts[1][matched_start:matched_end] == "the QUICK BROWN fox"


def test_a_passage_has_a_word_at_least():
    with pytest.raises(ValueError, match="at least 1 word, got min_words=0"):
        passages([1], [1], 0)
