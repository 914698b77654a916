import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from schemas.match import COPY_EDGE
from transforms.copy_groups import GROUPED, copy_groups, unlinked_members


def edge_batch(*edges):
    """Edges as (shorter, longer, relation, containment)."""
    rows = [
        {
            "article_key": shorter,
            "matched_key": longer,
            "relation": relation,
            "rule": "",
            "jaccard": 0.5,
            "containment": containment,
        }
        for shorter, longer, relation, containment in edges
    ]
    return pa.RecordBatch.from_pylist(rows, schema=COPY_EDGE)


def groups_of(*edges, published=None, words=None, **settings):
    keys = sorted({key for edge in edges for key in edge[:2]})
    articles = [
        {
            "article_key": key,
            "published": (published or {}).get(key),
            "word_count": (words or {}).get(key, 100),
        }
        for key in keys
    ]
    groups = copy_groups(
        edge_batch(*edges), pa.RecordBatch.from_pylist(articles, schema=GROUPED), **settings
    )
    return {row["article_key"]: row["group_key"] for row in groups.to_pylist()}


def near(left, right, containment=0.9):
    return left, right, "near_copy", containment


def partial(shorter, longer, containment=0.9):
    return shorter, longer, "partial_reprint", containment


def miss(left, right, containment=0.6):
    return left, right, None, containment


def test_a_group_is_named_after_its_first_article_by_time():
    published = {1: 30, 2: 20, 3: 10}
    assert groups_of(near(1, 2), near(2, 3), published=published) == {1: 3, 2: 3, 3: 3}
    # One without a date comes last, and of equal dates the smaller key first.
    assert groups_of(near(1, 2), published={2: 99}) == {1: 2, 2: 2}
    assert groups_of(near(4, 5), published={4: 1, 5: 1}) == {4: 4, 5: 4}


def test_near_misses_join_nobody():
    assert groups_of(near(1, 2), miss(2, 3)) == {1: 1, 2: 1}


def test_no_edges_give_no_groups():
    assert groups_of() == {}


def test_a_chain_ends_where_members_lose_the_medoid():
    """Versions of a running report: 1, 2, 3 are one text, 5 shares nothing with 2."""
    chain = [near(1, 2), near(2, 3), near(3, 4), near(4, 5), miss(1, 3), miss(2, 4)]
    assert groups_of(*chain) == {1: 1, 2: 1, 3: 1, 4: 1}
    longer = [near(5, 6), near(6, 7), miss(5, 7)]
    assert groups_of(*chain, *longer)[7] == 5


def test_who_loses_its_copies_to_the_guard_leaves_too():
    """1 is the medoid; 4 was a copy of 1's copy 3 alone, and 3 shares too little with 1."""
    edges = [near(1, 2), near(2, 3), near(3, 4), miss(1, 4), near(1, 5), miss(1, 6)]
    assert groups_of(*edges) == {1: 1, 2: 1, 5: 1, 3: 3, 4: 3}


def test_a_member_that_few_others_hold_leaves():
    core = [near(left, right) for left in range(1, 6) for right in range(left + 1, 6)]
    stray = near(1, 9, 0.7)
    assert 9 not in groups_of(*core, stray)
    assert groups_of(*core, stray, near(2, 9, 0.7))[9] == 1
    # Of a group so large that its members were not all compared, this is not asked.
    assert groups_of(*core, stray, max_compared=4)[9] == 1


def test_a_partial_reprint_goes_to_the_text_that_holds_most_of_it():
    words = {1: 30, 2: 200, 3: 100, 4: 100}
    assert groups_of(partial(1, 2, 0.8), partial(1, 3, 0.9), words=words) == {1: 1, 3: 1}
    # Of texts that hold as much of it to the longest, then to the smallest key.
    assert groups_of(partial(1, 3), partial(1, 2), words=words) == {1: 1, 2: 1}
    assert groups_of(partial(1, 4), partial(1, 3), words=words) == {1: 1, 3: 1}


def test_a_partial_reprint_joins_no_two_groups():
    words = {1: 30}
    groups = groups_of(
        near(2, 3), near(4, 5), partial(1, 2, 0.9), partial(1, 4, 0.8), words=words
    )
    assert groups == {1: 1, 2: 1, 3: 1, 4: 4, 5: 4}


def test_a_part_of_one_version_alone_is_no_part_of_the_group():
    words = {9: 30}
    versions = [near(left, right) for left in range(1, 6) for right in range(left + 1, 6)]
    assert 9 not in groups_of(*versions, partial(9, 5), words=words)
    assert groups_of(*versions, partial(9, 5), partial(9, 4), words=words)[9] == 1
    # What the medoid holds is part of the group.
    assert groups_of(*versions, partial(9, 1), words=words)[9] == 1


def test_partial_reprints_do_not_chain():
    words = {1: 30, 2: 100, 3: 300}
    assert groups_of(partial(1, 2), partial(2, 3), words=words) == {2: 2, 3: 2}
    held = groups_of(partial(1, 2, 0.95), partial(1, 3, 0.8), partial(2, 3), words=words)
    assert held == {1: 1, 2: 1, 3: 1}


def test_a_group_of_briefs_goes_as_one():
    words = {1: 30, 2: 31, 3: 300}
    groups = groups_of(near(1, 2), partial(1, 3), words=words)
    assert groups == {1: 1, 2: 1, 3: 1}


def test_the_representative_is_the_medoid_of_the_text_that_holds_the_others():
    words = {1: 30, 2: 100, 3: 100, 4: 100}
    edges = edge_batch(near(2, 3, 0.8), near(3, 4), partial(1, 3), miss(2, 4))
    articles = pa.RecordBatch.from_pylist(
        [{"article_key": key, "published": key, "word_count": words[key]} for key in words],
        schema=GROUPED,
    )
    groups = copy_groups(edges, articles)
    assert set(groups.column("representative_key").to_pylist()) == {3}


relations = st.sampled_from(["near_copy", "exact_copy", "partial_reprint", None])
edge_lists = st.dictionaries(
    st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1]),
    st.tuples(relations, st.sampled_from([0.4, 0.6, 0.8])),
)


@given(edge_lists, st.randoms())
def test_groups_depend_on_no_order_and_hold_only_linked_articles(edges, random):
    rows = [(*pair, *rest) for pair, rest in edges.items()]
    words = {key: 10 * key for key in range(10)}
    groups = groups_of(*rows, words=words)
    random.shuffle(rows)
    assert groups_of(*rows, words=words) == groups
    for name in set(groups.values()):
        members = {key for key, own in groups.items() if own == name}
        assert len(members) > 1
        assert name in members
        for member in members:
            linked = {
                key for row in rows if row[2] and member in row[:2] for key in row[:2]
            }
            assert (linked - {member}) & members


def test_unlinked_members_are_those_that_were_not_compared_with_the_medoid():
    edges = edge_batch(near(1, 2), near(1, 3), near(1, 4), near(4, 5), near(8, 9))
    members, medoids = unlinked_members(edges)
    np.testing.assert_array_equal(members, [5])
    np.testing.assert_array_equal(medoids, [1])
    members, _ = unlinked_members(edge_batch())
    assert members.size == 0
