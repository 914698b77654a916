"""The element of every collection: an Arrow RecordBatch, and how it travels.

A row that crosses a shuffle by itself costs 3 to 40 microseconds in Beam, a row inside a
batch of a thousand 0.2. So a stage takes a batch and gives a batch, and what is shuffled
is a batch keyed by a shard number.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

# What a schema's metadata names the codec by that its batches travel with.
CODEC = b"codec"

# Several collections by name, as a transform takes or gives them. Beam reads type hints off
# single collections alone, and warns of a dict of them.
Collections = Any


class RecordBatchCoder(beam.coders.Coder):
    """Encodes a RecordBatch as an Arrow IPC stream, one with texts compressed by zstd.

    News text shrinks to a third, and so does what the runner holds in memory between
    two stages. Keys and signatures are random bits and would only cost time. A schema
    whose metadata names another codec travels by that.
    """

    def encode(self, value: pa.RecordBatch) -> bytes:
        """Give the batch as one Arrow IPC stream."""
        named = (value.schema.metadata or {}).get(CODEC)
        codec = "zstd" if "text" in value.schema.names else None
        options = pa.ipc.IpcWriteOptions(compression=named.decode() if named else codec)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema, options=options) as writer:
            writer.write_batch(value)
        return sink.getvalue().to_pybytes()

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        """Give back the batch of one Arrow IPC stream."""
        with pa.ipc.open_stream(encoded) as reader:
            return reader.read_next_batch()

    def estimate_size(self, value: pa.RecordBatch) -> int:
        """Give about the bytes of the encoded batch; Beam would encode it to count them."""
        return int(value.nbytes)

    def is_deterministic(self) -> bool:
        """Equal batches give equal bytes."""
        return True

    def to_type_hint(self) -> type[pa.RecordBatch]:
        """Name the type that Beam looks this coder up by."""
        return pa.RecordBatch


beam.coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)


def column(batch: pa.RecordBatch | pa.Table, name: str) -> npt.NDArray[Any]:
    """Give a column of fixed-width numbers as an array, without a copy if it can be.

    A `fixed_size_list` column of width w comes back with shape (n, w). The column must
    hold no null.

    Raises:
      ValueError: if the column has nulls.
    """
    array = batch.column(name)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.null_count:
        raise ValueError(f"column {name} must hold no null, got {array.null_count}")
    if pa.types.is_fixed_size_list(array.type):
        flat = array.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(array), array.type.list_size)
    return array.to_numpy(zero_copy_only=False)


def list_column(
    batch: pa.RecordBatch | pa.Table, name: str
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Give a list column as its values, one row after the other, and their offsets.

    Returns:
      values: shape (s,), of all n rows.
      offsets: shape (n + 1,). Row i owns values[offsets[i]:offsets[i + 1]].
    """
    array = batch.column(name)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    offsets = array.offsets.to_numpy().astype(np.int64)
    first, last = (offsets[0], offsets[-1]) if len(offsets) else (0, 0)
    values = array.values.slice(first, last - first).to_numpy(zero_copy_only=False)
    return values, offsets - first


def list_array(values: npt.NDArray[Any], offsets: npt.NDArray[np.integer]) -> pa.ListArray:
    """Make a list column of values and offsets; the inverse of `list_column`."""
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values))


def with_column(
    batch: pa.RecordBatch, name: str, values: pa.Array | npt.NDArray[Any]
) -> pa.RecordBatch:
    """Give the batch with one more column, or with that column replaced.

    An array of shape (n, w) becomes a `fixed_size_list` column of width w.
    """
    if isinstance(values, np.ndarray) and values.ndim == 2:
        array = pa.FixedSizeListArray.from_arrays(
            pa.array(values.reshape(-1)), values.shape[1]
        )
    else:
        array = values if isinstance(values, pa.Array) else pa.array(values)
    if name in batch.schema.names:
        return batch.set_column(batch.schema.get_field_index(name), name, array)
    return batch.append_column(name, array)


def concatenate(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """Join batches of one schema into one; no batch gives an empty one."""
    table = pa.Table.from_batches(list(batches), schema=schema).combine_chunks()
    if not table.num_rows:
        return pa.RecordBatch.from_pylist([], schema=schema)
    return table.to_batches()[0]


def split_by(
    batch: pa.RecordBatch,
    shards: npt.NDArray[np.integer] | Sequence[int],
    rows: npt.NDArray[np.integer] | None = None,
) -> Iterable[tuple[int, pa.RecordBatch]]:
    """Give the rows of each shard as a batch of their own, in their order.

    Args:
      batch: n rows.
      shards: shape (m,). The shard of each row.
      rows: shape (m,). The rows that are given; all of them by default.
    """
    shards = np.asarray(shards, dtype=np.int64)
    if not shards.size:
        return
    order = np.argsort(shards, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(shards[order]) != 0))
    together = batch.take(pa.array(order if rows is None else rows[order]))
    for start, stop in itertools.pairwise([*starts.tolist(), shards.size]):
        yield int(shards[order[start]]), together.slice(start, stop - start)
