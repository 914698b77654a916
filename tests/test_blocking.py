import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.blocking import (
    EXACT_VECTORS,
    SECONDS_AN_HOUR,
    AssignBlocks,
    Timeline,
    article_blocks,
    block_key,
    distinct_pairs,
    merge_timelines,
    nearest_by_terms,
    nearest_by_vector,
    slab_starts,
    timelines,
)
from transforms.term_vectors import SparseVectors, sparse_vectors

# The compiled functions are built at their first call.


def random_vectors(articles, seed, vocabulary=40, terms=8):
    random = np.random.default_rng(seed)
    rows = [
        np.sort(random.choice(vocabulary, terms, replace=False)) for _ in range(articles)
    ]
    numbers = np.concatenate(rows).astype(np.int32)
    idf = (1 + random.random(vocabulary)).astype(np.float32)
    return sparse_vectors(
        numbers,
        np.ones(len(numbers), np.int64),
        np.arange(articles + 1, dtype=np.int64) * terms,
        idf,
    )


def dense(vectors: SparseVectors):
    matrix = np.zeros((len(vectors.offsets) - 1, vectors.size), np.float32)
    rows = np.repeat(np.arange(len(matrix)), np.diff(vectors.offsets))
    matrix[rows, vectors.terms] = vectors.weights
    return matrix


def batch_of(rows):
    return pa.RecordBatch.from_pylist(
        [
            {"article_key": key, "language": language, "published": published}
            for key, language, published in rows
        ],
        schema=pa.schema(
            [
                pa.field("article_key", pa.uint64()),
                pa.field("language", pa.string()),
                pa.field("published", pa.int64()),
            ]
        ),
    )


@given(st.integers(5, 40), st.integers(0, 1000), st.integers(1, 4))
def test_nearest_by_terms_are_those_of_the_dense_product(articles, seed, count):
    vectors = random_vectors(articles, seed)
    pairs = nearest_by_terms(vectors, count, heaviest=8, max_postings=1000)
    cosines = dense(vectors) @ dense(vectors).T
    np.fill_diagonal(cosines, -1)
    for article in range(articles):
        found = pairs[pairs[:, 0] == article, 1]
        found = found[found >= 0]
        best = np.sort(cosines[article])[::-1][: len(found)]
        np.testing.assert_allclose(np.sort(cosines[article, found])[::-1], best, atol=1e-5)


def test_of_equally_near_articles_the_lower_rows_are_proposed():
    terms = np.zeros(5, np.int32)
    vectors = SparseVectors(terms, np.arange(6), np.ones(5, np.float32), 1)
    pairs = nearest_by_terms(vectors, 2, heaviest=8, max_postings=10)
    assert pairs.tolist()[:4] == [[0, 1], [0, 2], [1, 0], [1, 2]]
    assert pairs.tolist()[-2:] == [[4, 0], [4, 1]]


def test_a_term_with_too_many_postings_proposes_nothing():
    terms = np.zeros(5, np.int32)
    vectors = SparseVectors(terms, np.arange(6), np.ones(5, np.float32), 1)
    assert (nearest_by_terms(vectors, 2, heaviest=8, max_postings=4)[:, 1] == -1).all()


def test_pairs_are_sorted_and_distinct_and_never_of_one_row():
    pairs = np.array([[3, 1], [1, 3], [2, 2], [4, -1], [0, 5]], np.int32)
    assert distinct_pairs(pairs).tolist() == [[0, 5], [1, 3]]
    assert distinct_pairs(pairs[:0]).shape == (0, 2)


def test_rows_without_a_vector_are_near_nothing():
    vectors = np.array([[1, 0], [0, 0], [1, 0], [0, 1]], np.float32)
    pairs = nearest_by_vector(vectors, 1)
    assert 1 not in pairs
    assert [0, 2] in pairs.tolist()
    assert nearest_by_vector(vectors[:2], 1).shape == (0, 2)


