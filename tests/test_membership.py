"""Which copy group and which story every article belongs to."""

import numpy as np
import pyarrow as pa
import pytest

from schemas.batch import column
from transforms.copy_groups import COPY_GROUP
from transforms.membership import STORY_MEMBERS, look_up, membership


def groups(*rows: tuple[int, int, int]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    return pa.RecordBatch.from_arrays(
        [pa.array(list(values), pa.uint64()) for values in columns], schema=COPY_GROUP
    )


def stories(*rows: tuple[int, int]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else ([], [])
    return pa.RecordBatch.from_arrays(
        [pa.array(list(values), pa.uint64()) for values in columns], schema=STORY_MEMBERS
    )


def keys(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def test_a_copy_is_in_the_story_of_its_representative():
    table = membership([groups((1, 1, 2), (2, 1, 2))], [stories((2, 2), (9, 2))])
    assert look_up(table, "story_key", keys(1, 2, 9)).tolist() == [2, 2, 2]
    assert look_up(table, "group_key", keys(1, 2, 9)).tolist() == [1, 1, 9]


def test_an_article_in_no_company_is_its_own_group_and_story():
    table = membership([], [])
    assert look_up(table, "story_key", keys(5)).tolist() == [5]
    table = membership([groups((1, 1, 1), (2, 1, 1))], [])
    assert look_up(table, "group_key", keys(5, 2)).tolist() == [5, 1]


def test_copies_outside_any_story_share_the_story_of_their_representative():
    table = membership([groups((1, 1, 2), (2, 1, 2))], [])
    assert look_up(table, "story_key", keys(1, 2)).tolist() == [2, 2]


def test_the_order_of_the_parts_does_not_matter():
    parts = [groups((7, 3, 3), (3, 3, 3)), groups((4, 2, 4), (2, 2, 4))]
    told = [stories((3, 3), (4, 3))]
    assert membership(parts, told).equals(membership(parts[::-1], told))
    assert column(membership(parts, told), "article_key").tolist() == [2, 3, 4, 7]


def test_an_article_in_two_groups_or_two_stories_is_refused():
    with pytest.raises(ValueError, match="one copy group and in one story"):
        membership([groups((1, 1, 1), (1, 2, 2))], [])
    with pytest.raises(ValueError, match="one copy group and in one story"):
        membership([], [stories((1, 1), (1, 2))])
