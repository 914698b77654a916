import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.tokens import shingle_hashes, tokenize
from transforms.winnowing import passage_keys

words = st.lists(st.sampled_from("abcdefghij"), max_size=60)


def keys_of(*texts, k=8, window=16):
    keys, offsets = passage_keys(
        tokenize(pa.array([" ".join(text) for text in texts])), k=k, window=window
    )
    return np.split(keys, offsets[1:-1])


@given(words, words, words, words, st.data())
def test_a_shared_passage_of_the_guaranteed_length_shares_a_key(a, b, c, d, data):
    k, window = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 12))
    length = window + k - 1
    shared = data.draw(st.lists(st.sampled_from("abcdefghij"), min_size=length))
    left, right = keys_of(a + shared + b, c + shared + d, k=k, window=window)
    assert np.intersect1d(left, right).size


@given(words, st.integers(1, 6), st.integers(1, 12))
def test_every_window_keeps_its_smallest_hash_and_no_other_is_kept(text, k, window):
    (keys,) = keys_of(text, k=k, window=window)
    hashes, _ = shingle_hashes(tokenize(pa.array([" ".join(text)])), k)
    windows = [hashes[i : i + window] for i in range(max(hashes.size - window + 1, 1))]
    assert keys.tolist() == sorted({min(w) for w in windows if w.size})


def test_texts_without_a_common_run_share_no_key():
    left, right = keys_of("abcdefghijklmnop", "abcdefgxhijklmnyop")
    assert not np.intersect1d(left, right).size


def test_short_texts_have_one_key_and_empty_ones_none():
    empty, word, run = keys_of("", "a", "abcdefgh")
    assert (empty.size, word.size, run.size) == (0, 1, 1)


def test_keys_are_as_many_as_published():
    rng = np.random.default_rng(0)
    text = [str(number) for number in rng.integers(10**9, size=20_000)]
    (keys,) = keys_of(text, window=16)
    assert abs(keys.size / len(text) * 17 / 2 - 1) < 0.05


def test_keys_are_stable_across_releases():
    (keys,) = keys_of("abcdefghij", window=2)
    assert keys.tolist() == [9046132816022069946, 13464740883744588526]


def test_window_and_run_must_be_positive():
    with pytest.raises(ValueError, match="window must be at least 1 run of words, got 0"):
        keys_of("a", window=0)
    with pytest.raises(ValueError, match="at least 1 token, got 0"):
        keys_of("a", k=0)
