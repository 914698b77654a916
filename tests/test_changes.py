"""What stories and copy groups are called, and what is told of ids that were given."""

import numpy as np
import pyarrow as pa
import pytest

from transforms.changes import change_rows, given_names
from transforms.past import id_keys
from transforms.story_articles import STORY_ARTICLE


def nothing(kind):
    """Give a value that says nothing, where null may not be."""
    if pa.types.is_fixed_size_list(kind):
        return [0] * kind.list_size
    if pa.types.is_list(kind):
        return []
    return "" if pa.types.is_string(kind) else pa.scalar(0, pa.int64()).cast(kind).as_py()


def key(article_id):
    return int(id_keys(pa.array([article_id]))[0])


def articles(*rows):
    """Make STORY_ARTICLE rows of (id, story, what else is known), in story order."""
    empty = {
        field.name: None if field.nullable else nothing(field.type)
        for field in STORY_ARTICLE
    }
    given = [
        empty
        | {
            "article_key": key(article_id),
            "article_id": article_id,
            "story_key": key(story),
            "group_key": key(story),
        }
        | others
        for article_id, story, others in rows
    ]
    return pa.RecordBatch.from_pylist(given, schema=STORY_ARTICLE)


def names(batch, kind="story"):
    """Give the names of stories, that of each article."""
    keys = batch.column(f"{kind}_key").to_numpy()
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    found = given_names(batch, kind, starts).to_pylist()
    return [found[i] for i in np.searchsorted(starts, np.arange(len(keys)), "right") - 1]


@pytest.mark.parametrize("kind", ["story", "group"])
class TestNames:
    """Stories and copy groups are named in the same way."""

    def test_a_new_one_is_called_after_its_first_article(self, kind):
        batch = articles(("a", "b", {}), ("b", "b", {}), ("c", "c", {}))
        assert names(batch, kind) == ["a", "a", "c"]

    def test_one_that_has_begun_keeps_the_id_by_which_it_goes_on(self, kind):
        known = {f"previous_{kind}_id": "b"}
        batch = articles(("a", "b", {}), ("b", "b", known), ("c", "b", {}))
        assert names(batch, kind) == ["b"] * 3

    def test_the_article_it_is_called_after_need_not_be_at_hand(self, kind):
        batch = articles(("a", "z", {}), ("b", "z", {f"previous_{kind}_id": "z"}))
        assert names(batch, kind) == ["z", "z"]

    def test_it_takes_the_name_that_a_stream_gave(self, kind):
        provisional = {f"provisional_{kind}_id": "b"}
        batch = articles(("a", "b", {}), ("b", "b", provisional), ("c", "b", provisional))
        assert names(batch, kind) == ["b"] * 3

    def test_no_other_name_that_a_stream_gave_is_taken(self, kind):
        other = {f"provisional_{kind}_id": "z"}
        batch = articles(("a", "a", other), ("b", "a", other), ("c", "c", {}))
        assert names(batch, kind) == ["a", "a", "c"]

    def test_only_of_its_own_articles_does_it_take_a_name(self, kind):
        """An article that went to another story takes no name with it."""
        stray = {f"provisional_{kind}_id": "z"}
        batch = articles(("a", "z", {}), ("b", "z", {}), ("c", "c", stray))
        assert names(batch, kind) == ["a", "a", "c"]

    def test_what_an_earlier_run_gave_and_a_stream_gave_agree(self, kind):
        both = {f"previous_{kind}_id": "b", f"provisional_{kind}_id": "a"}
        batch = articles(("a", "b", both), ("b", "b", both))
        assert names(batch, kind) == ["b", "b"]


def told(batch, stories, speakers, groups=None):
    decided = {
        "story_id": pa.array(stories),
        "duplicate_group_id": pa.array(groups or batch.column("article_id")),
    }
    rows = change_rows(batch, decided, pa.array(speakers), "w").to_pylist()
    names = ("change", "article_id", "story_id", "previous_id")
    return [tuple(row[name] for name in names) for row in rows]


def was(story, relation="same_story", speaker=None, group=None):
    return {
        "previous_story_id": story,
        "previous_relation": relation,
        "previous_speaker_id": speaker,
        "previous_group_id": group,
    }


def test_a_new_article_is_assigned():
    assert told(articles(("a", "a", {})), ["a"], ["a"]) == [
        ("story_assigned", "a", "a", None)
    ]


def test_a_story_is_merged_into_that_of_the_article_it_was_named_after():
    batch = articles(("a", "a", was("a")), ("b", "a", was("b")), ("c", "a", was("b")))
    assert told(batch, ["a"] * 3, ["a"]) == [("story_merged", None, "a", "b")]


def test_articles_that_leave_a_story_are_assigned_to_another():
    batch = articles(("b", "b", was("b")), ("c", "c", was("b")), ("d", "c", was("b")))
    assert told(batch, ["b", "c", "c"], ["b", "c"]) == [
        ("story_assigned", "c", "c", "b"),
        ("story_assigned", "d", "c", "b"),
    ]


def test_who_speaks_now_is_told_once_even_if_who_spoke_has_left():
    batch = articles(
        ("a", "a", was("a", speaker="c")),
        ("b", "a", was("a", speaker="c")),
        ("c", "c", was("a", "canonical", speaker="c")),
    )
    assert told(batch, ["a", "a", "c"], ["b", "c"]) == [
        ("story_assigned", "c", "c", "a"),
        ("canonical_changed", "b", "a", "c"),
    ]


def test_who_spoke_for_a_story_that_is_no_more_is_not_told_of():
    batch = articles(
        ("a", "a", was("a", "canonical", "a")), ("b", "a", was("b", "canonical", "b"))
    )
    assert told(batch, ["a", "a"], ["a"]) == [("story_merged", None, "a", "b")]


def test_a_copy_in_another_group_is_told_of():
    batch = articles(("a", "a", was("a", group="a")), ("b", "a", was("a", group="b")))
    assert told(batch, ["a", "a"], ["a"], ["a", "a"]) == [
        ("copy_group_changed", "b", "a", "b")
    ]
