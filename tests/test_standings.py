"""Where articles stand, forgotten ones too, and what of it is told."""

import numpy as np
import pyarrow as pa
import pytest

from made_rows import rows
from schemas.batch import column
from schemas.match import COPY_EVIDENCE
from schemas.past import STANDING
from schemas.story import ARTICLES
from transforms.copy_groups import COPY_GROUP
from transforms.membership import MEMBERSHIP
from transforms.past import id_keys
from transforms.remembering import NO_PAST
from transforms.standings import (
    changes_of_forgotten,
    edges_of_forgotten,
    groups_going_on,
    standing_otherwise,
    standings_now,
)
from transforms.story_articles import STORY_ARTICLE


def key(article_id):
    return int(id_keys(pa.array([article_id]))[0])


def standing(article_id, story=None, group=None, relation="canonical"):
    story, group = story or article_id, group or article_id
    return {
        "article_key": key(article_id),
        "article_id": article_id,
        "story_id": story,
        "story_key": key(story),
        "duplicate_group_id": group,
        "group_key": key(group),
        "representative_key": key(group),
        "relation": relation,
        "content_key": 7,
        "published": None,
        "word_count": 0,
    }


def past(remembered, *standings):
    ordered = sorted(standings, key=lambda row: row["article_key"])
    return NO_PAST._replace(
        articles=rows(STORY_ARTICLE, *({"article_key": key(i)} for i in remembered)),
        standings=rows(STANDING, *ordered),
    )


def now(known, told, members):
    """Give standings by id: `told` of remembered ones, `members` of all, as of the past."""
    belongs = {
        i: {
            "article_key": key(i),
            "story_key": key(story),
            "group_key": key(group),
            "representative_key": 0 if standing is None else key(standing),
        }
        for i, (story, group, standing) in members.items()
    }
    ordered = sorted(belongs.values(), key=lambda row: row["article_key"])
    touched = [
        {"article_id": i, "content_key": 7, **belongs[i], "run_id": "w"} for i in told
    ]
    articles = [
        {"article_id": i, "story_id": story, "duplicate_group_id": group, "relation": how}
        for i, (story, group, how) in told.items()
    ]
    for row in touched:
        row.pop("representative_key")
    return standings_now(
        known,
        rows(ARTICLES, *articles),
        rows(STORY_ARTICLE, *reversed(touched)),
        rows(MEMBERSHIP, *ordered),
    )


def by_id(standings):
    return {row["article_id"]: row for row in standings.to_pylist()}


def test_a_new_article_stands_where_it_is_told_to():
    found = now(
        NO_PAST,
        {"a": ("a", "a", "canonical"), "b": ("a", "a", "near_copy")},
        {"a": ("a", "a", "b"), "b": ("a", "a", "b")},
    )
    assert found.schema == STANDING
    assert column(found, "article_key").tolist() == sorted([key("a"), key("b")])
    assert by_id(found)["b"] == standing("b", "a", "a", "near_copy") | {
        "representative_key": key("b")
    }


def test_who_stands_for_an_article_stays_where_its_copies_do():
    known = past(["b"], standing("a"), standing("b", "a", "a", "near_copy"))
    found = now(
        known,
        {"b": ("a", "a", "canonical"), "c": ("a", "c", "same_story")},
        {"a": ("a", "a", None), "b": ("a", "a", None), "c": ("a", "c", "c")},
    )
    assert by_id(found)["b"]["representative_key"] == key("a")
    assert by_id(found)["c"]["representative_key"] == key("c")


def test_a_forgotten_article_follows_its_story_and_speaks_no_more():
    known = past(["b"], standing("a"), standing("b", "a", relation="same_story"))
    found = by_id(
        now(
            known,
            {"b": ("z", "b", "same_story"), "z": ("z", "z", "canonical")},
            {"a": ("z", "a", None), "b": ("z", "b", None), "z": ("z", "z", "z")},
        )
    )
    assert found["a"] == standing("a", "z", "a", "same_story")


def test_a_forgotten_article_follows_its_copy_group():
    known = past(["b"], standing("a"), standing("b", "a", "a", "near_copy"))
    found = by_id(
        now(
            known,
            {"b": ("a", "z", "near_copy"), "z": ("a", "z", "canonical")},
            {"a": ("a", "z", "z"), "b": ("a", "z", "z"), "z": ("a", "z", "z")},
        )
    )
    assert found["a"]["duplicate_group_id"] == found["b"]["duplicate_group_id"] == "z"
    assert found["a"]["representative_key"] == key("z")


