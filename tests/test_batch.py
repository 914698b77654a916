"""The element of every collection: an Arrow RecordBatch, and how it travels."""

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batch import (
    CODEC,
    RecordBatchCoder,
    column,
    concatenate,
    list_array,
    list_column,
    split_by,
    with_column,
)

rows = st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 2**63)), st.text()))


def batch_of(values):
    columns = list(zip(*values, strict=True)) if values else [[], [], []]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(columns[0], pa.int64()),
            pa.array(columns[1], pa.list_(pa.uint64())),
            pa.array(columns[2], pa.string()),
        ],
        names=["n", "list", "text"],
    )


@given(rows)
def test_a_batch_comes_back_from_its_coder_as_it_was(values):
    coder = RecordBatchCoder()
    batch = batch_of(values)
    assert coder.decode(coder.encode(batch)).equals(batch)
    assert coder.encode(batch) == coder.encode(batch_of(values))


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_a_schema_may_name_the_codec_it_travels_by(codec):
    coder = RecordBatchCoder()
    text = "one and the same line, " * 1_000
    plain = pa.RecordBatch.from_pydict({"line": [text]})
    named = plain.replace_schema_metadata({CODEC: codec})
    assert len(coder.encode(named)) < len(text) / 10 < len(coder.encode(plain))
    assert coder.decode(coder.encode(named)).equals(plain)


def test_beam_is_told_the_size_of_a_batch_without_encoding_it():
    batch = batch_of([(1, [2, 3], "four")])
    assert RecordBatchCoder().estimate_size(batch) == batch.nbytes


def test_some_rows_are_split_and_some_of_them_twice():
    batch = batch_of([(1, [], "a"), (2, [], "b"), (3, [], "c")])
    parts = dict(split_by(batch, np.array([7, 5, 7]), np.array([2, 0, 0])))
    assert list(parts) == [5, 7]
    assert parts[5].column("text").to_pylist() == ["a"]
    assert parts[7].column("text").to_pylist() == ["c", "a"]


def test_beam_finds_the_coder_of_a_batch():
    assert isinstance(beam.coders.registry.get_coder(pa.RecordBatch), RecordBatchCoder)


@given(rows, st.integers(0, 5))
def test_a_list_column_of_a_slice_holds_the_slice_alone(values, start):
    values, offsets = list_column(batch_of(values).slice(start), "list")
    assert offsets[0] == 0
    assert offsets[-1] == len(values)


@given(rows)
def test_splitting_by_shard_loses_no_row(values):
    batch = batch_of(values)
    parts = dict(split_by(batch, column(batch, "n")))
    assert sum(part.num_rows for part in parts.values()) == batch.num_rows
    assert all(set(column(part, "n")) == {shard} for shard, part in parts.items())


def test_a_matrix_becomes_a_fixed_size_column_and_comes_back():
    matrix = np.arange(6, dtype=np.uint32).reshape(2, 3)
    batch = with_column(batch_of([(1, [], ""), (2, [], "")]), "m", matrix)
    np.testing.assert_array_equal(column(batch, "m"), matrix)
    np.testing.assert_array_equal(column(batch.slice(1), "m"), matrix[1:])


def test_a_column_is_replaced_where_it_stands():
    batch = with_column(batch_of([(1, [], "")]), "n", np.array([7]))
    assert batch.schema.names == ["n", "list", "text"]
    assert column(batch, "n").tolist() == [7]


def test_a_column_with_nulls_is_no_array():
    batch = pa.RecordBatch.from_pydict({"n": [1, None]})
    with pytest.raises(ValueError, match="column n must hold no null, got 1"):
        column(batch, "n")


def test_no_batches_make_an_empty_one():
    schema = batch_of([]).schema
    assert concatenate([], schema).num_rows == 0
    assert concatenate([], schema).schema == schema


def test_list_array_is_the_inverse_of_list_column():
    array = pa.array([[1, 2], [], [3]], pa.list_(pa.int64()))
    batch = pa.RecordBatch.from_arrays([array], names=["list"])
    assert list_array(*list_column(batch, "list")).equals(array)
