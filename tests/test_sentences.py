"""A text as its sentences, and sentences compared by the words that they share."""

import doctest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms import sentences as module
from transforms.sentences import (
    content_sentences,
    sentence_terms,
    sentences,
    shared_cosines,
    without_quotations,
)


def even(terms, language):
    return np.ones(len(terms), np.float32)


def weigh(texts, languages=None):
    return sentence_terms(texts, languages or ["en"] * len(texts), even)


def test_examples_in_docstrings_hold():
    assert doctest.testmod(module).failed == 0


def test_a_sentence_ends_before_a_capital_and_not_inside_an_abbreviation_in_lower_case():
    assert sentences("It cost 3.5 million. No one paid, e.g. the town.") == [
        "It cost 3.5 million.",
        "No one paid, e.g. the town.",
    ]


def test_a_closed_quotation_belongs_to_its_sentence():
    assert sentences("“We lost.” they said. Rain came.") == [
        "“We lost.”",
        "they said.",
        "Rain came.",
    ]


def test_chinese_sentences_end_at_full_width_marks():
    assert sentences("大坝昨夜决口。三人失踪！") == ["大坝昨夜决口。", "三人失踪！"]


@given(st.text(alphabet="aB 1.!?…”)\n。", max_size=60))
def test_sentences_hold_every_word_of_the_text_in_order(text):
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_subheads_and_quotations_are_no_content_sentences():
    text = "The verdict\n“We will appeal this ruling to the highest court,” she said.\n" + (
        "The court ordered the company to pay nine million crowns to the growers."
    )
    assert content_sentences(text) == [
        "The court ordered the company to pay nine million crowns to the growers."
    ]


def test_posts_that_are_shown_in_the_text_are_no_content_sentences():
    told = "The minister denied on Sunday that any tunnel had been closed (@ministry)."
    text = (
        "Nobody has closed the tunnel, nobody ever will. — The Ministry (@ministry) May 3\n"
        f"{told}\n"
        "The Ministry (@ministry) Nobody has closed the tunnel and nobody ever will."
    )
    assert content_sentences(text) == [told]


def test_six_words_are_a_content_sentence_and_five_are_not():
    assert content_sentences(
        "Six words make a sentence here.\nFive words make none here."
    ) == ["Six words make a sentence here."]


@given(st.text(alphabet='ab “”".\n', max_size=60))
def test_what_is_left_without_quotations_holds_no_closed_one(text):
    left = without_quotations(text)
    assert len(left) <= len(text)
    assert without_quotations(left).count("“") <= left.count("“") <= text.count("“")


def test_a_sentence_has_cosine_one_with_itself_and_none_with_strangers():
    (terms,) = weigh([["The harbour crane toppled.", "Voters rejected a tax rise."]])
    assert np.allclose(shared_cosines(terms, terms), np.eye(2))


def test_the_cosine_is_that_of_the_terms_weighed_by_rarity():
    def rarity(terms, language):
        return np.where(terms == terms.max(), 3.0, 1.0)

    one, other = sentence_terms([["crane toppled"], ["crane fell"]], ["en", "en"], rarity)
    terms = sorted({*one.terms.tolist(), *other.terms.tolist()})
    weights = {term: 3.0 if term == terms[-1] else 1.0 for term in terms}
    shared = set(one.terms.tolist()) & set(other.terms.tolist())
    lengths = [
        np.sqrt(sum(weights[term] ** 2 for term in own.terms.tolist()))
        for own in (one, other)
    ]
    expected = sum(weights[term] ** 2 for term in shared) / (lengths[0] * lengths[1])
    assert np.isclose(shared_cosines(one, other)[0, 0], expected)


def test_texts_without_sentences_or_terms_share_nothing():
    full, empty, blank = weigh([["The harbour crane toppled."], [], ["the of and"]])
    assert shared_cosines(full, empty).shape == (1, 0)
    assert shared_cosines(full, blank).tolist() == [[0.0]]
    assert sentence_terms([], [], even) == []


def test_a_text_gets_the_same_vectors_whatever_stands_beside_it():
    german = ["Der Kran stürzte in den Hafen.", "Zwei Arbeiter starben am Montag."]
    beside = ["The harbour crane toppled.", "Two workers died."]
    (alone,) = weigh([german], ["de"])
    _, together = weigh([beside, german], ["en", "de"])
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, other)
