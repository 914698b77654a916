import itertools
import re
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.tokens import (
    TOKEN_HASH_VERSION,
    count_words,
    distinct,
    shingle_hashes,
    shingle_sets,
    text_keys,
    tokenize,
)


def words_of(text):
    """What each token covers, and its hash."""
    tokens = tokenize(pa.array([text]))
    spans = zip(tokens.starts, tokens.ends, strict=True)
    return [text[start:end] for start, end in spans], tokens.hashes.tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Two  dogs, one cat.", ["Two", "dogs", "one", "cat"]),
        ("Don't say it’s rock'n'roll", ["Don't", "say", "it’s", "rock'n", "roll"]),
        ("'quoted' dogs' 'tis", ["quoted", "dogs", "tis"]),
        ("in 2018: 3.5 (x2)", ["in", "2018", "3", "5", "x2"]),
        ("snake_case", ["snake_case"]),
        ("co\u00adoperate zero\u200bwidth", ["co\u00adoperate", "zero\u200bwidth"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("한국어 뉴스", ["한국어", "뉴스"]),
        ("日本語の本", ["日本", "本語", "語の", "の本"]),
        ("川", ["川"]),
        ("2018年、中x", ["2018", "年", "中", "x"]),
        ("ไทย", ["ไท", "ทย"]),
        ("ที่นี่", ["ที่นี่"]),
        ("😀 a😀b 👨‍👩‍👧", ["a", "b"]),
        ("", []),
        ("' … —", []),
    ],
)
def test_tokens_are_words_or_pairs_of_unspaced_characters(text, expected):
    assert words_of(text)[0] == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Don't PANIC", "don’t panic"),
        ("cafe\u0301", "Café"),
        ("Straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ｶﾞﾗｽ", "ガラス"),
        ("\uff26\uff55\uff4c\uff4c \uff11\uff12\uff13", "full 123"),
        ("١٢٣", "123"),
        ("한국", unicodedata.normalize("NFD", "한국")),
        ("co\u00adop\u200berate\ufe0f", "cooperate"),
        ("it\u02bcs", "it's"),
    ],
)
def test_what_a_reader_does_not_see_makes_no_difference(left, right):
    assert words_of(left)[1] == words_of(right)[1]


@pytest.mark.parametrize(
    ("left", "right"),
    [("dont", "don't"), ("resume", "résumé"), ("中国", "国中"), ("1", "2")],
)
def test_what_a_reader_sees_makes_a_difference(left, right):
    assert words_of(left)[1] != words_of(right)[1]


@given(st.lists(st.text(), max_size=5))
def test_a_text_has_the_same_tokens_wherever_it_stands(texts):
    together = tokenize(pa.array(texts, pa.string()))
    for i, text in enumerate(texts):
        own = slice(together.offsets[i], together.offsets[i + 1])
        alone = tokenize(pa.array([text]))
        for name in ("hashes", "starts", "ends"):
            np.testing.assert_array_equal(
                getattr(together, name)[own], getattr(alone, name)
            )


@given(st.text())
def test_tokens_stand_in_order_within_the_text(text):
    tokens = tokenize(pa.array([text]))
    assert (tokens.starts < tokens.ends).all()
    assert (np.diff(tokens.starts) > 0).all()
    assert not tokens.ends.size or tokens.ends[-1] <= len(text)


@given(st.text())
def test_a_word_that_follows_changes_none_before(text):
    assert words_of(text + " END")[1] == [*words_of(text)[1], *words_of("end")[1]]


@given(st.text(st.characters(max_codepoint=0x24F, categories=["L", "N", "Z"])))
def test_latin_words_are_those_of_the_pattern(text):
    assert words_of(text)[0] == re.findall(r"\w+", text)


def test_a_null_and_an_array_of_nothing_have_no_tokens():
    assert tokenize(pa.array(["a b", None, "c"])).offsets.tolist() == [0, 2, 2, 3]
    assert tokenize(pa.array([], pa.string())).offsets.tolist() == [0]
    assert tokenize(pa.array([None], pa.string())).offsets.tolist() == [0, 0]


def test_slices_chunks_and_large_strings_are_read_where_they_begin():
    texts = pa.array(["one", "two three", "four", None])
    expected = tokenize(pa.array(["two three", "four"])).hashes.tolist()
    chunked = pa.chunked_array([["two three"], ["four"]])
    for given_texts in (texts[1:3], chunked, texts.cast(pa.large_string())[1:]):
        assert tokenize(given_texts).hashes.tolist() == expected


def test_only_strings_have_tokens():
    with pytest.raises(ValueError, match="must be an array of strings, got int64"):
        tokenize(pa.array([1]))


def test_words_are_counted_per_text():
    assert count_words(pa.array(["one two", None, "", "日本語"])).tolist() == [2, 0, 0, 2]


def test_text_key_ignores_case_and_marks_but_not_order():
    same, shouted, turned, empty = text_keys(
        tokenize(pa.array(["A dog bit me.", "a DOG — bit, me", "me bit a dog", "..."]))
    )
    assert same == shouted
    assert len({same, turned, empty}) == 3


def test_hashes_are_stable_across_releases():
    """Stored hashes must stay comparable: a change here is a new TOKEN_HASH_VERSION."""
    assert TOKEN_HASH_VERSION == 1
    tokens = tokenize(pa.array(["Breaking news: l’été 2018, 日本語"]))
    assert tokens.hashes.tolist() == [
        13418798418036820480,
        11819997071726016596,
        8623780408509797445,
        996479987538757308,
        5562706331475344472,
        8622933857665193099,
    ]
    shingles, _ = shingle_hashes(tokens, 3)
    assert shingles.tolist()[:2] == [11891957493483310005, 4860077160493272855]
    assert text_keys(tokens).tolist() == [7404853491762684487]


def test_shingles_are_runs_and_a_short_text_is_its_own():
    tokens = tokenize(pa.array(["a b c d", "a b c", "a b", "", "b c d"]))
    hashes, offsets = shingle_hashes(tokens, 3)
    assert offsets.tolist() == [0, 2, 3, 4, 4, 5]
    assert hashes[0] == hashes[2]  # a b c
    assert hashes[1] == hashes[4]  # b c d
    assert len(set(hashes.tolist())) == 3


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 9))
def test_equal_runs_and_only_they_have_equal_hashes(words, size):
    tokens = tokenize(pa.array([" ".join(words)]))
    hashes = shingle_hashes(tokens, size)[0].tolist()
    last = max(len(words) - size, 0) if words else -1
    runs = [tuple(words[i : i + size]) for i in range(last + 1)]
    assert len(hashes) == len(runs)
    assert len(set(zip(runs, hashes, strict=True))) == len(set(runs)) == len(set(hashes))


def test_shingle_size_must_be_positive():
    with pytest.raises(ValueError, match="at least 1 token, got 0"):
        shingle_hashes(tokenize(pa.array(["a"])), 0)


def test_shingle_sets_are_ascending_and_distinct():
    values, offsets = shingle_sets(tokenize(pa.array(["a a a a a", "b c d"])), 2)
    assert offsets.tolist() == [0, 1, 3]
    assert values[1] < values[2]


@given(st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3))))
def test_distinct_sorts_each_list_and_drops_repeats(lists):
    flat = [value for values in lists for value in values]
    offsets = np.cumsum([0, *map(len, lists)])
    values, bounds = distinct(np.array(flat, np.uint64), offsets)
    result = [values[first:last].tolist() for first, last in itertools.pairwise(bounds)]
    assert result == [sorted(set(values)) for values in lists]
