"""Which articles are worth embedding."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms.undecided import undecided_articles


def undecided(pairs, scores, groups, **limits):
    return undecided_articles(
        np.array(pairs, np.int32).reshape(-1, 2),
        np.array(scores, np.float32),
        np.array(groups, np.int32),
        threshold=0.6,
        absent=0.1,
        below=0.2,
        above=0.15,
        **limits,
    ).tolist()


def test_two_articles_nearly_alike_enough_are_undecided():
    assert undecided([[0, 1]], [0.17], [0, 1]) == [0, 1]
    assert undecided([[0, 1]], [0.15], [0, 1]) == []


def test_a_group_hardly_alike_enough_is_undecided():
    assert undecided([[0, 1]], [0.55], [0, 0]) == [0, 1]
    assert undecided([[0, 1]], [0.57], [0, 0]) == []


def test_pairs_that_are_certain_or_impossible_are_left_alone():
    # The mean root of the six pairs is .5, in a group of four that holds hardly together.
    pairs = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    scores = [0.99, 0.01, 0.01, 0.01, 0.01, 0.4]
    assert undecided(pairs, scores, [0, 0, 0, 0]) == [2, 3]


def test_a_pair_that_nobody_scored_counts_as_absent():
    # One pair of four between two groups: (.7 + 3 * .1) / 4 is far below the threshold.
    assert undecided([[0, 2]], [0.49], [0, 0, 2, 2]) == []
    assert undecided([[0, 2]], [0.49], [0, 1, 2, 3]) == [0, 2]


def test_of_too_many_those_in_doubt_most_are_given():
    pairs, groups = [[0, 1], [2, 3], [4, 5], [6, 7]], range(8)
    scores = [0.25, 0.33, 0.2, 0.25]
    assert undecided(pairs, scores, groups, most=0.25, least=0) == [2, 3]
    # Of two that are in doubt alike the one that comes first.
    assert undecided(pairs, scores, groups, most=0.5, least=0) == [0, 1, 2, 3]
    assert undecided(pairs, scores, groups, most=0.25, least=6) == [0, 1, 2, 3, 6, 7]
    assert undecided(pairs, scores, groups, most=0.25) == list(range(8))


def test_nothing_scored_is_nothing_undecided():
    assert undecided([], [], [0, 1]) == []


@given(st.permutations(range(5)), st.lists(st.floats(0, 1), min_size=10, max_size=10))
def test_the_order_of_pairs_and_the_names_of_groups_change_nothing(names, scores):
    pairs = np.array([[i, j] for i in range(5) for j in range(i + 1, 5)], np.int32)
    groups = np.array([0, 0, 2, 2, 4])
    renamed = np.array(names)[groups]
    order = np.argsort(np.array(scores), kind="stable")
    for limits in ({}, {"most": 0.4, "least": 1}):
        assert undecided(pairs, scores, groups, **limits) == undecided(
            pairs[order], np.array(scores)[order], renamed, **limits
        )
