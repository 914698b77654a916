import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batch import list_array
from transforms.candidates import (
    SHARED_KEYS,
    chosen_pairs,
    key_blocks,
    shared_keys,
)

DAY = 86_400
BAND, PASSAGE, EXACT = (kind << 30 for kind in range(3))


def fingerprints(*articles):
    """Articles as (key, published, first signature value, passage keys, text key, thin).

    A thin one has no signature.
    """
    columns = list(zip(*articles, strict=True))
    signature = np.arange(128) + 1_000 * np.array(columns[2])[:, None]
    signature[np.array(columns[5])] = 0
    lengths = np.cumsum([0, *map(len, columns[3])])
    passages = np.array([key for own in columns[3] for key in own], np.uint64)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(columns[0], pa.uint64()),
            pa.array(columns[1], pa.int64()),
            pa.FixedSizeListArray.from_arrays(
                pa.array(signature.ravel().astype(np.uint32)), 128
            ),
            list_array(passages, lengths),
            pa.array(columns[4], pa.uint64()),
        ],
        ["article_key", "published", "signature", "passage_keys", "text_key"],
    )


def proposals(batches, shards=4, **settings):
    """Rows of SHARED_KEYS summed over all shards, as pair -> counts, and the hot keys."""
    blocks: dict[int, list[pa.RecordBatch]] = {}
    for batch in batches:
        for shard, block in key_blocks(batch, bands=42, rows=3, shards=shards):
            blocks.setdefault(shard, []).append(block)
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    hot_keys = 0
    for own in blocks.values():
        shared, hot = shared_keys(own, **settings)
        hot_keys += hot
        for row in shared.to_pylist():
            pair = row["article_key"], row["matched_key"]
            counts = row["bands"], row["passages"], row["exact"]
            before = found.get(pair, (0, 0, 0))
            found[pair] = tuple(map(sum, zip(before, counts, strict=True)))
    return found, hot_keys


def mixed(*values):
    """Keys that fall into different shards, as hashes do."""
    return [value * 0x9E3779B97F4A7C15 % 2**64 for value in values]


def test_shared_keys_are_counted_by_kind():
    found, hot = proposals(
        [
            fingerprints(
                (1, 0, 7, mixed(1, 2, 3), 10, False), (2, 0, 7, mixed(4), 20, False)
            ),
            fingerprints(
                (3, DAY, 8, mixed(2, 3, 5), 30, False),
                (4, None, 9, mixed(6), 20, False),
                (5, 0, 9, mixed(7), 40, True),
            ),
        ]
    )
    assert found == {(1, 2): (42, 0, 0), (1, 3): (0, 2, 0), (2, 4): (0, 0, 1)}
    assert hot == 0


@given(st.integers(1, 9), st.randoms())
def test_shards_batches_and_order_change_nothing(shards, random):
    rng = np.random.default_rng(1)
    articles = [
        (
            key,
            random.choice([None, *range(0, 60 * DAY, DAY)]),
            int(rng.integers(5)),
            sorted(mixed(*set(rng.integers(1, 20, 6).tolist()))),
            int(rng.integers(4)),
            False,
        )
        for key in range(1, 30)
    ]
    expected = proposals([fingerprints(*articles)], shards=1, max_bucket=8)[0]
    random.shuffle(articles)
    batches = [fingerprints(*articles[:10]), fingerprints(*articles[10:])]
    assert proposals(batches, shards=shards, max_bucket=8)[0] == expected


def test_articles_apart_are_no_pair_and_undated_ones_fit_everywhere():
    articles = [
        (1, 0, 1, mixed(1), 1, False),
        (2, 31 * DAY, 2, mixed(1), 2, False),
        (3, None, 3, mixed(1), 3, False),
    ]
    found, _ = proposals([fingerprints(*articles)], window_days=30)
    assert set(found) == {(1, 3), (2, 3)}


def holders(count, published=lambda number: number):
    """Articles that share one passage key and nothing else."""
    return [
        (number + 1, published(number), number, mixed(99), number + 1, False)
        for number in range(count)
    ]


def test_a_hot_key_pairs_neighbours_in_time_alone():
    found, hot = proposals([fingerprints(*holders(65))], max_bucket=64, hot_neighbours=2)
    assert hot == 1
    assert set(found) == {
        (i, j) for i in range(1, 66) for j in range(i + 1, min(i + 3, 66))
    }


def test_a_key_is_not_hot_when_its_holders_are_spread_in_time():
    apart = fingerprints(*holders(65, lambda number: number * 10 * DAY))
    found, hot = proposals([apart], max_bucket=64, window_days=30)
    assert hot == 0
    assert len(found) == 64 + 63 + 62


def test_equal_texts_are_linked_however_many_they_are():
    equal = [(number, number * DAY, 5, mixed(1), 77, False) for number in range(1, 101)]
    found, _ = proposals([fingerprints(*equal)], max_bucket=8, window_days=30)
    exact = {pair for pair, counts in found.items() if counts[2]}
    reached = {1}
    for left, right in sorted(exact):
        assert right - left <= 30
        assert left in reached
        reached.add(right)
    assert reached == set(range(1, 101))
    assert len(exact) < 2 * 100


def shared(**counts):
    row = {"article_key": 1, "matched_key": 2, "bands": 0, "passages": 0, "exact": 0}
    return pa.RecordBatch.from_pylist(
        [row | {"passage_count": 20} | counts], schema=SHARED_KEYS
    )


@pytest.mark.parametrize(
    ("counts", "chosen"),
    [
        ({"bands": 1}, False),
        ({"bands": 2}, True),
        ({"bands": 1, "passages": 1}, True),
        ({"passages": 3}, False),
        ({"passages": 4}, True),
        ({"passages": 1, "passage_count": 5}, True),
        ({"passages": 1, "passage_count": 6}, False),
        ({"exact": 1}, True),
    ],
)
def test_pairs_are_chosen_by_what_they_share(counts, chosen):
    pairs = chosen_pairs([shared(**counts)], min_shared_passages=0.2)
    assert pairs.num_rows == chosen


def test_counts_of_several_shards_add_up():
    once = shared(bands=1)
    other = shared(bands=2, article_key=0)
    pairs = chosen_pairs([other, once, once], min_shared_passages=0.2)
    assert pairs.to_pylist() == [
        {"article_key": 0, "matched_key": 2},
        {"article_key": 1, "matched_key": 2},
    ]


def test_thin_articles_and_empty_batches_have_no_keys():
    thin = fingerprints((1, 0, 1, [], 1, True))
    assert list(key_blocks(thin, bands=42, rows=3, shards=2)) == []
    found, hot = shared_keys([])
    assert (found.num_rows, hot) == (0, 0)
    assert chosen_pairs([], min_shared_passages=0.2).num_rows == 0
