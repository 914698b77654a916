import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.marks import mark_tokens
from transforms.tokens import tokenize
from transforms.vocabulary import (
    COMMON,
    DETERMINER,
    STREET,
    Vocabulary,
    fold,
    name_hash,
    stems,
    term_hash,
)


def marked(*texts):
    array = pa.array(texts, pa.string())
    return mark_tokens(array, tokenize(array))


@pytest.mark.parametrize(
    ("words", "language", "expected"),
    [
        ("The SHOOTINGS weren't Trump's 1200", "en", ["", "shoot", "", "trump", "1200"]),
        ("Die Häuser der Stadt", "de", ["", "haus", "", "stadt"]),
        ("l'homme d'Aujourd'hui qu'il", "fr", ["homm", "", ""]),
        ("las elecciones del domingo", "es", ["", "eleccion", "", "doming"]),
        ("dell'uomo", "it", ["uom"]),
        ("Выборы были вчера", "ru", ["выбор", "", "вчер"]),
        ("总统 的人 选举", "zh", ["总统", "", "选举"]),
        ("Wörter ohne Stamm", "xx", ["wörter", "ohne", "stamm"]),
        ("shootings", "und", ["shoot"]),
        ("واستخدم الرئيس واشنطن", "ar", ["استخدم", "رييس", "واشنط"]),
        ("市 一名", "zh", ["", ""]),
        ("x é 7 5551234567 12345 _ __", "en", ["", "", "7", "", "12345", "", ""]),
    ],
)
def test_words_are_reduced_to_stems(words, language, expected):
    assert stems(words.split(), language) == expected


def test_stored_hashes_are_stable_across_releases():
    assert term_hash("shoot") == 16623086336963569017
    assert name_hash("shoot") == 10283036381567905858


def test_terms_and_names_never_collide_on_one_word():
    assert term_hash("lopez") != name_hash("lopez")


def test_words_mean_what_their_language_says():
    tokens = marked("die Hard", "die Hard")
    meanings = Vocabulary().look_up(tokens, ["en", "de"], 10)
    terms = [term_hash("die"), term_hash("hard"), 0, term_hash("hard")]
    assert meanings.terms.tolist() == terms
    assert meanings.roles.tolist() == [0, 0, DETERMINER, 0]


def test_chinese_pairs_that_straddle_a_common_word_stand_for_nothing():
    """Of "dispatch in Yunze reporters": the town and the word, and nothing between."""
    tokens = marked("云泽记者")
    meanings = Vocabulary().look_up(tokens, ["zh"], 10)
    assert [tokens.word(i) for i in range(3)] == ["云泽", "泽记", "记者"]
    assert meanings.terms.tolist() == [term_hash("云泽"), 0, term_hash("记者")]
    assert meanings.names.tolist() == [name_hash("云泽"), 0, 0]
    assert meanings.roles.tolist() == [0, 0, COMMON]


def test_pairs_of_two_texts_do_not_straddle():
    meanings = Vocabulary().look_up(marked("云泽", "记者", "云泽"), ["zh"] * 3, 10)
    assert np.count_nonzero(meanings.terms) == 3


def test_a_street_is_a_name_and_a_common_noun_is_none():
    meanings = Vocabulary().look_up(marked("Erlenstraße Ermittlung Wittich"), ["de"], 10)
    assert meanings.roles.tolist() == [STREET, COMMON, 0]
    assert (meanings.names != 0).tolist() == [True, False, True]
    assert np.count_nonzero(meanings.terms) == 3


def test_a_number_is_no_name():
    meanings = Vocabulary().look_up(marked("1200 Lopez"), ["en"], 10)
    assert meanings.terms.tolist() == [term_hash("1200"), term_hash("lopez")]
    assert meanings.names.tolist() == [0, name_hash("lopez")]


def test_words_past_the_limit_are_not_read():
    meanings = Vocabulary().look_up(marked("ape bat cat", "dog"), ["en", "en"], 2)
    assert np.flatnonzero(meanings.terms).tolist() == [0, 1, 3]


def test_what_was_learnt_before_or_forgotten_changes_nothing():
    rng = np.random.default_rng(0)
    texts = [
        " ".join(f"w{number}" for number in rng.integers(200_000, size=3000))
        for _ in range(20)
    ]
    small, large = Vocabulary(limit=5000), Vocabulary()
    for text in texts:
        tokens = marked(text)
        forgetful = small.look_up(tokens, ["en"], 3000)
        np.testing.assert_array_equal(
            forgetful.terms, large.look_up(tokens, ["en"], 3000).terms
        )
        expected = [term_hash(word) for word in text.split()[:50]]
        assert forgetful.terms[:50].tolist() == expected


def test_threads_share_a_vocabulary():
    vocabulary, results = Vocabulary(), {}

    def work(number):
        for step in range(20):
            words = " ".join(f"w{(number * step * 37 + k) % 9999}" for k in range(400))
            terms = vocabulary.look_up(marked(words), ["en"], 400).terms
            results[number, step] = terms.tolist() == list(map(term_hash, words.split()))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 80
    assert all(results.values())


@given(st.text(max_size=20))
def test_tokens_of_one_hash_fold_alike(text):
    variants = [text, text.upper(), text.lower(), "\u00ad".join(text)]
    array = pa.array(variants)
    tokens = mark_tokens(array, tokenize(array))
    folded = {}
    for token in range(tokens.hashes.size):
        word = fold(tokens.word(token))
        assert folded.setdefault(int(tokens.hashes[token]), word) == word
