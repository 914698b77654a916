import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from schemas.match import STORY_EDGE
from transforms.clustering import (
    NODE,
    average_link,
    first_articles,
    group_stories,
    join_edges,
    named_edges,
)


def edges_of(rows):
    return pa.RecordBatch.from_pylist(
        [
            {"article_key": a, "matched_key": b, "story_score": s, "cosine": None}
            for a, b, s in rows
        ],
        schema=STORY_EDGE,
    )


def nodes_of(rows):
    return pa.RecordBatch.from_pylist(
        [{"article_key": key, "published": published} for key, published in rows],
        schema=NODE,
    )


def groups_of(pairs, similarities, articles, threshold=0.5, absent=0.1):
    return average_link(
        np.array(pairs, np.int32).reshape(-1, 2),
        np.array(similarities, np.float64),
        articles,
        threshold=threshold,
        absent=absent,
    ).tolist()


def partition(labels):
    return {
        frozenset(np.flatnonzero(np.asarray(labels) == label).tolist())
        for label in set(labels)
    }


# The compiled function is built at its first call.
@given(st.integers(2, 25), st.integers(0, 2**32 - 1), st.floats(0.2, 0.9))
def test_groups_are_those_of_dense_average_linkage(articles, seed, threshold):
    random = np.random.default_rng(seed)
    pairs = np.array(list(itertools.combinations(range(articles), 2)), np.int32)
    scored = random.random(len(pairs)) < 0.6
    similarities = np.where(scored, np.round(random.random(len(pairs)), 6), 0.1)
    ours = groups_of(pairs[scored], similarities[scored], articles, threshold)
    dense = np.zeros((articles, articles))
    dense[pairs[:, 0], pairs[:, 1]] = dense[pairs[:, 1], pairs[:, 0]] = 1 - similarities
    theirs = fcluster(
        linkage(squareform(dense), "average"), 1 - threshold, criterion="distance"
    )
    assert partition(ours) == partition(theirs)


def test_a_chain_of_likely_pairs_is_no_story():
    chain = [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert len(partition(groups_of(chain, [0.9] * 4, 5))) > 1


def test_a_large_story_whose_pairs_are_all_scored_stays_together():
    pairs = list(itertools.combinations(range(300), 2))
    assert len(set(groups_of(pairs, [0.7] * len(pairs), 300))) == 1


def test_equal_similarities_are_settled_without_end():
    pairs = list(itertools.combinations(range(6), 2))
    assert groups_of(pairs, [0.8] * len(pairs), 6) == [0] * 6


def test_articles_without_a_pair_stay_alone():
    assert groups_of([], [], 3) == [0, 1, 2]


def test_an_absent_pair_that_would_join_everything_is_refused():
    with pytest.raises(ValueError, match="absent must be below threshold"):
        groups_of([], [], 2, threshold=0.1, absent=0.1)


def test_a_story_is_named_after_its_first_article_and_undated_ones_come_last():
    stories = first_articles(
        np.array([0, 0, 0, 3]),
        np.array([5, 6, 7, 8], np.uint64),
        np.array([0, 200, 100, 0]),
        np.array([False, True, True, False]),
    )
    assert stories.tolist() == [7, 7, 7, 8]


def test_of_articles_of_one_second_the_lowest_key_names_the_story():
    stories = first_articles(
        np.array([0, 0]),
        np.array([9, 4], np.uint64),
        np.array([100, 100]),
        np.array([True, True]),
    )
    assert stories.tolist() == [4, 4]


def test_a_pair_that_was_scored_twice_keeps_its_higher_score():
    joined = join_edges(edges_of([(3, 4, 0.25), (1, 2, 0.5), (3, 4, 0.75)]))
    assert joined.to_pylist() == edges_of([(1, 2, 0.5), (3, 4, 0.75)]).to_pylist()


@given(st.permutations(range(4)), st.permutations(range(6)))
def test_order_of_rows_makes_no_difference(node_order, edge_order):
    nodes = [(1, 30), (2, 10), (3, None), (4, 20)]
    scores = [0.9, 0.8, 0.1, 0.7, 0.2, 0.3]
    edges = [
        (a, b, score)
        for (a, b), score in zip(
            itertools.combinations(range(1, 5), 2), scores, strict=True
        )
    ]
    stories = group_stories(
        nodes_of([nodes[row] for row in node_order]),
        edges_of([edges[row] for row in edge_order]),
        threshold=0.6,
        absent=0.1,
    )
    assert stories.to_pylist() == [
        {"article_key": key, "story_key": 2} for key in (1, 2, 3)
    ]


def test_only_stories_of_two_or_more_are_listed():
    stories = group_stories(
        nodes_of([(1, 1), (2, 2), (3, 3)]),
        edges_of([(1, 2, 0.9)]),
        threshold=0.6,
        absent=0.1,
    )
    assert stories.column("article_key").to_pylist() == [1, 2]


def test_no_article_gives_no_story():
    stories = group_stories(nodes_of([]), edges_of([]), threshold=0.6, absent=0.1)
    assert stories.num_rows == 0


def test_a_gap_of_years_is_given_in_days():
    nodes = pa.RecordBatch.from_pylist(
        [
            {"article_key": 1, "article_id": "a", "published": 1_500_000_000},
            {"article_key": 2, "article_id": "b", "published": 1_500_000_000 + 86400 * 400},
            {"article_key": 3, "article_id": "c", "published": None},
        ],
        schema=NODE,
    )
    named = named_edges(nodes, edges_of([(1, 2, 0.5), (2, 3, 0.5)]))
    assert named.column("gap_days").to_pylist() == [400, None]