def test_nearest_by_vector_finds_twins_among_more_rows_than_are_compared_exactly():
    random = np.random.default_rng(1)
    half = random.normal(size=(EXACT_VECTORS // 2 + 300, 8)).astype(np.float32)
    vectors = np.repeat(half / np.linalg.norm(half, axis=1, keepdims=True), 2, axis=0)
    found = {tuple(pair) for pair in distinct_pairs(nearest_by_vector(vectors, 2)).tolist()}
    twins = [(row, row + 1) for row in range(0, len(vectors), 2)]
    assert np.mean([twin in found for twin in twins]) == 1


def test_few_articles_are_one_slab():
    timeline = Timeline(np.arange(10), np.ones(10, np.int64), 5)
    assert slab_starts(timeline, block_size=15).tolist() == []


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(20, 50))
def test_articles_with_few_others_between_them_meet_in_a_slab(counts, block_size):
    hours = np.repeat(np.arange(len(counts)), counts)
    timeline = Timeline(np.arange(len(counts)), np.array(counts), 0)
    starts = slab_starts(timeline, block_size=block_size)
    dated = np.ones(len(hours), np.bool_)
    rows, slabs = article_blocks(
        np.arange(len(hours), dtype=np.uint64),
        hours,
        dated,
        starts,
        0,
        block_size=block_size,
    )
    members = {slab: set(rows[slabs == slab].tolist()) for slab in set(slabs.tolist())}
    assert max(len(own) for own in members.values()) <= block_size
    assert set(rows.tolist()) == set(range(len(hours)))
    for row in range(0, len(hours), 7):
        # A span may be short of block_size / 2 by the hour that did not fit.
        near = range(row, min(row + block_size // 2 - 2 * max(counts), len(hours)))
        for other in near:
            assert any({row, other} <= own for own in members.values())


def test_few_undated_articles_are_in_every_slab_and_many_are_spread():
    starts = np.array([10, 20, 30])
    keys = np.arange(6, dtype=np.uint64)
    undated = np.zeros(6, np.bool_)
    hours = np.zeros(6, np.int64)
    rows, slabs = article_blocks(keys, hours, undated, starts, 6, block_size=10)
    assert sorted(zip(rows.tolist(), slabs.tolist(), strict=True)) == [
        (row, slab) for row in range(6) for slab in range(3)
    ]
    rows, _ = article_blocks(keys, hours, undated, starts, 60, block_size=10)
    assert sorted(rows.tolist()) == list(range(6))


def test_a_block_of_one_article_is_refused():
    with pytest.raises(ValueError, match="block_size must be at least 2, got 1"):
        slab_starts(Timeline(np.arange(1), np.ones(1), 0), block_size=1)


def test_timelines_add_up_in_any_order():
    hour = SECONDS_AN_HOUR
    one = timelines(batch_of([(1, "en", 5), (2, "en", None), (3, "de", hour)]))
    two = timelines(batch_of([(4, "en", 2 * hour), (5, "en", 7)]))
    for parts in ((one, two), (two, one)):
        merged = merge_timelines(parts)
        assert list(merged) == ["de", "en"]
        assert merged["en"].hours.tolist() == [0, 2]
        assert merged["en"].counts.tolist() == [2, 1]
        assert merged["en"].undated == 1
        assert merged["en"].articles == 4


def test_block_keys_are_stable_across_releases():
    """Streaming state is keyed by them."""
    assert block_key("en", 0) == 7953924048826124949


def test_articles_too_short_to_tell_join_the_commonest_language(apply):
    batches = [
        batch_of([(1, "en", 5), (2, "en", 6), (3, "de", 5)]),
        batch_of([(4, "und", None)]),
    ]
    blocks = apply(AssignBlocks(), batches)
    members: dict[int, set[int]] = {}
    for key, batch in blocks:
        members.setdefault(key, set()).update(batch.column("article_key").to_pylist())
    assert members == {block_key("en", 0): {1, 2, 4}, block_key("de", 0): {3}}


def test_more_articles_than_a_block_holds_are_cut_by_time(apply):
    rows = [(key, "en", key * SECONDS_AN_HOUR) for key in range(40)]
    blocks = apply(AssignBlocks(block_size=10), [batch_of(rows[:20]), batch_of(rows[20:])])
    members: dict[int, list[int]] = {}
    for key, batch in blocks:
        members.setdefault(key, []).extend(batch.column("article_key").to_pylist())
    assert len(members) == 7
    assert all(len(own) == 10 for own in members.values())
    assert set().union(*members.values()) == set(range(40))
