"""Groups and stories go on under the ids they have."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from schemas.batch import column
from schemas.match import COPY_EDGE
from schemas.past import LEDGER, STANDING
from transforms.candidates import PAIR
from transforms.continuing import (
    MERGED,
    UNCHANGED,
    begun_together,
    changed_stories,
    continued_groups,
    continued_membership,
    keep_names,
    merged_stories,
    oldest_begun,
    pairs_to_compare,
    prior_stories,
    stories_of_copies,
    touched_edges,
)
from transforms.copy_groups import COPY_GROUP
from transforms.membership import MEMBERSHIP, STORY_MEMBERS


def rows(schema, *values):
    names = schema.names
    return pa.RecordBatch.from_pylist(
        [dict(zip(names, row, strict=True)) for row in values], schema=schema
    )


def ledger(*values):
    """Make rows of (article, published, group, story)."""
    return rows(
        LEDGER, *((key, when, 100, group, story) for key, when, group, story in values)
    )


def pairs(*values):
    return rows(PAIR, *values)


def edges(*values):
    return rows(
        COPY_EDGE, *((one, other, "near_copy", "made", 0.9, 0.9) for one, other in values)
    )


def test_pairs_of_earlier_articles_are_not_compared_again():
    known = ledger((1, 0, 1, 1), (2, 0, 2, 2))
    found = pairs_to_compare(pairs((1, 2), (1, 9), (8, 9)), known, np.zeros(0, np.uint64))
    assert found == pairs((1, 9), (8, 9))


def test_a_pair_with_a_member_of_a_group_brings_the_pair_with_its_medoid():
    known = ledger((1, 0, 1, 1), (2, 5, 1, 1), (3, 0, 3, 3))
    standing = np.array([2, 3], np.uint64)
    found = pairs_to_compare(pairs((1, 9), (3, 9)), known, standing)
    assert found == pairs((1, 9), (2, 9), (3, 9))


def test_earlier_edges_are_wanted_where_they_hang_together_with_a_new_one():
    old = edges((1, 2), (2, 3), (5, 6))
    assert touched_edges(edges((3, 9)), old) == edges((1, 2), (2, 3))
    assert touched_edges(edges(), old).num_rows == 0


def test_a_group_keeps_its_name_when_an_earlier_article_arrives_late():
    known = ledger((5, 100, 5, 5), (6, 200, 5, 5))
    formed = rows(COPY_GROUP, (4, 4, 5), (5, 4, 5), (6, 4, 5))
    found = continued_groups(formed, edges((4, 5), (5, 6)), known)
    assert found.column("group_key").to_pylist() == [5, 5, 5]
    assert found.column("representative_key").to_pylist() == [5, 5, 5]


def test_of_two_groups_that_turn_out_one_the_older_gives_the_name():
    known = ledger((1, 300, 1, 1), (2, 300, 1, 1), (5, 100, 5, 5), (6, 100, 5, 5))
    formed = rows(COPY_GROUP, *((key, 9, 9) for key in (1, 2, 5, 6, 9)))
    links = edges((1, 9), (2, 9), (5, 9), (6, 9))
    assert set(continued_groups(formed, links, known).column("group_key").to_pylist()) == {
        5
    }


def test_who_is_left_alone_is_a_group_of_its_own_and_keeps_the_name_it_gave():
    known = ledger((1, 100, 1, 1), (2, 200, 1, 1), (3, 300, 1, 1))
    formed = rows(COPY_GROUP, (2, 2, 2), (3, 2, 2))
    found = continued_groups(formed, edges((1, 2), (2, 3)), known)
    assert found == rows(COPY_GROUP, (1, 1, 1), (2, 2, 2), (3, 2, 2))


def test_a_node_stands_in_the_stories_of_all_its_copies():
    known = ledger((1, 0, 1, 1), (2, 0, 2, 2), (3, 0, 3, 3))
    groups = rows(COPY_GROUP, (1, 1, 9), (2, 1, 9), (9, 1, 9))
    nodes = np.array([3, 9], np.uint64)
    at, stories = prior_stories(nodes, groups, known)
    assert sorted(zip(at.tolist(), stories.tolist(), strict=True)) == [
        (0, 3),
        (1, 1),
        (1, 2),
    ]


def test_where_nothing_is_scored_nobody_stands_in_a_story():
    known = ledger((1, 0, 1, 1), (2, 0, 2, 2))
    groups = rows(COPY_GROUP, (1, 1, 9), (9, 1, 9))
    at, stories = prior_stories(np.zeros(0, np.uint64), groups, known)
    assert len(at) == len(stories) == 0


def test_two_stories_of_one_node_are_together_from_the_start():
    at, stories = np.array([0, 1, 1, 2]), np.array([7, 7, 8, 9], np.uint64)
    together = begun_together(at, stories, 4)
    assert together[0] == together[1]
    assert len(set(together.tolist())) == 3


def test_a_story_is_named_after_the_oldest_that_is_part_of_it():
    known = ledger((7, 500, 7, 7), (8, 400, 8, 8))
    groups = np.array([1, 1, 3], np.uint64)
    at, stories = np.array([0, 1]), np.array([7, 8], np.uint64)
    names = oldest_begun(groups, at, stories, known)
    assert names.tolist() == [8, 8, 3]
    assert merged_stories(at, stories, names) == rows(MERGED, (7, 8))


def test_membership_lists_old_and_new_and_what_changed():
    known = ledger((1, 0, 1, 1), (2, 0, 2, 2), (3, 0, 3, 3), (4, 0, 4, 4))
    groups = rows(COPY_GROUP, (1, 1, 1), (9, 1, 1))
    stories = rows(STORY_MEMBERS, (1, 1), (2, 1), (3, 3), (8, 8))
    members = continued_membership(known, groups, stories, rows(MERGED, (2, 1)))
    assert members == rows(
        MEMBERSHIP,
        (1, 1, 1, 1),
        (2, 2, UNCHANGED, 1),
        (3, 3, UNCHANGED, 3),
        (4, 4, UNCHANGED, 4),
        (8, 8, 8, 8),
        (9, 1, 1, 1),
    )
    assert changed_stories(known, members).column(0).to_pylist() == [1, 8]


def test_without_stories_every_copy_group_is_one():
    known = ledger((1, 0, 1, 1), (2, 0, 2, 2))
    groups = rows(COPY_GROUP, (1, 1, 9), (2, 1, 9), (9, 1, 9))
    stories, merged = stories_of_copies(np.array([7, 9], np.uint64), groups, known)
    assert stories == rows(STORY_MEMBERS, (7, 7), (9, 1))
    assert merged == rows(MERGED, (2, 1))


def test_a_story_that_an_article_left_is_written_again():
    known = ledger((1, 0, 1, 1), (2, 0, 2, 1), (3, 0, 3, 1), (4, 0, 4, 4))
    members = rows(MEMBERSHIP, (1, 1, 1, 1), (2, 2, 2, 1), (3, 3, 3, 3), (4, 4, 4, 4))
    assert changed_stories(known, members).column(0).to_pylist() == [1, 3]
    gone = rows(MEMBERSHIP, *((key, key, key, 4) for key in range(1, 5)))
    assert changed_stories(known, gone).column(0).to_pylist() == [4]


def test_a_name_of_which_nobody_knows_whose_it_is_is_the_oldest():
    known = ledger((7, 500, 7, 7), (8, 400, 9, 9))
    at, stories = np.array([0, 1]), np.array([7, 9], np.uint64)
    names = oldest_begun(np.array([1, 1], np.uint64), at, stories, known)
    assert names.tolist() == [9, 9]


def standings(*values):
    """Make rows of (article, published, group, story) as a stream gave them."""
    nobody = {"article_id": "", "story_id": "", "duplicate_group_id": "", "relation": ""}
    given = [
        dict(zip(LEDGER.names, (key, when, 100, group, story), strict=True))
        | nobody
        | {"content_key": 0, "representative_key": key}
        for key, when, group, story in values
    ]
    return pa.RecordBatch.from_pylist(given, schema=STANDING)


def names(membership):
    return list(
        zip(
            *(column(membership, name).tolist() for name in ("group_key", "story_key")),
            strict=True,
        )
    )


def test_names_that_a_stream_gave_are_kept():
    members = rows(MEMBERSHIP, (1, 1, 1, 1), (2, 1, 1, 1), (3, 3, 3, 1))
    given = standings((1, 100, 2, 3), (2, 200, 2, 3), (3, 300, 3, 3))
    assert names(keep_names(members, given, ledger())) == [(2, 3), (2, 3), (3, 3)]


def test_of_several_names_that_a_stream_gave_the_oldest_is_kept():
    members = rows(MEMBERSHIP, *((key, key, key, 1) for key in (1, 2, 3)))
    given = standings((1, 100, 1, 2), (2, 300, 2, 2), (3, 200, 3, 3))
    assert [story for _, story in names(keep_names(members, given, ledger()))] == [3] * 3


def test_a_name_goes_with_the_article_that_it_is_the_key_of():
    """The stream had all in one story; a run parts it, and one part alone has the name."""
    members = rows(MEMBERSHIP, (1, 1, 1, 1), (2, 2, 2, 1), (3, 3, 3, 3), (4, 4, 4, 3))
    given = standings(*((key, key, key, 4) for key in (1, 2, 3, 4)))
    stories = [story for _, story in names(keep_names(members, given, ledger()))]
    assert stories == [1, 1, 4, 4]


def test_what_an_earlier_run_has_named_keeps_its_name():
    members = rows(MEMBERSHIP, (1, 1, 1, 1), (2, 1, 1, 1))
    given = standings((1, 100, 2, 2), (2, 200, 2, 2))
    known = ledger((1, 100, 1, 1))
    assert names(keep_names(members, given, known)) == [(1, 1)] * 2


def test_articles_that_no_stream_knows_are_named_as_without_one():
    members = rows(MEMBERSHIP, (1, 1, 1, 1), (2, 1, 1, 1), (5, 5, 5, 1))
    assert keep_names(members, standings((9, 0, 9, 9)), ledger()) == members
    assert keep_names(members, standings(), ledger()) == members


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 5))),
    st.sets(st.integers(1, 10)),
)
def test_names_that_are_kept_tell_the_same_groups_apart(values, earlier):
    """Whatever a stream said, and even if what gave a name is somewhere else now."""
    stories = {}
    for key, (story, *_) in enumerate(values, 1):
        stories.setdefault(story, key)
    members = rows(
        MEMBERSHIP,
        *((key, key, key, stories[story]) for key, (story, *_) in enumerate(values, 1)),
    )
    given = standings(
        *((key, when, key, 1 + to) for key, (_, to, when) in enumerate(values, 1))
    )
    known = ledger(
        *(
            (key, 0, key, stories[values[key - 1][0]])
            for key in sorted(earlier)
            if key <= len(values)
        )
    )
    kept = [story for _, story in names(keep_names(members, given, known))]
    pairs = set(zip(kept, (stories[story] for story, *_ in values), strict=True))
    assert len(pairs) == len(stories) == len(set(kept))
