"""Articles of the past that share a key with new ones."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pyarrow as pa

from schemas.batch import column
from schemas.fingerprint import FINGERPRINT, NUM_PERM
from transforms.candidates import chosen_pairs, key_blocks, shared_keys
from transforms.sharing import keys_of, sharing_keys

MAKING = {"bands": 16, "rows": 8}
COLUMNS = ("article_key", "published", "text_key", "signature", "passage_keys")


def keyed(*articles):
    """Make articles of (key, what its signature is made of, passages)."""
    schema = pa.schema([FINGERPRINT.field(name) for name in COLUMNS])
    rows = [
        {
            "article_key": key,
            "published": 0,
            "text_key": 1000 + key,
            "signature": [kind * NUM_PERM + place + 1 for place in range(NUM_PERM)],
            "passage_keys": sorted(passages),
        }
        for key, kind, passages in articles
    ]
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def pairs_of(*batches):
    blocks = [
        block for batch in batches for _, block in key_blocks(batch, shards=1, **MAKING)
    ]
    shared, _ = shared_keys(blocks, max_bucket=3)
    pairs = chosen_pairs([shared])
    return {tuple(row.values()) for row in pairs.to_pylist()}


def test_who_shares_no_key_is_left_out():
    old = keyed((1, 1, [5]), (2, 2, [6]), (3, 3, [7]))
    new = keyed((11, 1, [50]), (12, 9, [7]))
    found = sharing_keys(old, keys_of(new, **MAKING), **MAKING)
    assert column(found, "article_key").tolist() == [1, 3]


def test_without_new_articles_or_old_ones_none_is_found():
    old, nobody = keyed((1, 1, [5])), keyed()
    assert not len(keys_of(nobody, **MAKING))
    assert not sharing_keys(old, keys_of(nobody, **MAKING), **MAKING).num_rows
    assert not sharing_keys(nobody, keys_of(old, **MAKING), **MAKING).num_rows


some = st.lists(
    st.tuples(st.integers(0, 3), st.sets(st.integers(0, 9), max_size=4)), max_size=8
)


@hypothesis.given(some, some)
def test_pairs_with_new_articles_are_those_of_all(first, second):
    old = keyed(*((number, *made) for number, made in enumerate(first)))
    new = keyed(*((100 + number, *made) for number, made in enumerate(second)))
    kept = sharing_keys(old, keys_of(new, **MAKING), **MAKING)
    expected = {pair for pair in pairs_of(old, new) if max(pair) >= 100}
    assert {pair for pair in pairs_of(kept, new) if max(pair) >= 100} == expected
    assert set(column(kept, "article_key").tolist()) <= set(range(len(first)))
    assert kept.schema.equals(old.schema)
    assert np.all(np.diff(column(kept, "article_key").astype(int)) > 0)
