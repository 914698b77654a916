import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from transforms.linkage import absorb_parts, average_link, link_stories, nearest_link


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


def two_halves(size, across, seed=0):
    """Give two groups all of whose pairs score .9, and `across` pairs between them."""
    random = np.random.default_rng(seed)
    within = [
        (side * size + one, side * size + other)
        for side in range(2)
        for one, other in itertools.combinations(range(size), 2)
    ]
    between = {
        (int(one), int(size + shift))
        for one in range(size)
        for shift in random.choice(size, across, replace=False)
    }
    pairs = np.array(sorted(within + sorted(between)), np.int32)
    groups = np.repeat([0, size], size).astype(np.int32)
    return groups, pairs, np.full(len(pairs), 0.9)


def linked(groups, pairs, similarities, **settings):
    given_ = {"threshold": 0.6, "absent": 0.1, "nearest": 5, "small": 40, **settings}
    return nearest_link(groups, pairs, similarities, **given_).tolist()


def test_large_groups_are_joined_by_each_articles_nearest():
    groups, pairs, similarities = two_halves(60, 12)
    assert linked(groups, pairs, similarities) == [0] * 120


def test_the_mean_over_all_pairs_keeps_such_groups_apart():
    _, pairs, similarities = two_halves(60, 12)
    assert len(partition(groups_of(pairs, similarities, 120, threshold=0.6))) > 1
    assert link_stories(pairs, similarities, 120, threshold=0.6).tolist() == [0] * 120


def test_large_groups_with_few_partners_stay_apart():
    groups, pairs, similarities = two_halves(60, 1)
    assert linked(groups, pairs, similarities) == groups.tolist()


def test_small_groups_are_left_as_they_are():
    groups, pairs, similarities = two_halves(20, 12)
    assert linked(groups, pairs, similarities) == groups.tolist()
    assert linked(groups, pairs, similarities, small=39) == [0] * 40


def test_a_few_partners_of_a_lone_article_do_not_join_it_to_a_large_group():
    groups, pairs, similarities = two_halves(60, 0)
    own = np.array([[one, 120] for one in range(3)], np.int32)
    found = linked(
        np.append(groups, 120).astype(np.int32),
        np.concatenate([pairs, own]),
        np.concatenate([similarities, [1.0] * 3]),
    )
    assert found[120] == 120


def beside(size, part, partners, score=0.9):
    """A group all of whose pairs score .9 and another with a few partners in it."""
    pairs = [*itertools.combinations(range(size), 2)]
    pairs += [(one, size + own) for own in range(part) for one in range(partners)]
    pairs += [*itertools.combinations(range(size, size + part), 2)]
    pairs = np.array(sorted(pairs), np.int32)
    across = (pairs[:, 0] < size) & (pairs[:, 1] >= size)
    groups = np.repeat([0, size], [size, part]).astype(np.int32)
    return groups, pairs, np.where(across, score, 0.9)


def absorbed(groups, pairs, similarities, **settings):
    given_ = {"threshold": 0.6, "absent": 0.1, "large": 20, "share": 0.15, "partners": 0.2}
    return absorb_parts(groups, pairs, similarities, **given_ | settings).tolist()


def test_a_part_with_likely_partners_in_a_fifth_of_a_large_story_belongs_to_it():
    for size, part in ((20, 1), (24, 3), (100, 10)):
        large = beside(size, part, size // 5)
        assert absorbed(*large) == [0] * (size + part)
        # The mean of all pairs keeps it apart.
        assert len(set(groups_of(*large[1:], size + part, threshold=0.6))) == 2


@pytest.mark.parametrize(
    ("size", "part", "partners", "score"),
    [(19, 1, 19, 0.9), (24, 4, 24, 0.9), (100, 5, 10, 0.9), (100, 5, 20, 0.5)],
)
def test_small_stories_parts_of_like_size_and_few_or_weak_partners_stay_apart(
    size, part, partners, score
):
    groups, *scored = beside(size, part, partners, score)
    assert absorbed(groups, *scored) == groups.tolist()


def test_a_part_goes_to_the_story_where_it_has_most():
    groups, pairs, similarities = beside(40, 2, 10, 0.7)
    other, more, scores = beside(40, 2, 10, 0.8)
    moved = np.where(more < 40, more + 42, more)
    found = absorbed(
        np.concatenate([groups, other[:40] + 42]).astype(np.int32),
        np.concatenate([pairs, np.sort(moved, axis=1)]).astype(np.int32),
        np.concatenate([similarities, scores]),
    )
    assert found == [0] * 40 + [40] * 42


def test_groups_without_a_pair_stay_as_they_are():
    assert linked(np.array([0, 0, 2]), np.zeros((0, 2), np.int32), np.zeros(0)) == [0, 0, 2]


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(0, 30))
def test_nearest_linkage_joins_whole_groups_alone_and_names_them_by_the_lowest(
    seed, nearest, small
):
    random = np.random.default_rng(seed)
    pairs = np.array(list(itertools.combinations(range(30), 2)), np.int32)
    kept = random.random(len(pairs)) < 0.5
    groups = np.sort(random.integers(0, 6, 30))
    groups = np.searchsorted(groups, groups).astype(np.int32)
    found = np.array(
        linked(groups, pairs[kept], random.random(kept.sum()), nearest=nearest, small=small)
    )
    for members in partition(groups.tolist()):
        assert len(set(found[list(members)])) == 1
    for members in partition(found.tolist()):
        assert set(found[list(members)]) == {min(members)}


@given(st.integers(0, 2**32 - 1))
def test_large_groups_do_not_depend_on_the_order_of_the_articles(seed):
    random = np.random.default_rng(seed)
    pairs = np.array(list(itertools.combinations(range(24), 2)), np.int32)
    similarities = random.random(len(pairs)) ** 0.5
    order = random.permutation(24)
    turned = np.sort(order[pairs], axis=1)
    rank = np.lexsort((turned[:, 1], turned[:, 0]))
    settings = {"threshold": 0.7, "small": 4, "nearest": 2}
    one = link_stories(pairs, similarities, 24, **settings)
    other = link_stories(turned[rank].astype(np.int32), similarities[rank], 24, **settings)
    assert partition(one.tolist()) == partition(other[order].tolist())