def test_a_copy_group_of_forgotten_articles_alone_has_the_name_of_its_member():
    known = past(
        ["c"], standing("a"), standing("b", "a", "a"), standing("c", "a", "a", "near_copy")
    )
    found = by_id(
        now(
            known,
            {"c": ("a", "c", "canonical")},
            {"a": ("a", "b", "b"), "b": ("a", "b", "b"), "c": ("a", "c", "c")},
        )
    )
    assert {found[i]["duplicate_group_id"] for i in "ab"} == {"b"}
    assert found["c"]["duplicate_group_id"] == "c"


def test_keys_are_those_of_the_names():
    """A story is named after its first article, its key is that of who stands for it."""
    found = now(
        NO_PAST,
        {"a": ("a", "a", "canonical"), "b": ("a", "a", "near_copy")},
        {"a": ("b", "a", "b"), "b": ("b", "a", "b")},
    )
    for row in found.to_pylist():
        assert row["story_key"] == key("a")
        assert row["group_key"] == key("a")


def test_stories_that_do_not_change_stand_as_they_did():
    known = past(["a", "x"], standing("a"), standing("x"), standing("y", "x"))
    found = now(
        known,
        {"a": ("a", "a", "canonical"), "b": ("a", "b", "same_story")},
        {"a": ("a", "a", None), "b": ("a", "b", "b")}
        | {"x": ("x", "x", None), "y": ("x", "y", None)},
    )
    assert {i: by_id(found)[i] for i in "xy"} == {
        i: by_id(known.standings)[i] for i in "xy"
    }


def changes(known, *standings):
    ordered = sorted(standings, key=lambda row: row["article_key"])
    told = changes_of_forgotten(known, rows(STANDING, *ordered), "w").to_pylist()
    names = ("change", "article_id", "story_id", "previous_id")
    return {tuple(row[name] for name in names) for row in told}


def test_a_story_whose_name_giver_is_forgotten_is_told_to_be_merged():
    known = past(["b"], standing("a"), standing("b", "a", relation="same_story"))
    after = [standing("a", "z", relation="same_story"), standing("z")]
    assert changes(known, *after, standing("b", "z", relation="same_story")) == {
        ("story_merged", None, "z", "a")
    }


def test_a_forgotten_article_in_another_copy_group_is_told_of():
    known = past(["b"], standing("a"), standing("b", "a", "a", "near_copy"))
    after = [standing("a", group="b", relation="same_story"), standing("b", "a", "b")]
    assert changes(known, *after) == {("copy_group_changed", "a", "a", "a")}


def test_of_remembered_articles_and_of_what_stays_nothing_is_told():
    known = past(["b"], standing("a"), standing("b"))
    assert changes(known, standing("a"), standing("b", "z", "z"), standing("z")) == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [("relation", "same_story"), ("story_key", 9), ("published", 5), ("published", None)],
)
def test_a_row_that_differs_in_anything_stands_otherwise(name, value):
    before = rows(STANDING, standing("a") | {"published": None if value else 3})
    after = rows(STANDING, standing("a") | {"published": None if value else 3, name: value})
    assert standing_otherwise(after, before).tolist() == [True]
    assert standing_otherwise(before, before).tolist() == [False]


def test_a_new_row_stands_otherwise():
    before = rows(STANDING, standing("a"))
    both = rows(STANDING, *sorted([standing("a"), standing("b")], key=str))
    both = both.sort_by("article_key")
    new = both.filter(pa.array(standing_otherwise(both, before)))
    assert new.column("article_id").to_pylist() == ["b"]
    assert standing_otherwise(both, rows(STANDING)).all()


def in_group(article_id, group, published=0):
    return standing(article_id, group=group) | {"published": published}


def going_on(known, formed, reopened=()):
    """Give who is in which group; `formed` names groups and says of whom they are."""
    members = sorted((key(one), key(name)) for name, ids in formed.items() for one in ids)
    groups = rows(
        COPY_GROUP,
        *({"article_key": one, "group_key": name} for one, name in members),
    )
    keys = np.array(sorted(map(key, reopened)), np.uint64)
    found = groups_going_on(groups, known, keys)
    assert column(found, "article_key").tolist() == sorted(column(found, "article_key"))
    names = {key(one): one for one in "abcdefxyz"}
    return {names[row["article_key"]]: names[row["group_key"]] for row in found.to_pylist()}


