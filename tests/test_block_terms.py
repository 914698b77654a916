"""The terms of a block, numbered part by part, and of some of its articles."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest

from schemas.batch import column
from schemas.fingerprint import FINGERPRINT
from transforms.background import NO_BACKGROUND, make_background
from transforms.block_terms import Block, numbered_block
from transforms.rarity import KEYS, RaritySettings, weigh_articles

COLUMNS = (
    "article_key",
    "published",
    *(f"{lead}{kind}" for kind in ("terms", "names") for lead in ("", "lead_")),
    *(f"{lead}{kind}_counts" for kind in ("term", "name") for lead in ("", "lead_")),
    "ages",
)
SCHEMA = pa.schema([FINGERPRINT.field(name) for name in COLUMNS])
SETTINGS = RaritySettings(neighbours=2)


def articles(*kept):
    """Make articles of (key, terms)."""
    rows = []
    for key, terms in kept:
        terms = sorted(terms)
        row = {"article_key": key, "published": key, "ages": sorted(terms)[:1]}
        for kind in ("term", "name"):
            row |= {
                f"{kind}s": terms,
                f"lead_{kind}s": terms[:2],
                f"{kind}_counts": [1 + term % 3 for term in terms],
                f"lead_{kind}_counts": [1] * len(terms[:2]),
            }
        rows.append(row)
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


FEW = [(5, {1, 2, 3}), (2, {2, 9}), (8, set()), (1, {1, 9, 40}), (7, {3, 40, 41})]
BACKGROUND = make_background(
    articles(*((number, {number % 5, 9, 40}) for number in range(9))),
    min_documents=1,
    vector_terms=8,
    min_share=1e-3,
)


def equal(one, other):
    """Compare WeighedArticles, arrays and vectors."""
    for name, value in vars(one).items():
        theirs = getattr(other, name)
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, theirs)
        else:
            for array in ("terms", "offsets", "weights", "size"):
                np.testing.assert_array_equal(getattr(value, array), getattr(theirs, array))


@pytest.mark.parametrize("background", [NO_BACKGROUND, BACKGROUND])
@pytest.mark.parametrize("cut", range(6))
def test_a_block_in_parts_is_weighed_as_one(background, cut):
    parts = [articles(*FEW[:cut]), articles(*FEW[cut:])]
    rows, numbered = numbered_block(parts)
    assert column(rows, "article_key").tolist() == [1, 2, 5, 7, 8]
    assert not {*KEYS} & {*rows.schema.names}
    block = Block(rows, numbered, background, SETTINGS)
    expected = weigh_articles(articles(*sorted(FEW)), background, SETTINGS)
    equal(expected, block.articles(np.arange(5)))


@pytest.mark.parametrize("background", [NO_BACKGROUND, BACKGROUND])
@hypothesis.given(st.sets(st.integers(0, 4)), st.sets(st.integers(0, 4)))
def test_some_articles_weigh_what_they_weigh_among_all(background, first, chosen):
    block = Block(*numbered_block([articles(*FEW)]), background, SETTINGS)
    # What was asked for before makes no difference.
    block.articles(np.array(sorted(first), np.int64))
    rows = np.array(sorted(chosen), np.int64)
    found = block.articles(rows)
    whole = weigh_articles(articles(*sorted(FEW)), background, SETTINGS)
    np.testing.assert_array_equal(found.densities, whole.densities[rows])
    np.testing.assert_array_equal(found.term_idf, whole.term_idf)
    for name in ("terms", "lead_terms", "names", "lead_names", "background_terms"):
        mine, theirs = getattr(found, name), getattr(whole, name)
        for place, row in enumerate(rows):
            own = slice(*mine.offsets[place : place + 2])
            other = slice(*theirs.offsets[row : row + 2])
            np.testing.assert_array_equal(mine.terms[own], theirs.terms[other])
            np.testing.assert_array_equal(mine.weights[own], theirs.weights[other])


@pytest.mark.parametrize("background", [NO_BACKGROUND, BACKGROUND])
def test_articles_that_count_less_weigh_as_in_a_block_where_they_do(background):
    block = Block(*numbered_block([articles(*FEW)]), background, SETTINGS)
    rows = np.array([0, 2, 3])
    counts = np.array([0.5, 1.0, 0.25])
    found = block.weighed_again(rows, block.articles(rows), counts)
    whole = weigh_articles(
        articles(*sorted(FEW)),
        background,
        SETTINGS,
        counts=np.array([0.5, 1.0, 1.0, 0.25, 1.0]),
    )
    np.testing.assert_array_equal(found.term_idf, whole.term_idf)
    np.testing.assert_array_equal(found.densities, whole.densities[rows])


def test_a_lead_with_what_its_article_lacks_is_refused():
    strange = articles((1, {1, 2}))
    place = strange.schema.get_field_index("lead_terms")
    strange = strange.set_column(
        place, SCHEMA.field(place), pa.array([[1, 7]], pa.list_(pa.uint64()))
    )
    with pytest.raises(ValueError, match="lead_terms must all be among the article's own"):
        numbered_block([strange])
