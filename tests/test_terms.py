import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.marks import mark_tokens
from transforms.terms import article_terms
from transforms.tokens import tokenize
from transforms.vocabulary import name_hash, stems, term_hash

BODY = (
    "Police in Dover arrested Maria Lopez after the fire. Lopez was seen near the mill. "
    "The mill burnt down in one night, and nobody was hurt when it fell into the river."
)


def marked(*texts):
    array = pa.array(texts, pa.string())
    return mark_tokens(array, tokenize(array))


def counted(title, text, language="en", **limits):
    """What one article uses, as dicts from stem to count."""
    found = article_terms(marked(title), marked(text), [language], **limits)
    words = f"{title or ''} {text}".replace("'", " ")
    tokens = marked(words)
    spelt = [tokens.word(i) for i in range(tokens.hashes.size)]
    known = {}
    for stem in stems(spelt, language):
        known |= {term_hash(stem): stem, name_hash(stem): stem}
    return {
        name: {
            known[int(term)]: int(count)
            for term, count in zip(part.terms, part.counts, strict=True)
        }
        for name, part in found._asdict().items()
    }


def test_terms_are_stems_and_numbers_of_title_and_text():
    found = counted("Shooting in Dover", "The shootings of 2015 hurt 12 in Dover.")
    assert found["terms"] == {"shoot": 2, "dover": 2, "2015": 1, "hurt": 1, "12": 1}
    assert found["lead_terms"] == found["terms"]


def test_names_are_capitalised_words_that_open_no_sentence():
    names = counted(None, BODY)["names"]
    assert names == {"dover": 1, "maria": 1, "lopez": 2}


def test_a_headline_of_capitals_has_the_names_that_the_text_shows():
    names = counted("Maria Lopez Held After Mill Fire", BODY)["names"]
    assert names == {"dover": 1, "maria": 2, "lopez": 3}


def test_an_ordinary_headline_has_names_of_its_own():
    names = counted("Mayor of Boston hails quick arrest by officers", BODY)["names"]
    assert names == {"dover": 1, "maria": 1, "lopez": 2, "boston": 1}


def test_a_headline_without_a_text_says_all_it_can():
    assert counted("Court Frees Maria Lopez", "")["names"] == {
        "free": 1,
        "maria": 1,
        "lopez": 1,
    }


def test_a_shouted_line_shows_no_names():
    text = BODY + "\nCALL THIS DESK ABOUT BOATS TRAINS HORSES LOPEZ AND PLANES"
    assert counted(None, text)["names"] == {"dover": 1, "maria": 1, "lopez": 3}


def test_german_nouns_behind_articles_and_adjectives_are_no_names():
    text = (
        "Am Abend traf die Kanzlerin Angela Merkel in Berlin auf den Minister. "
        "Das schreckliche Feuer im alten Rathaus von Potsdam war das Thema, und am "
        "Ende blieb nur ein kurzer Satz, den Merkel in die Runde sprach."
    )
    names = counted(None, text, "de")["names"]
    assert {"merkel", "berlin", "potsdam"} <= set(names)
    assert not {"minist", "feu", "thema", "rund"} & set(names)


def test_german_common_nouns_are_no_names_and_streets_are():
    text = (
        "Feuerwehr und Polizei kamen am Dienstagabend in die Erlenstraße in Altenrode. "
        "Menschen sprangen aus Wohnungen, Ermittlungen begannen, sagte Wittich, und dann "
        "wurde es still."
    )
    names = set(counted(None, text, "de")["names"])
    assert {"erlenstrass", "altenrod", "wittich"} <= names
    assert not {"polizei", "wohnung", "ermittl", "dienstagab"} & names


def test_scripts_without_capitals_have_every_uncommon_term_as_a_name():
    for text, language, names in (
        ("总统在云泽会见记者", "zh", {"云泽"}),
        ("اجتمع الرئيس في الزهراوية مع الوزراء", "ar", {"اجتمع", "زهراو"}),
        ("राष्ट्रपति दिल्ली", "xx", {"राष्ट्रपति", "दिल्ली"}),
    ):
        found = counted(None, text, language)
        assert set(found["names"]) == names
        assert set(found["terms"]) >= names
    assert set(counted(None, "总统在云泽担心记者", "zh")["terms"]) == {
        *("总统", "云泽", "担心", "记者")
    }


def test_lead_is_title_and_first_full_sentences():
    text = (
        "DOVER, Ohio. Fire broke out here. Nobody was hurt in Akron. Officials blamed "
        "an old stove. Rain fell on Toledo later that day."
    )
    found = counted("Old mill burns", text)
    assert set(found["lead_terms"]) == {
        *("old", "mill", "burn", "fire", "broke", "hurt"),
        *("akron", "offici", "blame", "stove"),
    }
    assert set(found["lead_names"]) == {"akron"}
    shorter = counted("Old mill burns", text, lead_sentences=1)
    assert set(shorter["lead_terms"]) == {"old", "mill", "burn", "fire", "broke"}


def test_words_past_the_limit_are_not_counted():
    found = counted("ape bat", "cat dog elk", max_words=4)
    assert set(found["terms"]) == {"ape", "bat", "cat", "dog"}
    assert set(counted("ape bat cat", "dog", max_words=2)["terms"]) == {"ape", "bat"}


def test_rows_keep_to_themselves():
    titles, texts = ["Ape", None, "Cat"], ["one bat", "", "two dogs"]
    found = article_terms(marked(*titles), marked(*texts), ["en"] * 3)
    assert found.terms.offsets.tolist() == [0, 2, 2, 5]
    assert found.names.offsets.tolist() == [0, 0, 0, 0]
    expected = {term_hash("cat"), term_hash("two"), term_hash("dog")}
    assert set(found.terms.terms[2:].tolist()) == expected


def test_unequal_numbers_of_articles_are_refused():
    with pytest.raises(ValueError, match="got 1, 2 and 1"):
        article_terms(marked("a"), marked("b", "c"), ["en"])


@given(
    st.lists(
        st.tuples(
            st.none() | st.text(max_size=30),
            st.text(max_size=200),
            st.sampled_from(["en", "de", "zh", "und", "xx"]),
        )
    )
)
def test_lists_ascend_and_leads_and_names_are_parts_of_the_whole(articles):
    titles, texts, languages = ([row[k] for row in articles] for k in range(3))
    found = article_terms(marked(*titles), marked(*texts), languages)
    for whole, lead in ((found.terms, found.lead_terms), (found.names, found.lead_names)):
        for i in range(len(articles)):
            row = slice(whole.offsets[i], whole.offsets[i + 1])
            terms = dict(zip(whole.terms[row], whole.counts[row], strict=True))
            assert np.all(whole.terms[row][1:] > whole.terms[row][:-1])
            row = slice(lead.offsets[i], lead.offsets[i + 1])
            for term, count in zip(lead.terms[row], lead.counts[row], strict=True):
                assert 0 < count <= terms[term]


def test_batches_and_single_articles_count_alike():
    titles, texts = ["Fire in Dover", None, "Maria Lopez Held"], [BODY, "One word", BODY]
    together = article_terms(marked(*titles), marked(*texts), ["en", "de", "fr"])
    for i, language in enumerate(["en", "de", "fr"]):
        alone = article_terms(marked(titles[i]), marked(texts[i]), [language])
        for part, single in zip(together, alone, strict=True):
            row = slice(part.offsets[i], part.offsets[i + 1])
            np.testing.assert_array_equal(part.terms[row], single.terms)
            np.testing.assert_array_equal(part.counts[row], single.counts)
