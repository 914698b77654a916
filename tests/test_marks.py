import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.marks import (
    CAPITAL,
    OPENS_PHRASE,
    OPENS_SENTENCE,
    UNCASED,
    mark_tokens,
    sentence_end,
)
from transforms.tokens import tokenize


def marked(*texts):
    array = pa.array(texts, pa.string())
    return mark_tokens(array, tokenize(array))


def words_with(text, mark):
    tokens = marked(text)
    return [tokens.word(i) for i in range(tokens.hashes.size) if tokens.marks[i] & mark]


def test_words_are_found_as_written():
    tokens = marked("Zoë’s caf\u00e9", None, "東京都 and 𐐀yz é")
    words = [tokens.word(i) for i in range(tokens.hashes.size)]
    assert words == ["Zoë’s", "café", "東京", "京都", "and", "𐐀yz", "é"]


def test_capital_letters_of_any_script_are_seen():
    assert words_with("der Öl-Preis in Ankara, ΑΘΗΝΑ Москва and 3D", CAPITAL) == [
        "Öl",
        "Preis",
        "Ankara",
        "ΑΘΗΝΑ",
        "Москва",
    ]


def test_scripts_without_capitals_are_told():
    assert words_with("Kim 서울 القاهرة 東京 2015", UNCASED) == ["서울", "القاهرة", "東京"]


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        ("He ran. She hid! Who? They did.", ["He", "She", "Who", "They"]),
        ("He ran.\nno title", ["He", "no"]),
        ("Mr. Smith of the U.S. Senate met Sgt. Lopez on Nov. 3 at 5 p.m. there", ["Mr"]),
        ('"We ran." The end.', ["We", "The"]),
        ("It cost 3.5 million. 40 came.", ["It", "40"]),
        ("Wait ... what? Then Example.Com rose", ["Wait", "Then"]),
        ("他来了。她走了！", ["他来", "她走"]),
        ("جاء الرجل؟ ثم ذهب", ["جاء", "ثم"]),
    ],
)
def test_where_sentences_begin(text, opening):
    assert words_with(text, OPENS_SENTENCE) == opening


def test_quotations_colons_and_dashes_open_phrases():
    text = 'He said: Go. She asked, "Why now" — Then “Not I” he said'
    assert words_with(text, OPENS_PHRASE) == [
        "He",
        "Go",
        "She",
        "Why",
        "Then",
        "Not",
        "he",
    ]


def test_sentences_cover_a_text():
    tokens = marked("One two. Three four five. Six")
    ends, token = [], 0
    while token < 6:
        token = sentence_end(tokens.marks, token, 6)
        ends.append(token)
    assert ends == [2, 5, 6]


def test_slices_of_an_array_are_read_from_their_place():
    texts = pa.array(["Aa bb", "Cc dd", "Ee ff"])[1:]
    tokens = mark_tokens(texts, tokenize(texts))
    assert [tokens.word(i) for i in range(4)] == ["Cc", "dd", "Ee", "ff"]


def test_tokens_of_other_texts_are_refused():
    with pytest.raises(ValueError, match="got 1 texts and the tokens of 2"):
        mark_tokens(pa.array(["a"]), tokenize(pa.array(["a", "b"])))


@given(st.lists(st.text(max_size=40)))
def test_byte_and_character_positions_name_the_same_words(texts):
    array = pa.array(texts, pa.string())
    tokens = tokenize(array)
    words = mark_tokens(array, tokens)
    for i, text in enumerate(texts):
        for token in range(tokens.offsets[i], tokens.offsets[i + 1]):
            assert words.word(token) == text[tokens.starts[token] : tokens.ends[token]]
