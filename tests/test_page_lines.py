"""Page lines: what is seen of each line, alone and among its neighbours."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms.page_lines import feature_names, page_features

PROSE = "The ferry was late again on Monday, and nobody on the quay could say why it was."
LINES = ["Home", "Sports", "Harbour news", PROSE, PROSE + " It rained.", "Home", "Ferry"]


def column(name: str, lines=LINES, reasons=None) -> list[float]:
    features = page_features(lines, reasons or [None] * len(lines))
    return features[:, feature_names().index(name)].tolist()


def test_every_feature_has_a_name_of_its_own():
    assert len(set(feature_names())) == len(feature_names())
    assert page_features(LINES, [None] * 7).shape == (7, len(feature_names()))


def test_a_line_that_stands_twice_is_repeated():
    assert column("repeated") == [1, 0, 0, 0, 0, 1, 0]


def test_prose_has_function_words_and_an_end():
    assert [value > 0 for value in column("prose")] == [False] * 3 + [True] * 2 + [
        False
    ] * 2
    german = "Die Fähre kam am Montag wieder zu spät, und niemand am Kai wusste, warum."
    assert column("prose", [german, german.rstrip(".")])[0] > 0
    assert column("prose", [german, german.rstrip(".")])[1] == 0


def test_cohesion_is_with_other_paragraphs():
    cohesion = column("cohesion")
    assert cohesion[6] == 1
    assert cohesion[1] == 0
    assert column("no_cohesion")[1] == 1


def test_neighbours_are_seen_on_the_side_they_stand():
    words = column("words")
    assert column("words+1") == [*words[1:], 0]
    assert column("words-1") == [0, *words[:-1]]


def test_the_distance_to_a_rule_counts_from_its_line():
    after = column("near_after_share", reasons=[None, "share", *[None] * 5])
    assert after[1] == 1
    np.testing.assert_allclose(after[2:4], np.exp([-0.25, -0.5]))
    assert after[0] < 0.001


def test_the_body_is_where_the_prose_is():
    assert column("in_body") == [0, 0, 0, 1, 1, 0, 0]


@given(
    st.lists(
        st.tuples(
            st.text(min_size=1), st.sampled_from([None, "ui", "date", "recurs", "new"])
        ),
        min_size=1,
        max_size=8,
    )
)
def test_every_feature_is_finite(page):
    features = page_features([line for line, _ in page], [reason for _, reason in page])
    assert np.isfinite(features).all()
