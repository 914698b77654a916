import itertools

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from schemas.match import STORY_EDGE
from transforms.clustering import (
    NODE,
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
        [
            {"article_key": row[0], "published": row[1], "source": (*row, None)[2]}
            for row in rows
        ],
        schema=NODE,
    )


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


def test_two_articles_of_one_source_alone_must_be_likelier():
    def stories(score, *sources, more=()):
        nodes = [(key, key, source) for key, source in enumerate(sources)]
        found = group_stories(
            nodes_of(nodes), edges_of([(0, 1, score), *more]), threshold=0.6, absent=0.1
        )
        return found.column("article_key").to_pylist()

    assert stories(0.6, "a.example", "a.example") == []
    assert stories(0.7, "a.example", "a.example") == [0, 1]
    assert stories(0.6, "a.example", "b.example") == [0, 1]
    assert stories(0.6, None, None) == [0, 1]
    # A third article tells the same.
    third = [(0, 2, 0.9), (1, 2, 0.9)]
    assert stories(0.6, "a.example", "a.example", "a.example", more=third) == [0, 1, 2]


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
