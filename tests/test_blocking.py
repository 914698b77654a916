import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.blocking import (
    SECONDS_AN_HOUR,
    AssignBlocks,
    Timeline,
    article_blocks,
    block_key,
    merge_timelines,
    set_aside,
    slab_starts,
    timelines,
)
from transforms.spilling import Slice, read_slice


def batch_of(rows):
    return pa.RecordBatch.from_pylist(
        [
            {"article_key": key, "language": language, "published": published}
            for key, language, published in rows
        ],
        schema=pa.schema(
            [
                pa.field("article_key", pa.uint64()),
                pa.field("language", pa.string()),
                pa.field("published", pa.int64()),
            ]
        ),
    )


def test_few_articles_are_one_slab():
    timeline = Timeline(np.arange(10), np.ones(10, np.int64), 5)
    assert slab_starts(timeline, block_size=15).tolist() == []


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(20, 50))
def test_articles_with_few_others_between_them_meet_in_a_slab(counts, block_size):
    hours = np.repeat(np.arange(len(counts)), counts)
    timeline = Timeline(np.arange(len(counts)), np.array(counts), 0)
    starts = slab_starts(timeline, block_size=block_size)
    dated = np.ones(len(hours), np.bool_)
    rows, slabs = article_blocks(
        np.arange(len(hours), dtype=np.uint64),
        hours,
        dated,
        starts,
        0,
        block_size=block_size,
    )
    members = {slab: set(rows[slabs == slab].tolist()) for slab in set(slabs.tolist())}
    assert max(len(own) for own in members.values()) <= block_size
    assert set(rows.tolist()) == set(range(len(hours)))
    for row in range(0, len(hours), 7):
        # A span may be short of block_size / 2 by the hour that did not fit.
        near = range(row, min(row + block_size // 2 - 2 * max(counts), len(hours)))
        for other in near:
            assert any({row, other} <= own for own in members.values())


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=80),
    st.integers(24, 60),
    st.integers(8, 30),
)
def test_slabs_overlap_by_a_window(counts, block_size, window):
    hours = np.repeat(np.arange(len(counts)), counts)
    timeline = Timeline(np.arange(len(counts)), np.array(counts), 0)
    starts = slab_starts(timeline, block_size=block_size, window=window)
    rows, slabs = article_blocks(
        np.arange(len(hours), dtype=np.uint64),
        hours,
        np.ones(len(hours), np.bool_),
        starts,
        0,
        block_size=block_size,
        window=window,
    )
    members = {slab: set(rows[slabs == slab].tolist()) for slab in set(slabs.tolist())}
    assert max(len(own) for own in members.values()) <= block_size
    assert set(rows.tolist()) == set(range(len(hours)))
    # A span may be short of a window by the hour that did not fit.
    reach = min(window, block_size // 2) - 2 * max(counts)
    for row in range(len(hours)):
        for other in range(row, min(row + reach, len(hours))):
            assert any({row, other} <= own for own in members.values())


def test_large_blocks_repeat_few_articles():
    """Seven spans of a block of eight are new, so that a seventh is compared twice."""
    hours = np.arange(1000)
    timeline = Timeline(hours, np.ones(1000, np.int64), 0)
    starts = slab_starts(timeline, block_size=80, window=10)
    rows, _ = article_blocks(
        hours.astype(np.uint64),
        hours,
        np.ones(1000, np.bool_),
        starts,
        0,
        block_size=80,
        window=10,
    )
    assert 1000 * 1.1 < len(rows) < 1000 * 1.15


def test_few_undated_articles_are_in_every_slab_and_many_are_spread():
    starts = np.array([10, 20, 30])
    keys = np.arange(6, dtype=np.uint64)
    undated = np.zeros(6, np.bool_)
    hours = np.zeros(6, np.int64)
    rows, slabs = article_blocks(keys, hours, undated, starts, 6, block_size=10)
    assert sorted(zip(rows.tolist(), slabs.tolist(), strict=True)) == [
        (row, slab) for row in range(6) for slab in range(3)
    ]
    rows, _ = article_blocks(keys, hours, undated, starts, 60, block_size=10)
    assert sorted(rows.tolist()) == list(range(6))


def test_a_block_of_one_article_is_refused():
    with pytest.raises(ValueError, match="block_size must be at least 2, got 1"):
        slab_starts(Timeline(np.arange(1), np.ones(1), 0), block_size=1)


def test_a_window_of_no_article_is_refused():
    with pytest.raises(ValueError, match="window must be at least 1 article, got 0"):
        slab_starts(Timeline(np.arange(1), np.ones(1), 0), block_size=4, window=0)


def test_timelines_add_up_in_any_order():
    hour = SECONDS_AN_HOUR
    one = timelines(batch_of([(1, "en", 5), (2, "en", None), (3, "de", hour)]))
    two = timelines(batch_of([(4, "en", 2 * hour), (5, "en", 7)]))
    for parts in ((one, two), (two, one)):
        merged = merge_timelines(parts)
        assert list(merged) == ["de", "en"]
        assert merged["en"].hours.tolist() == [0, 2]
        assert merged["en"].counts.tolist() == [2, 1]
        assert merged["en"].undated == 1
        assert merged["en"].articles == 4


def test_block_keys_are_stable_across_releases():
    """Streaming state is keyed by them."""
    assert block_key("en", 0) == 7953924048826124949


def test_articles_too_short_to_tell_join_the_commonest_language(apply, tmp_path):
    batches = [
        batch_of([(1, "en", 5), (2, "en", 6), (3, "de", 5)]),
        batch_of([(4, "und", None)]),
    ]
    blocks = apply(AssignBlocks(str(tmp_path)), batches)
    members: dict[int, set[int]] = {}
    for key, part in blocks:
        batch = read_slice(Slice(*part))
        members.setdefault(key, set()).update(batch.column("article_key").to_pylist())
    assert members == {block_key("en", 0): {1, 2, 4}, block_key("de", 0): {3}}


class Beside(beam.PTransform):
    """Puts batches into blocks beside what waits on disk."""

    def __init__(self, folder, block_size):
        super().__init__()
        self.folder, self.block_size = folder, block_size

    def expand(self, given):
        return given["batches"] | AssignBlocks(
            self.folder, self.block_size, waiting=given["waiting"]
        )


@pytest.mark.parametrize("block_size", [10, 100])
def test_what_waits_on_disk_goes_to_the_blocks_it_would_go_to(apply, tmp_path, block_size):
    rows = [(key, "en", key * SECONDS_AN_HOUR) for key in range(40)]
    waiting = [
        set_aside(batch_of(part), str(tmp_path)) for part in (rows[5:20], rows[20:30])
    ]
    found = []
    for transform, given_ in (
        (AssignBlocks(str(tmp_path), block_size), [batch_of(rows)]),
        (
            Beside(str(tmp_path), block_size),
            {"batches": [batch_of(rows[:5]), batch_of(rows[30:])], "waiting": waiting},
        ),
    ):
        members: dict[int, set[int]] = {}
        for key, part in apply(transform, given_):
            batch = read_slice(Slice(*part))
            members.setdefault(key, set()).update(batch.column("article_key").to_pylist())
        found.append(members)
    assert found[0] == found[1]


def test_a_batch_that_is_set_aside_is_read_back(tmp_path):
    batch = batch_of([(1, "en", 5), (2, "und", None)])
    assert read_slice(set_aside(batch, str(tmp_path))).equals(batch)


def test_more_articles_than_a_block_holds_are_cut_by_time(apply, tmp_path):
    rows = [(key, "en", key * SECONDS_AN_HOUR) for key in range(40)]
    assign = AssignBlocks(str(tmp_path), block_size=10)
    blocks = apply(assign, [batch_of(rows[:20]), batch_of(rows[20:])])
    members: dict[int, list[int]] = {}
    for key, part in blocks:
        batch = read_slice(Slice(*part))
        members.setdefault(key, []).extend(batch.column("article_key").to_pylist())
    assert len(members) == 7
    assert all(len(own) == 10 for own in members.values())
    assert set().union(*members.values()) == set(range(40))
