"""The words that tell a story from others."""

import numpy as np
import pyarrow as pa

from transforms.keywords import keywords
from transforms.vocabulary import term_hash

RARE = {term_hash("lopez"): 9.0, term_hash("mill"): 6.0, term_hash("fire"): 2.0}
STORY = ["Lopez's mill: a FIRE in 1999", "Mills burn. The mill of Lopez", "fires, fire"]


def rarity(terms, language):
    return np.array([RARE.get(int(term), 0.1) for term in terms])


def named(*stories, count=3, titles=None, languages=None, rarity=rarity):
    texts = [text for story in stories for text in story]
    sizes = [len(story) for story in stories]
    return keywords(
        pa.array(titles or [None] * len(texts), pa.string()),
        pa.array(texts, pa.string()),
        languages or ["en"] * len(texts),
        np.cumsum([0, *sizes])[: len(stories)],
        rarity,
        count=count,
    ).to_pylist()


def test_keywords_are_the_most_telling_words_as_most_texts_spell_them():
    assert named(STORY) == [["Lopez", "mill", "FIRE"]]
    assert named(STORY, count=2) == [["Lopez", "mill"]]


def test_a_text_without_a_telling_word_has_no_keywords():
    assert named(["The of and"], ["1999"]) == [[], []]
    assert named() == []


def test_stories_are_named_apart():
    alone = [named(STORY), named(["the mill"]), named(STORY[:1])]
    together = named(STORY, ["the mill"], STORY[:1])
    assert together == [words for (words,) in alone]


def test_many_stories_are_named_as_one_is():
    stories = [[f"mill number{i} fire"] for i in range(4_500)]
    assert named(*stories, count=2) == [["mill", "fire"]] * 4_500


def test_a_story_larger_than_a_batch_is_named_whole():
    assert named(["mill"] * 3_000 + ["lopez"], ["fire"]) == [["mill", "lopez"], ["fire"]]


def test_the_title_is_read_and_the_end_of_a_long_text_is_not():
    text = "fire " + "nothing of it " * 200 + "lopez"
    assert named([text], titles=["The mill"], count=2) == [["mill", "fire"]]


def test_a_story_is_weighed_in_the_language_of_most_of_its_articles():
    asked = []

    def by_language(terms, language):
        asked.append(language)
        return np.ones(len(terms))

    named(["mill", "mill", "Mühle"], languages=["en", "en", "de"], rarity=by_language)
    assert asked == ["en"]