FORGOTTEN_A = past(["b", "c"], *(in_group(one, "a") for one in "abc"))


def test_a_group_of_which_somebody_is_forgotten_keeps_its_name_and_its_members():
    found = going_on(FORGOTTEN_A, {"b": "bx"})
    assert found == dict.fromkeys("abcx", "a")
    # Formed again in two, they stay one.
    assert going_on(FORGOTTEN_A, {"b": "bx", "c": "cy"}) == dict.fromkeys("abcxy", "a")


def test_a_group_of_which_all_are_at_hand_is_as_it_was_formed():
    known = past(["a", "b", "c"], *(in_group(one, "a") for one in "abc"))
    assert going_on(known, {"a": "ab", "c": "cx"}) == {**dict.fromkeys("ab", "a")} | {
        **dict.fromkeys("cx", "c")
    }


def test_of_two_groups_that_become_one_the_older_name_is_kept():
    first = [in_group(one, "a", 5) for one in "ab"]
    for published, name in ((1, "c"), (9, "a")):
        second = [in_group(one, "c", published) for one in "cd"]
        for at_hand in ("bd", "bcd"):
            found = going_on(past(at_hand, *first, *second), {"b": "bdx"})
            if "c" in at_hand:
                # Its namer is at hand, and no part of what was formed.
                assert found == dict.fromkeys("abdx", "a")
            else:
                assert found == dict.fromkeys("abcdx", name)


def test_a_name_of_which_nobody_knows_whose_it_is_goes_on():
    known = past(["b"], in_group("b", "a", 5))
    assert going_on(known, {"b": "bx"}) == dict.fromkeys("bx", "a")


def test_who_is_no_copy_any_more_does_not_stay_for_the_sake_of_a_forgotten_one():
    assert going_on(FORGOTTEN_A, {"b": "b", "c": "c"}, reopened="bc") == {
        "b": "b",
        "c": "c",
    }
    found = going_on(FORGOTTEN_A, {"b": "b", "c": "cx"}, reopened="b")
    assert found == {"b": "b"} | dict.fromkeys("acx", "a")


def touched(*members):
    """Make STORY_ARTICLE rows of one group: id, and how it stood."""
    return rows(
        STORY_ARTICLE,
        *(
            {
                "article_id": one,
                "article_key": key(one),
                "group_key": key("a"),
                "previous_relation": relation,
                "published_at": number,
            }
            for number, (one, relation) in enumerate(members)
        ),
    )


def edge(one, other, relation="near_copy"):
    return {
        "article_key": key(one),
        "matched_key": key(other),
        "article_id": one,
        "matched_article_id": other,
        "relation": relation,
    }


@pytest.mark.parametrize(
    ("members", "edges", "instead"),
    [
        # All stand by edges that there are.
        ([("a", "canonical"), ("b", "near_copy")], [edge("a", "b")], []),
        # One text holds the others: it speaks.
        (
            [("a", "partial_reprint"), ("b", "canonical")],
            [edge("a", "b", "partial_reprint")],
            [],
        ),
        # What both were copies of is forgotten.
        (
            [("b", "near_copy"), ("c", "exact_copy")],
            [],
            [("b", "c", "near_copy"), ("c", "b", "exact_copy")],
        ),
        # What both were parts of is; one of them has a copy.
        (
            [("b", "partial_reprint"), ("c", "partial_reprint"), ("x", None)],
            [edge("x", "b")],
            [("c", "b", "partial_reprint")],
        ),
        # What is part of two whole texts was the last to link them.
        (
            [("b", "canonical"), ("d", "near_copy"), ("c", "canonical"), ("x", None)],
            [
                edge("d", "b"),
                edge("x", "b", "partial_reprint"),
                edge("x", "c", "partial_reprint"),
            ],
            [("c", "b", "near_copy")],
        ),
    ],
)
def test_who_copied_a_forgotten_article_stands_to_one_that_is_left(members, edges, instead):
    found = edges_of_forgotten(touched(*members), rows(COPY_EVIDENCE, *edges))
    assert found.schema == COPY_EVIDENCE
    names = ("article_id", "matched_article_id", "relation")
    assert [tuple(row[name] for name in names) for row in found.to_pylist()] == instead
