import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from transforms.nearest import (
    EXACT_VECTORS,
    Order,
    distinct_pairs,
    nearest_by_terms,
    nearest_by_vector,
    time_order,
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


@given(st.integers(2, 40), st.integers(0, 1000), st.integers(0, 8), st.integers(1, 12))
def test_articles_far_apart_in_time_are_not_compared(articles, seed, undated, window):
    undated = min(undated, articles)
    vectors = random_vectors(articles, seed)
    random = np.random.default_rng(seed)
    order = Order(random.permutation(articles).astype(np.int32), undated, window)
    pairs = nearest_by_terms(vectors, articles, heaviest=8, max_postings=1000, order=order)
    found = {tuple(pair) for pair in distinct_pairs(pairs).tolist()}
    place = np.argsort(order.rows)
    cosines = dense(vectors) @ dense(vectors).T
    for one in range(articles):
        for other in range(one + 1, articles):
            near = abs(place[one] - place[other]) <= window
            timeless = min(place[one], place[other]) < undated
            expected = cosines[one, other] > 0 and (near or timeless)
            assert ((one, other) in found) == expected


def test_a_window_as_wide_as_the_block_changes_nothing():
    vectors = random_vectors(60, 1)
    order = Order(np.random.default_rng(1).permutation(60).astype(np.int32), 7, 60)
    numbers = {"heaviest": 5, "max_postings": 9}
    found = nearest_by_terms(vectors, 3, **numbers, order=order)
    np.testing.assert_array_equal(found, nearest_by_terms(vectors, 3, **numbers))


def test_articles_without_a_date_come_first_in_the_order_of_time():
    order = time_order(pa.array([30, None, 10, 30, None], pa.int64()), 5)
    assert order.rows.tolist() == [1, 4, 2, 0, 3]
    assert order.undated == 2


@given(st.lists(st.tuples(st.integers(-1, 9), st.integers(-1, 9))))
def test_distinct_pairs_are_those_of_a_set(pairs):
    array = np.array(pairs, np.int32).reshape(-1, 2)
    expected = {(min(pair), max(pair)) for pair in pairs if -1 not in pair}
    expected = sorted(pair for pair in expected if pair[0] != pair[1])
    assert distinct_pairs(array).tolist() == [list(pair) for pair in expected]
